"""Which rows of a segment a filter lets through."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gpu import id_set
from gpu.bank.errors import PageOwnershipError
from gpu.bank.filters import NumberColumn, ScanFilter, TimeColumn
from gpu.bank.layouts import ATTRIBUTES
from gpu.bank.records import NEVER_US, UNKNOWN_US, Kind, State
from gpu.bank.segment import SegmentSnapshot
from gpu.ops.filter_scan import kernel

_PREFIXES = ATTRIBUTES.prefixes("died", "kinds", "states", "memory_id")
_PAIR_PREFIXES = ATTRIBUTES.prefixes("first_pair", "n_pairs")
_MOST_GROUPS = 62
"""Groups of pairs that one pass over the pairs can tell apart (bits of a word)."""
_EVERYTHING = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class FilterPlan:
    """A filter in the form that the kernel takes, made once for a recall. See `kernel.filter_pages`."""

    kind_bits: int
    state_bits: int
    times: NDArray[np.int64]
    numbers: NDArray[np.float64]
    pair_passes: tuple[tuple[NDArray[np.uint64], NDArray[np.int64], int], ...]
    allowed: NDArray[np.uint64] | None


def plan(scan: ScanFilter) -> FilterPlan:
    """Translate a filter, see `bounds`."""
    times, numbers = bounds(scan)
    return FilterPlan(
        kind_bits=code_bits(scan.kinds),
        state_bits=code_bits(scan.states),
        times=np.array([(_prefix(name), *of) for name, *of in times], np.int64).reshape(-1, 3),
        numbers=np.array([(_prefix(name), *of) for name, *of in numbers], np.float64).reshape(-1, 3),
        pair_passes=_pair_passes(scan),
        allowed=None if scan.allowed is None else id_set.build(scan.allowed),
    )


def bounds(scan: ScanFilter) -> tuple[list[tuple[str, int, int]], list[tuple[str, float, float]]]:
    """What columns of times and of numbers must lie between, both ends included; a column may come several times.

    Intervals of all sources (ranges, expiry, validity, recording) become `low <= column <= high`. In a range an unknown
    start and an end that has not come match nothing; in expiry, validity and recording they count as open.
    """
    times: list[tuple[str, int, int]] = []
    numbers: list[tuple[str, float, float]] = []
    for item in scan.ranges:
        if isinstance(item.column, NumberColumn):
            numbers.append((item.column.value, item.low, item.high))
        else:
            times.append((item.column.value, *_whole(item.column, item.low, item.high)))
    if scan.now_us is not None:
        times.append(("expires_us", scan.now_us + 1, NEVER_US))
    for instant, start, end in (
        (scan.valid_at_us, "valid_from_us", "valid_to_us"),
        (scan.as_of_us, "recorded_from_us", "recorded_to_us"),
    ):
        if instant is not None:
            times.append((start, UNKNOWN_US, instant))
            times.append((end, instant + 1, NEVER_US))
    return times, numbers


@lru_cache(maxsize=64)
def code_bits(codes: frozenset[Kind] | frozenset[State]) -> int:
    """A bit for each code that is let through; all of them for an empty set."""
    return sum(1 << int(code) for code in codes) or _EVERYTHING


def filter_scan(segment: SegmentSnapshot, wanted: FilterPlan, out: NDArray[np.uint8], first_page: int = 0) -> int:
    """Evaluate a filter over the rows of a segment.

    Args:
        segment: what to scan.
        wanted: the filter, from `plan`.
        out: uint8 `[n]`, filled with 1 for the rows that match and 0 for the others.
        first_page: the attribute page that the first of the n rows is the first of.

    Returns:
        How many rows match.

    Raises:
        PageOwnershipError: a page does not belong to this segment.
    """
    entries = segment.attributes.entries
    n_rows = segment.n_slots
    if first_page:
        entries = entries[first_page:].copy()
        n_rows -= int(entries[0, 1])
        entries[:, 1] -= entries[0, 1]
    if out.shape != (n_rows,) or out.dtype != np.uint8:
        raise ValueError(f"out must be uint8 [{n_rows}]")
    matches: int = kernel.filter_pages(
        entries,
        segment.attributes.owner,
        _PREFIXES,
        segment.epoch,
        wanted.kind_bits,
        wanted.state_bits,
        wanted.times,
        wanted.numbers,
        wanted.allowed is not None,
        _NO_TABLE if wanted.allowed is None else wanted.allowed,
        out,
    )
    for hashes, groups, needed in wanted.pair_passes if matches > 0 else ():
        matches = kernel.filter_pairs(
            entries,
            segment.attributes.owner,
            _PAIR_PREFIXES,
            segment.pairs.entries,
            hashes,
            groups,
            needed,
            out,
        )
    if matches < 0:
        raise PageOwnershipError("an attribute or pair page belongs to somebody else")
    return matches


_NO_TABLE = np.zeros((1, 3), np.uint64)


def _pair_passes(scan: ScanFilter) -> tuple[tuple[NDArray[np.uint64], NDArray[np.int64], int], ...]:
    """The groups of pairs in portions that a pass can tell apart: hashes, group of each, bits of the needed groups.

    All forbidden pairs are one group, the last.
    """
    passes = []
    groups = [*scan.any_pairs, scan.no_pairs] if scan.no_pairs else list(scan.any_pairs)
    for at in range(0, len(groups), _MOST_GROUPS):
        part = groups[at : at + _MOST_GROUPS]
        needed = sum(1 << g for g in range(len(part)) if at + g < len(scan.any_pairs))
        flat = np.array([pair for group in part for pair in group], np.uint64)
        owners = np.repeat(np.arange(len(part), dtype=np.int64), [len(group) for group in part])
        passes.append((flat, owners, needed))
    return tuple(passes)


def _prefix(name: str) -> int:
    return ATTRIBUTES.prefix(name)


def _whole(column: TimeColumn, low: float, high: float) -> tuple[int, int]:
    """Integer bounds of an interval; sentinels stay outside."""
    first = UNKNOWN_US + 1 if low < -(2.0**63) + 2048 else math.ceil(min(low, 2.0**62))
    last = NEVER_US - 1 if high >= 2.0**63 - 2048 else math.floor(max(high, -(2.0**62)))
    return max(first, UNKNOWN_US + 1), min(last, NEVER_US - 1)
