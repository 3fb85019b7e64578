"""Which device holds what: a namespace whole on one, or a huge one in parts on several.

A part is a run of whole pages. Which pages belong together follows from their positions alone, so that a part stays
what it is while the namespace grows behind it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PageTable
from gpu.device.copies import DeviceCopies

PART_SHARE = 1 / 8
"""Of the smallest device's memory: the most that a part takes. Parts of a namespace of that size and more spread over
all devices; what is smaller is searched faster where it lies together. A guess: not measured on several devices yet."""


def parts_of(table: PageTable, n_views: int, most_bytes: int | None) -> list[tuple[int, int | None]]:
    """The parts of a namespace: the first position of each, and the one behind its last (None: whatever comes).

    Args:
        table: its code pages.
        n_views: vectors that are in them.
        most_bytes: of a part, give or take one page; None for no bound.
    """
    if most_bytes is None or n_views * table.layout.element_bytes <= most_bytes:
        return [(0, None)]
    starts = table.entries[table.entries[:, 1] < n_views, 1]
    most_views = max(1, most_bytes // table.layout.element_bytes)
    part_of = starts // most_views
    firsts = starts[np.flatnonzero(np.diff(part_of, prepend=-1))].tolist()
    return list(zip(firsts, [*firsts[1:], None], strict=True))


class Spread:
    """Where the parts of namespaces are. Not thread-safe."""

    def __init__(self, devices: Sequence[DeviceCopies]) -> None:
        """Begins empty, over these devices."""
        self._devices = devices
        self._place: dict[NamespaceBank, dict[int, DeviceCopies]] = {}
        self._promised: dict[DeviceCopies, int] = {}
        smallest = min(device.pool.bytes.numel() for device in devices)
        self.most_bytes = int(smallest * PART_SHARE) if len(devices) > 1 else None

    def begin(self) -> None:
        """Begins a batch: what was promised before has been copied, or has not fitted."""
        self._promised.clear()

    def device_for(self, namespace: NamespaceBank, start: int, size: int) -> DeviceCopies | None:
        """The device that has a part, or else the one with the most free memory; None if all are lost.

        Args:
            namespace: which.
            start: first position of the part.
            size: bytes that it takes.
        """
        places = self._place.setdefault(namespace, {})
        device = places.get(start)
        if device is not None and not device.is_lost and (device.has((namespace, start)) or device in self._promised):
            return device
        left = [one for one in self._devices if not one.is_lost]
        if not left:
            return None
        device = max(left, key=lambda one: one.pool.free_bytes - self._promised.get(one, 0))
        self._promised[device] = self._promised.get(device, 0) + size
        places[start] = device
        return device

    def starts(self, namespace: NamespaceBank) -> list[int]:
        """First positions of the parts of a namespace that were ever placed."""
        return list(self._place.get(namespace, ()))

    def forget(self, namespace: NamespaceBank) -> None:
        """Forgets where a namespace is."""
        self._place.pop(namespace, None)
