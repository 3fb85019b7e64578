"""Dot products of coded rows with a query: `gpu.tiers.codecs.dot`, fast.

How each tier is scored was settled by measuring other ways beside it (`python -m benchmarks.bank_tiers`, figures in
`benchmarks/results/bank_tiers.json`, taken on a busy machine: small differences are noise):

- int8 is widened to float32; a query of 16-bit whole numbers is no faster;
- int4 takes a query of 16-bit whole numbers, at an error far below that of the code (see `tier_scores`); widened to
  float32, or by a table of what each byte adds, it is slower;
- bit1 goes by such a table, exact: 1.9 ms for 100,000 x 384 at the least. Population counts against four bit planes of
  the query take 1.3 ms and cost 0.3 points of recall@10 (0.65 where rows are centred): for a scan whose best are
  scored anew they are the better choice, and not built in yet.
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
            low, high, step, shift = whole_query(query)
            kernel.score_nibbles(plain(codes.values, np.uint8), scales, low, high, step, shift, out)
        case Tier.BIT1:
            table = np.ascontiguousarray((_signs() @ spread(query, 1)).T).ravel()
            kernel.score_bits(plain(codes.values, np.uint8), scales, table, out)
    return out


def whole_query(
    query: NDArray[np.float32],
) -> tuple[NDArray[np.int16], NDArray[np.int16], np.float32, np.float32]:
    """What a scan of int4 takes of a query float32 `[dim]`.

    Returns:
        Its whole numbers for the lower and the upper half of each byte, int16 `[bytes]` each; what a unit stands for;
        15 times its sum.
    """
    largest = float(np.abs(query).max())
    # A step below the smallest normal number would be rounded away, and the query with it: it is zero for every code.
    step = max(largest / _WHOLE, float(np.finfo(np.float32).tiny))
    low, high = np.rint(spread(query, 4) / step).astype(np.int16)
    return low, high, np.float32(step), np.float32(15 * query.sum(dtype=np.float64))


@lru_cache(maxsize=1)
def _signs() -> NDArray[np.float32]:
    """Signs of the eight dimensions of each byte, float32 `[256, 8]`."""
    every = np.arange(kernel.TABLE, dtype=np.uint8)[:, None]
    return np.unpackbits(every, axis=1, bitorder="little").astype(np.float32) * 2 - 1
