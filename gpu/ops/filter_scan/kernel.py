"""The filter scan, compiled: one pass over the columns, and one over the pairs of what is left."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.id_set import holds
from gpu.native import float32_at, int64_at, jit, owned, uint8_at, uint32_at, uint64_at

_HEADER = 64


_MARKS = 4096
"""Marks of the first look: nearly every pair is settled by one byte of a table that fits the first-level cache."""


@jit
def _groups_held(pair: Any, hashes: NDArray[np.uint64], groups: NDArray[np.int64]) -> Any:
    """Bits of the groups that a pair belongs to."""
    bits = np.int64(0)
    for h in range(hashes.shape[0]):
        if hashes[h] == pair:
            bits |= np.int64(1) << groups[h]
    return bits


@jit
def filter_pairs(
    entries: NDArray[np.int64],
    owner: int,
    prefixes: NDArray[np.int64],
    pair_entries: NDArray[np.int64],
    hashes: NDArray[np.uint64],
    groups: NDArray[np.int64],
    needed: int,
    out: NDArray[np.uint8],
) -> Any:
    """Clear the flags of rows that lack a pair of a needed group or carry one of another group.

    Args:
        entries: the attribute pages.
        owner: who must own the pages.
        prefixes: bytes per element before the columns first_pair and n_pairs.
        pair_entries: pages of the pair arena.
        hashes: pairs that matter, uint64 `[h]`.
        groups: the group of each, 0 to 62, int64 `[h]`.
        needed: bits of the groups that a row must carry a pair of; the others are forbidden.
        out: uint8 `[n]`, flags so far.

    Returns:
        How many rows remain, or -1 if a page belongs to somebody else.
    """
    marks = np.zeros(_MARKS, np.uint8)
    for h in range(hashes.shape[0]):
        marks[hashes[h] & np.uint64(_MARKS - 1)] = 1
    total: Any = 0
    pair_page = 0
    arena = (uint64_at(0, 0), 0)
    if pair_entries.shape[0]:
        arena = _arena(pair_entries[0])
    for t in range(pair_entries.shape[0]):
        if not owned(pair_entries[t, 0], owner, pair_entries[t, 3]):
            return -1
    for p in range(entries.shape[0]):
        start, capacity = entries[p, 1], entries[p, 2]
        n = min(capacity, out.shape[0] - start)
        if n <= 0:
            break
        base = entries[p, 0] + _HEADER
        ranges = (uint32_at(base + prefixes[0] * capacity, n), uint32_at(base + prefixes[1] * capacity, n))
        flags = out[start : start + n]
        row = _pair_rows(0, arena, ranges, marks, hashes, groups, needed, flags)
        while row < n:
            pair_page += 1
            if pair_page == pair_entries.shape[0]:
                return -1
            arena = _arena(pair_entries[pair_page])
            row = _pair_rows(row, arena, ranges, marks, hashes, groups, needed, flags)
        total += _sum(flags)
    return total


@jit
def _arena(entry: NDArray[np.int64]) -> Any:
    """Pairs of one page of the arena, and the position of the first."""
    return uint64_at(entry[0] + _HEADER, entry[2]), entry[1]


@jit
def _pair_rows(
    row: int,
    arena: tuple[NDArray[np.uint64], int],
    ranges: tuple[NDArray[np.uint32], NDArray[np.uint32]],
    marks: NDArray[np.uint8],
    hashes: NDArray[np.uint64],
    groups: NDArray[np.int64],
    needed: int,
    flags: NDArray[np.uint8],
) -> Any:
    """Clear flags until a row needs a later page of the arena; that row, or the number of rows."""
    pairs, arena_start = arena
    firsts, counts = ranges
    for i in range(row, flags.shape[0]):
        if not flags[i]:
            continue
        first = np.int64(firsts[i]) - arena_start
        last = first + np.int64(counts[i])
        if last > first >= pairs.shape[0]:
            return i
        held = np.int64(0)
        # A row that is erased while we read it may name a range that is none.
        if first >= 0 and last <= pairs.shape[0]:
            for j in range(first, last):
                if marks[pairs[j] & np.uint64(_MARKS - 1)]:
                    held |= _groups_held(pairs[j], hashes, groups)
        flags[i] = np.uint8(held == needed)
    return flags.shape[0]


@jit
def _sum(flags: NDArray[np.uint8]) -> Any:
    total = 0
    for i in range(flags.shape[0]):
        total += flags[i]
    return total


@jit
def _within(values: Any, low: Any, high: Any, flags: NDArray[np.uint8]) -> None:
    """Clear the flags of values outside an interval (and of NaN)."""
    for i in range(flags.shape[0]):
        flags[i] &= np.uint8((values[i] >= low) & (values[i] <= high))


@jit
def _among(ids: NDArray[np.uint64], allowed: NDArray[np.uint64], flags: NDArray[np.uint8]) -> None:
    """Clear the flags of ids (two words each) that are not in a set."""
    for i in range(flags.shape[0]):
        if flags[i] and not holds(ids[2 * i], ids[2 * i + 1], allowed):
            flags[i] = 0


@jit
def filter_pages(
    entries: NDArray[np.int64],
    owner: int,
    prefixes: NDArray[np.int64],
    epoch: int,
    kind_bits: int,
    state_bits: int,
    times: NDArray[np.int64],
    numbers: NDArray[np.float64],
    use_allowed: bool,
    allowed: NDArray[np.uint64],
    out: NDArray[np.uint8],
) -> Any:
    """Write 1 for every row that matches, 0 for the others.

    Args:
        entries: the attribute pages.
        owner: who must own them.
        prefixes: bytes per element before the columns died, kinds, states and memory_id.
        epoch: rows that died at or before it are not seen.
        kind_bits: bit `c` says that kind `c` is let through.
        state_bits: the same for states.
        times: `[t, 3]`: prefix of an int64 column, lowest and highest value let through.
        numbers: `[f, 3]`: the same for float32 columns.
        use_allowed: whether only ids in `allowed` may pass.
        allowed: see `gpu.id_set`.
        out: uint8 `[n]`, `n` the number of rows to look at.

    Returns:
        How many match, or -1 if a page belongs to somebody else.
    """
    total: Any = 0
    for p in range(entries.shape[0]):
        address, start, capacity = entries[p, 0], entries[p, 1], entries[p, 2]
        if not owned(address, owner, entries[p, 3]):
            return -1
        n = min(capacity, out.shape[0] - start)
        if n <= 0:
            break
        base = address + _HEADER
        flags = out[start : start + n]
        died = int64_at(base + prefixes[0] * capacity, n)
        kinds = uint8_at(base + prefixes[1] * capacity, n)
        states = uint8_at(base + prefixes[2] * capacity, n)
        for i in range(n):
            flags[i] = np.uint8(
                (died[i] > epoch) & ((kind_bits >> np.int64(kinds[i])) & 1) & ((state_bits >> np.int64(states[i])) & 1)
            )
        for t in range(times.shape[0]):
            _within(int64_at(base + times[t, 0] * capacity, n), times[t, 1], times[t, 2], flags)
        for t in range(numbers.shape[0]):
            reals = float32_at(base + np.int64(numbers[t, 0]) * capacity, n)
            _within(reals, numbers[t, 1], numbers[t, 2], flags)
        if use_allowed:
            _among(uint64_at(base + prefixes[3] * capacity, 2 * n), allowed, flags)
        total += _sum(flags)
    return total
