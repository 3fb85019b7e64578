"""The order of memories in their conversations, kept beside a segment.

It is a list of slots: no id and no hash is copied out of the pages, so that an erasure leaves nothing here.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpu.bank import sequences_kernel as kernel
from gpu.bank.layouts import ATTRIBUTES

if TYPE_CHECKING:
    from gpu.bank.segment import SegmentSnapshot

_NONE = np.empty(0, np.int64)
_FEW = 16
"""A sixteenth of the order is put in by bisection; with more rows than that, sorting is about as fast."""
_PREFIXES = ATTRIBUTES.prefixes("sequences", "memory_id")


class Ordered(NamedTuple):
    """Slots, sequence by sequence and by id in each, and where sequences begin; neither is to be written to.

    Attributes:
        slots: int64 `[k]`.
        starts: uint8 `[k]`, 1 at the first slot of each sequence.
    """

    slots: NDArray[np.int64]
    starts: NDArray[np.uint8]


def ordered(slots: NDArray[np.int64], sequences: NDArray[np.uint64]) -> Ordered:
    """Slots that stand in order already, with the sequence of each (uint64 `[k]`)."""
    starts = np.ones(slots.shape[0], np.uint8)
    starts[1:] = sequences[1:] != sequences[:-1]
    return Ordered(slots, starts)


def places_of(
    order: Ordered,
    sequences: NDArray[np.uint64],
    ids: NDArray[np.uint8],
    slots: NDArray[np.int64],
    segment: SegmentSnapshot | None,
) -> NDArray[np.int64]:
    """Where a few slots stand in an order.

    Args:
        order: of a view.
        sequences, ids: of the slots, uint64 `[m]` and uint8 `[m, 16]`.
        slots: int64 `[m]`.
        segment: that all of them lie in; None for a view of several.

    Returns:
        int64 `[m]`, -1 for what belongs to no conversation.
    """
    if not order.slots.size:
        return np.full(slots.shape[0], -1)
    keys = np.empty((slots.shape[0], 3), np.uint64)
    keys[:, 0], keys[:, 1:] = sequences, np.ascontiguousarray(ids).view(">u8").reshape(-1, 2)
    places = np.empty(slots.shape[0], np.int64)
    if segment is None or not kernel.places(order.slots, segment.attributes.entries, _PREFIXES, keys, places):
        every = np.full(int(max(order.slots.max(), slots.max(initial=0))) + 1, -1)
        every[order.slots] = np.arange(order.slots.size)
        return np.asarray(every[slots])
    found = order.slots[np.minimum(places, order.slots.size - 1)]
    return np.where(found == slots, places, -1)


def around(
    order: Ordered, places: NDArray[np.int64], steps: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """The parts of an order around some places.

    Returns:
        The places that are so many steps from one of them, int64 `[n]`, distinct, ascending; and uint8 `[n]`, 1 where a
        sequence begins, or a part.
    """
    near = np.sort((places[:, None] + np.array(steps)).ravel())  # numpy's unique hashes first, and takes twice as long
    near = near[(near >= 0) & (near < order.slots.size)]
    near = near[np.append(True, near[1:] != near[:-1])[: near.size]]
    starts = order.starts[near]
    starts[1:] |= np.diff(near) != 1
    return near, starts


class SequenceOrder:
    """Slots of a segment's sequenced rows by (sequence, memory id). Thread-safe.

    The newest snapshot's order is kept. The next one's is made from it: the dead go, and a few rows that were written
    since are put in by bisection; everything is sorted anew only where many were.
    """

    __slots__ = ("_epoch", "_lock", "_n_slots", "_order")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_slots = 0
        self._epoch = 0
        self._order = Ordered(_NONE, np.empty(0, np.uint8))

    def live(self, segment: SegmentSnapshot) -> Ordered:
        """The rows that are alive in the snapshot and belong to a sequence.

        Args:
            segment: a snapshot of the segment that this order belongs to.
        """
        with self._lock:
            if segment.epoch < self._epoch or segment.n_slots < self._n_slots:
                # A reader that started earlier: its order is not worth keeping.
                return _ordered(segment, _sorted(segment, np.arange(segment.n_slots)))
            if segment.epoch > self._epoch or segment.n_slots > self._n_slots:
                self._order = _ordered(segment, self._extended(segment))
                self._n_slots, self._epoch = segment.n_slots, segment.epoch
            return self._order

    def _extended(self, segment: SegmentSnapshot) -> NDArray[np.int64]:
        old, new = self._order.slots, _sorted(segment, np.arange(self._n_slots, segment.n_slots))
        if old.shape[0]:
            old = old[(_column(segment, "died") > segment.epoch)[old]]
        if not new.shape[0]:
            return old
        if new.shape[0] * _FEW <= old.shape[0]:
            places = np.empty(new.shape[0], np.int64)
            if kernel.places(old, segment.attributes.entries, _PREFIXES, _keys(segment, new), places):
                return np.insert(old, places, new)
        return _sorted(segment, np.arange(segment.n_slots))

    def memory_bytes(self) -> int:
        """Bytes allocated."""
        return self._order.slots.nbytes + self._order.starts.nbytes


def _ordered(segment: SegmentSnapshot, slots: NDArray[np.int64]) -> Ordered:
    return ordered(slots, _column(segment, "sequences")[slots] if slots.shape[0] else np.empty(0, np.uint64))


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
    """(sequence, first and second half of the id) of a few slots in any order, uint64 `[n, 3]`."""
    keys = np.empty((slots.shape[0], 3), np.uint64)
    keys[:, 0] = _column(segment, "sequences")[slots]
    keys[:, 1:] = _column(segment, "memory_id")[slots].view(">u8").reshape(-1, 2)
    return keys


def _column(segment: SegmentSnapshot, name: str) -> NDArray[Any]:
    """One attribute column of every slot of the snapshot."""
    pages = segment.attributes.pages
    parts = [segment.attributes.check(page).column(name)[: max(0, segment.n_slots - page.start)] for page in pages]
    return np.concatenate(parts) if parts else np.empty(0)
