"""How well the times of memories fit wanted spans, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.native import all_owned, int64_at, jit, page_of, uint32_at

_HEADER = 64
_FARTHEST = 40.0
"""Widths from which a miss scores less than a float32 beside 1 can show (4e-18)."""


@jit
def _nearest(
    wanted: NDArray[np.int64], widths: NDArray[np.float64], first: int, last: int, best: Any, miss: Any
) -> tuple[Any, Any]:
    """The better of `best` and the fit of one time that touches a wanted span; the lesser of `miss` and its distance.

    See `reference._fit`; distances are in widths. Differences are of floats: those of 64-bit times may overflow.
    """
    last = max(first, last)
    for w in range(wanted.shape[0]):
        start, end = wanted[w, 0], wanted[w, 1]
        if start <= first and last <= end and first < end:
            return 1.0, miss
        low, high = max(start, first), min(end, last)
        if high > low:
            share = (np.float64(high) - np.float64(low)) / (np.float64(last) - np.float64(first))
            best = max(best, 0.5 + 0.5 * share)
        else:
            gap = max(np.float64(first) - np.float64(end), np.float64(start) - np.float64(last), 0.0)
            miss = min(miss, gap / widths[w])
    return best, miss


@jit
def scan_pages(
    entries: NDArray[np.int64],
    owner: int,
    prefixes: NDArray[np.int64],
    span_entries: NDArray[np.int64],
    wanted: NDArray[np.int64],
    widths: NDArray[np.float64],
    unknown: int,
    eligible: NDArray[np.uint8],
    out: NDArray[np.float32],
) -> bool:
    """Write how well the times of each eligible row fit, -inf for the others.

    Args:
        entries: the attribute pages.
        owner: who must own the pages.
        prefixes: bytes per element before the columns occurred_us, first_span, n_spans of the attribute pages and
            bounds of the arena.
        span_entries: pages of the arena of spans.
        wanted: int64 `[q, 2]`.
        widths: float64 `[q]`, microseconds over which a miss decays.
        unknown: what `occurred_us` holds where nobody knows.
        eligible: uint8 `[n_slots]`.
        out: float32 `[n_slots]`.

    Returns:
        False if a page belongs to somebody else.
    """
    if not (all_owned(entries, owner) and all_owned(span_entries, owner)):
        return False
    n_slots = out.shape[0]
    page = 0
    for p in range(entries.shape[0]):
        address, start, capacity = entries[p, 0], entries[p, 1], entries[p, 2]
        n = min(capacity, n_slots - start)
        if n <= 0:
            break
        base = address + _HEADER
        occurred = int64_at(base + prefixes[0] * capacity, n)
        firsts = uint32_at(base + prefixes[1] * capacity, n)
        counts = uint32_at(base + prefixes[2] * capacity, n)
        for i in range(n):
            slot = start + i
            if not eligible[slot]:
                out[slot] = -np.inf
                continue
            best, miss = 0.0, np.inf
            if occurred[i] != unknown:
                best, miss = _nearest(wanted, widths, occurred[i], occurred[i], best, miss)
            count = np.int64(counts[i])
            if count and best < 1.0:
                position = np.int64(firsts[i])
                page = page_of(span_entries, page, position)
                room = span_entries[page, 2]
                bounds = int64_at(span_entries[page, 0] + _HEADER + prefixes[3] * room, 2 * room)
                at = position - span_entries[page, 1]
                for j in range(at, min(at + count, room)):
                    best, miss = _nearest(wanted, widths, bounds[2 * j], bounds[2 * j + 1], best, miss)
            if best == 0.0 and miss < _FARTHEST:
                best = 0.5 * np.exp(-miss)
            out[slot] = best
    return True
