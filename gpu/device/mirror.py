"""The vectors of one namespace, or of a part of it, on a device, kept equal to the host's."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_right
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import torch
from numpy.typing import NDArray

from gpu.bank.layouts import LIVE_EPOCH, Tier, codes
from gpu.bank.pages import Layout
from gpu.bank.segment import Deaths, Segment, SegmentSnapshot, gather
from gpu.device.page_mirror import UNIT, DevicePage, PageMirror
from gpu.device.pool import DevicePool
from gpu.ops.paged_search.op import GROUP, RECORD, PagedRows

Column = NDArray[np.generic] | torch.Tensor
"""Values of one column: of the host, or on the device already."""


@dataclass(slots=True)
class VectorPage(DevicePage):
    """A page of vectors: what lies in it, how many there is room for, the first position, and the first group."""

    layout: Layout
    capacity: int
    start: int
    first_group: int

    def place(self, column: str, local: NDArray[np.int64]) -> NDArray[np.int64]:
        """Bytes from the start of the pool to a column of elements."""
        _, _, offset = self.layout.placed(self.capacity)[column]
        return self.at + offset + self.layout.columns[column].itemsize * local


class VectorMirror(PageMirror[VectorPage]):
    """The copy of one segment's vectors, or of those in some of its pages, in one tier.

    A part begins and ends where a page does. Pages have the places and capacities of the host's, whatever tier they
    hold: row for row the mirrors of one segment match. Everything of erased vectors is overwritten with zeros.

    Attributes:
        tier: how exactly vectors are held.
        layout: of the pages.
    """

    rows_of_a_record: int
    """Rows that one record describes at most, a multiple of `GROUP`; none crosses a page."""

    def __init__(self, pool: DevicePool, segment: Segment, start: int = 0, *, tier: Tier) -> None:
        """Begins empty; see `PageMirror`."""
        self.tier = tier
        self.layout = codes(tier, segment.dim)
        super().__init__(pool, segment, start)

    @abstractmethod
    def _columns_of(self, vectors: NDArray[np.float16], at: int) -> dict[str, Column]:
        """What pages hold of vectors, all columns but the slot, in the order of the layout.

        Args:
            vectors: those of the host.
            at: position of the first of them; all lie in one page.
        """

    @abstractmethod
    def _records_at(self, page: VectorPage, local: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The records of runs of rows of one page: where each begins, how many rows it has."""

    def _length_of(self, seen: SegmentSnapshot) -> int:
        return seen.n_views

    def _positions_of(self, death: Deaths) -> NDArray[np.int64]:
        return death.views

    def _copy(self, seen: SegmentSnapshot, until: int) -> None:
        """Copies what is new in the first page that is not complete here.

        Columns lie one behind the other: a whole page is one copy, and more rows of a page are one for each column.
        """
        table = seen.codes
        number = int(table.entries[:, 1].searchsorted(self._length, side="right")) - 1
        page = table.check(table.pages[number])
        first, end = self._length - page.start, min(until - page.start, page.capacity)
        slots = self._living(seen, page.column("slot")[first:end].astype(np.int64))
        vectors = page.column("vectors")[first:end].astype(np.float16, copy=False)
        columns = self._columns_of(vectors, self._length)
        own = self._pages[-1] if first else self._new_page(page.capacity, page.start)
        written: dict[str, NDArray[np.generic]] = {"slot": slots}
        for name, values in columns.items():
            if isinstance(values, torch.Tensor):  # made where it belongs
                self._pool.place(int(own.place(name, np.array(first))), values)
            else:
                written[name] = values
        if not first:
            together = list(written) if end == page.capacity else ["slot"]
            self._pool.write(own.at, self._header(own), *(written.pop(name) for name in together))
        for name, values in written.items():
            self._pool.write(int(own.place(name, np.array(first))), values)
        self._length = page.start + end

    def _new_page(self, capacity: int, start: int) -> VectorPage:
        size = self.layout.page_bytes(capacity)
        before = self._pages[-1] if self._pages else None
        first_group = 0 if before is None else before.first_group + -(-before.capacity // GROUP)
        page = VectorPage(
            self._pool.take(size), size, self._pool.new_number(), self.layout, capacity, start, first_group
        )
        self._pages.append(page)
        return page

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
        for number in np.unique(pages).tolist():
            page = self._pages[number]
            local = positions[pages == number] - page.start
            for name, column in self.layout.columns.items():
                if name == "slot":
                    self._fill(page.place(name, local), column.itemsize, 0xFF)
                elif erase:
                    self._fill(page.place(name, local), column.itemsize, 0)

    def _undescribed(self) -> tuple[int, NDArray[np.int64]]:
        first = next(i for i, page in enumerate(self._pages) if self._described < page.start + page.capacity)
        parts = [self._records_of(page) for page in self._pages[first:] if page.start < self._length]
        is_begun = (self._described - self._pages[first].start) % self.rows_of_a_record
        return self._n_records - (1 if is_begun else 0), np.concatenate(parts)

    def _records_of(self, page: VectorPage) -> NDArray[np.int64]:
        """Records of the runs of a page that hold rows without one yet; int64 `[n, numbers_of_a_record]`."""
        size = self.rows_of_a_record
        first = max(0, self._described - page.start)
        end = min(self._length - page.start, page.capacity)
        local = np.arange(first // size * size, end, size)
        return self._records_at(page, local, np.minimum(size, end - local))


class DeviceRows(VectorMirror):
    """The copy of vectors as exact as the host's, with the layout that they have there.

    Attributes:
        rows: what a search reads.
    """

    rows: PagedRows
    rows_of_a_record = GROUP

    def __init__(self, pool: DevicePool, segment: Segment, start: int = 0) -> None:
        """Begins empty; see `PageMirror`."""
        super().__init__(pool, segment, start, tier=Tier.FP16)

    def vectors_at(self, at: int, count: int) -> torch.Tensor | None:
        """Vectors where they lie, half precision `[count, dim]`; None if they have not all been copied.

        Args:
            at: position of the first.
            count: how many; all lie in one page.
        """
        if not self._start <= at <= self._length - count:
            return None
        page = self._pages[bisect_right(self._pages, at, key=attrgetter("start")) - 1]
        first, end = page.place("vectors", np.array([at, at + count]) - page.start).tolist()
        return self._pool.bytes[first:end].view(torch.float16).reshape(count, self.segment.dim)

    def _columns_of(self, vectors: NDArray[np.float16], at: int) -> dict[str, Column]:
        return {"vectors": vectors}

    def _records_at(self, page: VectorPage, local: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """What the numbers mean: `gpu.ops.paged_search.triton_kernel.RECORD`."""
        part = np.zeros((local.size, RECORD), np.int64)
        part[:, 0] = page.place("vectors", local) // UNIT
        part[:, 1] = page.place("slot", local) // UNIT
        part[:, 2] = page.at // UNIT
        part[:, 3] = page.generation
        part[:, 4] = rows
        return part

    def _show(self) -> None:
        self.rows = PagedRows(self._records[: self._n_records], self._pool.bytes, self._owner, self.segment.dim)
