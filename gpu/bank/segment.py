"""One append-only run of rows: the current memories of a namespace, or its closed versions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
_RANGE_COLUMNS = (
    "first_view", "n_views", "first_term", "n_terms", "first_pair", "n_pairs", "first_entity", "n_entities",
)  # fmt: skip
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
        lengths = [pages.length for pages in self.lists]
        try:
            self._append(batch, lengths[0])
        except BaseException:
            # Out of memory half-way, say: nobody has seen the new rows yet, so they can go without a trace.
            for pages, length in zip(self.lists, lengths, strict=True):
                pages.truncate(length)
            raise
        return lengths[0]

    def _append(self, batch: RecordBatch, first: int) -> None:
        columns: dict[str, _Array] = {name: getattr(batch, name) for name in _PLAIN}
        columns["memory_id"] = batch.memory_ids
        columns["first_view"] = self._append_views(batch, first)
        columns["n_views"] = batch.view_offsets[1:] - batch.view_offsets[:-1]
        columns["n_terms"] = batch.term_offsets[1:] - batch.term_offsets[:-1]
        columns["first_term"] = _append_ranges(
            self.terms, batch.term_offsets, ids=batch.term_ids, freqs=batch.term_freqs
        )
        columns["n_pairs"] = batch.pair_offsets[1:] - batch.pair_offsets[:-1]
        columns["first_pair"] = _append_ranges(self.pairs, batch.pair_offsets, ids=batch.pairs)
        columns["n_entities"] = batch.entity_offsets[1:] - batch.entity_offsets[:-1]
        columns["first_entity"] = _append_ranges(self.entities, batch.entity_offsets, ids=batch.entity_ids)
        columns["died"] = np.full(len(batch), LIVE_EPOCH)
        for page, local, i, j in self.attributes.extend(len(batch)):
            page.write(local, columns, i, j)

    def _append_views(self, batch: RecordBatch, first_slot: int) -> _Array:
        """Write the vectors; position of each record's first view."""
        first = self.codes.length
        offsets = batch.view_offsets
        slots = np.repeat(np.arange(first_slot, first_slot + len(batch), dtype=np.int32), offsets[1:] - offsets[:-1])
        columns: dict[str, _Array] = {"slot": slots, "vectors": batch.vectors}
        for page, local, i, j in self.codes.extend(slots.shape[0]):
            page.write(local, columns, i, j)
        return offsets[:-1] + first

    def column(self, name: str, slots: NDArray[np.int64]) -> _Array:
        """Values of one attribute column at ascending slots, copied."""
        return gather(self.attributes.table, (name,), slots)[name]

    def set_column(self, name: str, slots: NDArray[np.int64], values: _Array | int) -> None:
        """Overwrite one attribute column at ascending slots."""
        values = np.broadcast_to(np.asarray(values), slots.shape)
        for page, local, part in _split(self.attributes.table, slots):
            page.column(name)[local] = values[part]

    def read(self, slots: NDArray[np.int64]) -> RecordBatch:
        """Everything that the rows at ascending slots hold, as a batch that can be appended elsewhere."""
        rows = gather(self.attributes.table, (*_PLAIN, "memory_id", *_RANGE_COLUMNS), slots)
        views, view_offsets = _positions(rows["first_view"], rows["n_views"])
        terms, term_offsets = _positions(rows["first_term"], rows["n_terms"])
        pairs, pair_offsets = _positions(rows["first_pair"], rows["n_pairs"])
        entities, entity_offsets = _positions(rows["first_entity"], rows["n_entities"])
        arena = gather(self.terms.table, ("ids", "freqs"), terms)
        return RecordBatch(
            memory_ids=rows["memory_id"],
            **{name: rows[name] for name in _PLAIN},
            pairs=gather(self.pairs.table, ("ids",), pairs)["ids"],
            pair_offsets=pair_offsets,
            term_ids=arena["ids"],
            term_freqs=arena["freqs"],
            term_offsets=term_offsets,
            entity_ids=gather(self.entities.table, ("ids",), entities)["ids"],
            entity_offsets=entity_offsets,
            vectors=gather(self.codes.table, ("vectors",), views)["vectors"],
            view_offsets=view_offsets,
        )

    def erase(self, slots: NDArray[np.int64]) -> None:
        """Overwrite every byte of the rows at ascending slots with zeros; nobody sees them any more."""
        if not slots.shape[0]:
            return
        rows = gather(self.attributes.table, _RANGE_COLUMNS, slots)
        self.set_column("died", slots, ERASED_EPOCH)
        for pages, first, count in (
            (self.codes, "first_view", "n_views"),
            (self.terms, "first_term", "n_terms"),
            (self.pairs, "first_pair", "n_pairs"),
            (self.entities, "first_entity", "n_entities"),
        ):
            _clear(pages, _positions(rows[first], rows[count])[0])
        _clear(self.attributes, slots)

    def held_bytes(self, slots: NDArray[np.int64]) -> int:
        """Bytes of what the rows at ascending slots hold: attributes, codes, arena contents."""
        total: int = slots.shape[0] * self.attributes.layout.element_bytes
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


def _append_ranges(pages: PageList, offsets: NDArray[np.int64], **columns: _Array) -> _Array:
    """Write ranges into an arena; position of each range (0 for an empty one)."""
    starts = np.zeros(offsets.shape[0] - 1, np.int64)
    for page, local, i, j in pages.reserve(offsets):
        low, high = int(offsets[i]), int(offsets[j])
        starts[i:j] = offsets[i:j] + (page.start + local - low)
        page.write(local, columns, low, high)
    return starts


def _split(table: PageTable, positions: NDArray[np.int64]) -> Iterator[tuple[Page, NDArray[np.int64], slice]]:
    """For each page that ascending positions touch: the page, the positions inside it, and which of them they are."""
    n = positions.shape[0]
    if not n:
        return
    starts = table.entries[:, 1]
    if n == 1:
        page = table.check(table.pages[int(starts.searchsorted(positions[0], side="right")) - 1])
        yield page, positions - page.start, slice(0, 1)
        return
    bounds = [*positions.searchsorted(starts).tolist(), n]
    for page, low, high in zip(table.pages, bounds[:-1], bounds[1:], strict=True):
        if high > low:
            yield table.check(page), positions[low:high] - page.start, slice(low, high)


def _positions(firsts: _Array, counts: _Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of all elements of ranges, one range after the other, and the ranges' offsets among them."""
    offsets = np.zeros(counts.shape[0] + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return np.repeat(firsts - offsets[:-1], counts) + np.arange(offsets[-1]), offsets


def gather(table: PageTable, names: Sequence[str], positions: NDArray[np.int64]) -> dict[str, _Array]:
    """Values of columns at ascending positions, copied.

    Raises:
        PageOwnershipError: a page of the table belongs to somebody else by now.
    """
    columns = [table.layout.columns[name] for name in names]
    n = positions.shape[0]
    out = {c.name: np.empty((n, c.width) if c.width else n, c.dtype) for c in columns}
    for page, local, part in _split(table, positions):
        for name, values in out.items():
            values[part] = page.column(name)[local]
    return out


def _clear(pages: PageList, positions: NDArray[np.int64]) -> None:
    """Overwrite elements with zeros, all but the slot of a view: with 0 there it would count as a view of slot 0."""
    for page, local, _ in _split(pages.table, np.sort(positions)):
        for name in pages.layout.columns:
            if name != "slot":
                page.column(name)[local] = 0
