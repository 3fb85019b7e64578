"""A throw-away hash set of memory ids for scans: uint64 `[size, 3]`, two words of the id and a mark for "taken"."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.native import jit, plain


@jit
def _home(high: Any, low: Any, mask: Any) -> Any:
    mixed = (np.uint64(low) ^ (np.uint64(low) >> np.uint64(29)) ^ np.uint64(high)) * np.uint64(0x9E3779B97F4A7C15)
    return (mixed >> np.uint64(32)) & np.uint64(mask)


@jit
def holds(high: Any, low: Any, table: NDArray[np.uint64]) -> bool:
    """Whether the id with these two words is in the set."""
    mask = np.uint64(table.shape[0] - 1)
    at = _home(high, low, mask)
    while table[at, 2] != 0:
        if table[at, 0] == high and table[at, 1] == low:
            return True
        at = (at + np.uint64(1)) & mask
    return False


@jit
def _fill(words: NDArray[np.uint64], table: NDArray[np.uint64]) -> None:
    mask = np.uint64(table.shape[0] - 1)
    for i in range(words.shape[0]):
        at = _home(words[i, 0], words[i, 1], mask)
        while table[at, 2] != 0:
            at = (at + np.uint64(1)) & mask
        table[at, 0] = words[i, 0]
        table[at, 1] = words[i, 1]
        table[at, 2] = 1


def build(ids: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The set of ids (uint8 `[m, 16]`).

    Raises:
        ValueError: the ids have another shape or type.
    """
    if ids.ndim != 2 or ids.shape[1] != 16 or ids.dtype != np.uint8:
        raise ValueError("ids must be uint8 [m, 16]")
    table = np.zeros((1 << max(1, (2 * ids.shape[0]).bit_length()), 3), np.uint64)
    _fill(plain(ids, np.uint8).view(np.uint64), table)
    return table
