"""Copying elements of a column out of its pages, compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.bank.pages import HEADER_BYTES
from gpu.native import jit, owned, uint8_at, uint64_at

_WORD = 8


@jit
def gather(
    entries: NDArray[np.int64],
    owner: int,
    prefix: int,
    positions: NDArray[np.int64],
    out: NDArray[np.uint8],
) -> bool:
    """Copy one column's elements at ascending positions.

    Args:
        entries: the pages, see `PageTable.entries`.
        owner: who must own those that are read.
        prefix: bytes per element before the column.
        positions: int64 `[n]`, ascending, repeated ones too; all inside the pages.
        out: uint8 `[n, itemsize]`.

    Returns:
        False if a page belongs to somebody else.
    """
    size = out.shape[1]
    words = size // _WORD
    page, start, end, base = -1, np.int64(0), np.int64(-1), np.int64(0)
    for i in range(positions.shape[0]):
        position = positions[i]
        if position >= end:
            page = np.searchsorted(entries[:, 1], position, side="right") - 1
            if not owned(entries[page, 0], owner, entries[page, 3]):
                return False
            start, end = entries[page, 1], entries[page, 1] + entries[page, 2]
            base = entries[page, 0] + HEADER_BYTES + entries[page, 2] * prefix
        address = base + (position - start) * size
        if size == words * _WORD:  # every column starts aligned, so that whole words may be copied
            source, target = uint64_at(address, words), out[i].view(np.uint64)
            for word in range(words):
                target[word] = source[word]
        else:
            few = uint8_at(address, size)
            for byte in range(size):
                out[i, byte] = few[byte]
    return True
