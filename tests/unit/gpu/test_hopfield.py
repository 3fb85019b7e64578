"""Hopfield completion against its reference: exact steps, falling energy, and what it recovers at which load."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu.ops.hopfield.kernel import attend
from gpu.ops.hopfield.op import complete, complete_within, inverse_temperature
from gpu.ops.hopfield.reference import energy_rows, entropy_rows, step_rows


def unit_rows(rng: np.random.Generator, n: int, dim: int) -> np.ndarray:
    rows = rng.standard_normal((n, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@settings(max_examples=60)
@given(st.integers(1, 300), st.integers(1, 40), st.floats(0.01, 100.0), st.integers(0, 2**32 - 1))
def test_a_step_is_that_of_the_reference(n: int, dim: int, beta: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    patterns, cue = unit_rows(rng, n, dim), unit_rows(rng, 1, dim)[0]
    out = np.full(dim, np.nan, np.float32)
    log_sum, entropy = attend(patterns, cue, beta, out)
    exact = beta * (patterns.astype(np.float64) @ cue.astype(np.float64))
    assert out == pytest.approx(step_rows(patterns.astype(np.float64), cue.astype(np.float64), beta), abs=2e-5)
    assert log_sum == pytest.approx(np.logaddexp.reduce(exact), abs=1e-4)
    assert entropy == pytest.approx(entropy_rows(exact), abs=1e-4)


@settings(max_examples=60)
@given(st.integers(1, 200), st.integers(2, 32), st.floats(0.1, 100.0), st.integers(0, 2**32 - 1))
def test_the_energy_never_rises(n: int, dim: int, beta: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    patterns, cue = unit_rows(rng, n, dim), (rng.standard_normal(dim) * 2).astype(np.float32)
    found = complete(patterns, cue, beta)
    assert (np.diff(found.energies) <= 1e-5).all()
    exact, state = patterns.astype(np.float64), cue.astype(np.float64)
    constant = np.log(n) / beta + (exact**2).sum(axis=1).max() / 2
    assert found.energies[0] + constant == pytest.approx(energy_rows(exact, state, beta), abs=1e-4)
    if found.settled:
        assert found.state == pytest.approx(step_rows(exact, found.state.astype(np.float64), beta), abs=5e-4)


@pytest.mark.parametrize("n", [100, 1000, 10_000])
def test_half_a_cue_recovers_its_memory(n: int) -> None:
    rng = np.random.default_rng(n)
    dim, trials = 384, 100
    patterns = unit_rows(rng, n, dim)
    recovered = 0
    for target in rng.choice(n, trials, replace=False).tolist():
        cue = patterns[target].copy()
        cue[rng.permutation(dim)[: dim // 2]] = 0
        cue /= np.linalg.norm(cue)
        found = complete_within(patterns, cue, 8.0)
        assert found is not None
        assert found.attended <= 8.0
        assert (np.diff(found.energies) <= 1e-5).all()
        recovered += int(np.argmax(patterns @ found.state)) == target
    assert recovered >= 0.99 * trials


def test_different_cues_end_apart_where_a_layers_temperature_gives_one_answer() -> None:
    rng = np.random.default_rng(0)
    dim = 384
    patterns = unit_rows(rng, 1000, dim) + unit_rows(rng, 1, dim)  # with a common part, as embeddings have
    patterns /= np.linalg.norm(patterns, axis=1, keepdims=True)
    cues = patterns[:2] + 0.5 * unit_rows(rng, 2, dim)
    cues /= np.linalg.norm(cues, axis=1, keepdims=True)

    def alike(one: np.ndarray, other: np.ndarray) -> float:
        return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))

    hot = [complete(patterns, cue, dim**-0.5).state for cue in cues]
    assert alike(*hot) > 0.999
    cold = [complete_within(patterns, cue, 8.0) for cue in cues]
    assert cold[0] is not None
    assert cold[1] is not None
    assert alike(cold[0].state, cold[1].state) < 0.9
    assert [int(np.argmax(patterns @ found.state)) for found in cold if found] == [0, 1]


def test_where_all_patterns_look_alike_nothing_is_completed() -> None:
    rng = np.random.default_rng(5)
    patterns = unit_rows(rng, 1, 64) + 1e-4 * unit_rows(rng, 200, 64)
    assert complete_within(patterns.astype(np.float32), patterns[0].astype(np.float32), 8.0) is None


def test_the_temperature_attends_to_the_wanted_number() -> None:
    rng = np.random.default_rng(1)
    products = (rng.standard_normal(500) * 0.1).astype(np.float32)
    for wanted in (2.0, 8.0, 100.0):
        beta = inverse_temperature(products, wanted, 0.1, 1000.0)
        assert np.exp(entropy_rows(beta * products.astype(np.float64))) == pytest.approx(wanted, rel=1e-3)
    assert inverse_temperature(np.zeros(500, np.float32), 8.0, 1.0, 50.0) == pytest.approx(50.0)
    assert inverse_temperature(products[:4], 8.0, 1.0, 50.0) == 1.0


def test_what_does_not_fit_is_refused() -> None:
    rows, cue = np.ones((2, 3), np.float32), np.ones(3, np.float32)
    for patterns, state, beta, most in (
        (rows[:0], cue, 1.0, 1),
        (rows, cue[:2], 1.0, 1),
        (rows, cue, 0.0, 1),
        (rows, cue, np.inf, 1),
        (rows, cue, 1.0, 0),
    ):
        with pytest.raises(ValueError, match=r"must be"):
            complete(patterns, state, beta, most=most)
    with pytest.raises(ValueError, match="must be"):
        complete_within(rows, cue[:2], 8.0)
    for products, low, high in ((cue[:0], 1.0, 2.0), (cue, 0.0, 2.0), (cue, 2.0, 1.0)):
        with pytest.raises(ValueError, match="must be"):
            inverse_temperature(products, 8.0, low, high)
