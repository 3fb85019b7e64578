"""The meaning of the spread: the fixed point itself, by a dense linear solve at double precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def spread_rows(edges: NDArray[np.float64], seeds: NDArray[np.float64], damping: float) -> NDArray[np.float64]:
    """Solve `a = damping * s + (1 - damping) * W^T a`.

    Args:
        edges: float64 `[n, n]`, weight of the edge from row to column, >= 0.
        seeds: float64 `[n]`, >= 0, not all zero.
        damping: in (0, 1].

    Returns:
        float64 `[n]`, sums to 1.
    """
    s = seeds / seeds.sum()
    sums = edges.sum(axis=1, keepdims=True)
    walk = np.where(sums > 0, edges / np.where(sums > 0, sums, 1.0), s[None, :])
    n = s.shape[0]
    return np.asarray(np.linalg.solve(np.eye(n) - (1 - damping) * walk.T, damping * s))
