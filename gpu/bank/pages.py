"""Fixed-size pages of columns, the pool that hands them out, and growing lists of pages.

A page is one zeroed buffer: a header of 64 bytes (owner and generation) and then its columns one after the other (a
structure of arrays). Page capacities come from a short ladder, a smallest size doubling to a largest, and a list grows
by pages of about a quarter of what it already has: a tiny namespace costs what it holds, a large one has few pages, and
nothing is ever copied to grow.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gpu.bank.errors import NamespaceFullError, PageOwnershipError

HEADER_BYTES = 64
"""Bytes before the first column: owner, generation (uint64 each), the rest unused."""
_STEP = 16
"""Every capacity is a multiple, so that every column starts aligned to its type."""
_MOST_ELEMENTS = 1 << 31
"""Positions are kept in 32 bits."""
_ALIGN_FROM = 1 << 16
"""Bytes from which a page starts at a cache line; small ones save the bytes."""
_OBJECT_BYTES = 320
"""What Python and numpy keep about one page beside its buffer (measured with tracemalloc), counted as allocated."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a page: a value of `dtype` for each element, or a vector of `width` values."""

    name: str
    dtype: np.dtype[np.generic]
    width: int = 0

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.dtype.itemsize * max(1, self.width)


class Layout:
    """Order of the columns in a page. Wide types come first, so that every column is aligned to its type."""

    __slots__ = ("_placed", "_prefix", "columns", "element_bytes", "largest_page", "smallest_page")

    def __init__(
        self, *columns: tuple[str, DTypeLike] | tuple[str, DTypeLike, int], smallest_page: int, largest_page: int
    ) -> None:
        self.columns = {c[0]: Column(c[0], np.dtype(c[1]), c[2] if len(c) == 3 else 0) for c in columns}
        self.smallest_page = smallest_page
        self.largest_page = largest_page
        self._placed: dict[int, dict[str, tuple[tuple[int, ...], np.dtype[np.generic], int]]] = {}
        self._prefix: dict[str, int] = {}
        at = 0
        for column in self.columns.values():
            self._prefix[column.name] = at
            at += column.itemsize
        self.element_bytes = at

    def page_bytes(self, capacity: int) -> int:
        """Bytes of a page for `capacity` elements."""
        return HEADER_BYTES + capacity * self.element_bytes

    def placed(self, capacity: int) -> dict[str, tuple[tuple[int, ...], np.dtype[np.generic], int]]:
        """Shape, type and offset in bytes of every column in a page of `capacity` elements."""
        found = self._placed.get(capacity)
        if found is None:
            found = self._placed[capacity] = {
                c.name: (
                    (capacity, c.width) if c.width else (capacity,),
                    c.dtype,
                    HEADER_BYTES + capacity * self._prefix[c.name],
                )
                for c in self.columns.values()
            }
        return found

    def prefix(self, name: str) -> int:
        """Bytes per element that lie before a column."""
        return self._prefix[name]

    def prefixes(self, *names: str) -> NDArray[np.int64]:
        """For each column the bytes per element that lie before it: what a kernel needs to find it in any page."""
        return np.array([self._prefix[name] for name in names], dtype=np.int64)


class Page:
    """A buffer on loan from a pool, `start` being the position of its first element in the list that owns it."""

    __slots__ = ("buffer", "capacity", "generation", "layout", "start")

    def __init__(self, buffer: NDArray[np.uint8], layout: Layout, capacity: int, start: int, generation: int) -> None:
        self.buffer = buffer
        self.layout = layout
        self.capacity = capacity
        self.start = start
        self.generation = generation

    def column(self, name: str) -> NDArray[np.generic]:
        """A writable view of one column, `[capacity]` or `[capacity, width]`."""
        shape, dtype, at = self.layout.placed(self.capacity)[name]
        return np.ndarray(shape, dtype, self.buffer.data, at)

    def write(self, local: int, columns: Mapping[str, NDArray[Any]], i: int, j: int) -> None:
        """Copy values `i : j` of several columns to the elements from `local` on."""
        placed, data = self.layout.placed(self.capacity), self.buffer.data
        rows = slice(local, local + j - i)
        for name, values in columns.items():
            shape, dtype, at = placed[name]
            np.ndarray(shape, dtype, data, at)[rows] = values[i:j]

    @property
    def header(self) -> NDArray[np.uint64]:
        """Owner and generation, uint64 `[2]`, writable."""
        return self.buffer[:16].view(np.uint64)


class PagePool:
    """Hands out zeroed buffers and takes them back; a buffer is overwritten with zeros before anybody gets it again.

    Thread-safe. At most `keep_bytes` of free buffers are kept for reuse, the rest goes back to the allocator (zeroed).
    """

    def __init__(self, keep_bytes: int = 64 << 20) -> None:
        self._free: dict[int, list[NDArray[np.uint8]]] = {}
        self._free_bytes = 0
        self._keep_bytes = keep_bytes
        self._lock = threading.Lock()
        self._generations = itertools.count(1)
        self._owners = itertools.count(1)

    def new_owner(self) -> int:
        """A number that no other list of pages of this pool has or will have."""
        return next(self._owners)

    def take(self, layout: Layout, capacity: int, start: int, owner: int) -> Page:
        """A zeroed page that belongs to `owner`."""
        size = layout.page_bytes(capacity)
        with self._lock:
            stock = self._free.get(size)
            buffer = stock.pop() if stock else None
            if buffer is not None:
                self._free_bytes -= size
        page = Page(_zeros(size) if buffer is None else buffer, layout, capacity, start, next(self._generations))
        page.header[:] = (owner, page.generation)
        return page

    def give_back(self, pages: list[Page]) -> None:
        """Zero the pages, header included (nobody owns them from here on), and keep or free them."""
        for page in pages:
            page.buffer.fill(0)
            size = page.buffer.nbytes
            with self._lock:
                if self._free_bytes + size <= self._keep_bytes:
                    self._free.setdefault(size, []).append(page.buffer)
                    self._free_bytes += size

    @property
    def free_bytes(self) -> int:
        """Bytes of the buffers that wait for reuse."""
        return self._free_bytes

    def free_buffers(self) -> Iterator[NDArray[np.uint8]]:
        """The buffers that wait for reuse; all zero."""
        with self._lock:
            stock = [buffer for buffers in self._free.values() for buffer in buffers]
        yield from stock


@dataclass(frozen=True, slots=True)
class PageTable:
    """The pages of a list as a kernel sees them. Never changed: growing makes a new table.

    Attributes:
        layout: what lies in the pages.
        entries: int64 `[n_pages, 4]`: address, first position, capacity, generation.
        owner: who must be named in the header of every page.
        pages: the same pages for code outside kernels; holding them keeps the addresses valid.
    """

    layout: Layout
    entries: NDArray[np.int64]
    owner: int
    pages: tuple[Page, ...]

    def check(self, page: Page) -> Page:
        """The page itself, if its header names this table's owner and the page's generation.

        Raises:
            PageOwnershipError: the page went back to the pool or to somebody else.
        """
        header = page.header
        if int(header[0]) != self.owner or int(header[1]) != page.generation:
            raise PageOwnershipError(f"page at {page.start} belongs to somebody else")
        return page


class PageList:
    """A growing sequence of elements over pages. One writer; readers use a `PageTable` and a length taken earlier."""

    __slots__ = ("_pool", "layout", "length", "table")

    def __init__(self, pool: PagePool, layout: Layout, owner: int) -> None:
        self._pool = pool
        self.layout = layout
        self.length = 0
        self.table = PageTable(layout, np.empty((0, 4), np.int64), owner, ())

    @property
    def capacity(self) -> int:
        """Elements for which there is room, used or not."""
        pages = self.table.pages
        return pages[-1].start + pages[-1].capacity if pages else 0

    def _grow(self, expected: int, at_least: int = 1) -> Page:
        """Add a page of a quarter of what is there (or of what is expected soon), with room for `at_least` elements."""
        start = self.capacity
        wanted = min(max(start // 4, expected // 4, self.layout.smallest_page), self.layout.largest_page)
        capacity = 1 << (wanted.bit_length() - 1)
        if capacity < at_least:
            capacity = -(-at_least // _STEP) * _STEP
        if start + capacity > _MOST_ELEMENTS:
            raise NamespaceFullError(f"a namespace holds at most {_MOST_ELEMENTS} elements of a sort")
        page = self._pool.take(self.layout, capacity, start, self.table.owner)
        entry = np.array([[page.buffer.ctypes.data, start, capacity, page.generation]], np.int64)
        self.table = PageTable(
            self.layout, np.concatenate([self.table.entries, entry]), self.table.owner, (*self.table.pages, page)
        )
        return page

    def extend(self, count: int) -> Iterator[tuple[Page, int, int, int]]:
        """Make room for `count` elements after the last.

        Yields:
            `(page, local, i, j)`: new elements `i : j` go to `page` from `local` on.
        """
        done = 0
        while done < count:
            page = self.table.pages[-1] if self.length < self.capacity else self._grow(count - done)
            local = self.length - page.start
            n = min(count - done, page.capacity - local)
            self.length += n
            yield page, local, done, done + n
            done += n

    def reserve(self, offsets: NDArray[np.int64]) -> Iterator[tuple[Page, int, int, int]]:
        """Make room for ranges, none of which may cross a page. Empty ranges may be left out of what is yielded.

        Args:
            offsets: int64 `[n + 1]`, range `i` has `offsets[i + 1] - offsets[i]` elements.

        Yields:
            `(page, local, i, j)`: ranges `i : j` lie in `page`, one after the other, from `local` on.
        """
        i, n = 0, offsets.shape[0] - 1
        end = int(offsets[n])
        while i < n and offsets[i] < end:
            room = self.capacity - self.length
            j = int(offsets.searchsorted(offsets[i] + room, side="right")) - 1
            if j <= i or offsets[j] == offsets[i]:
                # What is left of the last page is too small for the next range and stays unused.
                i = max(i, j)
                self.length = self.capacity
                self._grow(end - int(offsets[i]), at_least=int(offsets[i + 1] - offsets[i]))
                continue
            page = self.table.pages[-1]
            local = self.length - page.start
            self.length += int(offsets[j] - offsets[i])
            yield page, local, i, j
            i = j

    def truncate(self, length: int) -> None:
        """Take back elements behind `length` that no reader can know of yet."""
        table = self.table
        keep = int(table.entries[:, 1].searchsorted(length, side="left"))
        self.table = PageTable(self.layout, table.entries[:keep].copy(), table.owner, table.pages[:keep])
        self.length = length
        self._pool.give_back(list(table.pages[keep:]))
        if keep:
            last = self.table.pages[-1]
            for name in self.layout.columns:
                last.column(name)[length - last.start :] = 0

    def memory_bytes(self) -> int:
        """Bytes allocated, what Python keeps about the pages included."""
        buffers = sum(page.buffer.nbytes + _OBJECT_BYTES for page in self.table.pages)
        return buffers + self.table.entries.nbytes

    def wipe(self) -> None:
        """Overwrite all elements with zeros; the pages stay where they are, for readers that are still at work."""
        for page in self.table.pages:
            page.buffer[HEADER_BYTES:] = 0

    def release(self) -> None:
        """Give all pages back to the pool, which zeroes them."""
        pages, owner = list(self.table.pages), self.table.owner
        self.table = PageTable(self.layout, np.empty((0, 4), np.int64), owner, ())
        self.length = 0
        self._pool.give_back(pages)


def _zeros(size: int) -> NDArray[np.uint8]:
    """Zeroed bytes; the address of a large buffer is a multiple of 64."""
    if size < _ALIGN_FROM:
        return np.zeros(size, np.uint8)
    raw = np.zeros(size + 64, np.uint8)
    shift = -raw.ctypes.data % 64
    return raw[shift : shift + size]
