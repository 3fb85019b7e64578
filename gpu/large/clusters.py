"""Cutting the rows of a segment into lists of near ones: k-means on the unit sphere, by faiss."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.bank import rows
from gpu.bank.segment import SegmentSnapshot
from gpu.faiss_library import one_thread
from gpu.ops.k_means.op import train

_LISTS_PER_ROOT = 4
"""Lists for each square root of the rows: with twice as few, the same recall needs twice the rows (measured)."""
_FEWEST_ROWS = 8
"""Rows in a list on average, at least."""
_SAMPLE = 32
"""Rows of each list that are looked at in training."""
_ROUNDS = 6
_SEED = 20_240_607


def n_lists(n_rows: int) -> int:
    """How many lists so many rows are cut into; at least 1."""
    return max(1, min(int(_LISTS_PER_ROOT * math.sqrt(n_rows)), n_rows // _FEWEST_ROWS))


def sample(positions: NDArray[np.int64], lists: int) -> NDArray[np.int64]:
    """The rows to train on, evenly spread over the time of writing; int64, ascending, distinct."""
    count = min(positions.shape[0], lists * _SAMPLE)
    return np.asarray(positions[(np.arange(count) * positions.shape[0]) // max(1, count)])


def trained(library: Any, segment: SegmentSnapshot, positions: NDArray[np.int64], lists: int) -> NDArray[np.float32]:
    """Centroids of the rows at ascending positions, unit rows, float32 `[lists, dim]`.

    The same rows in the same order give the same centroids: fixed seed, one thread.
    """
    if not positions.shape[0]:
        return np.zeros((lists, segment.dim), np.float32)
    looked_at = rows.vectors(segment, sample(positions, lists))
    centroids = train(library, looked_at, lists, rounds=_ROUNDS, seed=_SEED)
    # What is left of them must not outlive an erasure by chance.
    looked_at.fill(0)
    return centroids


def assigned(
    library: Any,
    centroids: NDArray[np.float32],
    segment: SegmentSnapshot,
    positions: NDArray[np.int64],
    wanted: Callable[[], bool],
) -> NDArray[np.int64] | None:
    """The nearest centroid of each row at ascending positions, int64 `[n]`; None if it was not wanted any more."""
    out = np.empty(positions.shape[0], np.int64)
    quantizer = library.IndexFlatIP(segment.dim)
    quantizer.add(centroids)
    at = 0
    for part in rows.chunks(positions):
        if not wanted():
            return None
        with one_thread(library):
            out[at : at + part.shape[0]] = quantizer.search(rows.vectors(segment, part), 1)[1][:, 0]
        at += part.shape[0]
    return out


def means(
    segment: SegmentSnapshot, positions: NDArray[np.int64], lists: NDArray[np.int64], count: int
) -> NDArray[np.float16]:
    """Mean direction of the rows of each list, half-precision unit rows `[count, dim]`; zeros for an empty list.

    Args:
        segment: where the rows are.
        positions: int64 `[n]`, ascending.
        lists: int64 `[n]`, the list of each, 0 to `count` - 1.
    """
    total = np.zeros((count, segment.dim), np.float32)
    at = 0
    for part in rows.chunks(positions):
        own = lists[at : at + part.shape[0]]
        order = np.argsort(own, kind="stable")
        starts = np.flatnonzero(np.diff(own[order], prepend=-1))
        total[own[order][starts]] += np.add.reduceat(rows.vectors(segment, part)[order], starts, axis=0)
        at += part.shape[0]
    total /= np.maximum(np.linalg.norm(total, axis=1, keepdims=True), np.float32(1e-9))
    return total.astype(np.float16)
