"""What a query asks of the channels beside the semantic one, and the numbers that the kernel takes of it.

Without torch: whoever asks need not have a device.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpu.bank.filters import ScanFilter
from gpu.bank.layouts import ATTRIBUTES
from gpu.ops.filter_scan.op import FilterPlan
from gpu.ops.filter_scan.op import plan as filter_plan
from gpu.ops.interval_scan.op import decay_widths


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
_COLUMN_AT = {int(ATTRIBUTES.prefix(name)): column for column, name in enumerate((*TIMES, *NUMBERS))}
"""Columns that a filter may bound, by where they are in the host's pages."""


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
    def listed(self) -> frozenset[Listed]:
        """The lists that it asks for."""
        parts = {
            Listed.KEYWORD: self.terms,
            Listed.ENTITY: self.entities,
            Listed.TEMPORAL: self.spans,
            Listed.PLACE: self.places,
            Listed.RETENTION: self.now_us,
        }
        return frozenset(which for which, part in parts.items() if part is not None)


@dataclass(frozen=True, slots=True)
class Packed:
    """A question as numbers.

    Attributes:
        listed: see `Question.listed`.
        own: int64, the fields of a query from `Field.KINDS` on.
        ids: int64 `[m, ID_NUMBERS]`, those that come in groups first, then terms.
        n_grouped: how many of them are no terms.
        spans: int64 `[w, SPAN_NUMBERS]`.
    """

    listed: frozenset[Listed]
    own: NDArray[np.int64]
    ids: NDArray[np.int64]
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
    ids = [
        *_groups(Held.ENTITIES, question.entities),
        *_groups(Held.PLACES, question.places),
        *(one for group in question.scan.any_pairs for one in _group(Held.PAIRS, group, 0)),
        *((pair, Held.PAIRS | LAST | FORBIDDEN, 0) for pair in question.scan.no_pairs),
    ]
    n_grouped = len(ids)
    if (terms := question.terms) is not None:
        ids += [
            (term, int(Held.TERMS), weight)
            for term, weight in zip(terms.ids.tolist(), _bits(terms.weights).tolist(), strict=True)
        ]
    table = np.empty((len(ids), ID_NUMBERS), np.int64)
    if ids:
        held, roles, worths = zip(*ids, strict=True)
        table[:, 0] = np.array(held, np.uint64).view(np.int64)
        table[:, 1], table[:, 2] = roles, worths
    spans = np.empty((0, SPAN_NUMBERS), np.int64)
    if question.spans is not None:
        spans = np.column_stack([question.spans, _bits(1.0 / decay_widths(question.spans))])
    return Packed(question.listed, _own(question), table, n_grouped, spans)


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
        spans.ndim != 2 or spans.shape[1] != 2 or not (spans[:, 0] < spans[:, 1]).all()
    ):
        raise ValueError("spans must be [w, 2], each with a start before its end")


def _groups(arena: Held, groups: Groups | None) -> Iterator[tuple[int, int, int]]:
    """The asked ids of groups, those of one group together; an id that stands in several is in the first."""
    if groups is None:
        return
    seen: set[int] = set()
    for group, weight in zip(groups.ids, _bits(groups.weights).tolist(), strict=True):
        own = [one for one in dict.fromkeys(np.asarray(group, np.uint64).tolist()) if one not in seen]
        seen.update(own)
        yield from _group(arena, own, weight)


def _group(arena: Held, ids: Sequence[int], weight: int) -> Iterator[tuple[int, int, int]]:
    """The asked ids of one group: each with its arena, the last marked as such, and what the group is worth."""
    for place, one in enumerate(ids):
        yield one, int(arena) | (LAST if place == len(ids) - 1 else 0), weight


def _own(question: Question) -> NDArray[np.int64]:
    """The fields from `Field.KINDS` on, in their order."""
    wanted = filter_plan(question.scan)
    used, low, high = _bounds(wanted)
    kinds, states = wanted.kind_bits, wanted.state_bits
    if not all(question.scan.any_pairs):  # no row carries one of no pairs
        kinds = 0
    flat, slope = 0.0, 0.0
    if (terms := question.terms) is not None:
        flat, slope = terms.k1 * (1 - terms.b), terms.k1 * terms.b / max(terms.mean_length, 1e-9)
    now = 0 if question.now_us is None else question.now_us
    return np.array([kinds, states, used, *low, *high, *_bits([flat, slope]).tolist(), now], np.int64)


def _bounds(wanted: FilterPlan) -> tuple[int, list[int], list[int]]:
    """Bits of the columns that a filter bounds, and the bounds of all: int64, or bits of float32."""
    bounds: dict[int, tuple[float, float]] = {}
    for prefix, low, high in (*wanted.times.tolist(), *wanted.numbers.tolist()):
        column = _COLUMN_AT[int(prefix)]
        lowest, highest = bounds.get(column, (low, high))
        bounds[column] = max(low, lowest), min(high, highest)
    used = sum(1 << column for column in bounds)
    lows, highs = [0] * len(_COLUMN_AT), [0] * len(_COLUMN_AT)
    for column, (low, high) in bounds.items():
        if column < len(TIMES):
            lows[column], highs[column] = int(low), int(high)
        else:
            lows[column], highs[column] = _bits([_inside(low, np.inf), _inside(high, -np.inf)]).tolist()
    return used, lows, highs


def _inside(bound: float, towards: float) -> np.float32:
    """The float32 next to a bound that is not outside of it: columns of float32 are compared with that."""
    nearest = np.float32(bound)
    is_outside = float(nearest) < bound if towards > 0 else float(nearest) > bound
    return np.nextafter(nearest, np.float32(towards)) if is_outside else nearest


def _bits(values: ArrayLike) -> NDArray[np.int64]:
    """The bits of numbers as float32, in the lower half of an int64."""
    return np.asarray(values, np.float32).view(np.int32).astype(np.int64)
