"""Rows of the host as groups of a device: see `gpu.ops.channel_pass.layout`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.bank.layouts import ARENAS
from gpu.bank.segment import SegmentSnapshot, gather, read_ranges
from gpu.device import attribute_groups_kernel as kernel
from gpu.ops.channel_pass.layout import (
    ARENA_SHIFT,
    COLUMNS,
    OFFSETS,
    TILE_BYTES,
    TILE_UNITS,
    UNIT,
    entries_at,
)
from gpu.ops.channel_pass.questions import Held
from gpu.ops.paged_search.op import GROUP

_ARENAS = {Held.TERMS: "terms", Held.ENTITIES: "entities", Held.PLACES: "places", Held.PAIRS: "pairs"}
_DERIVED = ("fresh_us", "slot", "first_span")
_READ = (*(name for name in COLUMNS if name not in _DERIVED), "recorded_from_us", "last_recalled_us", "died")


@dataclass(frozen=True, slots=True)
class Groups:
    """Encoded groups, one after the other.

    Attributes:
        units: uint8 `[n, 16]`, their bytes.
        starts: int64 `[g + 1]`, the unit at which each begins, and the end.
        buckets: int64 `[g]`, of each.
        rows: int64 `[g]`, of each.
        died: int64 `[rows]`, the epochs that the rows died with.
    """

    units: NDArray[np.uint8]
    starts: NDArray[np.int64]
    buckets: NDArray[np.int64]
    rows: NDArray[np.int64]
    died: NDArray[np.int64]


def encode(seen: SegmentSnapshot, first: int, end: int) -> Groups:
    """The groups of rows `first : end`, `first` a multiple of 32, as a snapshot shows them.

    Rows that died have slot -1; of rows that were erased there is nothing but zeros.
    """
    slots = np.arange(first, end)
    n_groups = -(-slots.size // GROUP)
    offsets = np.empty((len(Held), slots.size + 1), np.int64)
    ids, abouts = [], []
    for arena, name in _ARENAS.items():
        values, offsets[arena] = read_ranges(seen, ARENAS[name], slots)
        ids.append(values["ids"].astype(np.uint64))
        frequencies = values["freqs"] if arena is Held.TERMS else np.ones(ids[-1].size, np.uint16)
        abouts.append(frequencies.astype(np.uint32) | np.uint32(arena << ARENA_SHIFT))
    spans, span_offsets = read_ranges(seen, ARENAS["spans"], slots)
    tiles, died = _tiles(seen, slots, n_groups, np.diff(span_offsets))
    # Arenas lie one behind the other for the kernel.
    offsets += np.concatenate([[0], np.cumsum(offsets[:-1, -1])])[:, None]
    rows = np.minimum(GROUP, slots.size - np.arange(n_groups) * GROUP)
    held = np.diff(offsets[:, np.minimum(np.arange(n_groups + 1) * GROUP, slots.size)], axis=1).sum(axis=0)
    buckets = kernel.buckets_of(held)
    most = n_groups * TILE_UNITS + sum(entries_at(int(b)) for b in buckets) + int(held.sum()) + len(spans["bounds"])
    words = np.zeros((most, UNIT // 4), np.uint32)
    starts = np.zeros(n_groups + 1, np.int64)
    kernel.encode(
        tiles, np.concatenate(ids), np.concatenate(abouts), offsets,
        np.ascontiguousarray(spans["bounds"]).view(np.uint32).reshape(-1, UNIT // 4), span_offsets,
        buckets, OFFSETS["first_span"] // 4, GROUP, words, starts,
    )  # fmt: skip
    return Groups(words[: starts[-1]].view(np.uint8), starts, buckets, rows, died)


def _tiles(
    seen: SegmentSnapshot, slots: NDArray[np.int64], n_groups: int, n_spans: NDArray[np.int64]
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The columns of groups, uint32 `[g, TILE_BYTES / 4]`, all but where spans begin; and when the rows died."""
    columns: dict[str, NDArray[Any]] = gather(seen.attributes, _READ, slots)
    columns["fresh_us"] = np.maximum(columns["recorded_from_us"], columns["last_recalled_us"])
    columns["slot"] = np.where(columns["died"] > seen.epoch, slots, -1)
    columns["n_spans"] = n_spans  # of a row that is erased while it is read there are none
    tiles = np.zeros((n_groups, TILE_BYTES), np.uint8)
    for name, dtype in COLUMNS.items():
        if name == "first_span":
            continue
        padded = np.zeros(n_groups * GROUP, dtype)
        padded[: slots.size] = columns[name].astype(dtype)
        at = OFFSETS[name]
        tiles[:, at : at + GROUP * dtype.itemsize] = padded.view(np.uint8).reshape(n_groups, -1)
    return tiles.view(np.uint32), columns["died"]
