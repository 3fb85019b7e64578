"""What a query asks of the channels beside the semantic one, and the numbers that the kernel takes of it.

Without torch: whoever asks need not have a device.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpu.bank.filters import ScanFilter
from gpu.ops.filter_scan.op import bounds, code_bits


class Held(IntEnum):
    """Arenas whose ids are entries."""

    TERMS = 0
    ENTITIES = 1
    PLACES = 2
    PAIRS = 3


TIMES = ("occurred_us", "valid_from_us", "valid_to_us", "recorded_from_us", "expires_us")
"""Columns of int64 that a filter may bound, in the order of the tile."""
NUMBERS = ("importances", "trusts")
"""The same of float32."""

ID_NUMBERS = 3
"""Numbers of an asked id: the id, its arena with the two flags, what its group is worth (float32 bits)."""
SPAN_NUMBERS = 3
"""Numbers of an asked span: start, end, and the inverse of the width over which a miss decays (float32 bits)."""
LAST, FORBIDDEN = 1 << 8, 1 << 9
"""Flags of an asked id: the last of its group; a pair that a row must not carry."""
_COLUMN_AT = {name: column for column, name in enumerate((*TIMES, *NUMBERS))}
"""Columns that a filter may bound."""
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
_NO_SPANS = np.empty((0, 2), np.int64)
_as_bits, _as_float = struct.Struct("<i"), struct.Struct("<f")


class Listed(IntEnum):
    """The lists that the pass gives beside that of the vectors."""

    KEYWORD = 0
    ENTITY = 1
    TEMPORAL = 2
    PLACE = 3
    RETENTION = 4


@dataclass(frozen=True, slots=True)
class Terms:
    """What BM25 asks: see `gpu.ops.bm25_scan`. Ids uint32 `[q]`, distinct; weights float32 `[q]`."""

    ids: NDArray[np.uint32]
    weights: NDArray[np.float32]
    k1: float
    b: float
    mean_length: float


@dataclass(frozen=True, slots=True)
class Groups:
    """Ids of which a memory should hold some: groups of equivalent ids (aliases), and what each group is worth.

    Groups: uint64 `[a]` each; an id that stands in several counts in the first. Weights: float32 `[g]`.
    """

    ids: Sequence[NDArray[np.uint64]]
    weights: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Question:
    """What one query asks; None where it asks nothing.

    Attributes:
        scan: which memories may be found; without `as_of_us`, for closed versions are not on a device.
        terms: for the keyword list.
        entities: for the entity list; a memory scores the sum of the weights of the groups that it mentions.
        places: the same over places.
        spans: for the temporal list, int64 `[w, 2]`, see `gpu.ops.interval_scan`.
        now_us: for the retention list, the time at which it is asked for.
    """

    scan: ScanFilter = field(default_factory=ScanFilter)
    terms: Terms | None = None
    entities: Groups | None = None
    places: Groups | None = None
    spans: NDArray[np.int64] | None = None
    now_us: int | None = None

    @property
    def listed(self) -> tuple[Listed, ...]:
        """The lists that it asks for, in their order."""
        parts = (self.terms, self.entities, self.spans, self.places, self.now_us)  # in the order of the lists
        return tuple(which for which, part in zip(_LISTS, parts, strict=True) if part is not None)


_LISTS = tuple(Listed)


@dataclass(frozen=True, slots=True)
class Packed:
    """A question as numbers; plain lists, for arrays of a few numbers take longer than the numbers do.

    Attributes:
        listed: see `Question.listed`.
        own: the fields of a query from `Field.KINDS` on.
        ids: the asked ids: pairs, entities and places, which come in groups, then terms.
        roles: of each its arena and flags.
        worths: what its group is worth, bits of float32.
        n_grouped: how many of them are no terms.
        spans: int64 `[w, 2]`.
    """

    listed: tuple[Listed, ...]
    own: list[int]
    ids: list[int]
    roles: list[int]
    worths: list[int]
    n_grouped: int
    spans: NDArray[np.int64]


def pack(question: Question) -> Packed:
    """The numbers of a question. `scan.allowed` is not among them: such a filter comes as a mask.

    Raises:
        ValueError: it asks for closed versions, or its parts do not fit together.
    """
    if question.scan.as_of_us is not None:
        raise ValueError("closed versions are not on a device")
    check(question)
    asked = _Asked([], [], [])
    for group in question.scan.any_pairs:
        asked.add(group, int(Held.PAIRS), LAST, 0)
    for pair in question.scan.no_pairs:
        asked.add((pair,), int(Held.PAIRS), LAST | FORBIDDEN, 0)
    asked.add_groups(int(Held.ENTITIES), question.entities)
    asked.add_groups(int(Held.PLACES), question.places)
    n_grouped = len(asked.ids)
    if (terms := question.terms) is not None:
        asked.ids.extend(terms.ids.tolist())
        asked.roles.extend([int(Held.TERMS)] * len(terms.ids))
        asked.worths.extend(_bits_of(terms.weights))
    spans = _NO_SPANS if question.spans is None else question.spans
    return Packed(question.listed, _own(question), asked.ids, asked.roles, asked.worths, n_grouped, spans)


def check(question: Question) -> None:
    """Looks whether the parts of a question fit together.

    Raises:
        ValueError: they do not.
    """
    if (terms := question.terms) is not None:
        if terms.ids.ndim != 1 or terms.ids.shape != terms.weights.shape:
            raise ValueError("term ids and weights must be [q]")
        if terms.k1 < 0 or not 0 <= terms.b <= 1:
            raise ValueError("k1 must be >= 0 and b between 0 and 1")
    for groups in (question.entities, question.places):
        if groups is not None and groups.weights.shape != (len(groups.ids),):
            raise ValueError("there must be a weight for each group")
    if (spans := question.spans) is not None and (
        spans.ndim != 2 or spans.shape[1] != 2 or not all(start < end for start, end in spans.tolist())
    ):
        raise ValueError("spans must be [w, 2], each with a start before its end")


class _Asked(NamedTuple):
    """Asked ids as they are gathered, see `Packed`."""

    ids: list[int]
    roles: list[int]
    worths: list[int]

    def add_groups(self, arena: int, groups: Groups | None) -> None:
        """Adds the asked ids of groups, those of one group together; an id that stands in several is in the first."""
        if groups is None:
            return
        seen: set[int] = set()
        for group, worth in zip(groups.ids, _bits_of(groups.weights), strict=True):
            own = [one for one in dict.fromkeys(np.asarray(group, np.uint64).tolist()) if one not in seen]
            seen.update(own)
            self.add(own, arena, LAST, worth)

    def add(self, ids: Sequence[int], arena: int, flags: int, worth: int) -> None:
        """Adds the asked ids of one group, the last of them with the flags."""
        if ids:
            self.ids.extend(ids)
            self.roles.extend([arena] * (len(ids) - 1))
            self.roles.append(arena | flags)
            self.worths.extend([worth] * len(ids))


def _own(question: Question) -> list[int]:
    """The fields from `Field.KINDS` on, in their order."""
    scan = question.scan
    used, low, high = _bounds(scan)
    # No row carries one of no pairs.
    kinds = code_bits(scan.kinds) if all(scan.any_pairs) else 0
    flat, slope = 0.0, 0.0
    if (terms := question.terms) is not None:
        flat, slope = terms.k1 * (1 - terms.b), terms.k1 * terms.b / max(terms.mean_length, 1e-9)
    now = 0 if question.now_us is None else question.now_us
    return [kinds, code_bits(scan.states), used, *low, *high, _bits(flat), _bits(slope), now]


def _bounds(scan: ScanFilter) -> tuple[int, list[int], list[int]]:
    """Bits of the columns that a filter bounds, and the bounds of all: int64, or bits of float32.

    Any time is between those of a time that it does not bound.
    """
    found: dict[int, tuple[float, float]] = {}
    times, numbers = bounds(scan)
    for name, low, high in (*times, *numbers):
        column = _COLUMN_AT[name]
        lowest, highest = found.get(column, (low, high))
        found[column] = max(low, lowest), min(high, highest)
    n_times, n_numbers = len(TIMES), len(NUMBERS)
    lows, highs = [_LEAST] * n_times + [0] * n_numbers, [_MOST] * n_times + [0] * n_numbers
    used = 0
    for column, (low, high) in found.items():
        used |= 1 << column
        if column < len(TIMES):
            lows[column], highs[column] = int(low), int(high)
        else:
            lows[column], highs[column] = _bound_bits(low, math.inf), _bound_bits(high, -math.inf)
    return used, lows, highs


@lru_cache(maxsize=256)
def _bound_bits(bound: float, towards: float) -> int:
    """The float32 next to a bound that is not outside of it: columns of float32 are compared with that."""
    nearest = np.float32(bound)
    is_outside = float(nearest) < bound if towards > 0 else float(nearest) > bound
    return _bits(float(np.nextafter(nearest, np.float32(towards)) if is_outside else nearest))


def _bits(value: float) -> int:
    """The bits of a number as float32."""
    bits: int = _as_bits.unpack(_as_float.pack(value))[0]
    return bits


def _bits_of(values: NDArray[np.float32]) -> list[int]:
    """The same of many."""
    bits: list[int] = np.asarray(values, np.float32).view(np.int32).tolist()
    return bits
