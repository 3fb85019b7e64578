"""BM25 of every eligible memory for the terms of a query."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.bank.errors import PageOwnershipError
from gpu.bank.layouts import ATTRIBUTES, TERMS
from gpu.bank.segment import SegmentSnapshot
from gpu.native import plain
from gpu.ops.bm25_scan import chosen_kernel, kernel

_PREFIXES = np.concatenate([ATTRIBUTES.prefixes("first_term", "n_terms", "lengths"), TERMS.prefixes("ids", "freqs")])


def bm25_scan(
    segment: SegmentSnapshot,
    term_ids: NDArray[np.uint32],
    query_weights: NDArray[np.float32],
    k1: float,
    b: float,
    mean_length: float,
    eligible: NDArray[np.uint8],
    out: NDArray[np.float32],
) -> None:
    """Write the score of each eligible memory.

    Args:
        segment: what to scan.
        term_ids: uint32 `[q]`, distinct hashed terms of the query.
        query_weights: float32 `[q]`, idf times what the query gives the term.
        k1: saturation, >= 0.
        b: length normalisation, 0 to 1.
        mean_length: mean number of tokens of the memories.
        eligible: uint8 `[n_slots]`, from the filter scan.
        out: float32 `[n_slots]`, overwritten: 0 where no term matches, -inf for memories that are not eligible.

    Raises:
        ValueError: terms and weights differ in number, or a parameter is out of range.
        PageOwnershipError: a page does not belong to this segment.
    """
    _check(term_ids, query_weights, k1, b)
    if segment.n_slots == 0:
        return
    fine = kernel.scan_pages(
        segment.attributes.entries,
        segment.attributes.owner,
        _PREFIXES,
        segment.terms.entries,
        plain(term_ids, np.uint32),
        plain(query_weights, np.float32),
        np.float32(k1 * (1 - b)),
        np.float32(k1 * b / max(mean_length, 1e-9)),
        eligible,
        out,
    )
    if not fine:
        raise PageOwnershipError("an attribute or term page belongs to somebody else")


def bm25_of(
    segment: SegmentSnapshot,
    term_ids: NDArray[np.uint32],
    query_weights: NDArray[np.float32],
    k1: float,
    b: float,
    mean_length: float,
    slots: NDArray[np.int64],
) -> NDArray[np.float32]:
    """The same score of chosen memories, to the last bit, at the cost of these alone.

    Args:
        segment, term_ids, query_weights, k1, b, mean_length: see `bm25_scan`.
        slots: of the segment, int64 `[m]`, in any order.

    Returns:
        float32 `[m]`; 0 where no term matches.

    Raises:
        ValueError: terms and weights differ in number, or a parameter is out of range.
        PageOwnershipError: a page does not belong to this segment.
    """
    _check(term_ids, query_weights, k1, b)
    out = np.empty(slots.shape[0], np.float32)
    fine = chosen_kernel.score_slots(
        segment.attributes.entries,
        segment.attributes.owner,
        _PREFIXES,
        segment.terms.entries,
        plain(term_ids, np.uint32),
        plain(query_weights, np.float32),
        np.float32(k1 * (1 - b)),
        np.float32(k1 * b / max(mean_length, 1e-9)),
        plain(slots, np.int64),
        out,
    )
    if not fine:
        raise PageOwnershipError("an attribute or term page belongs to somebody else")
    return out


def _check(term_ids: NDArray[np.uint32], query_weights: NDArray[np.float32], k1: float, b: float) -> None:
    if term_ids.shape != query_weights.shape or term_ids.ndim != 1:
        raise ValueError("term_ids and query_weights must be [q]")
    if k1 < 0 or not 0 <= b <= 1:
        raise ValueError("k1 must be >= 0 and b between 0 and 1")
