"""Two compact hash tables of a namespace: where a memory is, and how many memories hold a term.

Both use linear probing over flat arrays at a load of 60 to 80 %, grow by a third, and delete by moving entries back, so
that nothing of a deleted key stays behind.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu import id_set
from gpu.bank import tables_kernel as kernel
from gpu.bank.layouts import ATTRIBUTES
from gpu.bank.pages import PageTable
from gpu.native import plain

_PREFIXES = ATTRIBUTES.prefixes("memory_id", "versions")


def _room(count: int) -> int:
    """Entries of a table for `count` keys at a load of 60 %."""
    return max(16, count * 5 // 3 + 1)


class MemoryIndex:
    """Slots of memories by id, or of versions by id and version. The ids themselves stay in the attribute pages.

    Args:
        by_version: whether a version is part of the key.
    """

    __slots__ = ("_by_version", "_count", "_hashes", "_slots")

    def __init__(self, *, by_version: bool) -> None:
        self._by_version = by_version
        self._count = 0
        self._hashes = np.zeros(0, np.uint32)
        self._slots = np.zeros(0, np.int32)

    def __len__(self) -> int:
        return self._count

    def hashes(self, ids: NDArray[np.uint8], versions: NDArray[np.int32]) -> NDArray[np.uint32]:
        """Hashes of keys, uint32 `[n]`, as the other methods want them."""
        return kernel.hash_keys(plain(ids, np.uint8), plain(versions, np.int32), self._by_version)

    def find(
        self, table: PageTable, hashes: NDArray[np.uint32], ids: NDArray[np.uint8], versions: NDArray[np.int32]
    ) -> NDArray[np.int64]:
        """Slot of each key, int64 `[n]`, -1 where there is none."""
        if not self._count:
            return np.full(hashes.shape[0], -1, np.int64)
        ids, versions = plain(ids, np.uint8), plain(versions, np.int32)
        return kernel.find(self._hashes, self._slots, hashes, ids, versions, self._by_version, table.entries, _PREFIXES)

    def add(self, hashes: NDArray[np.uint32], first_slot: int) -> None:
        """Enter keys that are not there, at `first_slot` and the slots after it."""
        self._count += hashes.shape[0]
        if self._count * 5 > self._hashes.shape[0] * 4:
            old_hashes, old_slots = self._hashes, self._slots
            self._hashes = np.zeros(_room(self._count), np.uint32)
            self._slots = np.full(_room(self._count), -1, np.int32)
            kernel.move_entries(old_hashes, old_slots, self._hashes, self._slots)
        kernel.add(self._hashes, self._slots, hashes, first_slot)

    def remove(self, hashes: NDArray[np.uint32], slots: NDArray[np.int64]) -> None:
        """Take out entries that are there."""
        kernel.remove(self._hashes, self._slots, hashes, slots)
        self._count -= hashes.shape[0]

    def clear(self) -> None:
        """Forget everything."""
        self._count = 0
        self._hashes = np.zeros(0, np.uint32)
        self._slots = np.zeros(0, np.int32)

    def slots(self) -> NDArray[np.int64]:
        """Every slot that is entered, ascending."""
        return np.sort(self._slots[self._slots >= 0]).astype(np.int64)

    def memory_bytes(self) -> int:
        """Bytes allocated."""
        return self._hashes.nbytes + self._slots.nbytes


class TermCounts:
    """Number of memories that hold each term."""

    __slots__ = ("_counts", "_terms", "_used")

    def __init__(self) -> None:
        self._terms = np.zeros(0, np.uint32)
        self._counts = np.zeros(0, np.uint32)
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def add(self, terms: NDArray[np.uint32]) -> None:
        """Count one memory more for each entry of `terms` (uint32 `[n]`, distinct for each memory)."""
        terms = plain(terms, np.uint32)
        at, n = 0, terms.shape[0]
        while True:
            # The kernel stops when the table is full; then it grows by a third and goes on.
            at, self._used = kernel.count_terms(self._terms, self._counts, self._used, terms, at)
            if at == n:
                return
            self._resize(self._used + 1)

    def subtract(self, terms: NDArray[np.uint32]) -> None:
        """Count one memory less for each entry of `terms`; a term that no memory holds any more leaves the table."""
        self._used -= kernel.uncount_terms(self._terms, self._counts, plain(terms, np.uint32))

    def get(self, terms: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Number of memories with each term, int64 `[n]`."""
        return kernel.get_counts(self._terms, self._counts, plain(terms, np.uint32))

    def clear(self) -> None:
        """Forget everything."""
        self._terms[:] = 0
        self._counts[:] = 0
        self._used = 0

    def _resize(self, count: int) -> None:
        terms, counts = self._terms, self._counts
        self._terms = np.zeros(_room(count), np.uint32)
        self._counts = np.zeros(_room(count), np.uint32)
        kernel.move_counts(terms, counts, self._terms, self._counts)

    def arrays(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """The terms and counts as they lie in memory."""
        return self._terms, self._counts

    def memory_bytes(self) -> int:
        """Bytes allocated."""
        return self._terms.nbytes + self._counts.nbytes


def rows_of(table: PageTable, n_rows: int, ids: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Slots of every row of a segment, dead ones too, that belongs to one of the memories, ascending."""
    out = np.empty(n_rows, np.int64)
    return out[: kernel.rows_of(table.entries, int(_PREFIXES[0]), n_rows, id_set.build(ids), out)].copy()
