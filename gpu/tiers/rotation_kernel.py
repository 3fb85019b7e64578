"""The rotation of rows, compiled. Operations keep their order, so that the bits are those of the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.native import jit


@jit
def _hadamard(part: NDArray[np.float32], scale: Any) -> None:
    """Orthonormal Hadamard transform of a float32 `[w]`, w a power of two, in place."""
    width = part.shape[0]
    half: Any = 1
    while half < width:
        for start in range(0, width, 2 * half):
            upper, lower = part[start : start + half], part[start + half : start + 2 * half]
            for j in range(half):
                x, y = upper[j], lower[j]
                upper[j] = x + y
                lower[j] = x - y
        half *= 2
    for j in range(width):
        part[j] *= scale


@jit
def turn(
    rows: NDArray[np.float32],
    orders: NDArray[np.int64],
    heads: NDArray[np.float32],
    tails: NDArray[np.float32],
    window: int,
    scale: Any,
    out: NDArray[np.float32],
) -> None:
    """Write R x for each row.

    Args:
        rows: float32 `[n, dim]`.
        orders: int64 `[rounds, dim]`, the permutations.
        heads, tails: float32 `[rounds, dim]`, the signs before each transform.
        window: width of a transform, a power of two.
        scale: float32, one over the square root of the window.
        out: float32 `[n, dim]`.
    """
    dim = rows.shape[1]
    given = np.empty(dim, np.float32)
    for i in range(rows.shape[0]):
        row = out[i]
        row[:] = rows[i]
        for r in range(orders.shape[0]):
            given[:] = row
            for j in range(dim):
                row[j] = given[orders[r, j]] * heads[r, j]
            _hadamard(row[:window], scale)
            for j in range(dim):
                row[j] *= tails[r, j]
            _hadamard(row[dim - window :], scale)


@jit
def turn_back(
    rows: NDArray[np.float32],
    orders: NDArray[np.int64],
    heads: NDArray[np.float32],
    tails: NDArray[np.float32],
    window: int,
    scale: Any,
    out: NDArray[np.float32],
) -> None:
    """The inverse of `turn`; the arguments are the same."""
    dim = rows.shape[1]
    given = np.empty(dim, np.float32)
    for i in range(rows.shape[0]):
        row = out[i]
        row[:] = rows[i]
        for r in range(orders.shape[0] - 1, -1, -1):
            _hadamard(row[dim - window :], scale)
            for j in range(dim):
                row[j] *= tails[r, j]
            _hadamard(row[:window], scale)
            given[:] = row
            for j in range(dim):
                row[orders[r, j]] = given[j] * heads[r, j]
