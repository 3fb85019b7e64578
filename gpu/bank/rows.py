"""Reading rows of a segment by their position in its code pages: the views of its memories, in the order of writing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.bank.layouts import ERASED_EPOCH
from gpu.bank.pages import PageTable
from gpu.bank.segment import SegmentSnapshot, gather

CHUNK = 8192
"""Rows that are read at a time."""


def column(table: PageTable, name: str, length: int) -> NDArray[Any]:
    """The first `length` elements of one column, copied.

    Raises:
        PageOwnershipError: a page of the table belongs to somebody else by now.
    """
    parts = [table.check(page).column(name)[: max(0, length - page.start)] for page in table.pages]
    return np.concatenate(parts) if parts else np.empty(0, table.layout.columns[name].dtype)


def vectors(segment: SegmentSnapshot, positions: NDArray[np.int64]) -> NDArray[np.float32]:
    """Rows at ascending positions, float32 `[n, dim]`."""
    return gather(segment.codes, ("vectors",), positions)["vectors"].astype(np.float32)


def slots_of(segment: SegmentSnapshot, positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """The memory of each row at ascending positions, int64 `[n]`."""
    return gather(segment.codes, ("slot",), positions)["slot"].astype(np.int64)


def live(segment: SegmentSnapshot, first: int) -> NDArray[np.int64]:
    """Positions from `first` on whose memory is alive in the snapshot, int64 `[n]`, ascending."""
    alive = column(segment.attributes, "died", segment.n_slots) > segment.epoch
    slots = column(segment.codes, "slot", segment.n_views)
    return first + np.flatnonzero(alive[slots[first:]])


def erased_slots(segment: SegmentSnapshot) -> NDArray[np.bool_]:
    """Which memories have been erased by now, bool `[n_slots]`."""
    return np.asarray(column(segment.attributes, "died", segment.n_slots) == ERASED_EPOCH)


def chunks(positions: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Positions in portions of `CHUNK`."""
    for at in range(0, positions.shape[0], CHUNK):
        yield positions[at : at + CHUNK]
