"""The BM25 scan over the term arena, compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.native import jit, owned, uint16_at, uint32_at

_HEADER = 64
_MARKS = 16384
"""Marks of the first look: most terms of a memory are settled by one byte of a table that fits the first-level cache."""


@jit
def scan_pages(
    entries: NDArray[np.int64],
    owner: int,
    prefixes: NDArray[np.int64],
    term_entries: NDArray[np.int64],
    query_terms: NDArray[np.uint32],
    query_weights: NDArray[np.float32],
    k1: float,
    b: float,
    mean_length: float,
    eligible: NDArray[np.uint8],
    out: NDArray[np.float32],
) -> bool:
    """Write the BM25 score of every eligible row (0 where no term matches), -inf for the others.

    Args:
        entries, owner: the attribute pages.
        prefixes: bytes per element before the columns first_term, n_terms, lengths of the attribute pages and ids,
            freqs of the term arena.
        term_entries: pages of the term arena.
        query_terms, query_weights: distinct terms, uint32 `[q]`, and what each is worth, float32 `[q]`.
        k1, b, mean_length: the parameters of the formula.
        eligible: uint8 `[n_slots]`.
        out: float32 `[n_slots]`.

    Returns:
        False if a page belongs to somebody else.
    """
    marks = np.zeros(_MARKS, np.uint8)
    for q in range(query_terms.shape[0]):
        marks[query_terms[q] & np.uint32(_MARKS - 1)] = 1
    flat, slope = k1 * (1.0 - b), k1 * b / max(mean_length, 1e-9)
    page = -1
    page_end = np.int64(0)
    page_start = np.int64(0)
    ids = uint32_at(entries[0, 0], 0)
    freqs = uint16_at(entries[0, 0], 0)
    for p in range(entries.shape[0]):
        address, start, capacity = entries[p, 0], entries[p, 1], entries[p, 2]
        if not owned(address, owner, entries[p, 3]):
            return False
        n = min(capacity, out.shape[0] - start)
        if n <= 0:
            break
        base = address + _HEADER
        firsts = uint32_at(base + prefixes[0] * capacity, n)
        counts = uint32_at(base + prefixes[1] * capacity, n)
        lengths = uint32_at(base + prefixes[2] * capacity, n)
        for i in range(n):
            if not eligible[start + i]:
                out[start + i] = -np.inf
                continue
            out[start + i] = 0.0
            count = np.int64(counts[i])
            if count == 0:
                continue
            first = np.int64(firsts[i])
            if first >= page_end:
                while first >= page_end:
                    page += 1
                    page_start = term_entries[page, 1]
                    page_end = page_start + term_entries[page, 2]
                where, room = term_entries[page, 0], term_entries[page, 2]
                if not owned(where, owner, term_entries[page, 3]):
                    return False
                ids = uint32_at(where + _HEADER + prefixes[3] * room, room)
                freqs = uint16_at(where + _HEADER + prefixes[4] * room, room)
            if first < page_start or first + count > page_end:
                continue  # erased while we read it
            first -= page_start
            hit = np.uint8(0)
            for j in range(first, first + count):
                hit |= marks[ids[j] & np.uint32(_MARKS - 1)]
            if not hit:
                continue
            penalty = flat + slope * lengths[i]
            score = 0.0
            for j in range(first, first + count):
                if marks[ids[j] & np.uint32(_MARKS - 1)]:
                    for q in range(query_terms.shape[0]):
                        if query_terms[q] == ids[j]:
                            score += query_weights[q] * freqs[j] / (freqs[j] + penalty)
            out[start + i] = score
    return True
