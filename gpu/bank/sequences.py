"""The order of memories in their conversations, kept beside a segment.

It is a list of slots: no id and no hash is copied out of the pages, so that an erasure leaves nothing here.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpu.bank import sequences_kernel as kernel

if TYPE_CHECKING:
    from gpu.bank.segment import SegmentSnapshot

_NONE = np.empty(0, np.int64)


class SequenceOrder:
    """Slots of a segment's sequenced rows by (sequence, memory id). Thread-safe.

    The newest snapshot's order is kept; the next one's is made from it by merging in the rows that were written since
    (a pass over the order) instead of sorting everything.
    """

    __slots__ = ("_epoch", "_lock", "_n_slots", "_order")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_slots = 0
        self._epoch = 0
        self._order = _NONE

    def live(self, segment: SegmentSnapshot) -> NDArray[np.int64]:
        """Slots of the rows that are alive in the snapshot and belong to a sequence, int64 `[k]`; not to be written to.

        Args:
            segment: a snapshot of the segment that this order belongs to.
        """
        with self._lock:
            if segment.epoch < self._epoch or segment.n_slots < self._n_slots:
                return _sorted(segment, np.arange(segment.n_slots))  # a reader that started earlier: not worth keeping
            if segment.epoch > self._epoch or segment.n_slots > self._n_slots:
                self._order = self._extended(segment)
                self._n_slots, self._epoch = segment.n_slots, segment.epoch
            return self._order

    def _extended(self, segment: SegmentSnapshot) -> NDArray[np.int64]:
        new = _sorted(segment, np.arange(self._n_slots, segment.n_slots))
        old = self._order
        if old.shape[0]:
            old = old[_column(segment, "died")[old] > segment.epoch]
        if not old.shape[0] or not new.shape[0]:
            return new if new.shape[0] else old
        out = np.empty(old.shape[0] + new.shape[0], np.int64)
        kernel.merge(old, _keys(segment, old), new, _keys(segment, new), out)
        return out

    def memory_bytes(self) -> int:
        """Bytes allocated."""
        return self._order.nbytes


def by_sequence(sequences: NDArray[np.uint64], ids: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The order of rows by (sequence, memory id), int64 `[n]`; equal ones stay as they stand.

    Args:
        sequences: uint64 `[n]`.
        ids: uint8 `[n, 16]`, compared byte by byte.
    """
    words = np.ascontiguousarray(ids).view(">u8").reshape(-1, 2)
    return np.lexsort((words[:, 1], words[:, 0], sequences))


def _sorted(segment: SegmentSnapshot, slots: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of the ascending slots that are alive and belong to a sequence, by (sequence, memory id)."""
    if not slots.shape[0]:
        return _NONE
    sequences = _column(segment, "sequences")[slots]
    kept = np.flatnonzero((sequences != 0) & (_column(segment, "died")[slots] > segment.epoch))
    if not kept.shape[0]:
        return _NONE
    slots = slots[kept]
    return slots[by_sequence(sequences[kept], _column(segment, "memory_id")[slots])]


def _keys(segment: SegmentSnapshot, slots: NDArray[np.int64]) -> NDArray[np.uint64]:
    """(sequence, first and second half of the id) of slots in any order, uint64 `[n, 3]`."""
    keys = np.empty((slots.shape[0], 3), np.uint64)
    keys[:, 0] = _column(segment, "sequences")[slots]
    keys[:, 1:] = _column(segment, "memory_id")[slots].view(">u8").reshape(-1, 2)
    return keys


def _column(segment: SegmentSnapshot, name: str) -> NDArray[Any]:
    """One attribute column of every slot of the snapshot."""
    pages = segment.attributes.pages
    parts = [segment.attributes.check(page).column(name)[: max(0, segment.n_slots - page.start)] for page in pages]
    return np.concatenate(parts) if parts else np.empty(0)
