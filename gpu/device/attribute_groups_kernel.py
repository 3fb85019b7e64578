"""Rows packed into groups, compiled: see `gpu.ops.channel_pass.layout`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.native import jit
from gpu.ops.channel_pass.layout import ENTRIES_OF_A_BUCKET, FEWEST_BUCKETS, MOST_BUCKETS

_FEWEST, _MOST, _LOAD = FEWEST_BUCKETS, MOST_BUCKETS, ENTRIES_OF_A_BUCKET
_GROUP = 32
_FIRST_SHIFT = 16
"""Bits of an offset in the directory."""


@jit
def frames(
    values: NDArray[np.int64],
    counts: NDArray[np.uint8],
    absent: NDArray[np.int64],
    has_absent: NDArray[np.bool_],
    bases: NDArray[np.int64],
    widths: NDArray[np.int64],
) -> None:
    """Find the frames of reference of columns.

    Args:
        values: int64 `[columns, n]`, changed to codes.
        counts: uint8 `[n]`, 0 for rows of which nothing may be told; their codes are 0.
        absent, has_absent: `[columns]`, the value that the highest code stands for, and whether there is one.
        bases, widths: int64 `[g, columns]`, written.
    """
    n = values.shape[1]
    for g in range(bases.shape[0]):
        first, end = g * _GROUP, min((g + 1) * _GROUP, n)
        for c in range(values.shape[0]):
            own = values[c, first:end]
            bases[g, c], widths[g, c] = _frame(own, counts[first:end], absent[c], has_absent[c])
            highest = np.int64(-1) if widths[g, c] == 64 else (np.int64(1) << widths[g, c]) - 1
            for i in range(own.shape[0]):
                if counts[first + i] == 0 or widths[g, c] == 0:
                    own[i] = 0
                elif has_absent[c] and own[i] == absent[c]:
                    own[i] = highest
                else:
                    own[i] = np.int64(np.uint64(own[i]) - np.uint64(bases[g, c]))


@jit
def _frame(values: NDArray[np.int64], counts: NDArray[np.uint8], absent: Any, has_absent: Any) -> Any:
    """The base of the values that count, and the bits that their codes take."""
    low: Any = np.int64(0)
    high: Any = np.int64(0)
    n_known = n_absent = 0
    for i in range(values.shape[0]):
        if counts[i] == 0:
            continue
        if has_absent and values[i] == absent:
            n_absent += 1
            continue
        low = values[i] if n_known == 0 else min(low, values[i])
        high = values[i] if n_known == 0 else max(high, values[i])
        n_known += 1
    if n_known == 0 and n_absent > 0:
        low = absent
        high = absent
    span = np.uint64(high) - np.uint64(low)
    if has_absent and n_known > 0 and (span > 0 or n_absent > 0):
        span += np.uint64(1)
    width: Any = np.int64(0)
    while width < 64 and (span >> np.uint64(width)) > 0:
        width += 1
    return low, width


@jit
def _pack(codes: NDArray[np.int64], width: Any, words: NDArray[np.uint32], at: Any) -> None:
    """Write the codes of a column of a group, `width` bits each, to the words from `at` on."""
    for i in range(codes.shape[0]):
        bit = i * width
        left = width
        code = np.uint64(codes[i])
        while left > 0:
            shift = bit & 31
            words[at + (bit >> 5)] |= np.uint32((code << np.uint64(shift)) & np.uint64(0xFFFFFFFF))
            taken = min(left, 32 - shift)
            code >>= np.uint64(taken)
            bit += taken
            left -= taken


@jit
def encode(
    states: NDArray[np.uint8],
    bases: NDArray[np.int64],
    widths: NDArray[np.int64],
    codes: NDArray[np.int64],
    ids: NDArray[np.uint64],
    abouts: NDArray[np.uint32],
    offsets: NDArray[np.int64],
    spans: NDArray[np.uint32],
    span_offsets: NDArray[np.int64],
    out: NDArray[np.uint32],
    starts: NDArray[np.int64],
    forms: NDArray[np.int64],
) -> None:
    """Write groups one after the other.

    Args:
        states: uint8 `[g * 32]`.
        bases, widths: int64 `[g, columns]`; codes: int64 `[columns, n]`, see `frames`.
        ids, abouts: what the rows hold, arena after arena, and the last word of its long entry.
        offsets: int64 `[arenas, n + 1]`, where what each row holds begins.
        spans: uint32 `[s, 4]`; `span_offsets` int64 `[n + 1]`.
        out: uint32 `[words]`, zeros, large enough.
        starts: int64 `[g + 1]`, written: the first unit of each group, and the end.
        forms: int64 `[g, 4]`, written: spans, logarithms of long and short buckets, shift.
    """
    n = span_offsets.shape[0] - 1
    raw = out.view(np.uint8)
    at: Any = np.int64(0)
    for g in range(bases.shape[0]):
        low, high = g * _GROUP, min((g + 1) * _GROUP, n)
        starts[g] = at // 4
        raw[4 * at : 4 * at + _GROUP] = states[g * _GROUP : (g + 1) * _GROUP]
        at += _GROUP // 4
        for c in range(bases.shape[1]):
            base = np.uint64(bases[g, c])
            out[at] = np.uint32(base & np.uint64(0xFFFFFFFF))
            out[at + 1] = np.uint32(base >> np.uint64(32))
            at += 2
        for c in range(bases.shape[1]):
            _pack(codes[c, low:high], widths[g, c], out, at)
            at += widths[g, c]
        at = (at + 3) // 4 * 4
        forms[g, 0] = span_offsets[high] - span_offsets[low]
        for s in range(span_offsets[low], span_offsets[high]):
            out[at : at + 4] = spans[s]
            at += 4
        at = _entries(ids, abouts, offsets, low, high, out, at, forms[g])
    starts[bases.shape[0]] = at // 4


@jit
def _buckets(count: Any) -> Any:
    """Buckets of so many distinct entries: a power of two, few enough for the directory's 16 bits."""
    buckets: Any = np.int64(_FEWEST)
    while buckets * _LOAD < count and buckets < _MOST:
        buckets *= 2
    return buckets


@jit
def _entries(
    ids: NDArray[np.uint64],
    abouts: NDArray[np.uint32],
    offsets: NDArray[np.int64],
    low: int,
    high: int,
    out: NDArray[np.uint32],
    at: Any,
    form: NDArray[np.int64],
) -> Any:
    """Write the directory and entries of one group from word `at` on; the word behind them, and its form."""
    sources, rows, n_long = _distinct(ids, abouts, offsets, low, high)
    n = sources.shape[0]
    longs, shorts = _buckets(n_long), _buckets(n - n_long)
    n_directory = longs + shorts + 2
    directory = out[at:].view(np.uint16)
    at += (n_directory * 2 + 15) // 16 * 4
    bucket = np.empty(n, np.int64)
    for e in range(n):
        bucket[e] = np.int64(ids[sources[e]] & np.uint64((longs if e < n_long else shorts) - 1))
    shift: Any = np.int64(0)
    places = np.empty(n, np.int64)
    begins = np.empty(n_directory, np.int64)
    while True:  # in a huge group buckets begin at multiples of 2 ** shift, so that offsets have 16 bits
        end = _placed(bucket[:n_long], longs, shift, np.int64(0), begins[: longs + 1], places[:n_long])
        end = _placed(bucket[n_long:], shorts, shift, 2 * end, begins[longs + 1 :], places[n_long:])
        if end >> shift < 1 << _FIRST_SHIFT:
            break
        shift += 1
    for b in range(n_directory):
        directory[b] = np.uint16(begins[b] >> shift)
    for e in range(n):
        source = sources[e]
        lower, upper = np.uint32(ids[source] & np.uint64(0xFFFFFFFF)), np.uint32(ids[source] >> np.uint64(32))
        if e < n_long:
            entry = out[at + 4 * places[e] : at + 4 * places[e] + 4]
            entry[0], entry[1], entry[2], entry[3] = lower, upper, rows[e], abouts[source]
        else:
            entry = out[at + 2 * places[e] : at + 2 * places[e] + 2]
            entry[0], entry[1] = lower, rows[e]
    form[1], form[2] = 0, 0
    while np.int64(1) << form[1] < longs:
        form[1] += 1
    while np.int64(1) << form[2] < shorts:
        form[2] += 1
    form[3] = shift
    return (at + 2 * end + 3) // 4 * 4


@jit
def _placed(
    bucket: NDArray[np.int64],
    buckets: Any,
    shift: Any,
    first: Any,
    begins: NDArray[np.int64],
    places: NDArray[np.int64],
) -> Any:
    """Where each entry comes to stand, bucket after bucket, and where buckets begin; where the last one ends."""
    step = np.int64(1) << shift
    counts = np.zeros(buckets, np.int64)
    for e in range(bucket.shape[0]):
        counts[bucket[e]] += 1
    at: Any = (first + step - 1) // step * step
    for b in range(buckets):
        begins[b] = at
        at += (counts[b] + step - 1) // step * step
    begins[buckets] = at
    following = begins[:buckets].copy()
    for e in range(bucket.shape[0]):
        places[e] = following[bucket[e]]
        following[bucket[e]] += 1
    return at


@jit
def _distinct(
    ids: NDArray[np.uint64], abouts: NDArray[np.uint32], offsets: NDArray[np.int64], low: int, high: int
) -> Any:
    """The distinct entries of a group, long ones first.

    Returns:
        Where the id of each stands, int64 `[n]`; its rows, uint32 `[n]`; and how many are long.
    """
    held = np.int64(0)
    for a in range(offsets.shape[0]):
        held += offsets[a, high] - offsets[a, low]
    size = _buckets(held)
    heads, following = np.full(size, -1, np.int64), np.empty(held, np.int64)
    sources, rows = np.empty(held, np.int64), np.empty(held, np.uint32)
    n = n_long = np.int64(0)
    for a in range(offsets.shape[0]):
        for row in range(low, high):
            bit = np.uint32(1) << np.uint32(row - low)
            for i in range(offsets[a, row], offsets[a, row + 1]):
                at = np.int64(ids[i] & np.uint64(size - 1))
                e = heads[at]
                while e >= 0 and (ids[sources[e]] != ids[i] or abouts[sources[e]] != abouts[i]):
                    e = following[e]
                if e >= 0:
                    rows[e] |= bit
                    continue
                sources[n], rows[n] = i, bit
                following[n], heads[at] = heads[at], n
                n += 1
                n_long += 0 if abouts[i] == 1 else 1
    order = np.empty(n, np.int64)
    long: Any = np.int64(0)
    short: Any = n_long
    for e in range(n):
        if abouts[sources[e]] == 1:  # a term, once
            order[short] = e
            short += 1
        else:
            order[long] = e
            long += 1
    return sources[order], rows[order], n_long
