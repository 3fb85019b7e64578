"""Retention against its closed form, and what recalls do to stability."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.retention import (
    LARGEST_GROWTH,
    MOST_STABILITY_S,
    Grade,
    after_recall,
    effective_stability,
    elapsed_until,
    retention,
)

DAY = 86_400.0
stabilities = st.floats(3_600, 1e9)
levels = st.floats(0, 1)


@given(st.floats(0, 1e10), stabilities)
def test_retention_is_the_closed_form(elapsed: float, stability: float) -> None:
    assert retention(elapsed, stability) == pytest.approx(math.e ** (-elapsed / stability), abs=1e-9)


@given(st.floats(-1e12, 1e12), stabilities)
def test_no_clock_makes_it_leave_its_range(elapsed: float, stability: float) -> None:
    assert 0.0 <= retention(elapsed, stability) <= 1.0
    if elapsed <= 0:
        assert retention(elapsed, stability) == 1.0


@given(st.floats(1e-6, 1.0), stabilities)
def test_time_until_a_level_is_its_inverse(level: float, stability: float) -> None:
    assert retention(elapsed_until(level, stability), stability) == pytest.approx(level, rel=1e-9)


@given(levels, stabilities, st.sampled_from([Grade.USED, Grade.USEFUL]))
def test_a_recall_of_use_never_weakens(level: float, stability: float, grade: Grade) -> None:
    after = after_recall(stability, level, grade)
    assert stability <= after <= min(stability * LARGEST_GROWTH, MOST_STABILITY_S) * (1 + 1e-12)


@given(stabilities, st.lists(levels, min_size=2, max_size=2))
def test_more_was_lost_so_more_is_gained(stability: float, pair: list[float]) -> None:
    low, high = sorted(pair)
    assert after_recall(stability, low, Grade.USED) >= after_recall(stability, high, Grade.USED)


def test_recalls_at_once_count_as_one() -> None:
    once = after_recall(7 * DAY, 0.5, Grade.USED)
    again = once
    for _ in range(10):
        again = after_recall(again, retention(1, again), Grade.USED)
    assert again == pytest.approx(once, rel=1e-3)


def test_a_wrong_recall_weakens_and_a_useful_one_strengthens_more() -> None:
    used, useful = (after_recall(DAY, 0.8, grade) for grade in (Grade.USED, Grade.USEFUL))
    assert after_recall(DAY, 0.8, Grade.WRONG) < DAY < used < useful


def test_importance_and_surprise_make_it_last() -> None:
    plain = effective_stability(DAY, 1.0, 0.5, None)
    assert plain == DAY == effective_stability(DAY, 1.0, 0.5, 0.5)
    assert effective_stability(DAY, 1.0, 1.0, None) == 4 * DAY
    assert effective_stability(DAY, 1.0, 0.0, None) == DAY / 4
    assert effective_stability(DAY, 2.0, 0.5, 1.0) == 4 * DAY
