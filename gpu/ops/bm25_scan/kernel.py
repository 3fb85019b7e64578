"""The BM25 scan over the term arena, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.native import jit, owned, uint16_at, uint32_at

_HEADER = 64
_FEWEST_MARKS = 8192


@jit
def _mark(query_terms: NDArray[np.uint32]) -> NDArray[np.uint16]:
    """A sparse table, small enough for the first-level cache: 0, or 1 + the place of a query term that hashes here."""
    size = _FEWEST_MARKS
    while size < 8 * query_terms.shape[0]:
        size *= 2
    marks = np.zeros(size, np.uint16)
    mask = np.uint32(size - 1)
    for q in range(query_terms.shape[0]):
        at = query_terms[q] & mask
        while marks[at]:
            at = (at + np.uint32(1)) & mask
        marks[at] = q + 1
    return marks


@jit
def _mark_terms(
    ids: NDArray[np.uint32], first: Any, end: Any, marks: NDArray[np.uint16], hits: NDArray[np.int64]
) -> Any:
    """Positions from `first` to `end` whose terms deserve a second look, into `hits`; how many.

    Settled without a branch: no guess, no wrong guess.
    """
    mask = np.uint32(marks.shape[0] - 1)
    n_hits: Any = 0
    for j in range(first, end):
        hits[n_hits] = j
        n_hits += np.int64(marks[ids[j] & mask] != 0)
    return n_hits


@jit
def _next_hit(hits: NDArray[np.int64], n_hits: int, at: int, position: Any) -> Any:
    """From `at` on, the first hit at or after a position; `n_hits` if there is none."""
    while at < n_hits and hits[at] < position:
        at += 1
    return at


@jit
def _term_score(
    term: np.uint32,
    tf: np.float32,
    query: tuple[NDArray[np.uint32], NDArray[np.float32], NDArray[np.uint16]],
    penalty: np.float32,
) -> Any:
    """What a term adds to the score: 0 if the query does not have it."""
    terms, weights, marks = query
    mask = np.uint32(marks.shape[0] - 1)
    at = term & mask
    while marks[at]:
        q = np.int64(marks[at]) - 1
        if terms[q] == term:
            return weights[q] * (tf / (tf + penalty))
        at = (at + np.uint32(1)) & mask
    return np.float32(0)


@jit
def _score_rows(
    row: int,
    n_rows: int,
    arena: tuple[NDArray[np.uint32], NDArray[np.uint16], int],
    ranges: tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]],
    query: tuple[NDArray[np.uint32], NDArray[np.float32], NDArray[np.uint16]],
    flat: np.float32,
    slope: np.float32,
    eligible: NDArray[np.uint8],
    out: NDArray[np.float32],
    hits: NDArray[np.int64],
    n_marked: int,
) -> int:
    """Score rows until one needs a later page of the arena; that row, or `n_rows`.

    With `n_marked` >= 0 the hits of the whole arena page are known already; rows and hits then walk along together.
    """
    ids, freqs, arena_start = arena
    firsts, counts, lengths = ranges
    low: Any = 0
    high: Any = 0
    for i in range(row, n_rows):
        if not eligible[i]:
            out[i] = -np.inf
            continue
        out[i] = 0.0
        count = np.int64(counts[i])
        first = np.int64(firsts[i]) - arena_start
        if count == 0:
            continue
        if first >= ids.shape[0]:
            return i
        if first < 0 or first + count > ids.shape[0]:
            continue  # erased while we read it
        if n_marked < 0:
            low, high = 0, _mark_terms(ids, first, first + count, query[2], hits)
        else:
            low = _next_hit(hits, n_marked, high, first)
            high = _next_hit(hits, n_marked, low, first + count)
        score = np.float32(0)
        penalty = flat + slope * np.float32(lengths[i])
        for h in range(low, high):
            score += _term_score(ids[hits[h]], np.float32(freqs[hits[h]]), query, penalty)
        out[i] = score
    return n_rows


@jit
def scan_pages(
    entries: NDArray[np.int64],
    owner: int,
    prefixes: NDArray[np.int64],
    term_entries: NDArray[np.int64],
    query_terms: NDArray[np.uint32],
    query_weights: NDArray[np.float32],
    flat: np.float32,
    slope: np.float32,
    eligible: NDArray[np.uint8],
    out: NDArray[np.float32],
) -> bool:
    """Write the BM25 score of every eligible row (0 where no term matches), -inf for the others.

    Args:
        entries: the attribute pages.
        owner: who must own the pages.
        prefixes: bytes per element before the columns first_term, n_terms, lengths of the attribute pages and ids,
            freqs of the term arena.
        term_entries: pages of the term arena.
        query_terms: distinct terms, uint32 `[q]`.
        query_weights: what each is worth, float32 `[q]`.
        flat: part of the penalty that every memory pays, `k1 * (1 - b)`.
        slope: part for each token, `k1 * b / mean_length`.
        eligible: uint8 `[n_slots]`.
        out: float32 `[n_slots]`.

    Returns:
        False if a page belongs to somebody else.
    """
    query = (query_terms, query_weights, _mark(query_terms))
    largest: Any = np.int64(0)
    for t in range(term_entries.shape[0]):
        if not owned(term_entries[t, 0], owner, term_entries[t, 3]):
            return False
        largest = max(largest, term_entries[t, 2])
    hits = np.empty(largest + 1, np.int64)
    # Marking a whole page is the fastest way through it, unless few of its rows are asked for.
    whole = 8 * np.sum(eligible) >= eligible.shape[0]
    term_page = 0
    arena = (uint32_at(0, 0), uint16_at(0, 0), 0)
    n_marked = -1
    if term_entries.shape[0]:
        arena, n_marked = _open(term_entries[0], prefixes, query[2], whole, hits)
    for p in range(entries.shape[0]):
        address, start, capacity = entries[p, 0], entries[p, 1], entries[p, 2]
        if not owned(address, owner, entries[p, 3]):
            return False
        n = min(capacity, out.shape[0] - start)
        if n <= 0:
            break
        base = address + _HEADER
        ranges = (
            uint32_at(base + prefixes[0] * capacity, n),
            uint32_at(base + prefixes[1] * capacity, n),
            uint32_at(base + prefixes[2] * capacity, n),
        )
        flags, scores = eligible[start : start + n], out[start : start + n]
        row = _score_rows(0, n, arena, ranges, query, flat, slope, flags, scores, hits, n_marked)
        while row < n:
            term_page += 1
            if term_page == term_entries.shape[0]:
                return False
            arena, n_marked = _open(term_entries[term_page], prefixes, query[2], whole, hits)
            row = _score_rows(row, n, arena, ranges, query, flat, slope, flags, scores, hits, n_marked)
    return True


@jit
def _open(
    entry: NDArray[np.int64],
    prefixes: NDArray[np.int64],
    marks: NDArray[np.uint16],
    whole: bool,
    hits: NDArray[np.int64],
) -> tuple[Any, Any]:
    """A page of the term arena (ids, frequencies, position of its first element), and its hits if all are wanted."""
    base, capacity = entry[0] + _HEADER, entry[2]
    ids = uint32_at(base + prefixes[3] * capacity, capacity)
    freqs = uint16_at(base + prefixes[4] * capacity, capacity)
    n_marked = _mark_terms(ids, 0, capacity, marks, hits) if whole else -1
    return (ids, freqs, entry[1]), n_marked
