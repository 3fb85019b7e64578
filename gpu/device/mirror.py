"""The vectors of one namespace on a device, kept equal to the host's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.bank.pages import HEADER_BYTES
from gpu.bank.segment import Deaths, Segment, SegmentSnapshot
from gpu.device.page_mirror import UNIT, DevicePage, PageMirror
from gpu.device.pool import DevicePool
from gpu.ops.paged_search.op import GROUP, RECORD, PagedRows

_SLOT_BYTES = 4
_VALUE_BYTES = 2


class DeviceRows(PageMirror):
    """The device's copy of one segment's vectors, in pages with the layout that they have on the host.

    A row that died has slot -1. Erased vectors are overwritten with zeros.
    """

    def __init__(self, pool: DevicePool, segment: Segment) -> None:
        """Begins empty."""
        super().__init__(pool, segment)
        self._capacities: list[int] = []
        self._starts: list[int] = []

    @property
    def rows(self) -> PagedRows:
        """What a search reads."""
        return PagedRows(self._records[: self._n_groups], self._pool.bytes, self._owner, self.segment.dim)

    def _length_of(self, seen: SegmentSnapshot) -> int:
        return seen.n_views

    def _positions_of(self, death: Deaths) -> NDArray[np.int64]:
        return death.views

    def _copy(self, seen: SegmentSnapshot) -> None:
        """Copies what is new in the first page that is not complete here."""
        table = seen.codes
        number = int(table.entries[:, 1].searchsorted(self._length, side="right")) - 1
        page = table.check(table.pages[number])
        if number == len(self._pages):
            self._take(page.buffer.nbytes - HEADER_BYTES)
            self._capacities.append(page.capacity)
            self._starts.append(page.start)
        first, end = self._length - page.start, min(seen.n_views - page.start, page.capacity)
        local = np.array([first])
        self._write(int(self._slot_at(number, local)[0]), page.column("slot")[first:end])
        self._write(int(self._vector_at(number, local)[0]), page.column("vectors")[first:end])
        self._length = page.start + end
        self._describe_page(self._pages[number], number, first, end)

    def _mark(self, positions: NDArray[np.int64], seen: SegmentSnapshot, *, erase: bool) -> None:
        pages = np.searchsorted(self._starts, positions, side="right") - 1
        for number in np.unique(pages).tolist():
            local = positions[pages == number] - self._starts[number]
            self._fill(self._slot_at(number, local), _SLOT_BYTES, 0xFF)
            if erase:
                self._fill(self._vector_at(number, local), _VALUE_BYTES * self.segment.dim, 0)

    def _slot_at(self, number: int, local: NDArray[np.int64]) -> NDArray[np.int64]:
        """Bytes from the start of the pool to the slots of elements of a page."""
        return self._pages[number].at + HEADER_BYTES + _SLOT_BYTES * local

    def _vector_at(self, number: int, local: NDArray[np.int64]) -> NDArray[np.int64]:
        """The same for their vectors."""
        begin = self._pages[number].at + HEADER_BYTES + _SLOT_BYTES * self._capacities[number]
        return begin + _VALUE_BYTES * self.segment.dim * local

    def _describe_page(self, page: DevicePage, number: int, first: int, end: int) -> None:
        """Writes the records of the groups of a page that elements `first : end` lie in, the last groups of all."""
        local = np.arange(first // GROUP * GROUP, end, GROUP)
        part = np.zeros((local.size, RECORD), np.int64)
        part[:, 0] = self._vector_at(number, local) // UNIT
        part[:, 1] = self._slot_at(number, local) // UNIT
        part[:, 2] = page.at // UNIT
        part[:, 3] = page.generation
        part[:, 4] = np.minimum(GROUP, end - local)
        self._describe(self._n_groups - (1 if first % GROUP else 0), part)
