"""Clusters of near rows on the unit sphere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.faiss_library import faiss, graphics_cards, one_thread
from gpu.native import plain
from gpu.ops.k_means.reference import lloyd, means, nearest, unit

ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Clusters:
    """A partition of rows.

    Attributes:
        centroids: float32 `[c, dim]`, the mean direction of each cluster's rows; no cluster is empty.
        labels: int64 `[n]`, the cluster of each row.
        scores: float32 `[n]`, dot product of each row with its cluster's centroid.
    """

    centroids: NDArray[np.float32]
    labels: NDArray[np.int64]
    scores: NDArray[np.float32]


def k_means(rows: NDArray[np.float32], k: int, *, rounds: int = ROUNDS, seed: int = 0) -> Clusters:
    """At most `k` clusters of rows that point the same way.

    The same rows in the same order and the same seed give the same clusters on the same machine with the same faiss.

    Args:
        rows: float32 `[n, dim]`, finite; their direction alone counts.
        k: how many clusters at most, at least 1. There are fewer where there are fewer distinct rows.
        rounds: of training.
        seed: of the first centroids.

    Raises:
        ValueError: the rows are no matrix or not finite, or `k` is less than 1.
    """
    if rows.ndim != 2 or k < 1 or not np.isfinite(rows).all():
        raise ValueError("rows must be [n, dim] and finite, and k at least 1")
    if not rows.shape[0]:
        return Clusters(np.empty((0, rows.shape[1]), np.float32), np.empty(0, np.int64), np.empty(0, np.float32))
    rows = unit(plain(rows, np.float32))
    k = min(k, rows.shape[0])
    library = faiss()
    trained = lloyd(rows, k, rounds, seed) if library is None else train(library, rows, k, rounds=rounds, seed=seed)
    labels, _ = nearest(rows, trained)
    used, labels = np.unique(labels, return_inverse=True)
    centroids = means(rows, labels, used.shape[0])
    return Clusters(centroids, labels, np.einsum("nd,nd->n", rows, centroids[labels]))


def train(library: Any, rows: NDArray[np.float32], k: int, *, rounds: int, seed: int) -> NDArray[np.float32]:
    """Centroids by faiss, on a device if its build has one: unit rows float32 `[k, dim]`.

    faiss splits a large cluster where one is left without rows, so that all are used unless rows are equal.

    Args:
        library: faiss.
        rows: float32 `[n, dim]`, all of which are looked at.
        k: 1 to n.
        rounds: of training.
        seed: of the first centroids.
    """
    with one_thread(library):
        kmeans = library.Kmeans(
            rows.shape[1],
            k,
            niter=rounds,
            spherical=True,
            seed=seed,
            min_points_per_centroid=1,
            max_points_per_centroid=rows.shape[0],
            gpu=graphics_cards(library) > 0,
        )
        kmeans.train(rows)
    return unit(np.array(kmeans.centroids, np.float32))
