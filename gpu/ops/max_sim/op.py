"""How well the tokens of memories answer the tokens of a question."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gpu.bank.errors import DimensionError
from gpu.native import plain
from gpu.ops.max_sim import kernel
from gpu.ops.max_sim.codes import PER_BYTE, level_table, token_bytes
from gpu.side_by_side import parts_for, side_by_side

_LEAST = 1e7
"""Products from which a part is worth a thread: about half a millisecond."""


def max_sim(codes: NDArray[np.uint8], offsets: NDArray[np.int64], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean over the question's tokens of the largest dot product with a token of the memory.

    Args:
        codes: uint8 `[t, ceil(dim / 4)]`, token codes of all the memories end to end.
        offsets: int64 `[m + 1]`, ascending from 0 to t: memory i has the codes `offsets[i]` to `offsets[i + 1]`.
        query: float32 `[q, dim]`, the question's tokens in the rotated space of the codes; finite, q >= 1.

    Returns:
        float32 `[m]`; NaN for a memory without tokens.

    Raises:
        DimensionError: the codes have another dimension than the question.
        ValueError: the question has no token or a value that is not finite, or the offsets do not fit the codes.
    """
    if query.ndim != 2 or query.shape[0] == 0 or not np.isfinite(query).all():
        raise ValueError("the question needs at least one token, and finite numbers")
    n_query, dim = query.shape
    if codes.ndim != 2 or codes.shape[1] != token_bytes(dim):
        raise DimensionError(f"token codes have shape {codes.shape}, the question has dimension {dim}")
    if offsets.size == 0 or offsets[0] != 0 or offsets[-1] != codes.shape[0] or (np.diff(offsets) < 0).any():
        raise ValueError("offsets must ascend from 0 to the number of codes")
    padded = np.zeros((n_query + n_query % 2, codes.shape[1] * PER_BYTE), np.float32)
    padded[:n_query, :dim] = query
    out = np.full(offsets.shape[0] - 1, np.nan, np.float32)
    tokens, ranges, table = plain(codes, np.uint8), plain(offsets, np.int64), _table(dim)

    def score(start: int, end: int) -> None:
        kernel.score(tokens, ranges[start : end + 1], padded, n_query, table, out[start:end])

    parts = parts_for(float(codes.shape[0]) * padded.size, _LEAST)
    cuts = np.searchsorted(ranges, np.linspace(0, codes.shape[0], parts + 1)[1:-1]).tolist()
    side_by_side(score, [0, *cuts, out.size])
    return out


@lru_cache(maxsize=8)
def _table(dim: int) -> NDArray[np.float32]:
    return level_table(dim)
