"""The filter scan, compiled. One pass over the pages; each test only over the rows that the tests before let through."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.id_set import holds
from gpu.native import float32_at, int64_at, jit, owned, uint8_at, uint32_at, uint64_at

_HEADER = 64


_MARKS = 4096
"""Marks of the first look: nearly every pair is settled by one byte of a table that fits the first-level cache."""


@jit
def _groups_held(pair: int, hashes: NDArray[np.uint64], groups: NDArray[np.int64]) -> int:
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
) -> int:
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
    total = 0
    page = -1
    page_start = page_end = np.int64(0)
    pairs = uint64_at(entries[0, 0], 0)
    for p in range(entries.shape[0]):
        start, capacity = entries[p, 1], entries[p, 2]
        n = min(capacity, out.shape[0] - start)
        if n <= 0:
            break
        base = entries[p, 0] + _HEADER
        firsts = uint32_at(base + prefixes[0] * capacity, n)
        counts = uint32_at(base + prefixes[1] * capacity, n)
        for i in range(n):
            if not out[start + i]:
                continue
            first, last = np.int64(firsts[i]), np.int64(firsts[i]) + np.int64(counts[i])
            held = np.int64(0)
            if last > first:
                while first >= page_end:
                    page += 1
                    page_start = pair_entries[page, 1]
                    page_end = page_start + pair_entries[page, 2]
                    if not owned(pair_entries[page, 0], owner, pair_entries[page, 3]):
                        return -1
                    pairs = uint64_at(pair_entries[page, 0] + _HEADER, pair_entries[page, 2])
                # A row that is erased while we read it may name a range that is none.
                if page_start <= first and last <= page_end:
                    for j in range(first - page_start, last - page_start):
                        if marks[pairs[j] & np.uint64(_MARKS - 1)]:
                            held |= _groups_held(pairs[j], hashes, groups)
            if held == needed:
                total += 1
            else:
                out[start + i] = 0
    return total


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
) -> int:
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
    total = 0
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
            values = int64_at(base + times[t, 0] * capacity, n)
            low, high = times[t, 1], times[t, 2]
            for i in range(n):
                flags[i] &= np.uint8((values[i] >= low) & (values[i] <= high))
        for t in range(numbers.shape[0]):
            reals = float32_at(base + np.int64(numbers[t, 0]) * capacity, n)
            bottom, top = numbers[t, 1], numbers[t, 2]
            for i in range(n):
                flags[i] &= np.uint8((reals[i] >= bottom) & (reals[i] <= top))
        if use_allowed:
            ids = uint64_at(base + prefixes[3] * capacity, 2 * n)
            for i in range(n):
                if flags[i] and not holds(ids[2 * i], ids[2 * i + 1], allowed):
                    flags[i] = 0
        for i in range(n):
            total += flags[i]
    return total
