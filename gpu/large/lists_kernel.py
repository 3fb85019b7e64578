"""Scoring lists of rows where they lie in the bank's code pages, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.bank.pages import HEADER_BYTES
from gpu.native import jit
from gpu.ops.dense_scan.chosen_kernel import page_at, score_rows
from gpu.ops.dense_scan.kernel import dot


@jit
def scan_lists(
    entries: NDArray[np.int64],
    prefix: int,
    n_views: int,
    query: NDArray[np.float32],
    eligible: NDArray[np.uint8],
    order: NDArray[np.int64],
    offsets: NDArray[np.int64],
    positions: NDArray[np.int32],
    slots: NDArray[np.int32],
    budget: int,
    found: NDArray[np.int64],
    scores: NDArray[np.float32],
) -> int:
    """Score the eligible rows of list after list until there are `budget` of them.

    Args:
        entries: the code pages; who owns them has been looked at.
        prefix: bytes per element before the column of vectors.
        n_views: rows from here on are not of the reader's snapshot.
        query: float32 `[dim]`.
        eligible: uint8 `[n_slots]`.
        order: int64 `[l]`, lists, the nearest first.
        offsets: int64 `[n_lists + 1]`, where lists begin.
        positions: int32 `[n]`, rows, ascending within a list.
        slots: int32 `[n]`, the memory of each.
        budget: no further list is begun with so many scored.
        found, scores: int64 / float32 `[n]`, overwritten from the front: memory and score of each row; `found` has room
            for one more.

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
            position, slot = np.int64(positions[i]), slots[i]
            if position >= n_views:
                break
            page = page_at(entries, page, position)
            capacity = entries[page, 2]
            addresses[count - begun] = (
                entries[page, 0] + HEADER_BYTES + prefix * capacity + (position - entries[page, 1]) * dim * 2
            )
            found[count] = slot
            count += np.int64(eligible[slot])
        score_rows(addresses, count - begun, query, scores, begun)
    return int(count)


@jit
def dots(rows: NDArray[np.uint16], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Dot product of each half-precision row (its bits, uint16 `[n, dim]`) with a query, float32 `[n]`."""
    out = np.empty(rows.shape[0], np.float32)
    for i in range(rows.shape[0]):
        out[i] = dot(rows[i], query)
    return out
