"""What merging is compared with: each way says what its name says, in the bytes that it is given."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks._merge_ways import WAYS, as_coded
from gpu.bank.layouts import Tier

_PER_BUDGET = {None: 1, Tier.INT8: 2, Tier.INT4: 4}


def near(n: int, dim: int = 64) -> np.ndarray:
    rows = np.eye(1, dim) + 0.1 * np.random.default_rng(n).normal(size=(n, dim))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("way", [name for name in WAYS if name != "all as views"])
@pytest.mark.parametrize("n", [2, 3, 7])
def test_no_way_takes_more_numbers_than_one_vector_has(way: str, n: int) -> None:
    rows = WAYS[way].rows(near(n))
    lengths = np.linalg.norm(rows, axis=1)
    assert 1 <= len(rows) <= _PER_BUDGET[WAYS[way].tier]
    assert (lengths < 1.0 + 1e-9).all() if "not at unit" in way else np.allclose(lengths, 1.0)


@pytest.mark.parametrize("way", list(WAYS))
def test_what_is_the_same_stays_what_it_is(way: str) -> None:
    same = np.repeat(near(1), 3, axis=0)
    for row in WAYS[way].rows(same):
        np.testing.assert_allclose(row, same[0], atol=1e-9)


def test_the_weights_of_the_kernel_are_those_of_the_formula() -> None:
    rows = near(4)
    apart = np.linalg.norm(rows - rows[0], axis=1)
    weights = np.exp(-(apart**2) / (2 * apart[1:].mean() ** 2))
    expected = (weights[:, None] * rows).sum(axis=0) / weights.sum()
    np.testing.assert_allclose(WAYS["kernel, not at unit length"].rows(rows)[0], expected, atol=1e-12)


def test_two_centroids_are_those_of_the_two_halves() -> None:
    one, other = np.eye(8)[0], np.eye(8)[1]
    found = WAYS["two means, int8"].rows(np.stack([one, other, one, other, other]))
    np.testing.assert_allclose(sorted(found.tolist()), sorted([one.tolist(), other.tolist()]), atol=1e-12)


def test_what_is_coded_scores_nearly_as_it_was() -> None:
    rows = near(9, 384)
    for tier, most in ((Tier.INT8, 0.002), (Tier.INT4, 0.03)):
        assert np.abs(as_coded(rows, tier) @ rows.T - rows @ rows.T).max() < most
