"""The vectors of one namespace on a device, kept equal to the host's.

Rows of the host are only ever appended, marked as dead, or erased, until a compaction puts a new segment in their
place. So a mirror copies the rows that are new, marks those that died since (their slot becomes -1), and begins anew
when the segment is another one. Erased rows are overwritten with zeros here when they are there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gpu.bank.pages import HEADER_BYTES, PageTable
from gpu.bank.segment import Segment, SegmentSnapshot
from gpu.device.pool import DevicePool
from gpu.ops.paged_search.op import GROUP, RECORD, PagedRows

_SLOT_BYTES = 4
_VALUE_BYTES = 2
_UNIT = 16
"""Bytes in which records count; groups begin at multiples of it."""


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
    """The device's copy of one segment's vectors. One caller at a time.

    Attributes:
        segment: the segment that it copies.
    """

    def __init__(self, pool: DevicePool, segment: Segment) -> None:
        self.segment = segment
        self._deaths = segment.record_deaths()  # before the first row is copied
        self._buried = 0
        self._pool = pool
        self._owner = pool.new_number()
        self._pages: list[_DevicePage] = []
        self._length = 0
        self._records = torch.empty((0, RECORD), dtype=torch.int64, device=pool.bytes.device)
        self._n_groups = 0

    @property
    def memory_bytes(self) -> int:
        """Device bytes of its pages."""
        return sum(page.size for page in self._pages)

    @property
    def rows(self) -> PagedRows:
        """What a search reads."""
        return PagedRows(self._records[: self._n_groups], self._pool.bytes, self._owner, self.segment.dim)

    def follow(self, seen: SegmentSnapshot) -> None:
        """Copies what is new in the segment, and marks what died.

        Raises:
            DeviceMemoryFullError: there is no room for a page. What was copied stays right, and the next call goes on.
        """
        while self._length < seen.n_views:
            self._copy_page(seen.codes, seen.n_views)
        self.bury()

    def bury(self) -> None:
        """Marks what died since; what was erased is overwritten with zeros."""
        is_copied = True
        for positions, was_erased in self._deaths[self._buried :]:
            self._bury(positions, erase=was_erased)
            is_copied = is_copied and not (positions >= self._length).any()
            self._buried += is_copied  # what is not copied yet is marked once it is

    def release(self) -> None:
        """Gives the pages back, zeroed. The copy is of no use any more."""
        for page in self._pages:
            self._pool.give_back(page.at, page.size)

    def _copy_page(self, table: PageTable, length: int) -> None:
        """Copies what is new in the first page that is not complete here."""
        number = int(table.entries[:, 1].searchsorted(self._length, side="right")) - 1
        page = table.check(table.pages[number])
        if number == len(self._pages):
            at = self._pool.take(page.buffer.nbytes)
            generation = self._pool.new_number()
            self._pages.append(_DevicePage(at, page.buffer.nbytes, page.capacity, page.start, generation))
            self._write(at, np.array([self._owner, generation], np.int64))
        own = self._pages[number]
        first, end = self._length - page.start, min(length - page.start, page.capacity)
        local = np.array([first])
        self._write(int(own.slot_at(local)[0]), page.column("slot")[first:end])
        vectors = page.column("vectors")
        self._write(int(own.vector_at(local, vectors.shape[1])[0]), vectors[first:end])
        self._length = page.start + end
        self._describe(number, first, end)

    def _write(self, at: int, values: NDArray[np.generic]) -> None:
        raw = torch.from_numpy(np.ascontiguousarray(values).view(np.uint8).reshape(-1))
        self._pool.bytes[at : at + raw.numel()].copy_(raw)

    def _bury(self, positions: NDArray[np.int64], *, erase: bool) -> None:
        """Marks rows as dead; zeroes their vectors if they were erased."""
        positions = positions[positions < self._length]
        starts = np.array([page.start for page in self._pages])
        pages = np.searchsorted(starts, positions, side="right") - 1
        dim = self.segment.dim
        for number in np.unique(pages).tolist():
            page = self._pages[number]
            local = positions[pages == number] - page.start
            self._fill(page.slot_at(local), _SLOT_BYTES, 0xFF)
            if erase:
                self._fill(page.vector_at(local, dim), _VALUE_BYTES * dim, 0)

    def _fill(self, starts: NDArray[np.int64], size: int, value: int) -> None:
        """Overwrites `size` bytes from each start on."""
        at = torch.from_numpy(starts).to(self._pool.bytes.device)
        self._pool.bytes.index_fill_(0, (at[:, None] + torch.arange(size, device=at.device)).flatten(), value)

    def _describe(self, number: int, first: int, end: int) -> None:
        """Writes the records of the groups of a page that elements `first : end` lie in, the last groups of all."""
        page, dim = self._pages[number], self.segment.dim
        local = np.arange(first // GROUP * GROUP, end, GROUP)
        part = np.zeros((local.size, RECORD), np.int64)
        part[:, 0] = page.vector_at(local, dim) // _UNIT
        part[:, 1] = page.slot_at(local) // _UNIT
        part[:, 2] = page.at // _UNIT
        part[:, 3] = page.generation
        part[:, 4] = np.minimum(GROUP, end - local)
        at = self._n_groups - (1 if first % GROUP else 0)
        self._n_groups = at + local.size
        if self._n_groups > self._records.shape[0]:
            more = torch.empty((2 * self._n_groups, RECORD), dtype=torch.int64, device=self._records.device)
            more[:at] = self._records[:at]
            self._records = more
        self._records[at : self._n_groups] = torch.from_numpy(part)
