"""One append-only run of rows: the current memories of a namespace, or its closed versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu import id_set
from gpu.bank import gather_kernel, tables_kernel
from gpu.bank.errors import PageOwnershipError
from gpu.bank.layouts import (
    ARENAS,
    ATTRIBUTES,
    CODED,
    ENTITIES,
    ERASED_EPOCH,
    LINKS,
    LIVE_EPOCH,
    PAIRS,
    PLACES,
    SPANS,
    TERMS,
    TEXT,
    Arena,
    Tier,
    codes,
    tokens,
)
from gpu.bank.pages import Page, PageList, PagePool, PageTable
from gpu.bank.records import RecordBatch
from gpu.bank.sequences import SequenceOrder
from gpu.native import plain

_PLAIN = (
    "versions", "kinds", "states", "occurred_us", "valid_from_us", "valid_to_us", "recorded_from_us", "recorded_to_us",
    "expires_us", "importances", "stabilities", "trusts", "last_recalled_us", "lengths", "sequences", "speakers",
    "outcomes", "tiers",
)  # fmt: skip
"""Columns that a batch and an attribute page share by name."""
_RANGE_COLUMNS = tuple(name for arena in ARENAS.values() for name in (arena.first, arena.count))
_LINK_PREFIX = int(LINKS.prefixes("targets")[0])
_Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class SegmentSnapshot:
    """What a reader sees of a segment: the first `n_slots` memories and `n_views` vectors, alive after `epoch`.

    `tier` says how the code pages hold the vectors. `n_words` is how much lies in the arena of codes: rows of coarser
    tiers, which have none in the code pages. `sequences` orders the rows by conversation.
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
    spans: PageTable
    places: PageTable
    links: PageTable
    texts: PageTable
    tokens: PageTable
    coded: PageTable
    n_words: int
    sequences: SequenceOrder


@dataclass(frozen=True, slots=True)
class Deaths:
    """Rows that died together: ascending slots and positions of their vectors, and the epoch that they died with.

    `ERASED_EPOCH` is that of rows that were erased.
    """

    slots: NDArray[np.int64]
    views: NDArray[np.int64]
    epoch: int


class Segment:
    """Attribute pages, code pages and arenas. One writer at a time; readers use snapshots and pin the segment.

    Attributes:
        deaths: None until somebody keeps a copy of rows elsewhere (`record_deaths`); then who died since, in the order
            of their deaths. Only ever appended to.
    """

    __slots__ = (
        "attributes", "coded", "codes", "deaths", "dim", "entities", "links", "pairs", "pins", "places", "retired",
        "sequences", "spans", "terms", "texts", "tier", "tokens",
    )  # fmt: skip

    def __init__(self, pool: PagePool, dim: int, tier: Tier = Tier.FP16) -> None:
        owner = pool.new_owner()
        self.dim = dim
        self.tier = tier
        self.attributes = PageList(pool, ATTRIBUTES, owner)
        self.codes = PageList(pool, codes(tier, dim), owner)
        self.terms = PageList(pool, TERMS, owner)
        self.pairs = PageList(pool, PAIRS, owner)
        self.entities = PageList(pool, ENTITIES, owner)
        self.spans = PageList(pool, SPANS, owner)
        self.places = PageList(pool, PLACES, owner)
        self.links = PageList(pool, LINKS, owner)
        self.texts = PageList(pool, TEXT, owner)
        self.tokens = PageList(pool, tokens(dim), owner)
        self.coded = PageList(pool, CODED, owner)
        self.sequences = SequenceOrder()
        self.deaths: list[Deaths] | None = None
        self.pins = 0
        self.retired = False

    @property
    def lists(self) -> tuple[PageList, ...]:
        """Every page list of the segment."""
        return (
            self.attributes, self.codes, self.terms, self.pairs, self.entities, self.spans, self.places, self.links,
            self.texts, self.tokens, self.coded,
        )  # fmt: skip

    def snapshot(self, epoch: int) -> SegmentSnapshot:
        """What is there now, for a reader that saw every write up to `epoch`."""
        return SegmentSnapshot(
            self.attributes.length, self.codes.length, epoch, self.dim, self.tier,
            self.attributes.table, self.codes.table, self.terms.table, self.pairs.table, self.entities.table,
            self.spans.table, self.places.table, self.links.table, self.texts.table, self.tokens.table,
            self.coded.table, self.coded.length, self.sequences,
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
        for arena in ARENAS.values():
            offsets: NDArray[np.int64] = getattr(batch, arena.offsets)
            columns[arena.count] = offsets[1:] - offsets[:-1]
            if arena.pages == "codes":
                columns[arena.first] = self._append_views(batch, first)
            else:
                values = {name: getattr(batch, flat) for name, flat in arena.columns.items()}
                columns[arena.first] = _append_ranges(getattr(self, arena.pages), offsets, values)
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

    def record_deaths(self) -> list[Deaths]:
        """Begin to write down who dies, unless that was begun before; the list of `deaths`."""
        if self.deaths is None:
            self.deaths = []
        return self.deaths

    def bury(self, slots: NDArray[np.int64], epoch: int) -> None:
        """Mark the rows at ascending slots as replaced by the write of an epoch."""
        self.set_column("died", slots, epoch)
        if self.deaths is not None:
            views = gather(self.attributes.table, ("first_view", "n_views"), slots)
            self.deaths.append(Deaths(slots, _positions(views["first_view"], views["n_views"])[0], epoch))

    def read(self, slots: NDArray[np.int64]) -> RecordBatch:
        """Everything that the rows at ascending slots hold, as a batch that can be appended elsewhere."""
        rows = gather(self.attributes.table, (*_PLAIN, "memory_id", *_RANGE_COLUMNS), slots)
        columns: dict[str, _Array] = {}
        for arena in ARENAS.values():
            values, columns[arena.offsets] = _contents(self, arena, rows[arena.first], rows[arena.count])
            columns |= {flat: values[name] for name, flat in arena.columns.items()}
        return RecordBatch(memory_ids=rows["memory_id"], **{name: rows[name] for name in _PLAIN}, **columns)

    def erase(self, slots: NDArray[np.int64]) -> None:
        """Overwrite every byte of the rows at ascending slots with zeros; nobody sees them any more."""
        if not slots.shape[0]:
            return
        rows = gather(self.attributes.table, _RANGE_COLUMNS, slots)
        self.set_column("died", slots, ERASED_EPOCH)
        for arena in ARENAS.values():
            _clear(getattr(self, arena.pages), _positions(rows[arena.first], rows[arena.count])[0])
        _clear(self.attributes, slots)
        if self.deaths is not None:
            self.deaths.append(Deaths(slots, _positions(rows["first_view"], rows["n_views"])[0], ERASED_EPOCH))

    def erase_links_to(self, ids: NDArray[np.uint8]) -> None:
        """Overwrite every link that leads to one of these memories with zeros, in live and in dead rows."""
        table = self.links.table
        if not self.links.length:
            return
        found = np.empty(self.links.length, np.int64)
        n = tables_kernel.rows_of(table.entries, _LINK_PREFIX, self.links.length, id_set.build(ids), found)
        _clear(self.links, found[:n])

    def held_bytes(self, slots: NDArray[np.int64]) -> int:
        """Bytes of what the rows at ascending slots hold: attributes, codes, arena contents."""
        total: int = slots.shape[0] * self.attributes.layout.element_bytes
        for arena in ARENAS.values():
            held = int(self.column(arena.count, slots).sum(dtype=np.int64))
            total += held * getattr(self, arena.pages).layout.element_bytes
        return total

    def memory_bytes(self) -> int:
        """Bytes allocated."""
        return sum(pages.memory_bytes() for pages in self.lists) + self.sequences.memory_bytes()

    def wipe(self) -> None:
        """Overwrite every row with zeros, at once, for readers too."""
        for pages in self.lists:
            pages.wipe()

    def release(self) -> None:
        """Give every page back, zeroed."""
        for pages in self.lists:
            pages.release()


def _append_ranges(pages: PageList, offsets: NDArray[np.int64], columns: Mapping[str, _Array]) -> _Array:
    """Write ranges into an arena; position of each range (0 for an empty one)."""
    starts = np.zeros(offsets.shape[0] - 1, np.int64)
    if not offsets[-1]:
        return starts
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
    n = positions.shape[0]
    columns = {name: table.layout.columns[name] for name in names}
    out = {name: np.empty((n, c.width) if c.width else n, c.dtype) for name, c in columns.items()}
    if n:
        at = plain(positions, np.int64)
        for name, column in columns.items():
            raw = out[name].view(np.uint8).reshape(n, column.itemsize)
            if not gather_kernel.gather(table.entries, table.owner, table.layout.prefix(name), at, raw):
                raise PageOwnershipError("a page that was read belongs to somebody else")
    return out


def read_ranges(
    segment: SegmentSnapshot, arena: Arena, slots: NDArray[np.int64]
) -> tuple[dict[str, _Array], NDArray[np.int64]]:
    """What an arena holds for the rows at ascending, distinct slots, and where each row's part begins.

    A row that is erased meanwhile has nothing.
    """
    rows = gather(segment.attributes, (arena.first, arena.count), slots)
    # Looked at after the range: who reads half of an erased row's attributes sees here that it is erased.
    gone = gather(segment.attributes, ("died",), slots)["died"] == ERASED_EPOCH
    return _contents(segment, arena, rows[arena.first], np.where(gone, 0, rows[arena.count]))


def _contents(
    segment: Segment | SegmentSnapshot, arena: Arena, firsts: _Array, counts: _Array
) -> tuple[dict[str, _Array], NDArray[np.int64]]:
    """Values of ranges that ascend, and their offsets. Links to erased memories are left out."""
    pages: PageList | PageTable = getattr(segment, arena.pages)
    table = pages.table if isinstance(pages, PageList) else pages
    positions, offsets = _positions(firsts, counts)
    values = gather(table, tuple(arena.columns), positions)
    if arena.pages == "links" and not (kept := values["targets"].any(axis=1)).all():
        values = {name: column[kept] for name, column in values.items()}
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])[offsets]
    return values, offsets


def _clear(pages: PageList, positions: NDArray[np.int64]) -> None:
    """Overwrite elements with zeros, all but the slot of a view: with 0 there it would count as a view of slot 0."""
    for page, local, _ in _split(pages.table, np.sort(positions)):
        for name in pages.layout.columns:
            if name != "slot":
                page.column(name)[local] = 0
