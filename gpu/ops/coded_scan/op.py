"""Similarity to a query of memories whose vectors are codes: of every eligible one, or of chosen ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.bank.errors import DimensionError, PageOwnershipError
from gpu.bank.layouts import ATTRIBUTES, ERASED_EPOCH, Tier, row_words
from gpu.bank.rows import column
from gpu.bank.segment import SegmentSnapshot
from gpu.native import all_owned, plain
from gpu.ops.coded_scan import kernel
from gpu.tiers.ranking import CAUTION
from gpu.tiers.rotation import rotation
from gpu.tiers.scores import whole_query

_COLUMNS = ATTRIBUTES.prefixes("first_code", "n_code", "tiers", "died")


def coded_scan(
    segment: SegmentSnapshot, query: NDArray[np.float32], eligible: NDArray[np.uint8], out: NDArray[np.float32]
) -> None:
    """Raise `out` for each eligible memory with codes to the largest cautious estimate over its views.

    Args:
        segment: what to scan.
        query: float32 `[dim]`, finite.
        eligible: uint8 `[n_slots]`, from the filter scan.
        out: float32 `[n_slots]`.

    Raises:
        DimensionError: the query has another dimension than the segment.
        PageOwnershipError: a page does not belong to this segment.
    """
    if not segment.n_words:
        return
    slots = np.flatnonzero(eligible & (column(segment.attributes, "tiers", segment.n_slots) > 0))
    if slots.size:
        out[slots] = np.maximum(out[slots], coded_of(segment, query, slots))


def coded_of(segment: SegmentSnapshot, query: NDArray[np.float32], slots: NDArray[np.int64]) -> NDArray[np.float32]:
    """The same score of chosen memories, by the same arithmetic.

    Args:
        segment: where they are.
        query: float32 `[dim]`, finite.
        slots: int64 `[m]`, in any order, repeated ones too.

    Returns:
        float32 `[m]`; -inf for a memory without codes, or that was erased in the meantime.

    Raises:
        DimensionError: the query has another dimension than the segment.
        PageOwnershipError: a page does not belong to this segment.
    """
    if query.shape != (segment.dim,):
        raise DimensionError(f"query vector has shape {query.shape}, the namespace has dimension {segment.dim}")
    out = np.full(slots.shape[0], -np.inf, np.float32)
    if not segment.n_words:
        return out
    if not all(all_owned(table.entries, table.owner) for table in (segment.attributes, segment.coded)):
        raise PageOwnershipError("a page that was to be read belongs to somebody else")
    turned = plain(rotation(segment.dim).turn(query), np.float32)
    low, high, step, shift = whole_query(turned)
    kernel.score_slots(
        segment.attributes.entries,
        _COLUMNS,
        segment.coded.entries,
        np.array([0, row_words(Tier.INT8, segment.dim), row_words(Tier.INT4, segment.dim)]),
        turned,
        plain(low, np.int16),
        plain(high, np.int16),
        step,
        shift,
        np.float32(np.square(turned, dtype=np.float64).sum()),
        np.float32(CAUTION),
        plain(slots, np.int64),
        ERASED_EPOCH,
        out,
    )
    return out
