"""What made-up memories speak of: words as rare as words are, mentions, times, places; and questions about them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gpu.bank.filters import NumberColumn, Range, ScanFilter
from gpu.bank.records import NEVER_US, RecordBatch
from gpu.ops.channel_pass.questions import Groups, Question, Terms

WORDS = 25
"""Of each memory."""
MENTIONS = 2
NOW_US = 1_750_000_000_000_000
_YEAR_US = 365 * 86_400_000_000
_VOCABULARY, _ENTITIES, _PLACES, _USERS, _SESSIONS, _TAGS = 50_000, 2_000, 200, 10, 300, 20
_FIRST_COMMON, _LAST_COMMON = 20, 2_000
"""Ranks of the words that are asked for: neither in every text nor in hardly any."""
_EXPONENT = 1.1


def describe(batch: RecordBatch, rng: np.random.Generator) -> RecordBatch:
    """The same memories with words, mentions, times and so on."""
    n = len(batch)
    ids, freqs, offsets = _words(n, rng)
    spans = rng.random(n) < 1 / 3
    starts = NOW_US - rng.integers(0, _YEAR_US, int(spans.sum()))
    places = rng.random(n) < 0.3
    recorded = NOW_US - rng.integers(0, _YEAR_US, n)
    pairs = np.stack([_hashed(rng.integers(0, most, n) + at) for at, most in _scopes()], axis=1)
    return replace(
        batch,
        occurred_us=recorded - rng.integers(0, 86_400_000_000, n),
        recorded_from_us=recorded,
        last_recalled_us=recorded + rng.integers(0, 86_400_000_000, n),
        expires_us=np.where(rng.random(n) < 0.05, recorded + _YEAR_US // 2, NEVER_US),
        stabilities=rng.uniform(86_400.0, 1e7, n).astype(np.float32),
        trusts=rng.random(n).astype(np.float32),
        kinds=rng.integers(0, 3, n).astype(np.uint8),
        lengths=np.full(n, WORDS, np.uint32),
        term_ids=ids, term_freqs=freqs, term_offsets=offsets,
        entity_ids=_hashed(rng.integers(0, _ENTITIES, n * MENTIONS)), entity_offsets=np.arange(n + 1) * MENTIONS,
        spans=np.stack([starts, starts + 86_400_000_000], axis=1), span_offsets=_offsets(spans),
        place_ids=_hashed(rng.integers(0, _PLACES, int(places.sum()))), place_offsets=_offsets(places),
        pairs=pairs.ravel(), pair_offsets=np.arange(n + 1) * pairs.shape[1],
    )  # fmt: skip


def ask(rng: np.random.Generator) -> Question:
    """Four words, two entities, a place and a week, under a filter of a user, trust and expiry, and retention."""
    terms = _term(rng.choice(np.arange(_FIRST_COMMON, _LAST_COMMON), 4, replace=False))
    entities = [_hashed(rng.integers(0, _ENTITIES, 1)) for _ in range(2)]
    start = NOW_US - int(rng.integers(0, _YEAR_US))
    (users, n_users), *_ = _scopes()
    user = _hashed(rng.integers(0, n_users, 3) + users)
    scan = ScanFilter(
        any_pairs=(tuple(user.tolist()),),
        ranges=(Range(NumberColumn.TRUST, 0.1, 1.0),),
        now_us=NOW_US,
        valid_at_us=NOW_US,
    )
    return Question(
        scan,
        Terms(terms, rng.uniform(2.0, 6.0, 4).astype(np.float32), 1.2, 0.75, float(WORDS)),
        Groups(entities, np.array([3.0, 2.0], np.float32)),
        Groups([_hashed(rng.integers(0, _PLACES, 1))], np.ones(1, np.float32)),
        np.array([[start, start + 7 * 86_400_000_000]], np.int64),
        NOW_US,
    )


def _words(n: int, rng: np.random.Generator) -> tuple[NDArray[np.uint32], NDArray[np.uint16], NDArray[np.int64]]:
    """Distinct terms of each memory with frequencies, drawn with the frequencies of Zipf's law."""
    shares = np.cumsum(np.arange(1, _VOCABULARY + 1) ** -_EXPONENT)
    drawn = np.sort(np.searchsorted(shares, rng.random((n, WORDS)) * shares[-1]), axis=1)
    is_new = np.ones((n, WORDS), np.bool_)
    is_new[:, 1:] = drawn[:, 1:] != drawn[:, :-1]
    at = np.flatnonzero(is_new)
    freqs = np.diff(np.append(at, n * WORDS)).astype(np.uint16)
    return _term(drawn.ravel()[at]), freqs, _offsets(is_new.sum(axis=1))


def _scopes() -> list[tuple[int, int]]:
    """First number and how many there are of the users, sessions and tags that memories carry as pairs."""
    return [(10_000, _USERS), (20_000, _SESSIONS), (30_000, _TAGS)]


def _term(rank: NDArray[np.integer]) -> NDArray[np.uint32]:
    return rank.astype(np.uint32) * np.uint32(2_654_435_761)


def _hashed(number: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Numbers spread over 64 bits, as hashes are."""
    mixed = number.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return mixed ^ (mixed >> np.uint64(32))


def _offsets(counts: NDArray[np.generic]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts.astype(np.int64))])
