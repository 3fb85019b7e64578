"""What every copy of a segment on a device does the same way.

Rows of the host are only ever appended, marked as dead, or erased, until a compaction puts a new segment in their
place. So a mirror copies what is new, marks what died since, and begins anew when the segment is another one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gpu.bank.layouts import ERASED_EPOCH
from gpu.bank.pages import HEADER_BYTES
from gpu.bank.segment import Deaths, Segment, SegmentSnapshot
from gpu.device.pool import DevicePool
from gpu.ops.paged_search.op import RECORD

UNIT = 16
"""Bytes in which records count; groups begin at multiples of it."""


@dataclass(frozen=True, slots=True)
class DevicePage:
    """A page on a device: where it begins in the pool, its bytes with the header, and its generation."""

    at: int
    size: int
    generation: int


class PageMirror(ABC):
    """The device's copy of a part of one segment. One caller at a time.

    Attributes:
        segment: the segment that it copies.
    """

    def __init__(self, pool: DevicePool, segment: Segment) -> None:
        """Begins empty."""
        self.segment = segment
        self._deaths = segment.record_deaths()  # before the first row is copied
        self._buried = 0
        self._pool = pool
        self._owner = pool.new_number()
        self._pages: list[DevicePage] = []
        self._length = 0
        self._records = torch.empty((0, RECORD), dtype=torch.int64, device=pool.bytes.device)
        self._n_groups = 0

    @property
    def memory_bytes(self) -> int:
        """Device bytes of its pages."""
        return sum(page.size for page in self._pages)

    def follow(self, seen: SegmentSnapshot) -> None:
        """Copies what is new in the segment, and marks what died.

        Raises:
            DeviceMemoryFullError: there is no room for a page. What was copied stays right, and the next call goes on.
        """
        while self._length < self._length_of(seen):
            self._copy(seen)
        self.bury(seen)

    def bury(self, seen: SegmentSnapshot) -> None:
        """Marks what died up to a snapshot; what was erased, whenever, is overwritten with zeros."""
        is_done = True
        for death in self._deaths[self._buried :]:
            positions = self._positions_of(death)
            if death.epoch <= seen.epoch:
                self._mark(positions[positions < self._length], seen, erase=death.epoch == ERASED_EPOCH)
            # What is not copied yet is marked once it is, and what died after the snapshot with a later one.
            is_done = is_done and death.epoch <= seen.epoch and not (positions >= self._length).any()
            self._buried += is_done

    def release(self) -> None:
        """Gives the pages back, zeroed. The copy is of no use any more."""
        for page in self._pages:
            self._pool.give_back(page.at, page.size)

    @abstractmethod
    def _length_of(self, seen: SegmentSnapshot) -> int:
        """Rows of a snapshot that are to be copied."""

    @abstractmethod
    def _copy(self, seen: SegmentSnapshot) -> None:
        """Copies some rows from `_length` on, describes their groups, and counts them."""

    @abstractmethod
    def _positions_of(self, death: Deaths) -> NDArray[np.int64]:
        """Which rows a death concerns."""

    @abstractmethod
    def _mark(self, positions: NDArray[np.int64], seen: SegmentSnapshot, *, erase: bool) -> None:
        """Marks rows that are here as dead; zeroes what they hold if they were erased."""

    def _take(self, size: int) -> DevicePage:
        """A new last page with a header, for `size` bytes besides.

        Raises:
            DeviceMemoryFullError: there is no room for it.
        """
        page = DevicePage(self._pool.take(HEADER_BYTES + size), HEADER_BYTES + size, self._pool.new_number())
        self._pages.append(page)
        self._write(page.at, np.array([self._owner, page.generation], np.int64))
        return page

    def _write(self, at: int, values: NDArray[np.generic]) -> None:
        raw = torch.from_numpy(np.ascontiguousarray(values).view(np.uint8).reshape(-1))
        self._pool.bytes[at : at + raw.numel()].copy_(raw)

    def _zero(self, at: int, size: int) -> None:
        self._pool.bytes[at : at + size].zero_()

    def _fill(self, starts: NDArray[np.int64], size: int, value: int) -> None:
        """Overwrites `size` bytes from each start on."""
        at = torch.from_numpy(starts).to(self._pool.bytes.device)
        self._pool.bytes.index_fill_(0, (at[:, None] + torch.arange(size, device=at.device)).flatten(), value)

    def _describe(self, at: int, records: NDArray[np.int64]) -> None:
        """Writes the records of the last groups of all, from group `at` on."""
        self._n_groups = at + records.shape[0]
        if self._n_groups > self._records.shape[0]:
            more = torch.empty((2 * self._n_groups, RECORD), dtype=torch.int64, device=self._records.device)
            more[:at] = self._records[:at]
            self._records = more
        self._records[at : self._n_groups] = torch.from_numpy(records)
