"""BM25 of chosen memories, compiled: the sums of the scan, to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.native import jit, owned, uint16_at, uint32_at
from gpu.ops.bm25_scan.kernel import _mark, _term_score

_HEADER = 64


@jit
def score_slots(
    entries: NDArray[np.int64],
    owner: int,
    prefixes: NDArray[np.int64],
    term_entries: NDArray[np.int64],
    query_terms: NDArray[np.uint32],
    query_weights: NDArray[np.float32],
    flat: np.float32,
    slope: np.float32,
    slots: NDArray[np.int64],
    out: NDArray[np.float32],
) -> bool:
    """Write the score of each slot (0 where no term matches, or the row was erased in the meantime).

    Args:
        entries, owner, prefixes, term_entries, query_terms, query_weights, flat, slope: see `kernel.scan_pages`.
        slots: int64 `[m]`, all of them in the pages.
        out: float32 `[m]`.

    Returns:
        False if a page belongs to somebody else.
    """
    query = (query_terms, query_weights, _mark(query_terms))
    for i in range(slots.shape[0]):
        out[i] = 0.0
        page = np.searchsorted(entries[:, 1], slots[i], side="right") - 1
        address, local, capacity = entries[page, 0], slots[i] - entries[page, 1], entries[page, 2]
        if not owned(address, owner, entries[page, 3]):
            return False
        base = address + _HEADER
        count = np.int64(uint32_at(base + prefixes[1] * capacity, capacity)[local])
        if count == 0:
            continue
        start: Any = np.int64(uint32_at(base + prefixes[0] * capacity, capacity)[local])
        length = uint32_at(base + prefixes[2] * capacity, capacity)[local]
        at = np.searchsorted(term_entries[:, 1], start, side="right") - 1
        if at < 0:
            continue
        terms, first, room = term_entries[at, 0], start - term_entries[at, 1], term_entries[at, 2]
        if first + count > room:
            continue  # erased while we read it
        if not owned(terms, owner, term_entries[at, 3]):
            return False
        ids = uint32_at(terms + _HEADER + prefixes[3] * room, room)
        freqs = uint16_at(terms + _HEADER + prefixes[4] * room, room)
        score = np.float32(0)
        penalty = flat + slope * np.float32(length)
        for j in range(first, first + count):
            score += _term_score(ids[j], np.float32(freqs[j]), query, penalty)
        out[i] = score
    return True
