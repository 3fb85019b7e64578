"""Weights that learn: within their bounds, with little to regret on any stream, and not at all without feedback."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.adaptation import LEAST, MOST, Adaptation, Judged, Verdict, apart, gains

Stream = Callable[[int, Adaptation, np.random.Generator], list[float]]


def stationary(t: int, _: Adaptation, rng: np.random.Generator) -> list[float]:
    return rng.normal([0.3, 0.0, -0.3], 0.5).tolist()


def drifting(t: int, _: Adaptation, rng: np.random.Generator) -> list[float]:
    return rng.normal([np.sin(t / 400), np.cos(t / 400), 0.0], 0.3).tolist()


def turning(t: int, _: Adaptation, rng: np.random.Generator) -> list[float]:
    return [1.0 if t % 2 else -1.0, -1.0 if t % 2 else 1.0, 0.0]


def adversarial(t: int, state: Adaptation, rng: np.random.Generator) -> list[float]:
    """Against whatever is played."""
    played = state.factors or dict.fromkeys("abc", 1.0)
    return [-1.0 if played[name] >= 1 else 1.0 for name in "abc"]


def run(stream: Stream, rounds: int) -> Adaptation:
    state, rng = Adaptation(), np.random.default_rng(3)
    for t in range(rounds):
        state.step(dict(zip("abc", stream(t, state, rng), strict=True)))
    return state


@pytest.mark.parametrize("stream", [stationary, drifting, turning, adversarial])
def test_regret_grows_slower_than_the_rounds(stream: Stream) -> None:
    short, long = run(stream, 600), run(stream, 9600)
    for state in (short, long):
        assert state.regret <= state.regret_bound
    assert long.regret_bound <= 4.5 * short.regret_bound, "16 times the rounds, 4 times the bound"
    assert long.regret / long.rounds < 0.08
    assert long.regret / long.rounds < max(0.5 * short.regret / short.rounds, 1e-3)


def test_the_meter_would_see_weights_that_never_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "exp", lambda x: np.ones_like(x))
    state = run(stationary, 9600)
    assert state.regret > state.regret_bound


def test_the_right_channel_gains_weight_and_the_wrong_one_loses_it() -> None:
    factors = run(stationary, 2000).factors
    assert factors["a"] > 1.5
    assert factors["c"] < 0.7


@settings(max_examples=60)
@given(st.lists(st.dictionaries(st.sampled_from("abcd"), st.floats(-5, 5)), max_size=40))
def test_factors_stay_in_their_bounds_and_the_same_feedback_gives_the_same(rounds: list[dict[str, float]]) -> None:
    one, other = Adaptation(), Adaptation()
    for gain in rounds:
        one.step(gain)
        other.step(dict(reversed(gain.items())))
        assert one.regret <= one.regret_bound
    assert one.factors == other.factors
    assert all(LEAST <= factor <= MOST for factor in one.factors.values())


def test_without_feedback_nothing_changes() -> None:
    state = Adaptation()
    state.learn([])
    assert (state.factors, state.rounds, state.regret) == ({}, 0, 0.0)
    run_on = run(stationary, 20)
    before = run_on.factors
    run_on.learn([])
    assert run_on.factors == before


def test_one_verdict_moves_little() -> None:
    state = Adaptation()
    state.learn([Judged(Verdict.USED, {"a": 9.0, "b": -9.0})])
    assert 1.0 < state.factors["a"] < 1.13
    assert 0.88 < state.factors["b"] < 1.0


def test_gain_is_right_less_wrong() -> None:
    judged = [
        Judged(Verdict.USED, {"a": 1.0, "b": 0.5}),
        Judged(Verdict.USEFUL, {"a": 0.0}),
        Judged(Verdict.WRONG, {"b": 0.25, "c": 3.0}),
    ]
    assert gains(judged) == {"a": 0.5, "b": 0.0, "c": -1.0}


def test_apart_is_in_standard_deviations_over_the_hits() -> None:
    found = apart(np.array([1.0, 3.0, -np.inf, np.nan], dtype=np.float32))
    assert found.tolist() == [-1.0, 1.0, 0.0, 0.0]
    assert apart(np.array([2.0, 2.0], dtype=np.float32)).tolist() == [0.0, 0.0]
    assert apart(np.array([2.0], dtype=np.float32)).tolist() == [0.0]
