"""Compiled loops of `gpu.bank.tables`.

An entry's home is `hash * capacity >> 32`, so that any capacity will do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.id_set import holds
from gpu.native import int32_at, jit, uint64_at

_HEADER = 64


@jit
def _mix(x: Any) -> Any:
    """Spread the bits of a 64-bit word (the finaliser of splitmix64)."""
    x = np.uint64(x)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@jit
def _home(key: Any, capacity: int) -> Any:
    return np.int64((np.uint64(key) * np.uint64(capacity)) >> np.uint64(32))


@jit
def hash_keys(ids: NDArray[np.uint8], versions: NDArray[np.int32], by_version: bool) -> NDArray[np.uint32]:
    """Hash of each id (uint8 `[n, 16]`), with its version if that is part of the key."""
    words = ids.view(np.uint64)
    out = np.empty(ids.shape[0], np.uint32)
    for i in range(ids.shape[0]):
        h = _mix(words[i, 0]) ^ words[i, 1]
        if by_version:
            h = _mix(h) ^ np.uint64(versions[i])
        out[i] = np.uint32(_mix(h) >> np.uint64(32))
    return out


@jit
def find(
    hashes: NDArray[np.uint32],
    slots: NDArray[np.int32],
    wanted: NDArray[np.uint32],
    ids: NDArray[np.uint8],
    versions: NDArray[np.int32],
    by_version: bool,
    entries: NDArray[np.int64],
    prefixes: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Slot of each key, or -1."""
    words = ids.view(np.uint64)
    capacity = hashes.shape[0]
    out = np.empty(wanted.shape[0], np.int64)
    for i in range(wanted.shape[0]):
        at = _home(wanted[i], capacity)
        out[i] = -1
        while slots[at] >= 0:
            if hashes[at] == wanted[i]:
                slot = np.int64(slots[at])
                page = np.searchsorted(entries[:, 1], slot, side="right") - 1
                address, local, room = entries[page, 0], slot - entries[page, 1], entries[page, 2]
                key = uint64_at(address + _HEADER + room * prefixes[0] + 16 * local, 2)
                version = int32_at(address + _HEADER + room * prefixes[1] + 4 * local, 1)
                same = key[0] == words[i, 0] and key[1] == words[i, 1]
                if same and (not by_version or version[0] == versions[i]):
                    out[i] = slot
                    break
            at = at + 1 if at + 1 < capacity else 0
    return out


@jit
def _put(hashes: NDArray[np.uint32], slots: NDArray[np.int32], key: Any, slot: Any) -> None:
    capacity = hashes.shape[0]
    at = _home(key, capacity)
    while slots[at] >= 0:
        at = at + 1 if at + 1 < capacity else 0
    hashes[at] = key
    slots[at] = slot


@jit
def add(hashes: NDArray[np.uint32], slots: NDArray[np.int32], new: NDArray[np.uint32], first_slot: int) -> None:
    """Enter keys at ascending slots from `first_slot` on."""
    for i in range(new.shape[0]):
        _put(hashes, slots, new[i], first_slot + i)


@jit
def move_entries(
    hashes: NDArray[np.uint32], slots: NDArray[np.int32], to_hashes: NDArray[np.uint32], to_slots: NDArray[np.int32]
) -> None:
    """Enter everything of one table into another and empty the first."""
    for at in range(hashes.shape[0]):
        if slots[at] >= 0:
            _put(to_hashes, to_slots, hashes[at], slots[at])
    hashes[:] = 0
    slots[:] = -1


@jit
def _between(low: Any, x: Any, high: Any) -> Any:
    """Whether `x` lies in the cyclic interval `(low, high]`."""
    if low <= high:
        return low < x <= high
    return low < x or x <= high


@jit
def remove(
    hashes: NDArray[np.uint32], slots: NDArray[np.int32], gone: NDArray[np.uint32], gone_slots: NDArray[np.int64]
) -> None:
    """Take entries out, closing each gap with the entries behind it."""
    capacity = hashes.shape[0]
    for i in range(gone.shape[0]):
        at = _home(gone[i], capacity)
        while slots[at] != gone_slots[i]:
            at = at + 1 if at + 1 < capacity else 0
        gap = at
        while True:
            at = at + 1 if at + 1 < capacity else 0
            if slots[at] < 0:
                break
            if not _between(gap, _home(hashes[at], capacity), at):
                hashes[gap] = hashes[at]
                slots[gap] = slots[at]
                gap = at
        hashes[gap] = 0
        slots[gap] = -1


@jit
def _spread(term: Any) -> Any:
    """Terms are hashes already, but nothing says how good; a cheap mix makes clusters harmless."""
    return _mix(np.uint64(term)) >> np.uint64(32)


@jit
def count_terms(
    keys: NDArray[np.uint32], counts: NDArray[np.uint32], used: int, terms: NDArray[np.uint32], start: int
) -> tuple[int, int]:
    """Count terms from `start` on until done or 80 % full; where it stopped and how many keys there are now."""
    capacity = keys.shape[0]
    for i in range(start, terms.shape[0]):
        if capacity == 0:
            return i, used
        at = _home(_spread(terms[i]), capacity)
        while counts[at] > 0 and keys[at] != terms[i]:
            at = at + 1 if at + 1 < capacity else 0
        if counts[at] == 0:
            if (used + 1) * 5 > capacity * 4:
                return i, used
            keys[at] = terms[i]
            used += 1
        counts[at] += np.uint32(1)
    return terms.shape[0], used


@jit
def uncount_terms(keys: NDArray[np.uint32], counts: NDArray[np.uint32], terms: NDArray[np.uint32]) -> int:
    """Count terms less, removing what reaches zero; how many keys left the table."""
    capacity = keys.shape[0]
    gone = 0
    for i in range(terms.shape[0]):
        at = _home(_spread(terms[i]), capacity)
        while counts[at] > 0 and keys[at] != terms[i]:
            at = at + 1 if at + 1 < capacity else 0
        if counts[at] == 0:
            continue
        counts[at] -= np.uint32(1)
        if counts[at] > 0:
            continue
        gone += 1
        gap = at
        while True:
            at = at + 1 if at + 1 < capacity else 0
            if counts[at] == 0:
                break
            if not _between(gap, _home(_spread(keys[at]), capacity), at):
                keys[gap] = keys[at]
                counts[gap] = counts[at]
                counts[at] = np.uint32(0)
                gap = at
        keys[gap] = 0
        counts[gap] = 0
    return gone


@jit
def get_counts(keys: NDArray[np.uint32], counts: NDArray[np.uint32], terms: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Count of each term."""
    capacity = keys.shape[0]
    out = np.zeros(terms.shape[0], np.int64)
    for i in range(terms.shape[0]):
        if capacity == 0:
            break
        at = _home(_spread(terms[i]), capacity)
        while counts[at] > 0 and keys[at] != terms[i]:
            at = at + 1 if at + 1 < capacity else 0
        out[i] = counts[at]
    return out


@jit
def move_counts(
    keys: NDArray[np.uint32],
    counts: NDArray[np.uint32],
    to_keys: NDArray[np.uint32],
    to_counts: NDArray[np.uint32],
) -> None:
    """Enter everything of one table into another, larger one, and empty the first."""
    capacity = to_keys.shape[0]
    for i in range(keys.shape[0]):
        if counts[i] > 0:
            at = _home(_spread(keys[i]), capacity)
            while to_counts[at] > 0:
                at = at + 1 if at + 1 < capacity else 0
            to_keys[at] = keys[i]
            to_counts[at] = counts[i]
    keys[:] = 0
    counts[:] = 0


@jit
def rows_of(
    entries: NDArray[np.int64], prefix: int, n_rows: int, wanted: NDArray[np.uint64], out: NDArray[np.int64]
) -> int:
    """Write the slots of all rows, dead ones too, whose id is in a set to `out` (`[n_rows]`); how many there are."""
    # Fourteen bits of an id settle nearly every row without a branch; only the others are looked up.
    flags = np.zeros(1 << 14, np.uint8)
    for at in range(wanted.shape[0]):
        if wanted[at, 2] != 0:
            flags[wanted[at, 1] >> np.uint64(50)] = 1
    found = 0
    for p in range(entries.shape[0]):
        start, capacity = entries[p, 1], entries[p, 2]
        n = min(capacity, n_rows - start)
        words = uint64_at(entries[p, 0] + _HEADER + prefix * capacity, 2 * max(n, 0))
        first, end = found, found
        for i in range(n):
            out[end] = i
            end += int(flags[words[2 * i + 1] >> np.uint64(50)])
        for at in range(first, end):
            i = out[at]
            if holds(words[2 * i], words[2 * i + 1], wanted):
                out[found] = start + i
                found += 1
    return found
