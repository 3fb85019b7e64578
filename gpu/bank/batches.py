"""Picking, joining and checking of record batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.bank.errors import DimensionError
from gpu.bank.layouts import ARENAS, token_bytes
from gpu.bank.records import NEVER_US, RecordBatch

_Array = NDArray[Any]
_RANGES = {arena.offsets: tuple(arena.columns.values()) for arena in ARENAS.values()}
_FLAT = frozenset(name for names in _RANGES.values() for name in names)
_PLAIN = tuple(f.name for f in fields(RecordBatch) if f.name not in _FLAT and f.name not in _RANGES)


def take(batch: RecordBatch, rows: NDArray[np.int64]) -> RecordBatch:
    """The given records of a batch, in the given order."""
    if rows.shape[0] == len(batch) and np.array_equal(rows, np.arange(len(batch))):
        return batch
    columns: dict[str, _Array] = {name: getattr(batch, name)[rows] for name in _PLAIN}
    for offsets_name, flat_names in _RANGES.items():
        at, columns[offsets_name] = positions(getattr(batch, offsets_name), rows)
        for name in flat_names:
            columns[name] = getattr(batch, name)[at]
    return RecordBatch(**columns)


def positions(offsets: NDArray[np.int64], rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the elements of certain ranges lie, in the order of `rows`, and the offsets of the ranges among them."""
    counts = (offsets[1:] - offsets[:-1])[rows]
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    return np.repeat(offsets[:-1][rows] - ends[:-1], counts) + np.arange(ends[-1]), ends


def rounds(batch: RecordBatch) -> Iterator[RecordBatch]:
    """Split a batch into parts of distinct memories, closed versions first, older versions before newer ones."""
    n = len(batch)
    if n == 1:
        yield batch
        return
    for closed in (True, False):
        rows = np.flatnonzero((batch.recorded_to_us != NEVER_US) == closed)
        ids = np.ascontiguousarray(batch.memory_ids[rows]).view("V16").ravel()
        if rows.size and np.unique(ids).size == rows.size:
            yield take(batch, rows)
        elif rows.size:
            _, owner = np.unique(ids, return_inverse=True)
            order = np.lexsort((batch.versions[rows], owner))
            # Ordinal of each version among those of its memory.
            starts = np.flatnonzero(np.r_[True, np.diff(owner[order]) != 0])
            ordinal = np.arange(rows.size) - np.repeat(starts, np.diff(np.r_[starts, rows.size]))
            for turn in range(int(ordinal.max()) + 1):
                yield take(batch, np.sort(rows[order[ordinal == turn]]))


def check(batch: RecordBatch, dim: int) -> None:
    """Refuse a batch whose columns do not fit together or whose vectors have another dimension.

    Raises:
        DimensionError: the vectors are not `[n_views, dim]`.
        ValueError: a column has the wrong length.
    """
    n = len(batch)
    if batch.vectors.ndim != 2 or batch.vectors.shape[1] != dim:
        raise DimensionError(f"vectors have shape {batch.vectors.shape}, the namespace has dimension {dim}")
    if batch.memory_ids.shape != (n, 16):
        raise ValueError(f"memory_ids must be [{n}, 16]")
    for name in _PLAIN:
        if getattr(batch, name).shape[0] != n:
            raise ValueError(f"{name} must have {n} entries")
    for offsets_name, flat_names in _RANGES.items():
        offsets = getattr(batch, offsets_name)
        if offsets.shape != (n + 1,):
            raise ValueError(f"{offsets_name} must have {n + 1} entries")
        for name in flat_names:
            if getattr(batch, name).shape[0] != int(offsets[-1]):
                raise ValueError(f"{name} must have {int(offsets[-1])} entries")
    _check_widths(batch, dim)


def _check_widths(batch: RecordBatch, dim: int) -> None:
    for name, width in (("spans", 2), ("link_targets", 16), ("tokens", token_bytes(dim))):
        values = getattr(batch, name)
        if values.shape[0] and values.shape[1:] != (width,):
            raise ValueError(f"{name} must have {width} values in each entry")
