"""Where made memories stand among hits."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from memsvc.recall.order import all_below, sources_first

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
