"""The meaning of the BM25 scan, in plain Python at double precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.bank.records import RecordBatch


def bm25_rows(
    batch: RecordBatch,
    weights: dict[int, float],
    k1: float,
    b: float,
    mean_length: float,
    eligible: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Sum over the query's terms of `weight * tf / (tf + k1 * (1 - b + b * length / mean_length))`, float64 `[n]`.

    A memory that is not eligible has -inf.
    """
    out = np.full(len(batch), -np.inf)
    for i in np.flatnonzero(eligible):
        penalty = k1 * (1 - b + b * float(batch.lengths[i]) / max(mean_length, 1e-9))
        terms = slice(int(batch.term_offsets[i]), int(batch.term_offsets[i + 1]))
        out[i] = sum(
            weights.get(term, 0.0) * tf / (tf + penalty)
            for term, tf in zip(batch.term_ids[terms].tolist(), batch.term_freqs[terms].tolist(), strict=True)
        )
    return out
