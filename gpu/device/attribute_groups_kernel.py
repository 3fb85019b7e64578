"""Entries of groups sorted into buckets, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.native import jit
from gpu.ops.channel_pass.layout import FEWEST_BUCKETS

_FEWEST = FEWEST_BUCKETS


@jit
def buckets_of(held: NDArray[np.int64]) -> NDArray[np.int64]:
    """Buckets of groups whose rows hold so many ids: the least power of two that is no less."""
    buckets = np.full(held.shape[0], _FEWEST, np.int64)
    for g in range(held.shape[0]):
        while buckets[g] < held[g]:
            buckets[g] *= 2
    return buckets


@jit
def encode(
    tiles: NDArray[np.uint32],
    ids: NDArray[np.uint64],
    abouts: NDArray[np.uint32],
    offsets: NDArray[np.int64],
    spans: NDArray[np.uint32],
    span_offsets: NDArray[np.int64],
    buckets: NDArray[np.int64],
    first_span: int,
    group_rows: int,
    out: NDArray[np.uint32],
    starts: NDArray[np.int64],
) -> None:
    """Write groups one after the other.

    Args:
        tiles: uint32 `[g, TILE_BYTES / 4]`, columns; those of where spans begin are not looked at.
        ids, abouts: what the rows hold, arena after arena, and the last word of its entry.
        offsets: int64 `[arenas, n + 1]`, where what each row holds begins.
        spans: uint32 `[s, 4]`; `span_offsets` int64 `[n + 1]`.
        buckets: int64 `[g]`.
        first_span: word of a tile at which the column begins that says where spans begin.
        group_rows: rows of a group.
        out: uint32 `[units, 4]`, zeros, large enough.
        starts: int64 `[g + 1]`, written: the first unit of each group, and the end.
    """
    n = span_offsets.shape[0] - 1
    words = out.reshape(-1)
    at: Any = np.int64(0)
    for g in range(tiles.shape[0]):
        low, high = g * group_rows, min((g + 1) * group_rows, n)
        starts[g] = at
        tile = words[4 * at :]
        for i in range(tiles.shape[1]):
            tile[i] = tiles[g, i]
        at += tiles.shape[1] // 4
        begin = at
        at = _entries(ids, abouts, offsets, low, high, buckets[g], out, words, at)
        for row in range(low, high):
            tile[first_span + row - low] = at - begin
            for s in range(span_offsets[row], span_offsets[row + 1]):
                out[at] = spans[s]
                at += 1
    starts[tiles.shape[0]] = at


@jit
def _entries(
    ids: NDArray[np.uint64],
    abouts: NDArray[np.uint32],
    offsets: NDArray[np.int64],
    low: int,
    high: int,
    buckets: int,
    out: NDArray[np.uint32],
    words: NDArray[np.uint32],
    at: Any,
) -> Any:
    """Write the directory and entries of one group from unit `at` on; the unit behind them."""
    room, ends, sources, rows = _sorted(ids, abouts, offsets, low, high, buckets)
    directory = words[4 * at :]
    first = at + buckets // 4 + 1
    n: Any = np.int64(0)
    for b in range(buckets):
        directory[b] = n
        for e in range(room[b], ends[b]):
            entry, source = out[first + n], sources[e]
            entry[0] = np.uint32(ids[source] & np.uint64(0xFFFFFFFF))
            entry[1] = np.uint32(ids[source] >> np.uint64(32))
            entry[2] = rows[e]
            entry[3] = abouts[source]
            n += 1
    directory[buckets] = n
    return first + n


@jit
def _sorted(
    ids: NDArray[np.uint64], abouts: NDArray[np.uint32], offsets: NDArray[np.int64], low: int, high: int, buckets: int
) -> Any:
    """The distinct entries of a group by bucket.

    Returns:
        Where those of each bucket begin and end, int64; for each where its id stands, int64, and its rows, uint32.
    """
    mask = np.uint64(buckets - 1)
    room = np.zeros(buckets + 1, np.int64)  # enough for all, though equal ones become one
    for a in range(offsets.shape[0]):
        for i in range(offsets[a, low], offsets[a, high]):
            room[np.int64(ids[i] & mask) + 1] += 1
    for b in range(buckets):
        room[b + 1] += room[b]
    ends = room[:-1].copy()
    sources = np.empty(room[buckets], np.int64)
    rows = np.empty(room[buckets], np.uint32)
    for a in range(offsets.shape[0]):
        for row in range(low, high):
            bit = np.uint32(1) << np.uint32(row - low)
            for i in range(offsets[a, row], offsets[a, row + 1]):
                bucket = np.int64(ids[i] & mask)
                e = _find(ids, abouts, sources, room[bucket], ends[bucket], i)
                if e == ends[bucket]:
                    sources[e], rows[e] = i, bit
                    ends[bucket] += 1
                else:
                    rows[e] |= bit
    return room, ends, sources, rows


@jit
def _find(
    ids: NDArray[np.uint64], abouts: NDArray[np.uint32], sources: NDArray[np.int64], first: Any, end: Any, wanted: Any
) -> Any:
    """The entry from `first` to `end` that is equal to what stands at a place, or `end`."""
    for e in range(first, end):
        if ids[sources[e]] == ids[wanted] and abouts[sources[e]] == abouts[wanted]:
            return e
    return end
