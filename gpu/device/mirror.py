"""The vectors of one namespace on a device, kept equal to the host's.

Rows of the host are only ever appended, marked as dead, or erased, until a compaction puts a new segment in their
place. So a mirror copies the rows that are new, marks those that died since (their slot becomes -1), and begins anew
when the segment is another one. Erased rows are overwritten with zeros here when they are there.

Pages have the places and capacities of the host's, whatever tier they hold: row for row the mirrors of one segment
match. `DeviceRows` holds vectors as the host does; `gpu.device.coded` holds them in a coarser tier.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gpu.bank.layouts import Tier, codes
from gpu.bank.pages import Layout, PageTable
from gpu.bank.segment import Segment, SegmentSnapshot
from gpu.device.pool import DevicePool
from gpu.ops.paged_search.op import GROUP, RECORD, PagedRows

UNIT = 16
"""Bytes in which records count; groups begin at multiples of it."""


@dataclass(slots=True)
class DevicePage:
    """A page: where it begins in the pool, what lies in it, its elements, first position, first group, generation."""

    at: int
    layout: Layout
    capacity: int
    start: int
    first_group: int
    generation: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.layout.page_bytes(self.capacity)

    def place(self, column: str, local: NDArray[np.int64]) -> NDArray[np.int64]:
        """Bytes from the start of the pool to a column of elements."""
        _, _, offset = self.layout.placed(self.capacity)[column]
        return self.at + offset + self.layout.columns[column].itemsize * local


class Mirror(ABC):
    """A copy of one segment's vectors in one tier. One caller at a time.

    Attributes:
        segment: the segment that it copies.
        tier: how exactly.
    """

    rows_of_a_record: int
    """Rows that one record describes at most; none crosses a page."""
    numbers_of_a_record: int

    def __init__(self, pool: DevicePool, segment: Segment, tier: Tier) -> None:
        self.segment = segment
        self.tier = tier
        self.layout = codes(tier, segment.dim)
        self._deaths = segment.record_deaths()  # before the first row is copied
        self._buried = 0
        self.pool = pool
        self.owner = pool.new_number()
        self._pages: list[DevicePage] = []
        self._length = 0
        self._records = torch.empty((0, self.numbers_of_a_record), dtype=torch.int64, device=pool.device)
        self._n_records = 0

    @abstractmethod
    def columns_of(self, vectors: NDArray[np.float16]) -> dict[str, NDArray[np.generic]]:
        """What pages hold of vectors, all columns but the slot."""

    @abstractmethod
    def records_of(self, page: DevicePage, local: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The records of runs of rows of one page: where each begins, how many rows it has."""

    @property
    def memory_bytes(self) -> int:
        """Device bytes of its pages."""
        return sum(page.size for page in self._pages)

    @property
    def records(self) -> torch.Tensor:
        """int64 `[n, numbers_of_a_record]`, on the device."""
        return self._records[: self._n_records]

    @property
    def n_groups(self) -> int:
        """Groups of `GROUP` rows, none of which crosses a page."""
        if not self._pages:
            return 0
        last = self._pages[-1]
        return last.first_group - (last.start - self._length) // GROUP

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
            self.pool.give_back(page.at, page.size)

    def _restart(self) -> None:
        """Begins anew, with nothing copied."""
        self.release()
        self._pages = []
        self._length = self._n_records = self._buried = 0

    def _copy_page(self, table: PageTable, length: int) -> None:
        """Copies what is new in the first page that is not complete here."""
        number = int(table.entries[:, 1].searchsorted(self._length, side="right")) - 1
        page = table.check(table.pages[number])
        if number == len(self._pages):
            self._open_page(page.capacity, page.start)
        own = self._pages[number]
        first, end = self._length - page.start, min(length - page.start, page.capacity)
        local = np.array([first])
        columns = self.columns_of(page.column("vectors")[first:end].astype(np.float16, copy=False))
        for name, values in {"slot": page.column("slot")[first:end], **columns}.items():
            self._write(int(own.place(name, local)[0]), values)
        self._length = page.start + end
        self._describe(own, first, end)

    def _open_page(self, capacity: int, start: int) -> None:
        at = self.pool.take(self.layout.page_bytes(capacity))
        groups = sum(-(-page.capacity // GROUP) for page in self._pages)
        page = DevicePage(at, self.layout, capacity, start, groups, self.pool.new_number())
        self._pages.append(page)
        self._write(at, np.array([self.owner, page.generation], np.int64))

    def _write(self, at: int, values: NDArray[np.generic]) -> None:
        raw = torch.from_numpy(np.ascontiguousarray(values).view(np.uint8).reshape(-1))
        self.pool.bytes[at : at + raw.numel()].copy_(raw)

    def _bury(self, positions: NDArray[np.int64], *, erase: bool) -> None:
        """Marks rows as dead; zeroes everything else of them if they were erased."""
        positions = positions[positions < self._length]
        starts = np.array([page.start for page in self._pages])
        pages = np.searchsorted(starts, positions, side="right") - 1
        for number in np.unique(pages).tolist():
            page = self._pages[number]
            local = positions[pages == number] - page.start
            for name, column in self.layout.columns.items():
                if name == "slot":
                    self._fill(page.place(name, local), column.itemsize, 0xFF)
                elif erase:
                    self._fill(page.place(name, local), column.itemsize, 0)

    def _fill(self, starts: NDArray[np.int64], size: int, value: int) -> None:
        """Overwrites `size` bytes from each start on."""
        at = torch.from_numpy(starts).to(self.pool.bytes.device)
        self.pool.bytes.index_fill_(0, (at[:, None] + torch.arange(size, device=at.device)).flatten(), value)

    def _describe(self, page: DevicePage, first: int, end: int) -> None:
        """Writes the records of the runs of a page that elements `first : end` lie in, the last ones of all."""
        size = self.rows_of_a_record
        local = np.arange(first // size * size, end, size)
        part = self.records_of(page, local, np.minimum(size, end - local))
        at = self._n_records - (1 if first % size else 0)
        self._n_records = at + local.size
        if self._n_records > self._records.shape[0]:
            more = torch.empty((2 * self._n_records, part.shape[1]), dtype=torch.int64, device=self._records.device)
            more[:at] = self._records[:at]
            self._records = more
        self._records[at : self._n_records] = torch.from_numpy(part)


class DeviceRows(Mirror):
    """The device's copy of one segment's vectors, as exact as the host's. One caller at a time."""

    rows_of_a_record = GROUP
    numbers_of_a_record = RECORD

    def __init__(self, pool: DevicePool, segment: Segment) -> None:
        super().__init__(pool, segment, Tier.FP16)

    def columns_of(self, vectors: NDArray[np.float16]) -> dict[str, NDArray[np.generic]]:
        """See `Mirror`."""
        return {"vectors": vectors}

    def records_of(self, page: DevicePage, local: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Mirror`; what the numbers mean: `gpu.ops.paged_search.triton_kernel.RECORD`."""
        part = np.zeros((local.size, RECORD), np.int64)
        part[:, 0] = page.place("vectors", local) // UNIT
        part[:, 1] = page.place("slot", local) // UNIT
        part[:, 2] = page.at // UNIT
        part[:, 3] = page.generation
        part[:, 4] = rows
        return part

    @property
    def rows(self) -> PagedRows:
        """What a search reads."""
        return PagedRows(self.records, self.pool.bytes, self.owner, self.segment.dim)
