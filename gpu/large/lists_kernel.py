"""Scoring the rows of a few lists where they lie in the bank's code pages, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.native import int32_at, jit, prefetch, uint16_at
from gpu.ops.dense_scan.kernel import _dot

_HEADER = 64
_AHEAD = 8
"""Rows that are asked for before they are needed, as in the dense scan."""
_LINE_BYTES = 64


@jit
def _page_at(entries: NDArray[np.int64], page: int, position: Any) -> Any:
    """The page that holds a position, looked for from `page` on: positions of a list ascend."""
    if position < entries[page, 1]:
        return np.searchsorted(entries[:, 1], position, side="right") - 1
    while page + 1 < entries.shape[0] and entries[page + 1, 1] <= position:
        page += 1
    return page


@jit
def scan_lists(
    entries: NDArray[np.int64],
    prefixes: NDArray[np.int64],
    n_views: int,
    query: NDArray[np.float32],
    eligible: NDArray[np.uint8],
    order: NDArray[np.int64],
    offsets: NDArray[np.int64],
    positions: NDArray[np.int32],
    budget: int,
    slots: NDArray[np.int64],
    scores: NDArray[np.float32],
) -> int:
    """Score the eligible rows of list after list until there are `budget` of them.

    Args:
        entries: the code pages; who owns them has been looked at.
        prefixes: bytes per element before the columns slot and vectors.
        n_views: rows from here on are not of the reader's snapshot.
        query: float32 `[dim]`.
        eligible: uint8 `[n_slots]`.
        order: int64 `[l]`, lists, the nearest first.
        offsets: int64 `[n_lists + 1]`, where lists begin.
        positions: int32 `[n]`, rows, ascending within a list.
        budget: no further list is begun with so many scored.
        slots, scores: int64 / float32 `[n]`, overwritten from the front: a memory and a score for each row.

    Returns:
        How many rows were scored.
    """
    dim = query.shape[0]
    longest: Any = np.int64(0)
    for at in range(order.shape[0]):
        longest = max(longest, offsets[order[at] + 1] - offsets[order[at]])
    addresses = np.empty(longest + 1, np.int64)
    count: Any = np.int64(0)
    for at in range(order.shape[0]):
        if count >= budget:
            break
        page = 0
        begun = count
        for i in range(offsets[order[at]], offsets[order[at] + 1]):
            position = np.int64(positions[i])
            if position >= n_views:
                break
            page = _page_at(entries, page, position)
            local, capacity = position - entries[page, 1], entries[page, 2]
            base = entries[page, 0] + _HEADER
            slot = int32_at(base + prefixes[0] * capacity + local * 4, 1)[0]
            # Which rows to read is settled first, so that the next ones can be asked for while one is read.
            addresses[count - begun] = base + prefixes[1] * capacity + local * dim * 2
            slots[count] = slot
            count += np.int64(eligible[slot])
        for r in range(begun, count):
            if r + _AHEAD < count:
                ahead = addresses[r + _AHEAD - begun]
                for line in range(ahead, ahead + dim * 2, _LINE_BYTES):
                    prefetch(line)
            scores[r] = _dot(uint16_at(addresses[r - begun], dim), query)
    return int(count)


@jit
def dots(rows: NDArray[np.uint16], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Dot product of each half-precision row (its bits, uint16 `[n, dim]`) with a query, float32 `[n]`."""
    out = np.empty(rows.shape[0], np.float32)
    for i in range(rows.shape[0]):
        out[i] = _dot(rows[i], query)
    return out


@jit
def best_of(rows: NDArray[np.uint16], offsets: NDArray[np.int64], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Largest dot product of each range of rows, float32 `[m]`; -inf for an empty one.

    Args:
        rows: uint16 `[n, dim]`, the bits of half-precision rows.
        offsets: int64 `[m + 1]`.
        query: float32 `[dim]`.
    """
    out = np.full(offsets.shape[0] - 1, -np.inf, np.float32)
    for i in range(out.shape[0]):
        for r in range(offsets[i], offsets[i + 1]):
            score = _dot(rows[r], query)
            if score > out[i]:
                out[i] = score
    return out
