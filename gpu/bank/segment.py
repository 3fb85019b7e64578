"""One append-only run of rows: the current memories of a namespace, or its closed versions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.bank.layouts import ATTRIBUTES, ENTITIES, ERASED_EPOCH, LIVE_EPOCH, PAIRS, TERMS, Tier, codes
from gpu.bank.pages import Page, PageList, PagePool, PageTable
from gpu.bank.records import RecordBatch

_PLAIN = (
    "versions", "kinds", "states", "occurred_us", "valid_from_us", "valid_to_us", "recorded_from_us", "recorded_to_us",
    "expires_us", "importances", "stabilities", "trusts", "last_recalled_us", "lengths",
)  # fmt: skip
"""Columns that a batch and an attribute page share by name."""
_Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class SegmentSnapshot:
    """What a reader sees of a segment: the first `n_slots` memories and `n_views` vectors, alive after `epoch`.

    `tier` says how the code pages hold the vectors.
    """

    n_slots: int
    n_views: int
    epoch: int
    dim: int
    tier: Tier
    attributes: PageTable
    codes: PageTable
    terms: PageTable
    pairs: PageTable
    entities: PageTable


class Segment:
    """Attribute pages, code pages and arenas. One writer at a time; readers use snapshots and pin the segment."""

    __slots__ = ("attributes", "codes", "dim", "entities", "pairs", "pins", "retired", "terms", "tier")

    def __init__(self, pool: PagePool, dim: int, tier: Tier = Tier.FP16) -> None:
        owner = pool.new_owner()
        self.dim = dim
        self.tier = tier
        self.attributes = PageList(pool, ATTRIBUTES, owner)
        self.codes = PageList(pool, codes(tier, dim), owner)
        self.terms = PageList(pool, TERMS, owner)
        self.pairs = PageList(pool, PAIRS, owner)
        self.entities = PageList(pool, ENTITIES, owner)
        self.pins = 0
        self.retired = False

    @property
    def lists(self) -> tuple[PageList, ...]:
        """Every page list of the segment."""
        return (self.attributes, self.codes, self.terms, self.pairs, self.entities)

    def snapshot(self, epoch: int) -> SegmentSnapshot:
        """What is there now, for a reader that saw every write up to `epoch`."""
        return SegmentSnapshot(
            self.attributes.length, self.codes.length, epoch, self.dim, self.tier,
            self.attributes.table, self.codes.table, self.terms.table, self.pairs.table, self.entities.table,
        )  # fmt: skip

    def append(self, batch: RecordBatch) -> int:
        """Write a batch behind the last row; readers do not see it before they take a new snapshot.

        Returns:
            The slot of the batch's first record; the others follow.
        """
        first = self.attributes.length
        columns: dict[str, _Array] = {name: getattr(batch, name) for name in _PLAIN}
        columns["memory_id"] = batch.memory_ids
        columns["first_view"] = self._append_views(batch, first)
        columns["n_views"] = np.diff(batch.view_offsets)
        columns["n_terms"] = np.diff(batch.term_offsets)
        columns["first_term"] = _append(self.terms, batch.term_offsets, ids=batch.term_ids, freqs=batch.term_freqs)
        columns["n_pairs"] = np.diff(batch.pair_offsets)
        columns["first_pair"] = _append(self.pairs, batch.pair_offsets, ids=batch.pairs)
        columns["n_entities"] = np.diff(batch.entity_offsets)
        columns["first_entity"] = _append(self.entities, batch.entity_offsets, ids=batch.entity_ids)
        for page, local, i, j in self.attributes.extend(len(batch)):
            rows = slice(local, local + j - i)
            for name, values in columns.items():
                page.column(name)[rows] = values[i:j]
            page.column("died")[rows] = LIVE_EPOCH
        return first

    def _append_views(self, batch: RecordBatch, first_slot: int) -> _Array:
        """Write the vectors; position of each record's first view."""
        first = self.codes.length
        offsets = batch.view_offsets
        slots = np.repeat(np.arange(first_slot, first_slot + len(batch), dtype=np.int32), np.diff(offsets))
        for page, local, i, j in self.codes.extend(slots.shape[0]):
            rows = slice(local, local + j - i)
            page.column("slot")[rows] = slots[i:j]
            page.column("vectors")[rows] = batch.vectors[i:j]
        return offsets[:-1] + first

    def column(self, name: str, slots: NDArray[np.int64]) -> _Array:
        """Values of one attribute column at ascending slots, copied."""
        return gather(self.attributes.table, name, slots)

    def set_column(self, name: str, slots: NDArray[np.int64], values: _Array | int) -> None:
        """Overwrite one attribute column at ascending slots."""
        values = np.broadcast_to(np.asarray(values), slots.shape)
        for page, local, part in _split(self.attributes.table, slots):
            page.column(name)[local] = values[part]

    def read(self, slots: NDArray[np.int64]) -> RecordBatch:
        """Everything that the rows at ascending slots hold, as a batch that can be appended elsewhere."""
        columns = {name: self.column(name, slots) for name in _PLAIN}
        views, view_offsets = self._positions("first_view", "n_views", slots)
        terms, term_offsets = self._positions("first_term", "n_terms", slots)
        pairs, pair_offsets = self._positions("first_pair", "n_pairs", slots)
        entities, entity_offsets = self._positions("first_entity", "n_entities", slots)
        return RecordBatch(
            memory_ids=self.column("memory_id", slots),
            **columns,
            pairs=gather(self.pairs.table, "ids", pairs),
            pair_offsets=pair_offsets,
            term_ids=gather(self.terms.table, "ids", terms),
            term_freqs=gather(self.terms.table, "freqs", terms),
            term_offsets=term_offsets,
            entity_ids=gather(self.entities.table, "ids", entities),
            entity_offsets=entity_offsets,
            vectors=gather(self.codes.table, "vectors", views),
            view_offsets=view_offsets,
        )

    def _positions(
        self, first: str, count: str, slots: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Positions of all elements of the rows' ranges, one range after the other, and the ranges' offsets."""
        counts = self.column(count, slots).astype(np.int64)
        offsets = np.zeros(slots.shape[0] + 1, np.int64)
        np.cumsum(counts, out=offsets[1:])
        starts = self.column(first, slots).astype(np.int64)
        return np.repeat(starts - offsets[:-1], counts) + np.arange(offsets[-1]), offsets

    def erase(self, slots: NDArray[np.int64]) -> None:
        """Overwrite every byte of the rows at ascending slots with zeros; nobody sees them any more."""
        for pages, first, count in (
            (self.codes, "first_view", "n_views"),
            (self.terms, "first_term", "n_terms"),
            (self.pairs, "first_pair", "n_pairs"),
            (self.entities, "first_entity", "n_entities"),
        ):
            _clear(pages, self._positions(first, count, slots)[0])
        self.set_column("died", slots, ERASED_EPOCH)
        _clear(self.attributes, slots)

    def held_bytes(self, slots: NDArray[np.int64]) -> int:
        """Bytes of what the rows at ascending slots hold: attributes, codes, arena contents."""
        total = slots.shape[0] * self.attributes.layout.element_bytes
        for pages, count in (
            (self.codes, "n_views"), (self.terms, "n_terms"), (self.pairs, "n_pairs"), (self.entities, "n_entities"),
        ):  # fmt: skip
            total += int(self.column(count, slots).sum(dtype=np.int64)) * pages.layout.element_bytes
        return total

    def memory_bytes(self) -> int:
        """Bytes allocated."""
        return sum(pages.memory_bytes() for pages in self.lists)

    def wipe(self) -> None:
        """Overwrite every row with zeros, at once, for readers too."""
        for pages in self.lists:
            pages.wipe()

    def release(self) -> None:
        """Give every page back, zeroed."""
        for pages in self.lists:
            pages.release()


def _append(pages: PageList, offsets: NDArray[np.int64], **columns: _Array) -> _Array:
    """Write ranges into an arena; position of each range (0 for an empty one)."""
    starts = np.zeros(offsets.shape[0] - 1, np.int64)
    for page, local, i, j in pages.reserve(offsets):
        low, high = int(offsets[i]), int(offsets[j])
        starts[i:j] = offsets[i:j] + (page.start + local - low)
        for name, values in columns.items():
            page.column(name)[local : local + high - low] = values[low:high]
    return starts


def _split(table: PageTable, positions: NDArray[np.int64]) -> Iterator[tuple[Page, NDArray[np.int64], slice]]:
    """For each page that ascending positions touch: the page, the positions inside it, and which of them they are."""
    bounds = positions.searchsorted(table.entries[:, 1]) if positions.shape[0] else np.empty(0, np.int64)
    stops = np.append(bounds[1:], positions.shape[0])
    for page, low, high in zip(table.pages, bounds.tolist(), stops.tolist(), strict=False):
        if high > low:
            yield table.check(page), positions[low:high] - page.start, slice(low, high)


def gather(table: PageTable, name: str, positions: NDArray[np.int64]) -> _Array:
    """Values of one column at ascending positions, copied.

    Raises:
        PageOwnershipError: a page of the table belongs to somebody else by now.
    """
    column = table.layout.columns[name]
    shape = (positions.shape[0],) if column.width == 1 else (positions.shape[0], column.width)
    out = np.empty(shape, column.dtype)
    for page, local, part in _split(table, positions):
        out[part] = page.column(name)[local]
    return out


def _clear(pages: PageList, positions: NDArray[np.int64]) -> None:
    """Overwrite elements with zeros."""
    for page, local, _ in _split(pages.table, np.sort(positions)):
        for name in pages.layout.columns:
            page.column(name)[local] = 0
