"""The bank of one namespace: current memories, closed versions, and the small tables beside them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gpu.bank import batches
from gpu.bank.corpus import Corpus, CorpusCounts, Frequency
from gpu.bank.filters import ScanFilter
from gpu.bank.fingerprints import Fingerprint, fingerprints
from gpu.bank.layouts import LIVE_EPOCH, TIERS, Tier, token_bytes
from gpu.bank.lists import Lists
from gpu.bank.nearest import EXACT, Nearest
from gpu.bank.pages import PagePool
from gpu.bank.records import NEVER_US, RecordBatch, no_links
from gpu.bank.segment import Segment, SegmentSnapshot
from gpu.bank.tables import MemoryIndex, rows_of
from gpu.bank.view import BankView

_COMPACT_FROM = 32
"""Dead rows that are not worth a compaction yet."""
_DEAD_SHARE = 0.25
"""Share of dead rows from which a segment is rewritten without them: a put pays for at most three moved rows."""
_OBJECT_BYTES = 2048
"""What Python keeps about an empty namespace, counted as allocated."""
_CHUNK = 8192
"""Rows that are worked on at a time."""


@dataclass(frozen=True, slots=True)
class Published:
    """What a new reader gets: the segments to pin, what is visible in them, and the corpus figures."""

    current: Segment
    history: Segment
    current_rows: SegmentSnapshot
    history_rows: SegmentSnapshot
    corpus: Corpus
    repeats: Corpus


class NamespaceBank:
    """Rows of one namespace. Any number of readers and writers; writers wait for each other, readers for nobody.

    A reader works on the rows that were there when it started: rows are only appended, a replaced row is marked with
    the write that replaced it, and pages go back to the pool when their last reader has left. An erased row is the
    exception: it is gone at once, for everybody.

    A view whose filter leaves out all that repeats others has document frequencies and lengths without it, too: what it
    finds is ranked as if there were nothing else.

    Args:
        repeating: hashes of (field, value) pairs; a memory that carries one of them repeats others.

    Attributes:
        dim: dimension of the vectors.
        applied_seq: the last change of the log that is in here; kept by the caller.
        nearest: how views find the nearest memories to a vector.
        lists: who makes lists for views, if anybody does.
        key: what its `Bank` knows it by, if it is of one.
        space: which embedding space its vectors are of; kept by the caller.
    """

    def __init__(self, pool: PagePool, dim: int, repeating: Sequence[int] = ()) -> None:
        if dim < 1:
            raise ValueError("dim must be positive")
        self.dim = dim
        self.applied_seq = 0
        self.nearest: Nearest = EXACT
        self.lists: Lists | None = None
        self.key: Hashable = None
        self.space: Hashable = None
        self._pool = pool
        self._write_lock = threading.RLock()
        self._lock = threading.Lock()  # held for microseconds: what is published, pins
        self._index_lock = threading.Lock()  # held while the index changes, or is read by others than the writer
        self._retired: list[Segment] = []
        self._watchers: tuple[Callable[[NamespaceBank], None], ...] = ()
        self._counts = CorpusCounts(repeating)
        self._reset()

    def _reset(self) -> None:
        self._epoch = 1
        self._current = Segment(self._pool, self.dim)
        self._history = Segment(self._pool, self.dim)
        with self._index_lock:
            self._index = MemoryIndex(by_version=False)
            self._indexed: Segment | None = self._current  # None while the index is made anew
        self._versions = MemoryIndex(by_version=True)
        self._replaced = 0  # rows of the current segment that are dead and still hold their bytes
        self._publish()

    @property
    def token_bytes(self) -> int:
        """Bytes of the late-interaction code of one token."""
        return token_bytes(self.dim)

    def __len__(self) -> int:
        """Number of current memories."""
        return len(self._index)

    def holds(self, memory_ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Which of the memories (uint8 `[m, 16]`) are current ones in here, bool `[m]`."""
        with self._write_lock:
            return self._slots(memory_ids)[1] >= 0

    def put(self, batch: RecordBatch, *, anew: bool = False) -> None:
        """Insert or replace memories.

        A version that ended (`recorded_to_us` is given) goes to the history, once, and ends the current one if that is
        the same or older. A current version takes the place of the one that is here: a newer one closes it, the same
        one replaces it, an older one is ignored. The batch may hold several versions of a memory, in any order.

        Args:
            batch: what to insert.
            anew: whether a closed version that is here is replaced as well: its vectors are kept in another way now.

        Raises:
            DimensionError: the vectors have another dimension.
            ValueError: the columns do not fit together.
        """
        batches.check(batch, self.dim)
        with self._write_lock:
            for part in batches.rounds(batch):
                self._put_distinct(part, anew=anew)
            self._compact_if_due()

    def rewrite(self, batch: RecordBatch) -> None:
        """Put versions whose vectors were made anew; what their rows held before is overwritten with zeros at once.

        Closed versions take the place of those that are here, too. A reader that started earlier loses the rows.

        Raises:
            DimensionError: the vectors have another dimension.
            ValueError: the columns do not fit together.
        """
        batches.check(batch, self.dim)
        with self._write_lock:
            for part in batches.rounds(batch):
                self._put_distinct(part, anew=True)
            ids = np.unique(batch.memory_ids, axis=0)
            for segment in (self._current, self._history):
                rows = self._rows_of(segment, ids)
                segment.erase(rows[segment.column("died", rows) != LIVE_EPOCH])
            with self._retired_held() as retired:
                for segment in retired:
                    segment.erase(self._rows_of(segment, ids))
            self._tell()
            self._compact_if_due()

    def _put_distinct(self, batch: RecordBatch, *, anew: bool = False) -> None:
        """Put records of distinct memories that are all current or all closed."""
        ids, versions = batch.memory_ids, batch.versions
        current = int(batch.recorded_to_us[0]) == NEVER_US
        hashes = self._index.hashes(ids, versions)
        slots = self._index.find(self._current.attributes.table, hashes, ids, versions)
        known = np.flatnonzero(slots >= 0)
        if known.size:
            known = known[np.argsort(slots[known])]
            here = self._current.column("versions", slots[known])
            if current and (stale := known[here > versions[known]]).size:
                keep = np.setdiff1d(np.arange(len(batch)), stale)
                if keep.size:
                    self._put_distinct(batches.take(batch, keep), anew=anew)
                return
            replaced = known[here <= versions[known]]
            if replaced.size:
                self._replace(batches.take(batch, replaced), hashes[replaced], slots[replaced])
        if current:
            first = self._current.append(batch)
            with self._index_lock:
                self._index.add(hashes, first)
            self._counts.add(batch)
        else:
            self._add_history(batch, anew=anew)
        self._publish()

    def _replace(self, batch: RecordBatch, hashes: NDArray[np.uint32], slots: NDArray[np.int64]) -> None:
        """Take the current rows at ascending slots out, which the batch replaces; older versions go to the history."""
        old = self._current.read(slots)
        newer = np.flatnonzero(batch.versions > old.versions)
        if newer.size:
            closed = batches.take(old, newer)
            self._add_history(replace(closed, recorded_to_us=batch.recorded_from_us[newer]))
        self._current.bury(slots, self._epoch + 1)
        self._replaced += slots.shape[0]
        self._remove(old, hashes, slots)

    def _remove(self, old: RecordBatch, hashes: NDArray[np.uint32], slots: NDArray[np.int64]) -> None:
        """Take rows out of the tables."""
        with self._index_lock:
            self._index.remove(hashes, slots)
        self._counts.subtract(old)

    def _add_history(self, batch: RecordBatch, *, anew: bool = False) -> None:
        """Append closed versions of distinct memories, without their links; one that is there stays, or makes room."""
        hashes = self._versions.hashes(batch.memory_ids, batch.versions)
        slots = self._versions.find(self._history.attributes.table, hashes, batch.memory_ids, batch.versions)
        new = np.arange(len(batch)) if anew else np.flatnonzero(slots < 0)
        known = np.flatnonzero(slots >= 0)
        if anew and known.size:
            known = known[np.argsort(slots[known])]
            self._history.bury(slots[known], self._epoch + 1)
            self._versions.remove(hashes[known], slots[known])
        if new.size:
            closed = replace(batches.take(batch, new), **no_links(new.shape[0]))
            self._versions.add(hashes[new], self._history.append(closed))

    def erase(self, memory_ids: NDArray[np.uint8]) -> None:
        """Overwrite every byte of these memories, closed versions included, with zeros; readers lose them at once.

        Args:
            memory_ids: uint8 `[m, 16]`; unknown ones are ignored.
        """
        self._take_out(memory_ids, with_links_to=True)

    def leave(self, memory_ids: NDArray[np.uint8]) -> None:
        """Take memories out that go on elsewhere: erased like any others, but for the links that lead to them.

        Args:
            memory_ids: uint8 `[m, 16]`; unknown ones are ignored.
        """
        self._take_out(memory_ids, with_links_to=False)

    def _slots(self, ids: NDArray[np.uint8]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Hashes of memories, and where their current versions are, -1 for one that is not here."""
        unused = np.zeros(ids.shape[0], np.int32)
        hashes = self._index.hashes(ids, unused)
        return hashes, self._index.find(self._current.attributes.table, hashes, ids, unused)

    def _take_out(self, memory_ids: NDArray[np.uint8], *, with_links_to: bool) -> None:
        with self._write_lock:
            unique = np.unique(memory_ids, axis=0)
            hashes, slots = self._slots(unique)
            known = np.flatnonzero(slots >= 0)
            if known.size:
                known = known[np.argsort(slots[known])]
                self._remove(self._current.read(slots[known]), hashes[known], slots[known])
            closed = self._rows_of(self._history, unique) if len(self._versions) else np.empty(0, np.int64)
            if closed.size:
                ids, versions = self._history.column("memory_id", closed), self._history.column("versions", closed)
                hashes = self._versions.hashes(ids, versions)
                # A row that made room for another is in no table any more, and has its bytes still.
                entered = self._versions.find(self._history.attributes.table, hashes, ids, versions) == closed
                self._versions.remove(hashes[entered], closed[entered])
                self._history.erase(closed)
            # Rows that were replaced and not compacted away yet still hold what they held.
            self._current.erase(self._rows_of(self._current, unique) if self._replaced else slots[known])
            with self._retired_held() as retired:
                for segment in retired:
                    segment.erase(self._rows_of(segment, unique))
                for segment in (self._current, *retired) if with_links_to else ():
                    segment.erase_links_to(unique)
            self._publish()
            self._tell()
            self._compact_if_due()

    @staticmethod
    def _rows_of(segment: Segment, ids: NDArray[np.uint8]) -> NDArray[np.int64]:
        return rows_of(segment.attributes.table, segment.attributes.length, ids)

    def compact(self) -> None:
        """Rewrite the rows without the dead ones; the old pages go back to the pool when their last reader has left."""
        with self._write_lock:
            with self._index_lock:
                self._indexed = None
            self._current = self._rewritten(self._current, self._index)
            with self._index_lock:
                self._indexed = self._current
            self._replaced = 0
            self._history = self._rewritten(self._history, self._versions)
            self._publish()
            self._tell()
            self._release_unpinned()

    def watch(self, rows_are_gone: Callable[[NamespaceBank], None]) -> None:
        """Have something called after rows were erased or moved, before the writer that did it goes on.

        Args:
            rows_are_gone: gets this bank, and must not write to it. It is called once, however often it was given.
        """
        with self._lock:  # not the writers': whoever watches may hold a lock that a writer waits for in here
            if rows_are_gone not in self._watchers:
                self._watchers = (*self._watchers, rows_are_gone)

    def unwatch(self, rows_are_gone: Callable[[NamespaceBank], None]) -> None:
        """Call it no more once the writers of now are done; nothing happens if it is not called anyway."""
        with self._lock:
            self._watchers = tuple(watcher for watcher in self._watchers if watcher != rows_are_gone)

    def _tell(self) -> None:
        """Tell everybody who keeps something about rows that some are not there any more."""
        for watcher in self._watchers:
            watcher(self)

    def _compact_if_due(self) -> None:
        for segment, index in ((self._current, self._index), (self._history, self._versions)):
            rows = segment.attributes.length
            dead = rows - len(index)
            if dead >= _COMPACT_FROM and dead > rows * _DEAD_SHARE:
                self.compact()
                return

    def _rewritten(self, segment: Segment, index: MemoryIndex) -> Segment:
        """A copy of a segment without its dead rows, the index made anew; the segment itself retires."""
        slots = index.slots()
        if slots.shape[0] == segment.attributes.length:
            return segment
        fresh = Segment(self._pool, self.dim)
        index.clear()
        for at in range(0, slots.shape[0], _CHUNK):
            part = segment.read(slots[at : at + _CHUNK])
            index.add(index.hashes(part.memory_ids, part.versions), fresh.append(part))
        with self._lock:
            self._retired.append(segment)
        return fresh

    def clear(self) -> None:
        """Zero everything at once and give the pages back; what readers still hold shows nothing any more."""
        with self._write_lock:
            old = [self._current, self._history]
            with self._retired_held() as retired:
                for segment in (*old, *retired):
                    segment.wipe()
            self._counts.clear()
            self._reset()
            self._tell()
            with self._lock:
                self._retired.extend(old)
            self._release_unpinned()

    def _publish(self) -> None:
        """Let new readers see everything written so far."""
        with self._lock:
            self._epoch += 1
            self._published = Published(
                self._current, self._history, self._current.snapshot(self._epoch), self._history.snapshot(self._epoch),
                self._counts.every, self._counts.repeats,
            )  # fmt: skip

    @contextmanager
    def _retired_held(self) -> Iterator[list[Segment]]:
        """The segments that only earlier readers still use; none is released before the context ends."""
        with self._lock:
            segments = list(self._retired)
            for segment in segments:
                segment.pins += 1
        try:
            yield segments
        finally:
            with self._lock:
                for segment in segments:
                    segment.pins -= 1
            self._release_unpinned()

    def _release_unpinned(self) -> None:
        """Release the segments that new readers do not get any more and that no reader is left of."""
        with self._lock:
            free = [
                s for s in self._retired if not s.pins and s not in (self._published.current, self._published.history)
            ]
            self._retired = [s for s in self._retired if s not in free]
        for segment in free:
            segment.release()

    def pin(self) -> Published:
        """What is published now; its pages stay until it is given to `unpin`."""
        with self._lock:
            seen = self._published
            seen.current.pins += 1
            seen.history.pins += 1
        return seen

    def unpin(self, seen: Published) -> None:
        """Ends what `pin` began."""
        with self._lock:
            seen.current.pins -= 1
            seen.history.pins -= 1
            idle = bool(self._retired)
        if idle:
            self._release_unpinned()

    @contextmanager
    def pinned(self) -> Iterator[Published]:
        """What is published now; its pages stay until the context ends."""
        seen = self.pin()
        try:
            yield seen
        finally:
            self.unpin(seen)

    @contextmanager
    def view(self, scan: ScanFilter) -> Iterator[BankView]:
        """A consistent view of what the filter lets through; usable inside the `with` block, by several threads."""
        with self.pinned() as seen, self.view_of(seen, scan) as view:
            yield view

    @contextmanager
    def view_of(self, seen: Published, scan: ScanFilter) -> Iterator[BankView]:
        """The same of what was pinned before."""
        segments = (seen.current_rows,) if scan.as_of_us is None else (seen.current_rows, seen.history_rows)
        locate = partial(self._locate, seen.current) if scan.as_of_us is None else None
        view = BankView(segments, scan, *self.corpus_of(seen, scan), self.nearest, locate, self.lists)
        try:
            yield view
        finally:
            view.close()

    def corpus_of(self, seen: Published, scan: ScanFilter) -> tuple[Corpus, Frequency]:
        """What a filter's hits are measured against: how many memories, and how many of them hold each term."""
        if self._counts.without_repeats(scan):
            return seen.corpus - seen.repeats, self._counts.frequency_without_repeats
        return seen.corpus, self._counts.frequency

    def _locate(self, segment: Segment, memory_ids: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Where memories are in a segment now, perhaps in rows that are newer than a reader; -1 for what is not known.

        Args:
            segment: the one that a reader has.
            memory_ids: uint8 `[m, 16]`.
        """
        unused = np.zeros(memory_ids.shape[0], np.int32)
        hashes = self._index.hashes(memory_ids, unused)
        with self._index_lock:
            if self._indexed is not segment:
                return np.full(memory_ids.shape[0], -1)
            return self._index.find(segment.attributes.table, hashes, memory_ids, unused)

    def fingerprints(self) -> Iterator[Fingerprint]:
        """Every version held, current ones first, to be compared with the database."""
        with self.pinned() as seen:
            for segment, rows in ((seen.current, seen.current_rows), (seen.history, seen.history_rows)):
                for at in range(0, rows.n_slots, _CHUNK):
                    slots = np.arange(at, min(at + _CHUNK, rows.n_slots))
                    slots = slots[segment.column("died", slots) > rows.epoch]
                    yield from fingerprints(segment.read(slots))

    def memory_bytes(self) -> int:
        """Bytes allocated for this namespace, tables and objects included."""
        with self._write_lock:
            segments = sum(s.memory_bytes() for s in (self._current, self._history, *self._retired))
            tables = self._index.memory_bytes() + self._versions.memory_bytes()
            return segments + tables + self._counts.memory_bytes() + _OBJECT_BYTES

    def vector_bytes(self) -> dict[Tier, int]:
        """Bytes of the live rows' vectors by how exactly they are kept, closed versions included."""
        with self._write_lock:
            found = dict.fromkeys(TIERS, 0)
            for segment, index in ((self._current, self._index), (self._history, self._versions)):
                slots = index.slots()
                tiers = segment.column("tiers", slots)
                rows = segment.column("n_views", slots).sum(dtype=np.int64)
                found[Tier.FP16] += int(rows) * segment.codes.layout.element_bytes
                words = segment.column("n_code", slots)
                for number, tier in enumerate(TIERS[1:], 1):
                    found[tier] += 8 * int(words[tiers == number].sum(dtype=np.int64))
            return found

    def held_bytes(self) -> int:
        """Bytes of what it holds: attributes, codes and arena contents of the live rows, closed versions included."""
        with self._write_lock:
            return self._current.held_bytes(self._index.slots()) + self._history.held_bytes(self._versions.slots())
