"""The filter scan, compiled. One pass over the pages; each test only over the rows that the tests before let through."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.id_set import holds
from gpu.native import float32_at, int64_at, jit, owned, uint8_at, uint32_at, uint64_at

_HEADER = 64


@jit
def _has(address: int, count: int, hashes: NDArray[np.uint64]) -> bool:
    """Whether a row's pairs hold any of a few hashes."""
    pairs = uint64_at(address, count)
    found = False
    for i in range(count):
        for j in range(hashes.shape[0]):
            found |= pairs[i] == hashes[j]
    return found


@jit
def _pairs_match(
    address: int,
    count: int,
    any_pairs: NDArray[np.uint64],
    any_offsets: NDArray[np.int64],
    no_pairs: NDArray[np.uint64],
) -> bool:
    for g in range(any_offsets.shape[0] - 1):
        if not _has(address, count, any_pairs[any_offsets[g] : any_offsets[g + 1]]):
            return False
    return not (no_pairs.shape[0] and _has(address, count, no_pairs))


@jit
def filter_pages(
    entries: NDArray[np.int64],
    owner: int,
    prefixes: NDArray[np.int64],
    pair_entries: NDArray[np.int64],
    epoch: int,
    kind_bits: int,
    state_bits: int,
    times: NDArray[np.int64],
    numbers: NDArray[np.float64],
    use_pairs: bool,
    any_pairs: NDArray[np.uint64],
    any_offsets: NDArray[np.int64],
    no_pairs: NDArray[np.uint64],
    use_allowed: bool,
    allowed: NDArray[np.uint64],
    out: NDArray[np.uint8],
) -> int:
    """Write 1 for every row that matches, 0 for the others.

    Args:
        entries, owner: the attribute pages.
        prefixes: bytes per element before the columns died, kinds, states, memory_id, first_pair, n_pairs.
        pair_entries: pages of the pair arena.
        epoch: rows that died at or before it are not seen.
        kind_bits, state_bits: bit `c` says that code `c` is let through.
        times: `[t, 3]`: prefix of an int64 column, lowest and highest value let through.
        numbers: `[f, 3]`: the same for float32 columns.
        use_pairs, any_pairs, any_offsets, no_pairs: groups of hashes; hashes that must be absent.
        use_allowed, allowed: whether only ids in this table may pass.
        out: uint8 `[n]`, `n` the number of rows to look at.

    Returns:
        How many match, or -1 if a page belongs to somebody else.
    """
    total = 0
    pair_page = 0
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
        if use_pairs:
            firsts = uint32_at(base + prefixes[4] * capacity, n)
            counts = uint32_at(base + prefixes[5] * capacity, n)
            for i in range(n):
                if not flags[i]:
                    continue
                where = np.int64(0)
                if counts[i] > 0:
                    first = np.int64(firsts[i])
                    while first >= pair_entries[pair_page, 1] + pair_entries[pair_page, 2]:
                        pair_page += 1
                        if not owned(pair_entries[pair_page, 0], owner, pair_entries[pair_page, 3]):
                            return -1
                    first -= pair_entries[pair_page, 1]
                    if first < 0 or first + counts[i] > pair_entries[pair_page, 2]:
                        flags[i] = 0  # erased while we read it
                        continue
                    where = pair_entries[pair_page, 0] + _HEADER + 8 * first
                if not _pairs_match(where, np.int64(counts[i]), any_pairs, any_offsets, no_pairs):
                    flags[i] = 0
        for i in range(n):
            total += flags[i]
    return total
