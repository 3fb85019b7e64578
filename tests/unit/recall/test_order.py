"""Where made memories stand among hits."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from types import SimpleNamespace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from memsvc.recall.found import Found
from memsvc.recall.order import all_below, placed, sources_first
from retrieval.types import Hit

A, B, C, G, H = (UUID(int=n) for n in range(1, 6))


def test_a_made_one_stands_behind_its_best_source() -> None:
    assert sources_first([G, A, B, C], {G: {B, C}}) == [1, 2, 0, 3]
    assert sources_first([A, B, G, C], {G: {B, C}}) == [0, 1, 2, 3]
    assert sources_first([G, A], {G: {B}}) == [0, 1]


def test_a_roll_up_of_roll_ups_stands_behind_both() -> None:
    assert sources_first([H, G, A, B], {G: {A}, H: {G, A}}) == [2, 1, 0, 3]


def test_everything_below_is_found_through_all_levels_and_rings() -> None:
    links = {H: {G}, G: {A, B, H}}

    def below(ids: Iterable[UUID]) -> dict[UUID, set[UUID]]:
        return {one: links[one] for one in ids if one in links}

    assert all_below([H], below) == {H: {G, A, B, H}}


@given(st.permutations(list(range(8))), st.dictionaries(st.integers(4, 7), st.sets(st.integers(0, 3), max_size=4)))
def test_no_made_one_is_first_and_the_others_keep_their_order(order: list[int], made: dict[int, set[int]]) -> None:
    ids = [UUID(int=n + 1) for n in order]
    below = {UUID(int=g + 1): {UUID(int=s + 1) for s in sources} for g, sources in made.items()}
    ordered = [ids[place] for place in sources_first(ids, below)]
    assert sorted(ordered) == sorted(ids)
    for gist, sources in below.items():
        if sources:
            assert ordered.index(gist) > min(ordered.index(one) for one in sources)
    written = [one for one in ids if one not in below]
    assert [one for one in ordered if one not in below] == written


def found(memory: UUID, score: float, *, is_made: bool = False) -> Found:
    row = SimpleNamespace(derived="session" if is_made else None)
    return Found(Hit(rank=1, score=score, memory_id=memory, version=1, channels={}), row, {})


def test_a_made_one_stands_behind_as_many_of_the_written_as_in_its_own_search() -> None:
    written = [found(A, 3.0), found(B, 2.0), found(C, 1.0)]
    both = [found(G, 9.0, is_made=True), found(B, 8.0), found(C, 7.0), found(H, 0.5, is_made=True), found(A, 0.1)]
    answer = placed(written, both, set())
    assert [(one.id, one.hit.score) for one in answer] == [(G, 9.0), (A, 3.0), (B, 2.0), (H, 1.0), (C, 1.0)]
    answer = placed(written, both, {G})
    assert [(one.id, one.hit.score) for one in answer] == [(A, 3.0), (B, 2.0), (H, 1.0), (C, 1.0), (G, 1.0)]
    assert [one.id for one in placed([], both, {G})] == [H, G]
    assert placed(written, [], set()) == written


@given(
    st.lists(st.floats(-5, 5), max_size=6),
    st.lists(st.tuples(st.integers(0, 9), st.floats(-5, 5), st.booleans()), max_size=9, unique_by=lambda one: one[0]),
)
def test_scores_never_rise_and_the_written_stay_as_they_are(
    scores: list[float], others: list[tuple[int, float, bool]]
) -> None:
    written = [found(UUID(int=n), score) for n, score in enumerate(sorted(scores, reverse=True))]
    both = [found(UUID(int=n), score, is_made=n > 5) for n, score, _ in others]
    behind = {UUID(int=n) for n, _, is_behind in others if is_behind}
    answer = placed(written, both, behind)
    assert [one for one in answer if not one.is_made] == written
    assert {one.id for one in answer if one.is_made} == {one.id for one in both if one.is_made}
    assert all(one.hit.score >= other.hit.score for one, other in pairwise(answer))
    made = [one.id in behind for one in answer if one.is_made]
    assert made == sorted(made)
