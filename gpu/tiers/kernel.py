"""Dot products of coded rows with one rotated query, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.native import fast_jit, half_to_float

TABLE = 256
"""What a byte can be."""


@fast_jit
def score_halves(
    codes: NDArray[np.uint16], scales: NDArray[np.float32], query: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """Write `scale * sum_j code_j query_j` for each row.

    Args:
        codes: uint16 `[n, dim]`, the bits of halves.
        scales: float32 `[n]`.
        query: float32 `[dim]`.
        out: float32 `[n]`.
    """
    for i in range(codes.shape[0]):
        row = codes[i]
        total = np.float32(0)
        for j in range(query.shape[0]):
            total += half_to_float(row[j]) * query[j]
        out[i] = total * scales[i]


@fast_jit
def bytes_dot(row: NDArray[np.int8], query: NDArray[np.float32]) -> Any:
    """Dot product of one row's whole numbers with a query of the same length."""
    total = np.float32(0)
    for j in range(query.shape[0]):
        total += np.float32(row[j]) * query[j]
    return total


@fast_jit
def nibbles_dot(row: NDArray[np.uint8], low: NDArray[np.int16], high: NDArray[np.int16]) -> Any:
    """`sum_j u_j q_j` of one row's levels with a query of whole numbers; see `score_nibbles`."""
    # Two sums of 2048 products below 15 * 2^15 each: neither can overflow.
    lower: Any = np.int32(0)
    upper: Any = np.int32(0)
    for j in range(low.shape[0]):
        lower = np.int32(lower + np.int32(np.int16(row[j] & np.uint8(15))) * np.int32(low[j]))
        upper = np.int32(upper + np.int32(np.int16(row[j] >> np.uint8(4))) * np.int32(high[j]))
    return np.float32(np.int64(lower) + np.int64(upper))


@fast_jit
def score_bytes(
    codes: NDArray[np.int8], scales: NDArray[np.float32], query: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """As `score_halves`, with codes int8 `[n, dim]`."""
    for i in range(codes.shape[0]):
        out[i] = bytes_dot(codes[i], query) * scales[i]


@fast_jit
def score_nibbles(
    codes: NDArray[np.uint8],
    scales: NDArray[np.float32],
    low: NDArray[np.int16],
    high: NDArray[np.int16],
    step: Any,
    shift: Any,
    out: NDArray[np.float32],
) -> None:
    """Write `scale * (2 step sum_j u_j q_j - shift)` for each row, summed in whole numbers.

    Args:
        codes: uint8 `[n, bytes]`, two levels u in each.
        scales: float32 `[n]`.
        low, high: int16 `[bytes]`, the whole-number query q that meets the lower and the upper half of each byte.
        step: float32, what a unit of q stands for.
        shift: float32, 15 times the sum of the query.
        out: float32 `[n]`.
    """
    for i in range(codes.shape[0]):
        out[i] = (2 * step * nibbles_dot(codes[i], low, high) - shift) * scales[i]


@fast_jit
def score_bits(
    codes: NDArray[np.uint8], scales: NDArray[np.float32], table: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """Write `scale * sum_j table[j, code_j]` for each row.

    Args:
        codes: uint8 `[n, bytes]`.
        scales: float32 `[n]`.
        table: float32 `[bytes * 256]`, what each value of each byte adds to the dot product with the query.
        out: float32 `[n]`.
    """
    n_bytes = codes.shape[1]
    fours = n_bytes - n_bytes % 4
    for i in range(codes.shape[0]):
        row = codes[i]
        # Four sums: one alone would wait for each addition before it begins the next.
        a: Any = np.float32(0)
        b: Any = np.float32(0)
        c: Any = np.float32(0)
        d: Any = np.float32(0)
        for j in range(0, fours, 4):
            first = j * TABLE
            a += table[first + row[j]]
            b += table[first + TABLE + row[j + 1]]
            c += table[first + 2 * TABLE + row[j + 2]]
            d += table[first + 3 * TABLE + row[j + 3]]
        for j in range(fours, n_bytes):
            a += table[j * TABLE + row[j]]
        out[i] = (a + b + c + d) * scales[i]
