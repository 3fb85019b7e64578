"""The attributes of one namespace on a device, kept equal to the host's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.bank.pages import HEADER_BYTES
from gpu.bank.segment import Deaths, Segment, SegmentSnapshot
from gpu.device.attribute_groups import Groups, encode
from gpu.device.page_mirror import UNIT, PageMirror
from gpu.device.pool import DevicePool
from gpu.ops.channel_pass.layout import OFFSETS, RECORD_BUCKETS
from gpu.ops.channel_pass.op import PagedAttributes
from gpu.ops.paged_search.op import GROUP, RECORD

_CHUNK = 8192
"""Rows that are encoded at a time."""
_SMALLEST_PAGE, _LARGEST_PAGE = 1 << 12, 1 << 22
"""Bytes; a page is as large as what is to be written at once, or a quarter of what is there already."""
_SLOT_BYTES = 4


class DeviceAttributes(PageMirror):
    """The device's copy of what one segment's rows hold beside vectors, in groups of 32 memories.

    The last group is written anew as it grows, in place where it fits. A row that died has slot -1. Groups that an
    erased row lies in are written anew without it; they never grow by that.
    """

    def __init__(self, pool: DevicePool, segment: Segment) -> None:
        """Begins empty."""
        super().__init__(pool, segment)
        self._places = np.empty((0, 2), np.int64)  # of each group: the byte at which it begins, and how many it has
        self._end = 0  # byte behind the last group

    @property
    def attributes(self) -> PagedAttributes:
        """What a pass reads."""
        return PagedAttributes(self._records[: self._n_groups], self._pool.bytes, self._owner, self._length)

    def _length_of(self, seen: SegmentSnapshot) -> int:
        return seen.n_slots

    def _positions_of(self, death: Deaths) -> NDArray[np.int64]:
        return death.slots

    def _copy(self, seen: SegmentSnapshot) -> None:
        """Copies the rows that follow, with those of the last group if that is not complete."""
        number, is_begun = divmod(self._length, GROUP)
        first, end = number * GROUP, min(seen.n_slots, number * GROUP + _CHUNK)
        groups = encode(seen, first, end)
        if is_begun:
            self._end = int(self._places[number, 0])
        done, count = 0, groups.rows.size
        while done < count:
            fitting = self._fitting(groups, done)
            if not fitting:
                self._new_page(groups, done)
                fitting = self._fitting(groups, done)
            if is_begun and not done:
                self._zero(*self._places[number].tolist())
            self._put(groups, done, done + fitting, self._end, number + done)
            self._end = int(self._places[self._n_groups - 1].sum())
            done += fitting
            self._length = min(end, first + done * GROUP)

    def _fitting(self, groups: Groups, first: int) -> int:
        """How many groups from the given one on fit behind the last."""
        if not self._pages:
            return 0
        room = self._pages[-1].at + self._pages[-1].size - self._end
        last = groups.starts[first] + room // UNIT
        return int(groups.starts[first + 1 :].searchsorted(last, side="right"))

    def _new_page(self, groups: Groups, first: int) -> None:
        """Takes a page with room for the given group at least."""
        at_least, wanted = (int(groups.starts[to] - groups.starts[first]) * UNIT for to in (first + 1, -1))
        size = max(at_least, min(max(wanted, self.memory_bytes // 4, _SMALLEST_PAGE), _LARGEST_PAGE))
        self._end = self._take(size).at + HEADER_BYTES

    def _put(self, groups: Groups, first: int, end: int, at: int, number: int) -> None:
        """Writes groups to the last page from a place on, as groups `number` and following, the last of all."""
        starts = groups.starts[first : end + 1]
        self._write(at, groups.units[starts[0] : starts[-1]])
        if number + end - first > self._places.shape[0]:
            self._places = np.concatenate([self._places[:number], np.empty((number + 2 * (end - first), 2), np.int64)])
        places = self._places[number : number + end - first]
        places[:, 0] = at + (starts[:-1] - starts[0]) * UNIT
        places[:, 1] = np.diff(starts) * UNIT
        records = np.empty((end - first, RECORD), np.int64)
        records[:, 0] = places[:, 0] // UNIT
        records[:, 1] = (places[:, 0] + OFFSETS["slot"]) // UNIT
        records[:, 2] = self._pages[-1].at // UNIT
        records[:, 3] = self._pages[-1].generation
        records[:, 4] = groups.rows[first:end]
        records[:, RECORD_BUCKETS] = groups.buckets[first:end]
        self._describe(number, records)

    def _mark(self, positions: NDArray[np.int64], seen: SegmentSnapshot, *, erase: bool) -> None:
        numbers, rows = np.divmod(positions, GROUP)
        if not erase:
            self._fill(self._places[numbers, 0] + OFFSETS["slot"] + _SLOT_BYTES * rows, _SLOT_BYTES, 0xFF)
            return
        for number in np.unique(numbers).tolist():
            self._put_again(number, seen)

    def _put_again(self, number: int, seen: SegmentSnapshot) -> None:
        """Writes a group as it is now, with less in it than before."""
        groups = encode(seen, number * GROUP, min(self._length, (number + 1) * GROUP))
        at, size = self._places[number].tolist()
        self._zero(at, size)
        self._write(at, groups.units)
        self._records[number, RECORD_BUCKETS] = int(groups.buckets[0])
