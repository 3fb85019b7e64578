"""Gists lead to their sources and stay below them."""

from typing import Any

import numpy as np

from gpu.bank.records import Kind, Relation, State
from retrieval.channels.consolidation import ConsolidationChannel
from tests.fixtures.told_memories import Told, asked, made_up, view_of

FILLER = tuple(Told(f"something else happened, number {i}", ()) for i in range(20))
CHANNEL = ConsolidationChannel()


def gist_of(*sources: int, **more: Any) -> Told:
    return Told("a gist", (), links=tuple((Relation.DERIVED_FROM, s) for s in sources), **more)


def lifted(memories: tuple[Told, ...], scores: list[float], *, kind_hint: Kind | None = None, limit: int = 100) -> Any:
    memories = (*memories, *FILLER)
    with view_of(memories) as view:
        padded = [*scores, *[0.0] * (len(memories) - len(scores))]
        return CHANNEL.search(asked("?", kind_hint=kind_hint), view, limit, {"semantic": made_up(padded)})


SOURCES = (Told("first", ()), Told("second", ()), Told("a stranger", ()))


def test_a_gist_that_fits_lifts_its_sources_and_stays_below_them() -> None:
    result = lifted((*SOURCES, gist_of(0, 1)), [0.2, 0.0, 0.5, 1.0])
    assert result is not None
    assert sorted(result.slots.tolist()) == [0, 1, 3]  # strangers are not its business
    first, second, stranger, gist = result.score_of(np.arange(4))
    assert first > second > gist > 0.0
    assert stranger == 0.0
    assert result.slots.tolist() == [0, 1, 3]


def test_asked_for_what_is_true_in_general_the_gist_may_come_first() -> None:
    result = lifted((*SOURCES, gist_of(0, 1)), [0.2, 0.0, 0.0, 1.0], kind_hint=Kind.SEMANTIC)
    assert result.slots[0] == 3
    assert sorted(result.slots.tolist()) == [0, 1, 3]


def test_a_source_that_fits_brings_its_gist_a_little() -> None:
    result = lifted((*SOURCES, gist_of(0)), [1.0, 0.0, 0.0, 0.0])
    assert result.slots.tolist() == [0, 3]
    source, gist = result.score_of(np.array([0, 3]))
    assert 0.0 < gist < 0.2 * source


def test_a_gist_of_gists_lifts_what_lies_at_the_bottom() -> None:
    memories = (*SOURCES, gist_of(0), gist_of(3))
    bottom, middle, top = lifted(memories, [0.0, 0.0, 0.0, 0.0, 1.0]).score_of(np.array([0, 3, 4]))
    assert bottom > middle > top > 0.0
    in_general = lifted(memories, [0.0, 0.0, 0.0, 0.0, 1.0], kind_hint=Kind.SEMANTIC)
    assert in_general.slots.tolist() == [4, 3, 0]


def test_gists_in_a_circle_end() -> None:
    result = lifted((gist_of(1), gist_of(0)), [1.0, 0.5])
    assert sorted(result.slots.tolist()) == [0, 1]


def test_a_gist_whose_sources_are_gone_stands_by_itself() -> None:
    memories = (Told("forgotten", (), state=State.FORGOTTEN), Told("kept", ()), gist_of(0), gist_of(1))
    result = lifted(memories, [0.0, 0.5, 1.0, 0.9])
    assert sorted(result.slots.tolist()) == [1, 3]
    assert result.score_of(np.array([0])).tolist() == [-np.inf]


def test_it_abstains_where_nothing_was_derived() -> None:
    assert lifted(SOURCES, [1.0]) is None
    other = Told("follows", (), links=((Relation.FOLLOWS, 0),))
    assert lifted((*SOURCES, other), [1.0, 0.0, 0.0, 1.0]) is None
    assert lifted((*SOURCES, gist_of(0)), []) is None
    with view_of(()) as view:
        assert CHANNEL.search(asked("?"), view, 10, {}) is None
