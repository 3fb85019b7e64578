"""Scoring chosen rows where they lie in the code pages, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.bank.pages import HEADER_BYTES
from gpu.native import int64_at, jit, page_of, prefetch, uint16_at, uint32_at
from gpu.ops.dense_scan.kernel import dot

_AHEAD = 8
"""Rows that are asked for before they are needed, as in the scan of all."""
_LINE_BYTES = 64


@jit
def page_at(entries: NDArray[np.int64], page: int, position: Any) -> Any:
    """The page that holds a position. Looked for from `page` on where that is not behind it: rows mostly ascend."""
    if position < entries[page, 1]:
        return np.searchsorted(entries[:, 1], position, side="right") - 1
    return page_of(entries, page, position)


@jit
def score_rows(
    addresses: NDArray[np.int64], count: int, query: NDArray[np.float32], scores: NDArray[np.float32], first: int
) -> None:
    """Dot products of the rows at addresses, written from `scores[first]` on.

    Which rows to read is known before, so that the next ones are asked for while one is read.
    """
    dim = query.shape[0]
    for r in range(count):
        if r + _AHEAD < count:
            ahead = addresses[r + _AHEAD]
            for line in range(ahead, ahead + dim * 2, _LINE_BYTES):
                prefetch(line)
        scores[first + r] = dot(uint16_at(addresses[r], dim), query)


@jit
def _ask_for_columns(entries: NDArray[np.int64], prefixes: NDArray[np.int64], slot: Any) -> None:
    page = np.searchsorted(entries[:, 1], slot, side="right") - 1
    base, local = entries[page, 0] + HEADER_BYTES, slot - entries[page, 1]
    prefetch(base + prefixes[0] * entries[page, 2] + local * 4)
    prefetch(base + prefixes[1] * entries[page, 2] + local * 4)
    prefetch(base + prefixes[2] * entries[page, 2] + local * 8)


@jit
def score_slots(
    attributes: NDArray[np.int64],
    prefixes: NDArray[np.int64],
    codes: NDArray[np.int64],
    prefix: int,
    query: NDArray[np.float32],
    slots: NDArray[np.int64],
    erased: int,
    out: NDArray[np.float32],
) -> None:
    """Largest dot product of each memory's rows; -inf for one that has none or is erased.

    Args:
        attributes, codes: the pages; who owns them has been looked at.
        prefixes: bytes per element before the columns first_view, n_views and died.
        prefix: bytes per element before the column of vectors.
        query: float32 `[dim]`.
        slots: int64 `[m]`, in any order.
        erased: what `died` says of an erased memory.
        out: float32 `[m]`, overwritten.
    """
    dim, m = query.shape[0], slots.shape[0]
    firsts, counts = np.empty(m, np.int64), np.empty(m, np.int64)
    total: Any = np.int64(0)
    for i in range(m):
        if i + _AHEAD < m:
            _ask_for_columns(attributes, prefixes, slots[i + _AHEAD])
        page = np.searchsorted(attributes[:, 1], slots[i], side="right") - 1
        base, capacity, local = attributes[page, 0] + HEADER_BYTES, attributes[page, 2], slots[i] - attributes[page, 1]
        firsts[i] = uint32_at(base + prefixes[0] * capacity + local * 4, 1)[0]
        counts[i] = uint32_at(base + prefixes[1] * capacity + local * 4, 1)[0]
        # Looked at after the range: who reads half of an erased memory's attributes sees here that it is erased.
        if int64_at(base + prefixes[2] * capacity + local * 8, 1)[0] == erased:
            counts[i] = 0
        total += counts[i]
    addresses, scores = np.empty(total + 1, np.int64), np.empty(total + 1, np.float32)
    at, page = 0, 0
    for i in range(m):
        for position in range(firsts[i], firsts[i] + counts[i]):
            page = page_at(codes, page, position)
            addresses[at] = (
                codes[page, 0] + HEADER_BYTES + prefix * codes[page, 2] + (position - codes[page, 1]) * dim * 2
            )
            at += 1
    score_rows(addresses, total, query, scores, 0)
    at = 0
    for i in range(m):
        best = np.float32(-np.inf)
        for _ in range(counts[i]):
            best = max(best, scores[at])
            at += 1
        out[i] = best
