"""The spread against the fixed point that a dense linear solve gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu.ops.spread.op import Graph, graph, spread
from gpu.ops.spread.reference import spread_rows


def made(rng: np.random.Generator, n: int, edges: int) -> tuple[Graph, np.ndarray]:
    sources, targets = rng.integers(0, n, (2, edges))
    weights = rng.random(edges) * (rng.random(edges) < 0.8)
    dense = np.zeros((n, n))
    np.add.at(dense, (sources, targets), weights)
    return graph(n, sources, targets, weights), dense


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(0, 120), st.floats(0.05, 1.0), st.integers(0, 2**32 - 1))
def test_it_reaches_the_fixed_point(n: int, edges: int, damping: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    over, dense = made(rng, n, edges)
    seeds = rng.random(n) + 1e-3
    found, _ = spread(over, seeds, damping, tolerance=1e-12, most=2000)
    assert found == pytest.approx(spread_rows(dense, seeds, damping), abs=1e-10)
    assert found.sum() == pytest.approx(1.0)


def test_it_stops_within_the_stated_steps_and_error() -> None:
    rng = np.random.default_rng(3)
    for n in (7, 63, 1000):
        over, dense = made(rng, n, 5 * n)
        seeds = np.zeros(n)
        seeds[:3] = (3, 2, 1)
        found, steps = spread(over, seeds, 0.5)
        assert steps <= 15
        assert np.abs(found - spread_rows(dense, seeds, 0.5)).sum() <= 1e-4

    around = np.arange(100)
    ring = graph(100, around, (around + 1) % 100, np.ones(100))
    assert spread(ring, (around == 0).astype(float), 0.01, most=20)[1] == 20


def test_repeated_edges_add_up_and_a_dead_end_gives_back() -> None:
    over = graph(3, np.array([0, 0, 0]), np.array([1, 1, 2]), np.array([1.0, 1.0, 2.0]))
    assert over.shares.tolist() == [0.25, 0.25, 0.5]
    found, _ = spread(over, np.array([1.0, 0.0, 0.0]), 0.5, tolerance=1e-12, most=200)
    assert found == pytest.approx([2 / 3, 1 / 6, 1 / 6])


def test_what_does_not_fit_is_refused() -> None:
    none, one = np.empty(0, np.int64), np.array([0])
    with pytest.raises(ValueError, match="must be"):
        graph(2, one, none, np.ones(1))
    with pytest.raises(ValueError, match="leads out"):
        graph(1, one, one + 1, np.ones(1))
    with pytest.raises(ValueError, match="negative"):
        graph(1, one, one, -np.ones(1))
    with pytest.raises(ValueError, match="negative"):
        graph(1, one, one, np.full(1, np.nan))
    over = graph(1, one, one, np.ones(1))
    for seeds, damping in (([1.0, 1.0], 0.5), ([0.0], 0.5), ([-1.0], 0.5), ([np.inf], 0.5), ([1.0], 0.0)):
        with pytest.raises(ValueError, match=r"seeds|damping"):
            spread(over, np.array(seeds), damping)
