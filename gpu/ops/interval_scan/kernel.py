"""How well the times of memories fit wanted spans, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.native import all_owned, int64_at, jit, page_of, uint32_at

_HEADER = 64


@jit
def _fit(start: int, end: int, width: float, first: int, last: int) -> Any:
    """See `reference._fit`. Differences are of floats: those of 64-bit times may overflow."""
    last = max(first, last)
    if start <= first and last <= end and first < end:
        return 1.0
    low, high = max(start, first), min(end, last)
    if high > low:
        return 0.5 + 0.5 * ((np.float64(high) - np.float64(low)) / (np.float64(last) - np.float64(first)))
    gap = max(np.float64(first) - np.float64(end), np.float64(start) - np.float64(last), 0.0)
    return 0.5 * np.exp(-gap / width)


@jit
def _best_fit(wanted: NDArray[np.int64], widths: NDArray[np.float64], first: int, last: int, best: float) -> Any:
    """The larger of `best` and the fit of one time with the best of the wanted spans."""
    for w in range(wanted.shape[0]):
        if best >= 1.0:
            return best
        best = max(best, _fit(wanted[w, 0], wanted[w, 1], widths[w], first, last))
    return best


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
            best = 0.0
            if occurred[i] != unknown:
                best = _best_fit(wanted, widths, occurred[i], occurred[i], best)
            count = np.int64(counts[i])
            if count:
                position = np.int64(firsts[i])
                page = page_of(span_entries, page, position)
                room = span_entries[page, 2]
                bounds = int64_at(span_entries[page, 0] + _HEADER + prefixes[3] * room, 2 * room)
                at = position - span_entries[page, 1]
                for j in range(at, min(at + count, room)):
                    best = _best_fit(wanted, widths, bounds[2 * j], bounds[2 * j + 1], best)
            out[slot] = best
    return True
