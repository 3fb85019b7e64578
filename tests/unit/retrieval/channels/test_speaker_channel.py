"""The speaker channel tells candidates apart by who said them, and is silent where that says nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from retrieval.channels.speaker import SpeakerChannel
from retrieval.fusion import LearnedFusion
from retrieval.types import AnalysedQuery, ChannelResult
from tests.fixtures.told_memories import Told, asked, found_by_both, view_of

MEMORIES = (
    Told("Caroline: Melanie, I painted a sunset by the lake."),
    Told("Melanie: I painted a horse in a meadow."),
    Told("Melanie: Caroline, your sunset is lovely."),
    Told("somebody painted the fence"),
)


def searched(query: AnalysedQuery, memories: tuple[Told, ...] = MEMORIES) -> tuple[ChannelResult | None, list[float]]:
    with view_of(memories) as view:
        result = SpeakerChannel().search(query, view, 10, found_by_both(query, view))
        scores = [] if result is None else result.score_of(np.arange(len(memories))).tolist()
        return result, scores


def test_only_what_the_named_one_said_counts() -> None:
    result, scores = searched(asked("What did Caroline paint?"))
    assert scores == [1.0, 0.0, 0.0, 0.0]
    assert result is not None
    assert result.slots.size == 0  # it finds nothing by itself


def test_aliases_count_as_the_name() -> None:
    _, scores = searched(asked("What did Caro paint?", groups=[("Caro", "Caroline")]))
    assert scores == [1.0, 0.0, 0.0, 0.0]


def test_several_names_are_all_asked_about() -> None:
    _, scores = searched(asked("What did Caroline and Melanie paint?"))
    assert scores == [1.0, 1.0, 1.0, 0.0]


def test_it_abstains_where_it_tells_nothing_apart() -> None:
    assert searched(asked("what was painted?"))[0] is None  # nobody is named
    assert searched(asked("What did Zoe paint?"))[0] is None  # she said nothing
    assert searched(asked("What did Caroline paint?"), MEMORIES[:1])[0] is None  # she said everything
    query = asked("What did Caroline paint?")
    with view_of(MEMORIES) as view:
        assert SpeakerChannel().search(query, view, 10, {}) is None  # no candidate


def test_the_fusion_lifts_what_the_named_one_said() -> None:
    query = asked("Whose sunset, Caroline?")
    with view_of(MEMORIES) as view:
        seeds = found_by_both(query, view)
        result = SpeakerChannel().search(query, view, 10, seeds)
        assert result is not None
        weights = LearnedFusion().weights
        alone, told = (dict(seeds), seeds | {"speaker": result})
        before, after = (LearnedFusion(weights).fuse(of, 4) for of in (alone, told))
        gain = dict(zip(after.slots.tolist(), after.scores.tolist(), strict=True))
        for slot, score in zip(before.slots.tolist(), before.scores.tolist(), strict=True):
            assert (gain[slot] > score) == (slot == 0)


def test_what_nobody_listed_is_judged_as_what_was() -> None:
    query = asked("What did Caroline paint?")
    with view_of(MEMORIES) as view:
        seeds = {"keyword": replace(found_by_both(query, view)["keyword"], slots=np.array([0, 3]))}
        result = SpeakerChannel().search(query, view, 10, seeds)
        assert result is not None
        for slots in ([3, 0], [0, 1, 2, 3], [2], []):  # candidates, others among them, one alone, none
            assert result.score_of(np.array(slots, np.int64)).tolist() == [float(slot == 0) for slot in slots]
