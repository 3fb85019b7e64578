"""Copies of namespaces that left a device for others: in pinned memory of the host, to come back from in one copy."""

from __future__ import annotations

import threading
from collections import OrderedDict

from gpu.bank.namespace import NamespaceBank
from gpu.device.pool import DeviceMemoryFullError, DevicePool
from gpu.device.segment_copy import SegmentCopy

Place = tuple[NamespaceBank, int]
"""A namespace, and the position of the first vector of a part of it."""


class PinnedCopies:
    """Copies in a pool of bounded size. Thread-safe; the ones that left longest ago make room.

    What dies or is erased meanwhile is marked and zeroed here as it would be on the device.
    """

    def __init__(self, pool: DevicePool) -> None:
        """Begins empty, with memory that nobody else uses."""
        self._pool = pool
        self._here: OrderedDict[Place, SegmentCopy] = OrderedDict()  # left longest ago first
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._here)

    @property
    def bytes(self) -> int:
        """Bytes of the copies."""
        return self._pool.used_bytes

    def keep(self, place: Place, copy: SegmentCopy) -> bool:
        """Takes a copy over from a device; False if there is never room for it."""
        with self._lock:
            while True:
                try:
                    copy.move_to(self._pool)
                except DeviceMemoryFullError:
                    if not self._here:
                        return False
                    self._here.popitem(last=False)[1].release()
                else:
                    self._here[place] = copy
                    return True

    def returned_to(self, pool: DevicePool, place: Place) -> SegmentCopy | None:
        """Moves a copy to a device and forgets it; None if there is none.

        Raises:
            DeviceMemoryFullError: there is no room for it there; it stays, as the one that left last.
        """
        copy = self._taken(place)
        if copy is None:
            return None
        try:
            copy.move_to(pool)  # without the lock: other devices go on meanwhile
        except DeviceMemoryFullError:
            with self._lock:
                self._here[place] = copy
            raise
        return copy

    def get(self, place: Place) -> SegmentCopy | None:
        """The copy, which stays."""
        return self._here.get(place)

    def drop(self, place: Place) -> None:
        """Zeroes a copy and frees its memory; nothing happens if there is none."""
        if (copy := self._taken(place)) is not None:
            copy.release()

    def _taken(self, place: Place) -> SegmentCopy | None:
        with self._lock:
            return self._here.pop(place, None)
