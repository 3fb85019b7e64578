"""What is kept of a memory's uses, and what follows from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.uses import UseColumns, Uses, after_use, chances, recurrences

DAY = 86_400.0
TIMES = st.lists(st.floats(0.0, 400.0), min_size=1, max_size=12).map(sorted)


def kept(times: list[float]) -> Uses:
    uses, last = Uses(), None
    for at in times:
        uses = after_use(uses, None if last is None else (at - last) * DAY)
        last = at
    return uses


def chance(times: list[float], now: float, *, beside: int = 0) -> float:
    """The chance of a memory that was written on day 0 and used on some days, beside others that never were."""
    uses = kept(times)
    last = times[-1] if times else 0.0
    columns = UseColumns(
        ages_s=np.full(1 + beside, now * DAY),
        silences_s=np.array([now - last] + [now] * beside) * DAY,
        counts=np.array([len(times)] + [0] * beside, np.float64),
        recents=np.array([uses.recent] + [0.0] * beside),
        longest_gaps_s=np.array([uses.longest_gap_s] + [0.0] * beside),
    )
    return float(chances(columns, np.arange(1 + beside))[0])


@given(TIMES)
def test_the_longest_gap_is_exact(times: list[float]) -> None:
    gaps = np.diff(times)
    assert kept(times).longest_gap_s == pytest.approx(float(gaps.max(initial=0.0)) * DAY)


@given(TIMES, st.floats(0.0, 400.0))
def test_it_is_a_chance_and_falls_with_silence(times: list[float], later: float) -> None:
    now, then = times[-1] + 1.0, times[-1] + 1.0 + later
    assert 0.0 <= chance(times, then, beside=3) <= 1.0
    uses = kept(times)
    by = [
        float(
            recurrences(
                UseColumns(
                    np.array([at * DAY]),
                    np.array([(at - times[-1]) * DAY]),
                    np.array([float(len(times))]),
                    np.array([uses.recent]),
                    np.array([uses.longest_gap_s]),
                )
            )[0]
        )
        for at in (now, then)
    ]
    assert by[1] <= by[0]


@given(TIMES, st.floats(0.0, 100.0), st.integers(0, 3))
def test_a_use_makes_another_no_less_likely(times: list[float], later: float, beside: int) -> None:
    now = times[-1] + later
    assert chance([*times, now], now, beside=beside) >= chance(times, now, beside=beside) - 1e-9
    assert chance([now], now, beside=beside) >= chance([], now, beside=beside) - 1e-9


def test_ten_uses_in_a_minute_are_little_more_than_one() -> None:
    burst = [1.0 + n / 14_400 for n in range(10)]
    assert kept(burst).recent < 1.02


def test_more_uses_make_another_more_likely() -> None:
    assert chance([10.0, 20.0], 25.0) < chance([5.0, 10.0, 15.0, 20.0], 25.0)


def test_a_period_counts_until_it_is_missed() -> None:
    monthly = [28.0, 56.0, 84.0, 112.0]
    assert chance(monthly, 139.0, beside=5) > chance([112.0], 139.0, beside=5)
    assert chance(monthly, 139.0, beside=5) > 2 * chance(monthly, 112.0 + 4 * 28.0, beside=5)


def test_a_clock_that_was_set_back_does_no_harm() -> None:
    assert after_use(Uses(1.0, 5.0), -100.0) == Uses(1.0, 5.0)
    assert 0.0 <= chance([10.0], 5.0) <= 1.0


def test_no_memories_have_no_chances() -> None:
    none = np.zeros(0)
    assert chances(UseColumns(none, none, none, none, none), np.zeros(0, np.int64)).size == 0
