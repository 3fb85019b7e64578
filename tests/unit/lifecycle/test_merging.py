"""Which memories become one, what the pivot takes over, and the weights of their vectors."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gpu.bank.records import Kind
from lifecycle.merging import (
    MergePolicy,
    Standing,
    Told,
    are_one,
    is_interrupted,
    merged_vector,
    merges,
    moved,
    together,
)
from lifecycle.wording import wording

NOW = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = MergePolicy()
_ROWS = arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(2, 8)), elements=st.floats(-1, 1, width=16))


def told(number: int, text: str = "I am allergic to nuts.", **fields: object) -> Told:
    given = {"kind": Kind.SEMANTIC, "hours": 0.0, "uses": 0, **fields}
    moment = NOW + timedelta(hours=float(str(given.pop("hours"))))
    uses, kind = given.pop("uses"), given.pop("kind")
    made = Told(UUID(int=number), kind, wording(text, "Ada"), (), text.encode(), None, moment, uses, 1.0, 0.5)  # type: ignore[arg-type]
    return replace(made, **given)  # type: ignore[arg-type]


def units(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(lengths > 1e-3, rows / np.maximum(lengths, 1e-3), np.eye(1, rows.shape[1]))


@given(_ROWS)
@settings(max_examples=200, deadline=None)
def test_the_farthest_member_is_no_farther_than_from_the_mean(rows: np.ndarray) -> None:
    rows = units(rows)
    mean = rows.mean(axis=0)
    if np.linalg.norm(mean) > 0.5:
        assert (rows @ merged_vector(rows)).min() >= (rows @ mean).min() / np.linalg.norm(mean) - 1e-9


def test_one_that_is_unlike_the_others_is_not_lost() -> None:
    near, odd = np.array([1.0, 0.0]), np.array([math.cos(0.6), math.sin(0.6)])
    merged = merged_vector(np.stack([near] * 9 + [odd]))
    assert math.acos(float(merged @ near)) == pytest.approx(0.3, abs=0.02)
    assert math.acos(float(merged @ odd)) == pytest.approx(0.3, abs=0.02)


def test_of_three_corners_it_is_the_point_that_is_as_far_from_all() -> None:
    rows = np.eye(3)
    np.testing.assert_allclose(rows @ merged_vector(rows), 3**-0.5, atol=0.02)


def test_the_order_of_members_makes_no_difference() -> None:
    rows = units(np.random.default_rng(1).normal(size=(7, 16)) + 3.0)
    np.testing.assert_allclose(merged_vector(rows[::-1]), merged_vector(rows), atol=1e-12)


@given(_ROWS)
@settings(max_examples=100, deadline=None)
def test_a_merged_vector_has_unit_length(rows: np.ndarray) -> None:
    merged = merged_vector(units(rows))
    assert np.isclose(np.linalg.norm(merged), 1.0)


def test_what_cancels_out_leaves_the_pivots_own() -> None:
    rows = np.array([[1.0, 0.0], [-1.0, 0.0]])
    np.testing.assert_array_equal(merged_vector(rows), rows[0])


def test_equal_vectors_stay_what_they_are() -> None:
    row = np.array([0.6, 0.8])
    np.testing.assert_allclose(merged_vector(np.stack([row] * 3)), row, atol=1e-15)


_STANDING = st.builds(
    Standing,
    st.integers(0, 9),
    st.floats(1, 1e6),
    st.none() | st.integers(0, 99).map(lambda h: NOW + timedelta(hours=h)),
    st.floats(0, 1),
    st.lists(st.sampled_from("abcdef"), unique=True, max_size=4).map(tuple),
)


@given(_STANDING, st.lists(_STANDING, max_size=4), st.randoms())
@settings(max_examples=200, deadline=None)
def test_what_is_taken_over_is_given_back_in_any_order(own: Standing, members: list[Standing], rng: object) -> None:
    now, there = own, list[Standing]()
    for member in members:
        now = moved(now, together(own, there), together(own, [*there, member]))
        there.append(member)
    assert now == together(own, members)
    while there:
        rest = there[:-1] if getattr(rng, "random")() < 0.5 else there[1:]  # noqa: B009
        now = moved(now, together(own, there), together(own, rest))
        there = rest
    assert now == own


def test_uses_since_a_merge_stay_and_so_does_what_somebody_set() -> None:
    own = Standing(1, 10.0, NOW, 0.2, ("a",))
    member = Standing(4, 20.0, NOW + timedelta(hours=1), 0.9, ("b",))
    merged = together(own, [member])
    assert (merged.recall_count, merged.stability_s, merged.importance, merged.tags) == (5, 20.0, 0.9, ("a", "b"))
    later = replace(merged, recall_count=7, stability_s=33.0, importance=0.5, tags=("b", "mine", "a"))
    assert moved(later, merged, own) == Standing(3, 33.0, NOW, 0.5, ("mine", "a"))


def test_the_pivot_is_used_most_and_takes_all() -> None:
    found = merges([told(1), told(2, uses=3), told(3)], POLICY)
    assert [(one.pivot.id.int, one.member.id.int) for one in found] == [(2, 1), (2, 3)]
    assert all(one.is_exact for one in found)


@given(st.permutations(range(6)))
@settings(max_examples=30, deadline=None)
def test_the_order_of_memories_makes_no_difference(order: list[int]) -> None:
    texts = ["I am allergic to nuts.", "I'm allergic to nuts", "I am allergic to milk."]
    every = [told(n, texts[n % 3], uses=n % 2) for n in range(6)]
    assert merges([every[n] for n in order], POLICY) == merges(every, POLICY)


def test_pinned_memories_are_no_members_and_what_stands_apart_is_neither() -> None:
    assert merges([told(1, uses=9), told(2, is_pinned=True)], POLICY)[0].member.id.int == 1
    assert merges([told(1, is_pinned=True), told(2, is_pinned=True)], POLICY) == []
    assert merges([told(1, is_pivot=True), told(2, is_pivot=True)], POLICY) == []
    assert merges([told(1), told(2, is_apart=True)], POLICY) == []


def test_events_are_told_within_an_hour_and_each_member_is_near_its_pivot() -> None:
    every = [told(n, "We ran five km.", kind=Kind.EPISODIC, hours=0.6 * n) for n in range(4)]
    assert [(one.pivot.id.int, one.member.id.int) for one in merges(every, POLICY)] == [(0, 1), (2, 3)]
    assert not are_one(told(1, "We meet tomorrow."), told(2, "We meet tomorrow.", hours=30.0), POLICY)
    happened = told(1, kind=Kind.EPISODIC, occurred_at=NOW)
    reworded = told(2, "I'm allergic to nuts", kind=Kind.EPISODIC, occurred_at=NOW + timedelta(seconds=9))
    assert not are_one(happened, reworded, POLICY)
    assert not are_one(happened, told(2, kind=Kind.EPISODIC), POLICY)


def test_a_claim_between_two_tellings_parts_them() -> None:
    (one,) = merges([told(1, "I live in Oslo."), told(2, "I live in Oslo.", hours=50.0)], POLICY)
    assert one.pivot.id.int == 2
    claim = one.pivot.wording.made[0]
    key = claim.subject, claim.attribute
    assert is_interrupted(one, {key: [(NOW + timedelta(hours=9), "bergen")]})
    assert not is_interrupted(one, {key: [(NOW + timedelta(hours=99), "bergen"), (NOW, claim.value)]})


def test_many_that_are_alike_take_no_time_of_their_square() -> None:
    texts = ["I am allergic to nuts.", "We ran five km."]
    two = [told(0, text, kind=Kind.EPISODIC) for text in texts]
    every = [replace(two[n % 2], id=UUID(int=n), recorded_at=NOW + timedelta(hours=2 * n)) for n in range(20_000)]
    assert merges(every, POLICY) == []


@pytest.mark.parametrize("wrong", [{"floor": -0.1}, {"floor": 1.1}, {"within_s": -1.0}, {"within_s": 1e6}])
def test_a_policy_without_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="lie"):
        MergePolicy(**wrong)
