"""Synthetic memories for the benchmarks of the bank: unit vectors, terms with natural frequencies, hashed pairs."""

from __future__ import annotations

import numpy as np

from gpu.bank.filters import pair_hash
from gpu.bank.records import NEVER_US, UNKNOWN_US, RecordBatch, empty_columns

DAY_US = 86_400_000_000


def memories(n: int, dim: int, seed: int, *, terms: int = 15, first: int = 0) -> RecordBatch:
    """`n` current memories, one view each, written one second apart.

    Every memory carries four pairs; `share:1`, `share:10` and `share:50` are on that many percent of them.
    """
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n, dim), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    words = np.sort(rng.zipf(1.2, (n, terms)) % 50_000, axis=1).astype(np.int64)
    # Distinct terms of a memory: what is repeated moves to a private range of the vocabulary.
    words[:, 1:] += np.where(words[:, 1:] == words[:, :-1], 50_000 * np.arange(1, terms), 0)
    dice = rng.random(n)
    pairs = np.stack(
        [
            np.where(dice < share / 100, np.uint64(pair_hash("share", str(share))), np.uint64(pair_hash("share", "no")))
            for share in (1, 10, 50)
        ]
        + [np.full(n, pair_hash("user_id", "ada"), np.uint64)],
        axis=1,
    )
    recorded = 1_700_000_000_000_000 + 1_000_000 * np.arange(first, first + n, dtype=np.int64)
    ids = rng.integers(0, 256, (n, 16), dtype=np.uint8)
    ids[:, :8] = np.arange(first, first + n, dtype=">u8").view(np.uint8).reshape(n, 8)
    never, unknown = np.full(n, NEVER_US), np.full(n, UNKNOWN_US)
    return RecordBatch(
        memory_ids=ids,
        versions=np.ones(n, np.int32),
        kinds=rng.integers(0, 3, n).astype(np.uint8),
        states=np.zeros(n, np.uint8),
        occurred_us=recorded - DAY_US,
        valid_from_us=unknown,
        valid_to_us=never,
        recorded_from_us=recorded,
        recorded_to_us=never,
        expires_us=never,
        importances=rng.random(n, dtype=np.float32),
        stabilities=np.full(n, 1e6, np.float32),
        trusts=np.ones(n, np.float32),
        last_recalled_us=unknown,
        lengths=np.full(n, terms + 5, np.uint32),
        pairs=pairs.ravel(),
        pair_offsets=np.arange(n + 1, dtype=np.int64) * 4,
        term_ids=(words.ravel() * 2654435761 % 2**32).astype(np.uint32),
        term_freqs=rng.integers(1, 4, n * terms).astype(np.uint16),
        term_offsets=np.arange(n + 1, dtype=np.int64) * terms,
        entity_ids=rng.integers(1, 2**62, 2 * n).astype(np.uint64),
        entity_offsets=np.arange(n + 1, dtype=np.int64) * 2,
        vectors=vectors.astype(np.float16),
        view_offsets=np.arange(n + 1, dtype=np.int64),
        **empty_columns(n),
    )
