"""Memories that are about the same, in small cells, and how alike they are within one.

Comparing all with all is quadratic. Here likeness across cells counts as none: a cell has at most `CELL` memories, so
that all likeness takes `n * CELL` bytes. Cells come from k-means, split again and again into at most `BRANCHES` parts
and trained on a sample each time, which makes the whole about `n log n`. Sums of a facility location function over
parts that share nothing are one themselves, so a bound that is proved for it holds for what is computed here. Source of
cutting it down this way: Wei, Iyer and Bilmes 2014 ("Fast multi-stage submodular maximization", ICML).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from gpu.ops.k_means.op import k_means

CELL = 128
"""Memories of a cell at most."""
BRANCHES = 64
RELATED = 0.8
"""Cosine from which on one memory can stand in for another at all. Chosen, not fitted."""
ALIKE = 255
"""Likeness of a memory with itself."""

_SAMPLE = 64  # rows that a centroid is trained on
_ROUNDS = 8
_CHUNK = 8_192


def cells(vectors: NDArray[np.float16]) -> list[NDArray[np.int64]]:
    """A partition of the rows into cells of at most `CELL`, each ascending.

    The same rows in the same order give the same cells on the same machine.

    Args:
        vectors: float16 `[n, dim]`, unit rows.
    """
    waiting, done = [np.arange(vectors.shape[0])], []
    while waiting:
        rows = waiting.pop()
        if rows.size > CELL:
            waiting += _split(vectors, rows)
        elif rows.size:
            done.append(rows)
    return done


def labels_of(parts: Sequence[NDArray[np.int64]], n: int) -> NDArray[np.int64]:
    """The cell of each of `n` rows, int64 `[n]`."""
    labels = np.zeros(n, np.int64)
    for number, rows in enumerate(parts):
        labels[rows] = number
    return labels


def likeness(vectors: NDArray[np.float16]) -> NDArray[np.uint8]:
    """How alike rows are: 0 up to the cosine `RELATED`, from there evenly up to `ALIKE`, uint8 `[m, m]`."""
    rows = vectors.astype(np.float32)
    cosines = rows @ rows.T
    found = np.clip((cosines - RELATED) / (1.0 - RELATED), 0.0, 1.0) * ALIKE
    scaled: NDArray[np.uint8] = found.astype(np.uint8)
    np.fill_diagonal(scaled, ALIKE)
    return scaled


def _split(vectors: NDArray[np.float16], rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    k = min(BRANCHES, -(-rows.size * 2 // CELL))
    sample = rows[:: max(1, rows.size // (k * _SAMPLE))]
    centroids = k_means(vectors[sample].astype(np.float32), k, rounds=_ROUNDS).centroids
    labels = np.concatenate([(part @ centroids.T).argmax(axis=1) for part in _parts(vectors, rows)])
    found = [rows[labels == label] for label in range(centroids.shape[0])]
    if max(part.size for part in found) == rows.size:  # all the same: any cells will do
        return [rows[start : start + CELL] for start in range(0, rows.size, CELL)]
    return found


def _parts(vectors: NDArray[np.float16], rows: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
    return (vectors[rows[start : start + _CHUNK]].astype(np.float32) for start in range(0, rows.size, _CHUNK))
