"""Similarity of every eligible memory to a query vector."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.bank.errors import DimensionError, PageOwnershipError
from gpu.bank.segment import SegmentSnapshot
from gpu.native import plain
from gpu.ops.dense_scan import kernel


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
    if query.shape != (segment.dim,):
        raise DimensionError(f"query vector has shape {query.shape}, the namespace has dimension {segment.dim}")
    out.fill(-np.inf)
    prefixes = segment.codes.layout.prefixes("slot", "vectors")
    query = plain(query, np.float32)
    if not kernel.scan_pages(
        segment.codes.entries, segment.codes.owner, prefixes, segment.n_views, query, eligible, out
    ):
        raise PageOwnershipError("a code page belongs to somebody else")
