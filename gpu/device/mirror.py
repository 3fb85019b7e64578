"""The vectors of one namespace, or of a part of it, on a device, kept equal to the host's.

Rows of the host are only ever appended, marked as dead, or erased, until a compaction puts a new segment in their
place. So a mirror copies the rows that are new, marks those that died since (their slot becomes -1), and begins anew
when the segment is another one. Erased rows are overwritten with zeros here when they are there. Its pages can move to
another pool as they are, pinned memory of the host for one, and are looked after there in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gpu.bank.layouts import ERASED_EPOCH, LIVE_EPOCH
from gpu.bank.pages import HEADER_BYTES
from gpu.bank.segment import Segment, SegmentSnapshot, gather
from gpu.device.pool import DevicePool, rounded
from gpu.ops.paged_search.op import GROUP, RECORD, PagedRows

_SLOT_BYTES = 4
_VALUE_BYTES = 2
_UNIT = 16
"""Bytes in which records count; groups begin at multiples of it."""
_FIRST_RECORDS = 64


@dataclass(slots=True)
class _DevicePage:
    """A page of vectors: where it begins in the pool, its bytes, elements, first position, and generation."""

    at: int
    size: int
    capacity: int
    start: int
    generation: int

    def slot_at(self, local: NDArray[np.int64]) -> NDArray[np.int64]:
        """Bytes from the start of the pool to the slots of elements."""
        return self.at + HEADER_BYTES + _SLOT_BYTES * local

    def vector_at(self, local: NDArray[np.int64], dim: int) -> NDArray[np.int64]:
        """The same for their vectors."""
        return self.at + HEADER_BYTES + _SLOT_BYTES * self.capacity + _VALUE_BYTES * dim * local


class DeviceRows:
    """The device's copy of one segment's vectors, or of those in some of its pages. One caller at a time.

    Attributes:
        segment: the segment that it copies.
        rows: what a search reads.
    """

    def __init__(self, pool: DevicePool, segment: Segment, start: int = 0) -> None:
        """Begins empty.

        Args:
            pool: where its pages go.
            segment: what is copied.
            start: position of the first vector that is, the first one of a page.
        """
        self.segment = segment
        self._deaths = segment.record_deaths()  # before the first row is copied
        self._read = 0
        self._due: list[tuple[NDArray[np.int64], int]] = []  # deaths that are not marked, or not in full
        self._pool = pool
        self._owner = pool.new_number()
        self._pages: list[_DevicePage] = []
        self._start = self._length = self._described = start
        self._end: int | None = None
        self._records = torch.empty((0, RECORD), dtype=torch.int64, device=pool.bytes.device)
        self._n_groups = 0
        self.rows = self._described_rows()

    @property
    def memory_bytes(self) -> int:
        """Bytes of its pages."""
        return sum(page.size for page in self._pages)

    def follow(self, seen: SegmentSnapshot, end: int | None = None) -> None:
        """Copies what is new in the segment, and marks what died.

        Args:
            seen: what is there.
            end: position behind the last vector that may be copied, the first one of a page; None if all may.

        Raises:
            DeviceMemoryFullError: there is no room for a page. What was copied stays right, and the next call goes on.
        """
        self._end = end
        until = seen.n_views if end is None else min(end, seen.n_views)
        while self._length < until:
            self._copy_page(seen, until)
        if self._described < self._length:
            self._describe()
        self.bury(seen.epoch)

    def bury(self, epoch: int) -> None:
        """Marks what died up to an epoch; what was erased is overwritten with zeros."""
        due = [*self._due, *self._deaths[self._read :]]
        self._read = len(self._deaths)
        self._due = [(positions, died) for positions, died in due if not self._marked(positions, died, epoch)]

    def move_to(self, pool: DevicePool) -> None:
        """Takes the pages to another pool as they are; searched again after the next `follow`.

        Raises:
            DeviceMemoryFullError: there is no room; nothing has changed.
        """
        places = pool.take_all([page.size for page in self._pages]) if self._pages else []
        for source, target, size in _runs(self._pages, places):
            pool.bytes[target : target + size].copy_(self._pool.bytes[source : source + size])
        for page, place in zip(self._pages, places, strict=True):
            self._pool.give_back(page.at, page.size)
            page.at = place
        self._pool = pool
        self._records = torch.empty((0, RECORD), dtype=torch.int64, device=pool.bytes.device)
        self._n_groups, self._described = 0, self._start
        self.rows = self._described_rows()

    def release(self) -> None:
        """Gives the pages back, zeroed. The copy is of no use any more."""
        for page in self._pages:
            self._pool.give_back(page.at, page.size)
        self._pages = []

    def _copy_page(self, seen: SegmentSnapshot, until: int) -> None:
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
            at = self._pool.take(page.buffer.nbytes)
            own = _DevicePage(at, page.buffer.nbytes, page.capacity, page.start, self._pool.new_number())
            self._pages.append(own)
            local = np.array(0)
            header = np.zeros(HEADER_BYTES // 8, np.int64)
            header[:2] = self._owner, own.generation
            if end == page.capacity:
                self._pool.write(at, header, slots, vectors)
            else:
                self._pool.write(at, header, slots)
        if first or end < page.capacity:
            self._pool.write(int(own.vector_at(local, vectors.shape[1])), vectors)
        self._length = page.start + end

    def _living(self, seen: SegmentSnapshot, slots: NDArray[np.int64]) -> NDArray[np.int32]:
        """Slots of the next vectors to be copied; -1 for memories that died, perhaps before deaths were recorded."""
        died = gather(seen.attributes, ("died",), slots)["died"]
        if (died == LIVE_EPOCH).all():
            return slots.astype(np.int32)
        for epoch in np.unique(died[(died > seen.epoch) & (died < LIVE_EPOCH)]).tolist():
            self._due.append((self._length + np.flatnonzero(died == epoch), epoch))
        return np.where(died > seen.epoch, slots, -1).astype(np.int32)

    def _marked(self, positions: NDArray[np.int64], died: int, epoch: int) -> bool:
        """Marks rows that died, if that was up to an epoch; whether nothing is left to do about them."""
        if died > epoch:
            return False
        self._bury(positions, erase=died == ERASED_EPOCH)
        return not self._has_to_come(positions)

    def _has_to_come(self, positions: NDArray[np.int64]) -> bool:
        """Whether one of the positions will be copied later."""
        later = positions >= self._length
        if self._end is not None:
            later &= positions < self._end
        return bool(later.any())

    def _bury(self, positions: NDArray[np.int64], *, erase: bool) -> None:
        """Marks rows as dead; zeroes their vectors if they were erased."""
        positions = positions[(positions >= self._start) & (positions < self._length)]
        if not positions.size:
            return
        starts = np.array([page.start for page in self._pages])
        pages = np.searchsorted(starts, positions, side="right") - 1
        dim = self.segment.dim
        for number in np.unique(pages).tolist():
            page = self._pages[number]
            local = positions[pages == number] - page.start
            self._fill(page.slot_at(local), _SLOT_BYTES, 0xFF)
            if erase:
                self._fill(page.vector_at(local, dim), _VALUE_BYTES * dim, 0)
        if erase:
            self._pool.forget_written()

    def _fill(self, starts: NDArray[np.int64], size: int, value: int) -> None:
        """Overwrites `size` bytes from each start on."""
        at = torch.from_numpy(starts).to(self._pool.bytes.device)
        self._pool.bytes.index_fill_(0, (at[:, None] + torch.arange(size, device=at.device)).flatten(), value)

    def _describe(self) -> None:
        """Writes the records of the groups that hold rows without one yet, the last groups of all, in one copy."""
        first = next(i for i, page in enumerate(self._pages) if self._described < page.start + page.capacity)
        parts = [self._records_of(page) for page in self._pages[first:] if page.start < self._length]
        part = np.concatenate(parts)
        at = self._n_groups - (1 if (self._described - self._pages[first].start) % GROUP else 0)
        self._n_groups = at + part.shape[0]
        if self._n_groups > self._records.shape[0]:
            room = max(2 * self._n_groups, _FIRST_RECORDS)
            more = torch.empty((room, RECORD), dtype=torch.int64, device=self._records.device)
            more[:at] = self._records[:at]
            self._records = more
        self._pool.write_to(self._records[at : self._n_groups], part)
        self._described = self._length
        self.rows = self._described_rows()

    def _described_rows(self) -> PagedRows:
        return PagedRows(self._records[: self._n_groups], self._pool.bytes, self._owner, self.segment.dim)

    def _records_of(self, page: _DevicePage) -> NDArray[np.int64]:
        """Records of the groups of a page that hold rows without one yet; int64 `[g, RECORD]`."""
        dim = self.segment.dim
        first = max(0, self._described - page.start)
        end = min(self._length - page.start, page.capacity)
        local = np.arange(first // GROUP * GROUP, end, GROUP)
        part = np.zeros((local.size, RECORD), np.int64)
        part[:, 0] = page.vector_at(local, dim) // _UNIT
        part[:, 1] = page.slot_at(local) // _UNIT
        part[:, 2] = page.at // _UNIT
        part[:, 3] = page.generation
        part[:, 4] = np.minimum(GROUP, end - local)
        return part


def _runs(pages: list[_DevicePage], places: list[int]) -> Iterator[tuple[int, int, int]]:
    """From where, to where and how many bytes to copy so that pages get to new places; neighbours go together."""
    source = target = size = 0
    for page, place in zip(pages, places, strict=True):
        if size and (page.at, place) == (source + size, target + size):
            size += rounded(page.size)
            continue
        if size:
            yield source, target, size
        source, target, size = page.at, place, rounded(page.size)
    if size:
        yield source, target, size
