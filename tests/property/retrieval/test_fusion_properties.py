"""Properties of both fusions over any results of channels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from retrieval.fusion import Fusion, ReciprocalRanks, StandardisedScores
from retrieval.types import ChannelResult

N_SLOTS = 12
BOTH: list[Fusion] = [
    StandardisedScores(),
    ReciprocalRanks(),
    StandardisedScores({"a": 0.5}),
    ReciprocalRanks({"a": 2}),
]
SCORES = arrays(np.float32, N_SLOTS, elements=st.integers(-40, 40).map(lambda n: n / 8))


def channel(scores: np.ndarray, limit: int) -> ChannelResult:
    """What a channel with these scores over all slots says."""
    order = np.argsort(-scores, kind="stable")[:limit].astype(np.int64)
    known = scores[np.isfinite(scores)]
    mean, std = (float(known.mean()), float(known.std())) if known.size else (0.0, 0.0)
    return ChannelResult(order, scores[order], mean, std, lambda slots: scores[slots])


@st.composite
def results(draw: st.DrawFn) -> dict[str, ChannelResult]:
    names = draw(st.lists(st.sampled_from("abcd"), unique=True, max_size=4))
    return {name: channel(draw(SCORES), draw(st.integers(1, N_SLOTS))) for name in names}


@pytest.mark.parametrize("fusion", BOTH)
@settings(max_examples=40)
@given(given_results=results(), limit=st.integers(0, 15), data=st.data())
def test_the_order_of_channels_is_irrelevant(
    fusion: Fusion, given_results: dict[str, ChannelResult], limit: int, data: st.DataObject
) -> None:
    shuffled = dict(data.draw(st.permutations(list(given_results.items()))))
    one, other = fusion.fuse(given_results, limit), fusion.fuse(shuffled, limit)
    assert one.slots.tolist() == other.slots.tolist()
    assert one.scores.tobytes() == other.scores.tobytes()


@pytest.mark.parametrize("fusion", BOTH)
@settings(max_examples=40)
@given(given_results=results(), limit=st.integers(0, 15))
def test_a_ranking_is_a_sorted_part_of_the_union(
    fusion: Fusion, given_results: dict[str, ChannelResult], limit: int
) -> None:
    ranking = fusion.fuse(given_results, limit)
    union = {slot for result in given_results.values() for slot in result.slots.tolist()}
    assert len(ranking.slots) == min(limit, len(union))
    assert set(ranking.slots.tolist()) <= union
    assert len(set(ranking.slots.tolist())) == len(ranking.slots)
    keys = [(-score, slot) for score, slot in zip(ranking.scores.tolist(), ranking.slots.tolist(), strict=True)]
    assert keys == sorted(keys), "best first, and equal scores by slot"


@pytest.mark.parametrize("fusion", BOTH)
@settings(max_examples=40)
@given(given_results=results())
def test_a_shorter_answer_is_the_start_of_a_longer_one(fusion: Fusion, given_results: dict[str, ChannelResult]) -> None:
    assert fusion.fuse(given_results, 3).slots.tolist() == fusion.fuse(given_results, 99).slots.tolist()[:3]


@pytest.mark.parametrize("fusion", BOTH)
@settings(max_examples=40)
@given(given_results=results())
def test_inputs_are_untouched(fusion: Fusion, given_results: dict[str, ChannelResult]) -> None:
    before = {name: (r.slots.tobytes(), r.scores.tobytes()) for name, r in given_results.items()}
    fusion.fuse(given_results, 5)
    assert before == {name: (r.slots.tobytes(), r.scores.tobytes()) for name, r in given_results.items()}


@settings(max_examples=40)
@given(first=SCORES, second=SCORES, slot=st.integers(0, N_SLOTS - 1), more=st.integers(1, 40))
def test_a_better_score_in_one_channel_never_lowers_a_memory(
    first: np.ndarray, second: np.ndarray, slot: int, more: int
) -> None:
    """Moments are held: it is the memory's own score that is looked at, not the namespace's."""
    fixed = channel(first, N_SLOTS)
    raised = first.copy()
    raised[slot] += np.float32(more / 8)
    better = ChannelResult(
        np.argsort(-raised, kind="stable").astype(np.int64),
        np.sort(raised)[::-1],
        fixed.mean,
        fixed.std,
        raised.__getitem__,
    )
    other = channel(second, N_SLOTS)
    for fusion in (StandardisedScores(), ReciprocalRanks()):
        before = fusion.fuse({"a": fixed, "b": other}, N_SLOTS).slots.tolist().index(slot)
        after = fusion.fuse({"a": better, "b": other}, N_SLOTS).slots.tolist().index(slot)
        assert after <= before


@settings(max_examples=40)
@given(scores=SCORES, shift=st.integers(-8, 8), scale=st.sampled_from([0.5, 2.0, 4.0]))
def test_standardised_scores_do_not_depend_on_a_channels_unit(scores: np.ndarray, shift: int, scale: float) -> None:
    other = channel(np.arange(N_SLOTS, dtype=np.float32), N_SLOTS)
    moved = channel((scores * np.float32(scale) + np.float32(shift)).astype(np.float32), N_SLOTS)
    one = StandardisedScores().fuse({"a": channel(scores, N_SLOTS), "b": other}, N_SLOTS)
    two = StandardisedScores().fuse({"a": moved, "b": other}, N_SLOTS)
    at_one = dict(zip(one.slots.tolist(), one.scores.tolist(), strict=True))
    at_two = dict(zip(two.slots.tolist(), two.scores.tolist(), strict=True))
    for slot, score in at_one.items():
        assert at_two[slot] == pytest.approx(score, abs=1e-4)
