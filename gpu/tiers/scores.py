"""Dot products of coded rows with a query: `gpu.tiers.codecs.dot`, fast.

How each tier is scored was measured, one thread of an EPYC with AVX2, 100,000 x 384, least of 25 in milliseconds
(`python -m benchmarks.models_tiers` measures those that were kept):

- int8: widened to float32, 4.7; with a query of 16-bit whole numbers 4.8, so that nothing speaks for it;
- int4: with a query of 16-bit whole numbers 3.9, at an error far below that of the code (see `tier_scores`);
  widened to float32 6.6; by a table of what each byte adds 15.3 (192 tables do not fit the nearest cache);
- bit1: by such a table 2.4, exact; population counts against four bit planes of the query 1.9, but the query's own
  quantisation then adds up to 0.03 to a score, against a standard error of 0.039 of the code; eight planes 6.0; signs
  times a float32 query 5.2.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gpu.bank.errors import DimensionError
from gpu.bank.layouts import Tier
from gpu.native import plain
from gpu.tiers import kernel
from gpu.tiers.codecs import Codes
from gpu.tiers.packing import spread

_WHOLE = 32767
"""Largest whole number of a query in 16 bits."""


def tier_scores(query: NDArray[np.float32], codes: Codes) -> NDArray[np.float32]:
    """<query, x̂> for each row.

    Error against the reference, for a unit query and unit rows: sums in float32 in any order, below 1e-6 (measured
    9e-8). For int4 also the query's rounding to 16 bits, at most `max |q_j| sqrt(dim) / 65534`, which is 6e-5 if no
    coordinate of the query is above 4 / sqrt(dim) (measured 6e-6; the code itself has a standard error of 5e-3).

    Args:
        query: float32 `[dim]`, rotated, finite.
        codes: n rows.

    Returns:
        float32 `[n]`.

    Raises:
        DimensionError: the query has another dimension than the codes.
        ValueError: the query is not finite.
    """
    if query.shape != (codes.dim,):
        raise DimensionError(f"the query has shape {query.shape}, the codes have dimension {codes.dim}")
    if not np.isfinite(query).all():
        raise ValueError("the query must be finite")
    query, scales = plain(query, np.float32), plain(codes.scales, np.float32)
    out = np.empty(len(codes), np.float32)
    match codes.tier:
        case Tier.FP16:
            kernel.score_halves(plain(codes.values, np.float16).view(np.uint16), scales, query, out)
        case Tier.INT8:
            kernel.score_bytes(plain(codes.values, np.int8), scales, query, out)
        case Tier.INT4:
            whole, step = _whole(query)
            low, high = whole
            shift = np.float32(15 * query.sum(dtype=np.float64))
            kernel.score_nibbles(plain(codes.values, np.uint8), scales, low, high, step, shift, out)
        case Tier.BIT1:
            table = np.ascontiguousarray((_signs() @ spread(query, 1)).T).ravel()
            kernel.score_bits(plain(codes.values, np.uint8), scales, table, out)
    return out


def _whole(query: NDArray[np.float32]) -> tuple[NDArray[np.int16], np.float32]:
    """A query in whole numbers, int16 `[2, bytes]`, and what a unit stands for."""
    largest = float(np.abs(query).max())
    # A step below the smallest normal number would be rounded away, and the query with it: it is zero for every code.
    step = max(largest / _WHOLE, float(np.finfo(np.float32).tiny))
    return np.rint(spread(query, 4) / step).astype(np.int16), np.float32(step)


@lru_cache(maxsize=1)
def _signs() -> NDArray[np.float32]:
    """Signs of the eight dimensions of each byte, float32 `[256, 8]`."""
    every = np.arange(kernel.TABLE, dtype=np.uint8)[:, None]
    return np.unpackbits(every, axis=1, bitorder="little").astype(np.float32) * 2 - 1
