"""What a query asks of the channels beside the semantic one, and the numbers that the kernel takes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from gpu.bank.filters import ScanFilter
from gpu.bank.layouts import ATTRIBUTES
from gpu.ops.channel_pass.layout import NUMBERS, TIMES, Held
from gpu.ops.entity_scan.op import flat_groups
from gpu.ops.filter_scan.op import FilterPlan
from gpu.ops.filter_scan.op import plan as filter_plan
from gpu.ops.interval_scan.op import decay_widths

ID_NUMBERS = 3
"""Numbers of an asked id: the id, its arena with the two flags, what its group is worth (float32 bits)."""
SPAN_NUMBERS = 3
"""Numbers of an asked span: start, end, and over what a miss decays (float64 bits)."""
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
        spans = np.column_stack([question.spans, decay_widths(question.spans).view(np.int64)])
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
    out[:, 2] = np.broadcast_to(np.asarray(weights, np.float32), ids.shape).copy().view(np.int32)
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
    penalty = np.array([flat, slope], np.float32).view(np.int32)
    now = 0 if question.now_us is None else question.now_us
    return np.array([kinds, states, used, *low, *high, *penalty.tolist(), now], np.int64)


def _bounds(wanted: FilterPlan) -> tuple[int, list[int], list[int]]:
    """Bits of the columns that a filter bounds, and the bounds of all: int64, or bits of float64."""
    used = 0
    low, high = [0] * (len(TIMES) + len(NUMBERS)), [0] * (len(TIMES) + len(NUMBERS))
    for columns, bounds, first in ((TIMES, wanted.times, 0), (NUMBERS, wanted.numbers, len(TIMES))):
        for at, name in enumerate(columns):
            own = bounds[bounds[:, 0] == ATTRIBUTES.prefix(name)]
            if own.shape[0]:
                used |= 1 << (first + at)
                low[first + at] = int(own[:, 1].max().view(np.int64))
                high[first + at] = int(own[:, 2].min().view(np.int64))
    return used, low, high
