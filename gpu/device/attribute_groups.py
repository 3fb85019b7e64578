"""Rows of the host as groups of a device: see `gpu.ops.channel_pass.layout`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.bank.layouts import ARENAS, ERASED_EPOCH
from gpu.bank.segment import SegmentSnapshot, gather, read_ranges
from gpu.device import attribute_groups_kernel as kernel
from gpu.ops.channel_pass.layout import (
    ABSENT,
    ARENA_SHIFT,
    COLUMNS,
    COLUMNS_AT,
    DEAD,
    FORM_COLUMNS,
    UNIT,
    column_units,
    directory_units,
)
from gpu.ops.channel_pass.questions import Held
from gpu.ops.paged_search.op import GROUP

_ARENAS = {Held.TERMS: "terms", Held.ENTITIES: "entities", Held.PLACES: "places", Held.PAIRS: "pairs"}
_DERIVED = ("recalled_after_us", "n_spans")
_READ = (*(name for name in COLUMNS if name not in _DERIVED), "states", "last_recalled_us", "died")
"""`died` is read last: who reads half of an erased row sees then that it is erased."""
_HAS_ABSENT = np.array([name in ABSENT for name in COLUMNS])
_ABSENT = np.array([ABSENT.get(name, 0) for name in COLUMNS], np.int64)


@dataclass(frozen=True, slots=True)
class Groups:
    """Encoded groups, one after the other.

    Attributes:
        units: uint8 `[n, 16]`, their bytes.
        starts: int64 `[g + 1]`, the unit at which each begins, and the end.
        forms: int64 `[g, 3]`, numbers of their records: the form, spans above 32 bits, and the rest.
        rows: int64 `[g]`, of each.
        died: int64 `[rows]`, the epochs that the rows died with.
    """

    units: NDArray[np.uint8]
    starts: NDArray[np.int64]
    forms: NDArray[np.int64]
    rows: NDArray[np.int64]
    died: NDArray[np.int64]


def encode(seen: SegmentSnapshot, first: int, end: int) -> Groups:
    """The groups of rows `first : end`, `first` a multiple of 32, as a snapshot shows them.

    Rows that died are marked; of rows that were erased there is nothing.
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
    states, codes, died = _columns(seen, slots, np.diff(span_offsets))
    bases, widths = np.empty((2, n_groups, len(COLUMNS)), np.int64)
    counts = (died != ERASED_EPOCH).astype(np.uint8)
    kernel.frames(codes, counts, _ABSENT, _HAS_ABSENT, bases, widths)
    # Arenas lie one behind the other for the kernel.
    offsets += np.concatenate([[0], np.cumsum(offsets[:-1, -1])])[:, None]
    held = sum(one.size for one in ids)
    most = n_groups * (COLUMNS_AT // UNIT + directory_units(8, 8) + 2) + len(spans["bounds"]) + 3 * held
    most += sum(column_units(words) for words in widths.sum(axis=1).tolist())
    words = np.zeros(most * UNIT // 4, np.uint32)
    starts = np.zeros(n_groups + 1, np.int64)
    forms = np.zeros((n_groups, 4), np.int64)
    kernel.encode(
        states, bases, widths, codes, np.concatenate(ids), np.concatenate(abouts), offsets,
        np.ascontiguousarray(spans["bounds"]).view(np.uint32).reshape(-1, UNIT // 4), span_offsets,
        words, starts, forms,
    )  # fmt: skip
    rows = np.minimum(GROUP, slots.size - np.arange(n_groups) * GROUP)
    return Groups(
        words[: starts[-1] * (UNIT // 4)].view(np.uint8).reshape(-1, UNIT), starts, _numbers(widths, forms), rows, died
    )


def _columns(
    seen: SegmentSnapshot, slots: NDArray[np.int64], n_spans: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """States, the values of columns as int64 `[columns, n]`, and when the rows died."""
    columns: dict[str, NDArray[Any]] = gather(seen.attributes, _READ, slots)
    recorded = columns["recorded_from_us"]
    columns["recalled_after_us"] = np.maximum(recorded, columns["last_recalled_us"]) - recorded
    columns["n_spans"] = n_spans
    died = columns["died"]
    states = np.full(-(-slots.size // GROUP) * GROUP, DEAD, np.uint8)
    states[: slots.size] = np.where(died > seen.epoch, columns["states"], DEAD)
    values = np.empty((len(COLUMNS), slots.size), np.int64)
    for row, (name, dtype) in zip(values, COLUMNS.items(), strict=True):
        column = columns[name].astype(dtype, copy=False)
        row[:] = column.view(np.uint32) if dtype == np.float32 else column
    return states, values, died


def _numbers(widths: NDArray[np.int64], forms: NDArray[np.int64]) -> NDArray[np.int64]:
    """What records say of groups, int64 `[g, 3]`."""
    own = np.zeros((widths.shape[0], 2, FORM_COLUMNS), np.uint8)
    own[:, 0] = widths[:, :FORM_COLUMNS]
    rest = np.concatenate([widths[:, FORM_COLUMNS:], forms[:, 1:]], axis=1)
    own[:, 1, : rest.shape[1]] = rest
    packed = own.view(np.int64)[:, :, 0]
    return np.stack([packed[:, 0], forms[:, 0] << 32, packed[:, 1]], axis=1)
