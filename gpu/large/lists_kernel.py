"""Scoring chosen rows where they lie in the bank's code pages, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.bank.pages import HEADER_BYTES
from gpu.native import int64_at, jit, page_of, prefetch, uint16_at, uint32_at
from gpu.ops.dense_scan.kernel import _dot

_AHEAD = 8
"""Rows that are asked for before they are needed, as in the dense scan."""
_LINE_BYTES = 64


@jit
def _page_at(entries: NDArray[np.int64], page: int, position: Any) -> Any:
    """The page that holds a position. Looked for from `page` on where that is not behind it: rows mostly ascend."""
    if position < entries[page, 1]:
        return np.searchsorted(entries[:, 1], position, side="right") - 1
    return page_of(entries, page, position)


@jit
def _score_rows(
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
        scores[first + r] = _dot(uint16_at(addresses[r], dim), query)


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
            page = _page_at(entries, page, position)
            capacity = entries[page, 2]
            addresses[count - begun] = (
                entries[page, 0] + HEADER_BYTES + prefix * capacity + (position - entries[page, 1]) * dim * 2
            )
            found[count] = slot
            count += np.int64(eligible[slot])
        _score_rows(addresses, count - begun, query, scores, begun)
    return int(count)


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
            page = _page_at(codes, page, position)
            addresses[at] = (
                codes[page, 0] + HEADER_BYTES + prefix * codes[page, 2] + (position - codes[page, 1]) * dim * 2
            )
            at += 1
    _score_rows(addresses, total, query, scores, 0)
    at = 0
    for i in range(m):
        best = np.float32(-np.inf)
        for _ in range(counts[i]):
            best = max(best, scores[at])
            at += 1
        out[i] = best


@jit
def dots(rows: NDArray[np.uint16], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Dot product of each half-precision row (its bits, uint16 `[n, dim]`) with a query, float32 `[n]`."""
    out = np.empty(rows.shape[0], np.float32)
    for i in range(rows.shape[0]):
        out[i] = _dot(rows[i], query)
    return out
