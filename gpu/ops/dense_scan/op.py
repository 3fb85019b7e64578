"""Similarity of memories to a query vector: of every eligible one, or of chosen ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.bank.errors import DimensionError, PageOwnershipError
from gpu.bank.layouts import ATTRIBUTES, ERASED_EPOCH
from gpu.bank.segment import SegmentSnapshot
from gpu.native import all_owned, plain
from gpu.ops.dense_scan import chosen_kernel, kernel

_RANGE = ATTRIBUTES.prefixes("first_view", "n_views", "died")


def dense_scan(
    segment: SegmentSnapshot, query: NDArray[np.float32], eligible: NDArray[np.uint8], out: NDArray[np.float32]
) -> None:
    """Write for each eligible memory the largest dot product over its views.

    Args:
        segment: what to scan.
        query: float32 `[dim]`.
        eligible: uint8 `[n_slots]`, from the filter scan.
        out: float32 `[n_slots]`, overwritten; -inf for memories that are not eligible or have no vector.

    Raises:
        DimensionError: the query has another dimension than the segment.
        PageOwnershipError: a page does not belong to this segment.
    """
    _check_dimension(segment, query)
    out.fill(-np.inf)
    prefixes = segment.codes.layout.prefixes("slot", "vectors")
    query = plain(query, np.float32)
    if not kernel.scan_pages(
        segment.codes.entries, segment.codes.owner, prefixes, segment.n_views, query, eligible, out
    ):
        raise PageOwnershipError("a code page belongs to somebody else")


def dense_of(segment: SegmentSnapshot, query: NDArray[np.float32], slots: NDArray[np.int64]) -> NDArray[np.float32]:
    """The same score of chosen memories, by the same arithmetic.

    Args:
        segment: where they are.
        query: float32 `[dim]`.
        slots: int64 `[m]`, in any order, repeated ones too.

    Returns:
        float32 `[m]`; -inf for a memory without a vector, or that was erased in the meantime.

    Raises:
        DimensionError: the query has another dimension than the segment.
        PageOwnershipError: a page does not belong to this segment.
    """
    _check_dimension(segment, query)
    if not all(all_owned(table.entries, table.owner) for table in (segment.attributes, segment.codes)):
        raise PageOwnershipError("a page that was to be read belongs to somebody else")
    out = np.empty(slots.shape[0], np.float32)
    chosen_kernel.score_slots(
        segment.attributes.entries,
        _RANGE,
        segment.codes.entries,
        segment.codes.layout.prefix("vectors"),
        plain(query, np.float32),
        plain(slots, np.int64),
        ERASED_EPOCH,
        out,
    )
    return out


def _check_dimension(segment: SegmentSnapshot, query: NDArray[np.float32]) -> None:
    if query.shape != (segment.dim,):
        raise DimensionError(f"query vector has shape {query.shape}, the namespace has dimension {segment.dim}")
