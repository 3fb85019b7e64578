"""What a query asks of the channels beside the semantic one, and the numbers that the kernel takes of it.

Without torch: whoever asks need not have a device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpu.bank.filters import ScanFilter
from gpu.bank.layouts import ATTRIBUTES
from gpu.ops.entity_scan.op import flat_groups
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
_EVERYTHING = (1 << 63) - 1


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
        own: int64 `[OWN]`, see `triton_kernel`: the fields of a query that do not depend on the batch.
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
    _check(question)
    grouped = [
        *_groups(Held.ENTITIES, question.entities),
        *_groups(Held.PLACES, question.places),
        *(_ids(Held.PAIRS, np.array(group, np.uint64), 0.0) for group in question.scan.any_pairs if group),
        *(_ids(Held.PAIRS, np.array([pair], np.uint64), 0.0, FORBIDDEN) for pair in question.scan.no_pairs),
    ]
    n_grouped = sum(len(part) for part in grouped)
    if question.terms is not None:
        grouped.append(_ids(Held.TERMS, question.terms.ids, question.terms.weights))
    spans = np.empty((0, SPAN_NUMBERS), np.int64)
    if question.spans is not None:
        spans = np.column_stack([question.spans, _bits(1.0 / decay_widths(question.spans))])
    ids = np.concatenate([*grouped, np.empty((0, ID_NUMBERS), np.int64)])
    return Packed(question.listed, _own(question), ids, n_grouped, spans)


def _check(question: Question) -> None:
    if question.scan.as_of_us is not None:
        raise ValueError("closed versions are not on a device")
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


def _groups(arena: Held, groups: Groups | None) -> list[NDArray[np.int64]]:
    """The ids of groups, those of one group together."""
    if groups is None:
        return []
    ids, of = flat_groups(groups.ids)
    return [_ids(arena, ids[of == g], weight) for g, weight in enumerate(groups.weights) if (of == g).any()]


def _ids(
    arena: Held, ids: NDArray[np.generic], weights: NDArray[np.float32] | float, flags: int = 0
) -> NDArray[np.int64]:
    """Asked ids that are one group, or terms."""
    out = np.empty((ids.shape[0], ID_NUMBERS), np.int64)
    out[:, 0] = ids.astype(np.uint64).view(np.int64)
    out[:, 1] = int(arena) | flags
    out[-1:, 1] |= LAST
    out[:, 2] = _bits(weights)
    return out


def _own(question: Question) -> NDArray[np.int64]:
    """Kinds, states, which columns are bounded, lowest and highest values, BM25's penalty, and the time."""
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
    used = 0
    low, high = [0] * (len(TIMES) + len(NUMBERS)), [0] * (len(TIMES) + len(NUMBERS))
    for column, name in enumerate((*TIMES, *NUMBERS)):
        bounds = wanted.times if name in TIMES else wanted.numbers
        own = bounds[bounds[:, 0] == ATTRIBUTES.prefix(name)]
        if own.shape[0]:
            used |= 1 << column
            lowest, highest = own[:, 1].max(), own[:, 2].min()
            if name in NUMBERS:
                low[column], high[column] = _bits([_inside(lowest, np.inf), _inside(highest, -np.inf)]).tolist()
            else:
                low[column], high[column] = int(lowest), int(highest)
    return used, low, high


def _inside(bound: float, towards: float) -> np.float32:
    """The float32 next to a bound that is not outside of it, so that columns of float32 are compared with it."""
    nearest = np.float32(bound)
    is_outside = nearest < bound if towards > 0 else nearest > bound
    return np.nextafter(nearest, np.float32(towards)) if is_outside else nearest


def _bits(values: ArrayLike) -> NDArray[np.int64]:
    """The bits of numbers as float32, in the lower half of an int64."""
    return np.asarray(values, np.float32).view(np.int32).astype(np.int64)
