"""Compiled loops of `gpu.bank.sequences`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.native import jit, uint64_at

_HEADER = 64


@jit
def _reversed(word: Any) -> Any:
    """The word with its bytes in the other order: ids are compared from their first byte on."""
    word = np.uint64(word)
    even, odd = np.uint64(0x00FF00FF00FF00FF), np.uint64(0xFF00FF00FF00FF00)
    word = ((word & even) << np.uint64(8)) | ((word & odd) >> np.uint64(8))
    even, odd = np.uint64(0x0000FFFF0000FFFF), np.uint64(0xFFFF0000FFFF0000)
    word = ((word & even) << np.uint64(16)) | ((word & odd) >> np.uint64(16))
    return (word << np.uint64(32)) | (word >> np.uint64(32))


@jit
def _before(sequence: Any, high: Any, low: Any, key: NDArray[np.uint64]) -> bool:
    """Whether (sequence, id) comes before a key."""
    if sequence != key[0]:
        return bool(sequence < key[0])
    if high != key[1]:
        return bool(high < key[1])
    return bool(low < key[2])


@jit
def places(
    slots: NDArray[np.int64],
    entries: NDArray[np.int64],
    prefixes: NDArray[np.int64],
    keys: NDArray[np.uint64],
    out: NDArray[np.int64],
) -> bool:
    """For each key how many of the slots come before it, by bisection.

    Args:
        slots: int64 `[k]`, ascending by (sequence, id).
        entries: the attribute pages.
        prefixes: bytes per element before the columns sequences and memory_id.
        keys: uint64 `[m, 3]`: sequence, first and second half of the id as big-endian numbers.
        out: int64 `[m]`.

    Returns:
        False if a row that was looked at has been erased meanwhile.
    """
    for i in range(keys.shape[0]):
        low: Any = 0
        high: Any = slots.shape[0]
        while low < high:
            middle = (low + high) // 2
            slot = slots[middle]
            page = np.searchsorted(entries[:, 1], slot, side="right") - 1
            base, local, capacity = entries[page, 0] + _HEADER, slot - entries[page, 1], entries[page, 2]
            halves = uint64_at(base + prefixes[1] * capacity + 16 * local, 2)
            first, second = _reversed(halves[0]), _reversed(halves[1])
            # After the id: an erasure takes the sequence first.
            sequence = uint64_at(base + prefixes[0] * capacity + 8 * local, 1)[0]
            if sequence == 0:
                return False
            if _before(sequence, first, second, keys[i]):
                low = middle + 1
            else:
                high = middle
        out[i] = low
    return True
