"""The dense scan over half-precision rows, compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.native import fast_jit, half_to_float, int32_at, jit, owned, uint16_at

_HEADER = 64


@fast_jit
def _dot(row: NDArray[np.uint16], query: NDArray[np.float32]) -> float:
    total = np.float32(0)
    for j in range(query.shape[0]):
        total += half_to_float(row[j]) * query[j]
    return total


@jit
def scan_pages(
    entries: NDArray[np.int64],
    owner: int,
    prefixes: NDArray[np.int64],
    n_views: int,
    query: NDArray[np.float32],
    eligible: NDArray[np.uint8],
    out: NDArray[np.float32],
) -> bool:
    """Raise `out[slot]` to the best dot product of the slot's views, for eligible slots; others are not read.

    Args:
        entries, owner: the code pages.
        prefixes: bytes per element before the columns slot and vectors.
        n_views: how many views to look at.
        query: float32 `[dim]`.
        eligible: uint8 `[n_slots]`.
        out: float32 `[n_slots]`, -inf at the start.

    Returns:
        False if a page belongs to somebody else.
    """
    dim = query.shape[0]
    for p in range(entries.shape[0]):
        address, start, capacity = entries[p, 0], entries[p, 1], entries[p, 2]
        if not owned(address, owner, entries[p, 3]):
            return False
        n = min(capacity, n_views - start)
        if n <= 0:
            break
        base = address + _HEADER
        slots = int32_at(base + prefixes[0] * capacity, n)
        vectors = uint16_at(base + prefixes[1] * capacity, n * dim)
        for i in range(n):
            slot = slots[i]
            if eligible[slot]:
                out[slot] = max(out[slot], _dot(vectors[i * dim : i * dim + dim], query))
    return True
