"""The meaning of k-means on the unit sphere, in plain numpy: Lloyd's rounds. Also used where there is no faiss."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CHUNK = 8192
"""Rows whose products with all centroids are in memory at a time."""


def lloyd(rows: NDArray[np.float32], k: int, rounds: int, seed: int) -> NDArray[np.float32]:
    """Centroids after some rounds: each row goes to the nearest centroid, each centroid to the middle of its rows.

    It begins with `k` of the rows, drawn by the seed. A centroid that has no rows takes the row that is worst served,
    each such centroid another one.

    Args:
        rows: float32 `[n, dim]`.
        k: 1 to n.
        rounds: how many, >= 0.
        seed: of the first centroids.

    Returns:
        Unit rows float32 `[k, dim]` (zeros where all rows of a centroid cancel out).
    """
    drawn = np.random.default_rng(seed).permutation(rows.shape[0])[:k]
    centroids = unit(rows[np.sort(drawn)])
    for _ in range(rounds):
        labels, scores = nearest(rows, centroids)
        centroids = means(rows, labels, k)
        empty = np.flatnonzero(np.bincount(labels, minlength=k) == 0)
        centroids[empty] = unit(rows[np.argsort(scores, kind="stable")[: empty.size]])
    return centroids


def nearest(rows: NDArray[np.float32], centroids: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The centroid with the largest dot product for each row, the lowest of equal ones, and that product."""
    labels, scores = np.empty(rows.shape[0], np.int64), np.empty(rows.shape[0], np.float32)
    for at in range(0, rows.shape[0], _CHUNK):
        part = slice(at, at + _CHUNK)
        products = rows[part] @ centroids.T
        labels[part] = products.argmax(axis=1)
        scores[part] = products.max(axis=1)
    return labels, scores


def means(rows: NDArray[np.float32], labels: NDArray[np.int64], k: int) -> NDArray[np.float32]:
    """Mean direction of the rows of each of `k` labels, float32 `[k, dim]`; zeros where there are none."""
    total = np.zeros((k, rows.shape[1]), np.float32)
    if rows.shape[0]:
        order = np.argsort(labels, kind="stable")
        starts = np.flatnonzero(np.diff(labels[order], prepend=-1))
        total[labels[order][starts]] = np.add.reduceat(rows[order], starts, axis=0)
    return unit(total)


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of length 1; rows of zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, np.float32(1e-9)), np.float32)
