"""Who holds one of some ids: one pass over an arena of 8- or 16-byte ids, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.native import jit, owned, uint32_at, uint64_at

_HEADER = 64
_FEWEST_MARKS = 4096
_FLAGS = 1 << 14
"""Bytes of the first look: they fit the first-level cache."""


@jit
def _mark(asked: NDArray[np.uint64]) -> NDArray[np.int32]:
    """A sparse table: 0, or 1 + the place of an asked id whose last word hashes here."""
    size = _FEWEST_MARKS
    while size < 8 * asked.shape[0]:
        size *= 2
    marks = np.zeros(size, np.int32)
    mask = np.uint64(size - 1)
    for q in range(asked.shape[0]):
        at = asked[q, 1] & mask
        while marks[at]:
            at = (at + np.uint64(1)) & mask
        marks[at] = q + 1
    return marks


@jit
def _place(first: Any, last: Any, asked: NDArray[np.uint64], marks: NDArray[np.int32]) -> Any:
    """The place of an id among the asked ones, or -1."""
    mask = np.uint64(marks.shape[0] - 1)
    at = last & mask
    while marks[at]:
        q = np.int64(marks[at]) - 1
        if asked[q, 1] == last and asked[q, 0] == first:
            return q
        at = (at + np.uint64(1)) & mask
    return np.int64(-1)


@jit
def _flag(asked: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """A byte for each value of the lowest bits of an id: 1 if an asked id has them."""
    flags = np.zeros(_FLAGS, np.uint8)
    for q in range(asked.shape[0]):
        flags[asked[q, 1] & np.uint64(_FLAGS - 1)] = 1
    return flags


@jit
def _look_at(ids: NDArray[np.uint64], words: int, flags: NDArray[np.uint8], hits: NDArray[np.int64]) -> Any:
    """Places in a page of the arena that deserve a second look, into `hits`; how many.

    Settled without a branch: no guess, no wrong guess.
    """
    n_hits: Any = 0
    if words == 1:
        for j in range(ids.shape[0]):
            hits[n_hits] = j
            n_hits += np.int64(flags[ids[j] & np.uint64(_FLAGS - 1)])
    else:
        for j in range(ids.shape[0] // words):
            hits[n_hits] = j
            n_hits += np.int64(flags[ids[j * words + words - 1] & np.uint64(_FLAGS - 1)])
    return n_hits


@jit
def _scan_rows(
    row: int,
    start: int,
    arena: tuple[NDArray[np.uint64], Any, Any, Any],
    words: int,
    ranges: tuple[NDArray[np.uint32], NDArray[np.uint32]],
    query: tuple[NDArray[np.uint64], NDArray[np.int32], NDArray[np.int64]],
    hits: NDArray[np.int64],
    eligible: NDArray[np.uint8],
    counts: NDArray[np.int64],
    found: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    n_found: Any,
    last_row: NDArray[np.int64],
) -> tuple[int, Any]:
    """Look at rows until one needs a later page of the arena; that row (or how many there are) and the finds so far.

    Rows and hits walk along together; most rows have none.
    """
    ids, arena_start, size, n_hits = arena
    asked, marks, groups = query
    at: Any = 0
    for i in range(row, eligible.shape[0]):
        count = np.int64(ranges[1][i])
        if not eligible[i] or count == 0:
            continue
        first = np.int64(ranges[0][i]) - arena_start
        if first >= size:
            return i, n_found
        if first < 0 or first + count > size:
            continue  # erased while we read it
        while at < n_hits and hits[at] < first:
            at += 1
        while at < n_hits and hits[at] < first + count:
            j = hits[at]
            at += 1
            # The first word of a short id is its last one too.
            q = _place(ids[j * words], ids[j * words + words - 1], asked, marks)
            if q < 0 or last_row[groups[q]] == start + i:
                continue
            group = groups[q]
            last_row[group] = start + i
            counts[group] += 1
            if n_found < found[0].shape[0]:
                found[0][n_found] = start + i
                found[1][n_found] = group
                found[2][n_found] = arena_start + j
                n_found += 1
    return eligible.shape[0], n_found


@jit
def scan_pages(
    entries: NDArray[np.int64],
    owner: int,
    prefixes: NDArray[np.int64],
    arena_entries: NDArray[np.int64],
    words: int,
    asked: NDArray[np.uint64],
    groups: NDArray[np.int64],
    eligible: NDArray[np.uint8],
    counts: NDArray[np.int64],
    slots: NDArray[np.int64],
    which: NDArray[np.int64],
    positions: NDArray[np.int64],
) -> Any:
    """Count, for each group of ids, the eligible rows that hold one of it, and list them while there is room.

    Args:
        entries: the attribute pages.
        owner: who must own the pages.
        prefixes: bytes per element before the columns with a row's first element and number of elements, and before
            the ids in the arena.
        arena_entries: pages of the arena.
        words: 1 for ids of 8 bytes, 2 for ids of 16.
        asked: uint64 `[q, 2]`, distinct: first and last word of each id (the same where there is one).
        groups: int64 `[q]`, the group of each.
        eligible: uint8 `[n_slots]`.
        counts: int64 `[g]`, zeros at the start.
        slots: int64 `[m]`, room for rows, ascending.
        which: int64 `[m]`, room for their groups.
        positions: int64 `[m]`, room for where in the arena the (first) id of the group stands.

    Returns:
        How many were listed, or -1 if a page belongs to somebody else.
    """
    largest: Any = np.int64(0)
    for t in range(arena_entries.shape[0]):
        if not owned(arena_entries[t, 0], owner, arena_entries[t, 3]):
            return np.int64(-1)
        largest = max(largest, arena_entries[t, 2])
    query = (asked, _mark(asked), groups)
    flags = _flag(asked)
    hits = np.empty(largest + 1, np.int64)
    found = (slots, which, positions)
    last_row = np.full(counts.shape[0], -1, np.int64)
    n_found = np.int64(0)
    page = 0
    arena = (uint64_at(0, 0), np.int64(0), np.int64(0), np.int64(0))
    if arena_entries.shape[0]:
        arena = _open(arena_entries[0], prefixes[2], words, flags, hits)
    for p in range(entries.shape[0]):
        address, start, capacity = entries[p, 0], entries[p, 1], entries[p, 2]
        if not owned(address, owner, entries[p, 3]):
            return np.int64(-1)
        n = min(capacity, eligible.shape[0] - start)
        if n <= 0:
            break
        base = address + _HEADER
        ranges = (uint32_at(base + prefixes[0] * capacity, n), uint32_at(base + prefixes[1] * capacity, n))
        let_through = eligible[start : start + n]
        row = 0
        while True:
            row, n_found = _scan_rows(
                row, start, arena, words, ranges, query, hits, let_through, counts, found, n_found, last_row
            )
            if row >= n:
                break
            page += 1
            if page == arena_entries.shape[0]:
                return np.int64(-1)
            arena = _open(arena_entries[page], prefixes[2], words, flags, hits)
    return n_found


@jit
def _open(
    entry: NDArray[np.int64], prefix: int, words: int, flags: NDArray[np.uint8], hits: NDArray[np.int64]
) -> tuple[Any, Any, Any, Any]:
    """A page of the arena: ids as words, position of the first element, number of elements, and of hits among them."""
    ids = uint64_at(entry[0] + _HEADER + prefix * entry[2], entry[2] * words)
    return ids, entry[1], entry[2], _look_at(ids, words, flags, hits)
