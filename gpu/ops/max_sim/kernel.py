"""Max-sim over two-bit codes, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.native import fast_jit

_TOKENS = 4
"""Tokens of a memory that are compared at a time, with two of the question: their eight sums stay in registers, and
each number that is loaded is used more than once."""


@fast_jit
def _decode(code: NDArray[np.uint8], table: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    for i in range(code.shape[0]):
        levels = table[code[i]]
        out[4 * i] = levels[0]
        out[4 * i + 1] = levels[1]
        out[4 * i + 2] = levels[2]
        out[4 * i + 3] = levels[3]


@fast_jit
def _raise(tokens: NDArray[np.float32], query: NDArray[np.float32], best: NDArray[np.float32]) -> None:
    """Raise `best[q]` to the largest dot product of question token q with four tokens of the memory."""
    x0, x1, x2, x3 = tokens[0], tokens[1], tokens[2], tokens[3]
    for q in range(0, query.shape[0], 2):
        y, z = query[q], query[q + 1]
        y0: Any = np.float32(0)
        y1: Any = np.float32(0)
        y2: Any = np.float32(0)
        y3: Any = np.float32(0)
        z0: Any = np.float32(0)
        z1: Any = np.float32(0)
        z2: Any = np.float32(0)
        z3: Any = np.float32(0)
        for j in range(query.shape[1]):
            y0 += x0[j] * y[j]
            y1 += x1[j] * y[j]
            y2 += x2[j] * y[j]
            y3 += x3[j] * y[j]
            z0 += x0[j] * z[j]
            z1 += x1[j] * z[j]
            z2 += x2[j] * z[j]
            z3 += x3[j] * z[j]
        best[q] = max(best[q], y0, y1, y2, y3)
        best[q + 1] = max(best[q + 1], z0, z1, z2, z3)


@fast_jit
def score(
    codes: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    query: NDArray[np.float32],
    n_query: int,
    table: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Write the max-sim of each memory that has tokens; the others are left as they are.

    Args:
        codes: uint8 `[t, bytes]`.
        offsets: int64 `[m + 1]`, the tokens of each memory.
        query: float32 `[q, 4 * bytes]`, q even; rows from `n_query` on, and columns from dim on, are 0.
        n_query: how many rows of the question count.
        table: float32 `[256, 4]`, what a byte stands for.
        out: float32 `[m]`.
    """
    tokens = np.empty((_TOKENS, query.shape[1]), np.float32)
    best = np.empty(query.shape[0], np.float32)
    for m in range(out.shape[0]):
        start, end = offsets[m], offsets[m + 1]
        if start == end:
            continue
        best[:] = np.float32(-3.4e38)
        for first in range(start, end, _TOKENS):
            for i in range(_TOKENS):  # the last token stands in for those that are missing in the last four
                _decode(codes[min(first + i, end - 1)], table, tokens[i])
            _raise(tokens, query, best)
        total = np.float64(0)
        for q in range(n_query):
            total += best[q]
        out[m] = total / n_query
