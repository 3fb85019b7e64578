"""The attributes of one namespace on a device, kept equal to the host's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.bank.pages import HEADER_BYTES
from gpu.bank.segment import Deaths, Segment, SegmentSnapshot
from gpu.device.attribute_groups import Groups, encode
from gpu.device.page_mirror import UNIT, DevicePage, PageMirror
from gpu.device.pool import DevicePool
from gpu.ops.channel_pass.layout import DEAD, RECORD_FORM, RECORD_MORE, RECORD_ROWS, STATES_AT
from gpu.ops.channel_pass.op import PagedAttributes
from gpu.ops.paged_search.op import GROUP, RECORD

_CHUNK = 8192
"""Rows that are encoded at a time."""
_SMALLEST_PAGE, _LARGEST_PAGE = 1 << 12, 1 << 22
"""Bytes; a page is as large as what is to be written at once, or a quarter of what is there already."""
_PAGE, _OFFSET, _SIZE = range(3)
_FORM = slice(3, 6)
"""What is known of a group: the number of its page, where it begins there in bytes, its bytes, and `Groups.forms`."""
_KNOWN = 6


class DeviceAttributes(PageMirror[DevicePage]):
    """The copy of what one segment's rows hold beside vectors, in groups of 32 memories; always of all rows.

    The last group is written anew as it grows, in place where it fits. Groups that an erased row lies in are written
    anew without it; they never grow by that.

    Attributes:
        attributes: what a pass reads.
    """

    attributes: PagedAttributes

    def __init__(self, pool: DevicePool, segment: Segment) -> None:
        """Begins empty."""
        super().__init__(pool, segment)
        self._groups = np.empty((0, _KNOWN), np.int64)
        self._used = 0  # bytes of the last page up to the end of the last group

    def _length_of(self, seen: SegmentSnapshot) -> int:
        return seen.n_slots

    def _positions_of(self, death: Deaths) -> NDArray[np.int64]:
        return death.slots

    def _copy(self, seen: SegmentSnapshot, until: int) -> None:
        """Copies the rows that follow, with those of the last group if that is not complete."""
        number, is_begun = divmod(self._length, GROUP)
        first, end = number * GROUP, min(until, number * GROUP + _CHUNK)
        groups = self._encoded(seen, first, end)
        if is_begun:
            self._used = int(self._groups[number, _OFFSET])
        done, count = 0, groups.rows.size
        while done < count:
            fitting = self._fitting(groups, done)
            if not fitting:
                self._new_page(groups, done)
                fitting = self._fitting(groups, done)
            if is_begun and not done:
                self._zero(number)
            self._put(groups, done, done + fitting, number + done)
            done += fitting
            self._length = min(end, first + done * GROUP)

    def _encoded(self, seen: SegmentSnapshot, first: int, end: int) -> Groups:
        groups = encode(seen, first, end)
        self._expect(first, groups.died, seen)
        return groups

    def _fitting(self, groups: Groups, first: int) -> int:
        """How many groups from the given one on fit behind the last."""
        if not self._pages:
            return 0
        last = groups.starts[first] + (self._pages[-1].size - self._used) // UNIT
        return int(groups.starts[first + 1 :].searchsorted(last, side="right"))

    def _new_page(self, groups: Groups, first: int) -> None:
        """Takes a page with room for the given group at least."""
        at_least, wanted = (int(groups.starts[to] - groups.starts[first]) * UNIT for to in (first + 1, -1))
        size = HEADER_BYTES + max(at_least, min(max(wanted, self.memory_bytes // 4, _SMALLEST_PAGE), _LARGEST_PAGE))
        page = DevicePage(self._pool.take(size), size, self._pool.new_number())
        self._pages.append(page)
        self._pool.write(page.at, self._header(page))
        self._used = HEADER_BYTES

    def _put(self, groups: Groups, first: int, end: int, number: int) -> None:
        """Writes groups behind what is used of the last page, as groups `number` and following, the last of all."""
        starts = groups.starts[first : end + 1]
        self._pool.write(self._pages[-1].at + self._used, groups.units[starts[0] : starts[-1]])
        last = number + end - first
        if last > self._groups.shape[0]:
            self._groups = np.concatenate([self._groups[:number], np.empty((2 * last - number, _KNOWN), np.int64)])
        own = self._groups[number:last]
        own[:, _PAGE] = len(self._pages) - 1
        own[:, _OFFSET] = self._used + (starts[:-1] - starts[0]) * UNIT
        own[:, _SIZE] = np.diff(starts) * UNIT
        own[:, _FORM] = groups.forms[first:end]
        self._used += int(starts[-1] - starts[0]) * UNIT

    def _mark(self, positions: NDArray[np.int64], seen: SegmentSnapshot, *, erase: bool) -> None:
        numbers, rows = np.divmod(positions, GROUP)
        if not erase:
            self._fill(self._at(numbers) + STATES_AT + rows, 1, DEAD)
            return
        for number in np.unique(numbers).tolist():
            self._put_again(number, seen)

    def _put_again(self, number: int, seen: SegmentSnapshot) -> None:
        """Writes a group as it is now, with less in it than before.

        Raises:
            RuntimeError: it has become larger; nothing was written over the next one.
        """
        groups = self._encoded(seen, number * GROUP, min(self._length, (number + 1) * GROUP))
        if groups.units.nbytes > self._groups[number, _SIZE]:
            raise RuntimeError("a group has become larger by an erasure")
        self._zero(number)
        self._pool.write(int(self._at(np.array([number]))[0]), groups.units)
        self._groups[number, _FORM] = groups.forms[0]
        if number < self._n_records:
            self._pool.write_to(self._records[number], self._records_of(number, number + 1))

    def _at(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Bytes from the start of the pool to groups."""
        pages = np.array([page.at for page in self._pages], np.int64)
        at: NDArray[np.int64] = pages[self._groups[numbers, _PAGE]] + self._groups[numbers, _OFFSET]
        return at

    def _zero(self, number: int) -> None:
        at = int(self._at(np.array([number]))[0])
        self._pool.bytes[at : at + int(self._groups[number, _SIZE])].zero_()

    def _undescribed(self) -> tuple[int, NDArray[np.int64]]:
        first = self._described // GROUP
        return first, self._records_of(first, -(-self._length // GROUP))

    def _records_of(self, first: int, end: int) -> NDArray[np.int64]:
        """Records of groups; int64 `[g, RECORD]`."""
        numbers = np.arange(first, end)
        pages = np.array([(page.at, page.generation) for page in self._pages])[self._groups[numbers, _PAGE]]
        at = self._at(numbers)
        records = np.empty((numbers.size, RECORD), np.int64)
        records[:, 0] = at // UNIT
        records[:, RECORD_FORM] = self._groups[numbers, _FORM.start]
        records[:, 2] = pages[:, 0] // UNIT
        records[:, 3] = pages[:, 1]
        records[:, RECORD_ROWS] = np.minimum(GROUP, self._length - numbers * GROUP)
        records[:, RECORD_ROWS] |= self._groups[numbers, _FORM.start + 1]
        records[:, RECORD_MORE] = self._groups[numbers, _FORM.start + 2]
        return records

    def _show(self) -> None:
        self.attributes = PagedAttributes(
            self._records[: self._n_records], self._pool.bytes, self._owner, self._described
        )
