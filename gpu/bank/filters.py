"""The part of a filter that a scan evaluates: bit sets, intervals and hashed equality pairs.

Everything here is a conjunction; what cannot be said this way arrives as `allowed`, a set of memories found elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import xxhash
from numpy.typing import NDArray

from gpu.bank.records import Kind, State


class TimeColumn(StrEnum):
    """Numeric columns over which a scan can take an interval."""

    OCCURRED = "occurred_us"
    VALID_FROM = "valid_from_us"
    VALID_TO = "valid_to_us"
    RECORDED_FROM = "recorded_from_us"
    EXPIRES = "expires_us"


class NumberColumn(StrEnum):
    """Floating columns over which a scan can take an interval."""

    IMPORTANCE = "importances"
    TRUST = "trusts"


@dataclass(frozen=True, slots=True)
class Range:
    """`low <= value <= high`; a row whose value is unknown never matches.

    Unknown are `UNKNOWN_US` and, for ends, `NEVER_US`: an end that has not come lies in no interval.
    """

    column: TimeColumn | NumberColumn
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ScanFilter:
    """Which rows of a namespace may be found.

    Attributes:
        kinds: kinds let through; empty means all.
        states: states let through (default: only active).
        any_pairs: groups of pair hashes; a row must carry at least one hash of every group.
        no_pairs: pair hashes that a row must not carry.
        ranges: intervals that must hold.
        now_us: rows whose time to live ended at or before this are left out; None switches that off.
        as_of_us: if given, the versions whose `[recorded_from, recorded_to)` holds this instant are scanned, history
            pages included; else the current versions alone.
        valid_at_us: if given, only rows with `valid_from <= t < valid_to`.
        allowed: uint8 `[m, 16]` memory ids from elsewhere (in any order), or None for no such limit.
    """

    kinds: frozenset[Kind] = frozenset()
    states: frozenset[State] = frozenset({State.ACTIVE})
    any_pairs: tuple[tuple[int, ...], ...] = ()
    no_pairs: tuple[int, ...] = ()
    ranges: tuple[Range, ...] = ()
    now_us: int | None = None
    as_of_us: int | None = None
    valid_at_us: int | None = None
    allowed: NDArray[np.uint8] | None = field(default=None, compare=False)


def pair_hash(name: str, value: str) -> int:
    """Hash of "field `name` equals `value`", 64 bits, the same in every process and release."""
    return xxhash.xxh3_64_intdigest(f"{name}\x1f{value}".encode())
