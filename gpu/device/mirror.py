"""The vectors of one namespace, or of a part of it, on a device, kept equal to the host's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu.bank.layouts import LIVE_EPOCH
from gpu.bank.pages import HEADER_BYTES
from gpu.bank.segment import Deaths, SegmentSnapshot, gather
from gpu.device.page_mirror import UNIT, DevicePage, PageMirror
from gpu.ops.paged_search.op import GROUP, RECORD, PagedRows

_SLOT_BYTES = 4
_VALUE_BYTES = 2


@dataclass(slots=True)
class _VectorPage(DevicePage):
    """A page of vectors: how many there is room for, and the first position."""

    capacity: int
    start: int

    def slot_at(self, local: NDArray[np.int64]) -> NDArray[np.int64]:
        """Bytes from the start of the pool to the slots of elements."""
        return self.at + HEADER_BYTES + _SLOT_BYTES * local

    def vector_at(self, local: NDArray[np.int64], dim: int) -> NDArray[np.int64]:
        """The same for their vectors."""
        return self.at + HEADER_BYTES + _SLOT_BYTES * self.capacity + _VALUE_BYTES * dim * local


class DeviceRows(PageMirror[_VectorPage]):
    """The copy of one segment's vectors, or of those in some of its pages, with the layout that they have there.

    A part begins and ends where a page does. Erased vectors are overwritten with zeros.

    Attributes:
        rows: what a search reads.
    """

    rows: PagedRows

    def _length_of(self, seen: SegmentSnapshot) -> int:
        return seen.n_views

    def _positions_of(self, death: Deaths) -> NDArray[np.int64]:
        return death.views

    def _copy(self, seen: SegmentSnapshot, until: int) -> None:
        """Copies what is new in the first page that is not complete here.

        Slots of new rows lie together, and so do their vectors: two copies, and one for a whole page.
        """
        table = seen.codes
        number = int(table.entries[:, 1].searchsorted(self._length, side="right")) - 1
        page = table.check(table.pages[number])
        first, end = self._length - page.start, min(until - page.start, page.capacity)
        slots = self._living(seen, page.column("slot")[first:end].astype(np.int64))
        vectors = page.column("vectors")[first:end]
        if first:
            own, local = self._pages[-1], np.array(first)
            self._pool.write(int(own.slot_at(local)), slots)
        else:
            size = page.buffer.nbytes
            own = _VectorPage(self._pool.take(size), size, self._pool.new_number(), page.capacity, page.start)
            self._pages.append(own)
            local = np.array(0)
            if end == page.capacity:
                self._pool.write(own.at, self._header(own), slots, vectors)
            else:
                self._pool.write(own.at, self._header(own), slots)
        if first or end < page.capacity:
            self._pool.write(int(own.vector_at(local, vectors.shape[1])), vectors)
        self._length = page.start + end

    def _living(self, seen: SegmentSnapshot, slots: NDArray[np.int64]) -> NDArray[np.int32]:
        """Slots of the next vectors to be copied; -1 for memories that died."""
        died = gather(seen.attributes, ("died",), slots)["died"]
        if (died == LIVE_EPOCH).all():
            return slots.astype(np.int32)
        self._expect(self._length, died, seen)
        return np.where(died > seen.epoch, slots, -1).astype(np.int32)

    def _mark(self, positions: NDArray[np.int64], seen: SegmentSnapshot, *, erase: bool) -> None:
        starts = np.array([page.start for page in self._pages])
        pages = np.searchsorted(starts, positions, side="right") - 1
        dim = self.segment.dim
        for number in np.unique(pages).tolist():
            page = self._pages[number]
            local = positions[pages == number] - page.start
            self._fill(page.slot_at(local), _SLOT_BYTES, 0xFF)
            if erase:
                self._fill(page.vector_at(local, dim), _VALUE_BYTES * dim, 0)

    def _undescribed(self) -> tuple[int, NDArray[np.int64]]:
        first = next(i for i, page in enumerate(self._pages) if self._described < page.start + page.capacity)
        parts = [self._records_of(page) for page in self._pages[first:] if page.start < self._length]
        at = self._n_groups - (1 if (self._described - self._pages[first].start) % GROUP else 0)
        return at, np.concatenate(parts)

    def _records_of(self, page: _VectorPage) -> NDArray[np.int64]:
        """Records of the groups of a page that hold rows without one yet; int64 `[g, RECORD]`."""
        dim = self.segment.dim
        first = max(0, self._described - page.start)
        end = min(self._length - page.start, page.capacity)
        local = np.arange(first // GROUP * GROUP, end, GROUP)
        part = np.zeros((local.size, RECORD), np.int64)
        part[:, 0] = page.vector_at(local, dim) // UNIT
        part[:, 1] = page.slot_at(local) // UNIT
        part[:, 2] = page.at // UNIT
        part[:, 3] = page.generation
        part[:, 4] = np.minimum(GROUP, end - local)
        return part

    def _show(self) -> None:
        self.rows = PagedRows(self._records[: self._n_groups], self._pool.bytes, self._owner, self.segment.dim)
