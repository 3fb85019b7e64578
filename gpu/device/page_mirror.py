"""What every copy of a segment on a device does the same way.

Rows of the host are only ever appended, marked as dead, or erased, until a compaction puts a new segment in their
place. So a mirror copies the rows that are new, marks those that died since (their slot becomes -1), and begins anew
when the segment is another one. Of erased rows nothing is left here when they are there. Its pages can move to another
pool as they are, pinned memory of the host for one, and are looked after there in the same way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from gpu.bank.layouts import ERASED_EPOCH, LIVE_EPOCH
from gpu.bank.pages import HEADER_BYTES
from gpu.bank.segment import Deaths, Segment, SegmentSnapshot
from gpu.device.pool import DevicePool, rounded
from gpu.ops.paged_search.op import RECORD

UNIT = 16
"""Bytes in which records count; groups begin at multiples of it."""
_FIRST_RECORDS = 64


@dataclass(slots=True)
class DevicePage:
    """A page: where it begins in its pool, its bytes with the header, and its generation."""

    at: int
    size: int
    generation: int


PageT = TypeVar("PageT", bound=DevicePage)


class PageMirror(ABC, Generic[PageT]):
    """The copy of something that one segment has in the order of positions. One caller at a time.

    Attributes:
        segment: the segment that it copies.
    """

    numbers_of_a_record: ClassVar[int] = RECORD

    def __init__(self, pool: DevicePool, segment: Segment, start: int = 0) -> None:
        """Begins empty.

        Args:
            pool: where its pages go.
            segment: what is copied.
            start: the first position that is.
        """
        self.segment = segment
        self._deaths = segment.record_deaths()  # before the first row is copied
        self._read = 0
        self._due: list[tuple[NDArray[np.int64], int]] = []  # deaths that are not marked, or not in full
        self._pool = pool
        self._owner = pool.new_number()
        self._pages: list[PageT] = []
        self._start = self._length = self._described = start
        self._end: int | None = None
        self._forget_records()

    @property
    def memory_bytes(self) -> int:
        """Bytes of its pages."""
        return sum(self.page_sizes)

    @property
    def page_sizes(self) -> list[int]:
        """The same of each."""
        return [page.size for page in self._pages]

    def follow(self, seen: SegmentSnapshot, end: int | None = None) -> None:
        """Copies what is new in the segment, and marks what died.

        Args:
            seen: what is there.
            end: position behind the last one that may be copied; None if all may.

        Raises:
            DeviceMemoryFullError: there is no room for a page. What was copied stays right, and the next call goes on.
        """
        self._end = end
        until = self._length_of(seen) if end is None else min(end, self._length_of(seen))
        try:
            while self._length < until:
                self._copy(seen, until)
        finally:
            if self._described < self._length:
                self._describe(*self._undescribed())
                self._described = self._length
                self._show()
        self.bury(seen)

    def bury(self, seen: SegmentSnapshot) -> None:
        """Marks what died up to a snapshot; what was erased, whenever, is overwritten with zeros."""
        recorded = self._deaths[self._read :]
        self._read += len(recorded)
        due = [*self._due, *((self._positions_of(death), death.epoch) for death in recorded)]
        self._due = []
        for positions, died in due:
            if died <= seen.epoch:
                self._bury(positions, seen, erase=died == ERASED_EPOCH)
            if died > seen.epoch or self._has_to_come(positions):
                self._due.append((positions, died))

    def move_to(self, pool: DevicePool) -> None:
        """Takes the pages to another pool as they are; shown again after the next `follow`.

        Raises:
            DeviceMemoryFullError: there is no room; nothing has changed.
        """
        move([self], pool)

    def change_pool(self, pool: DevicePool, places: Sequence[int]) -> None:
        """Copies the pages to places that were taken in another pool, and gives the old ones back; see `move`."""
        for source, target, size in _runs(self._pages, places):
            pool.bytes[target : target + size].copy_(self._pool.bytes[source : source + size])
        for page, place in zip(self._pages, places, strict=True):
            self._pool.give_back(page.at, page.size)
            page.at = place
        self._pool = pool
        self._forget_records()

    def release(self) -> None:
        """Gives the pages back, zeroed. The copy is of no use any more."""
        for page in self._pages:
            self._pool.give_back(page.at, page.size)
        self._pages = []

    def _restart(self) -> None:
        """Begins anew, with nothing copied; whatever died is looked at again."""
        self.release()
        self._read, self._due = 0, []
        self._length = self._start
        self._forget_records()

    @abstractmethod
    def _length_of(self, seen: SegmentSnapshot) -> int:
        """The position behind the last one of a snapshot."""

    @abstractmethod
    def _positions_of(self, death: Deaths) -> NDArray[np.int64]:
        """What a death concerns."""

    @abstractmethod
    def _copy(self, seen: SegmentSnapshot, until: int) -> None:
        """Copies some of what lies from `_length` on, not beyond `until`, and counts it; see `_expect`."""

    @abstractmethod
    def _mark(self, positions: NDArray[np.int64], seen: SegmentSnapshot, *, erase: bool) -> None:
        """Marks what is here as dead; zeroes it if it was erased."""

    @abstractmethod
    def _undescribed(self) -> tuple[int, NDArray[np.int64]]:
        """The first record of what has none in full, and the records from it on, int64 `[n, numbers_of_a_record]`."""

    @abstractmethod
    def _show(self) -> None:
        """Makes what a launch reads of the records as they are."""

    def _header(self, page: PageT) -> NDArray[np.int64]:
        """What a page begins with."""
        header = np.zeros(HEADER_BYTES // 8, np.int64)
        header[:2] = self._owner, page.generation
        return header

    def _expect(self, first: int, died: NDArray[np.int64], seen: SegmentSnapshot) -> None:
        """Remembers deaths that a later snapshot will show, which may have come before deaths were recorded.

        Args:
            first: a position.
            died: the epochs of death of what is copied from it on.
            seen: the snapshot that is copied.
        """
        for epoch in np.unique(died[(died > seen.epoch) & (died < LIVE_EPOCH)]).tolist():
            self._due.append((first + np.flatnonzero(died == epoch), epoch))

    def _has_to_come(self, positions: NDArray[np.int64]) -> bool:
        """Whether one of the positions will be copied later."""
        later = positions >= self._length
        if self._end is not None:
            later &= positions < self._end
        return bool(later.any())

    def _bury(self, positions: NDArray[np.int64], seen: SegmentSnapshot, *, erase: bool) -> None:
        positions = positions[(positions >= self._start) & (positions < self._length)]
        if not positions.size:
            return
        self._mark(positions, seen, erase=erase)
        if erase:
            self._pool.forget_written()

    def _fill(self, starts: NDArray[np.int64], size: int, value: int) -> None:
        """Overwrites `size` bytes from each start on."""
        at = torch.from_numpy(starts).to(self._pool.bytes.device)
        self._pool.bytes.index_fill_(0, (at[:, None] + torch.arange(size, device=at.device)).flatten(), value)

    def _forget_records(self) -> None:
        self._records = self._room_for_records(0)
        self._n_records, self._described = 0, self._start
        self._show()

    def _room_for_records(self, count: int) -> torch.Tensor:
        return torch.empty((count, self.numbers_of_a_record), dtype=torch.int64, device=self._pool.device)

    def _describe(self, at: int, records: NDArray[np.int64]) -> None:
        """Writes the last records of all, from number `at` on, in one copy."""
        self._n_records = at + records.shape[0]
        if self._n_records > self._records.shape[0]:
            more = self._room_for_records(max(2 * self._n_records, _FIRST_RECORDS))
            more[:at] = self._records[:at]
            self._records = more
        self._pool.write_to(self._records[at : self._n_records], records)


Mirror = PageMirror[Any]
"""A mirror with pages of any kind."""


def move(mirrors: Sequence[Mirror], pool: DevicePool) -> None:
    """Takes the pages of several mirrors to another pool, see `PageMirror.move_to`; of all or of none.

    Raises:
        DeviceMemoryFullError: there is no room; nothing has changed.
    """
    sizes = [mirror.page_sizes for mirror in mirrors]
    places = iter(pool.take_all([size for own in sizes for size in own]) if any(sizes) else ())
    for mirror, own in zip(mirrors, sizes, strict=True):
        mirror.change_pool(pool, list(islice(places, len(own))))


def _runs(pages: Sequence[DevicePage], places: Sequence[int]) -> Iterator[tuple[int, int, int]]:
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
