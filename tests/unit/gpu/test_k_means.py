"""k-means: good partitions, the same with and without faiss, whatever the rows are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu.ops.k_means import op
from gpu.ops.k_means.op import Clusters, k_means
from gpu.ops.k_means.reference import lloyd, means, nearest


@pytest.fixture(params=["faiss", "numpy"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "faiss":
        pytest.importorskip("faiss")
    else:
        monkeypatch.setattr(op, "faiss", lambda: None)
    return str(request.param)


def clustered(rng: np.random.Generator, n: int, k: int, dim: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows around `k` directions, and which."""
    middles = rng.standard_normal((k, dim))
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    of = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])
    rows = middles[of] + spread * rng.standard_normal((n, dim)) / np.sqrt(dim)
    return rows.astype(np.float32), of


def check(rows: np.ndarray, k: int, found: Clusters) -> None:
    n = rows.shape[0]
    count = found.centroids.shape[0]
    assert 1 <= count <= min(k, n)
    assert found.labels.shape == found.scores.shape == (n,)
    assert np.array_equal(np.unique(found.labels), np.arange(count)), "no cluster is empty"
    lengths = np.maximum(np.linalg.norm(rows, axis=1), 1e-9)
    for number in range(count):
        own = rows[found.labels == number] / lengths[found.labels == number][:, None]
        middle = own.sum(axis=0)
        if np.linalg.norm(middle) > 1e-3:
            assert found.centroids[number] == pytest.approx(middle / np.linalg.norm(middle), abs=2e-4)
    wanted = np.einsum("nd,nd->n", rows / lengths[:, None], found.centroids[found.labels])
    assert found.scores == pytest.approx(wanted, abs=1e-5)


@settings(max_examples=15)
@given(st.integers(1, 90), st.integers(1, 120), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_every_row_is_in_a_cluster_and_no_cluster_is_empty(n: int, k: int, dim: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = (rng.standard_normal((n, dim)) * rng.uniform(0.1, 9, (n, 1))).astype(np.float32)
    rows[rng.random(n) < 0.1] = 0
    check(rows, k, k_means(rows, k, rounds=5, seed=seed % 1000))


def test_clusters_that_are_far_apart_are_found(way: str) -> None:
    rows, of = clustered(np.random.default_rng(1), 400, 6, 24, 0.3)
    best = max((k_means(rows, 6, seed=seed) for seed in range(8)), key=lambda found: float(found.scores.sum()))
    pairs = np.unique(np.stack([of, best.labels]), axis=1)
    assert pairs.shape[1] == 6, "each direction is one cluster"


def test_the_loss_is_that_of_plain_lloyd() -> None:
    rows, _ = clustered(np.random.default_rng(2), 600, 20, 16, 0.8)
    unit_rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    plain = np.mean([1 - nearest(unit_rows, lloyd(unit_rows, 20, 20, seed))[1].mean() for seed in range(5)])
    found = np.mean([1 - k_means(rows, 20, seed=seed).scores.mean() for seed in range(5)])
    assert found == pytest.approx(plain, rel=0.1)


def test_the_same_seed_gives_the_same_clusters_and_another_one_others() -> None:
    rows = np.random.default_rng(3).standard_normal((300, 8)).astype(np.float32)
    one, again, other = (k_means(rows, 12, seed=seed) for seed in (5, 5, 6))
    assert np.array_equal(one.centroids, again.centroids)
    assert np.array_equal(one.labels, again.labels)
    assert not np.array_equal(one.labels, other.labels)


def test_equal_rows_are_one_cluster() -> None:
    found = k_means(np.full((50, 4), 0.5, np.float32), 7)
    assert found.labels.tolist() == [0] * 50
    assert found.scores == pytest.approx(np.ones(50))


def test_as_many_clusters_as_rows_or_none_at_all() -> None:
    rows = np.eye(5, dtype=np.float32)
    for k in (5, 9):
        assert np.sort(k_means(rows, k).labels).tolist() == [0, 1, 2, 3, 4]
    assert k_means(rows[:1], 3).labels.tolist() == [0]
    assert k_means(rows, 1).centroids.shape == (1, 5)
    nothing = k_means(rows[:0], 3)
    assert nothing.centroids.shape == (0, 5)
    assert nothing.labels.shape == (0,)


def test_a_centroid_without_rows_takes_the_one_that_is_worst_served() -> None:
    rows = np.concatenate([np.tile([[1.0, 0.0]], (20, 1)), [[0.0, 1.0], [-1.0, 0.0]]]).astype(np.float32)
    for seed in range(6):
        assert np.unique(nearest(rows, lloyd(rows, 3, 4, seed))[0]).size == 3
    assert not means(rows[:0], np.empty(0, np.int64), 2).any()


def test_what_is_no_matrix_of_numbers_is_refused() -> None:
    for rows, k in ((np.ones(3), 1), (np.ones((2, 2)), 0), (np.full((2, 2), np.nan), 1), (np.full((2, 2), np.inf), 1)):
        with pytest.raises(ValueError, match="must be"):
            k_means(rows.astype(np.float32), k)
