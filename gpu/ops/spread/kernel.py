"""Damped propagation over a sparse graph, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.native import jit


@jit
def propagate(
    offsets: NDArray[np.int64],
    targets: NDArray[np.int64],
    shares: NDArray[np.float64],
    seeds: NDArray[np.float64],
    damping: float,
    tolerance: float,
    most: int,
    out: NDArray[np.float64],
) -> Any:
    """Iterate `a <- damping * s + (1 - damping) * W^T a` from `a = s`.

    Args:
        offsets, targets, shares: the rows of W, each of which sums to 1 or is empty (what arrives there goes back to
            the seeds).
        seeds: s, sums to 1.
        damping: share that returns to the seeds with every step.
        tolerance: stop when the activation changes by less than this in sum.
        most: stop after so many steps.
        out: float64 `[n]`, the activation, overwritten.

    Returns:
        How many steps were made.
    """
    n = seeds.shape[0]
    fresh = np.empty(n, np.float64)
    out[:] = seeds
    for step in range(most):
        fresh[:] = 0.0
        lost = 0.0
        for i in range(n):
            mass = out[i]
            if mass == 0.0:
                continue
            if offsets[i] == offsets[i + 1]:
                lost += mass
            for e in range(offsets[i], offsets[i + 1]):
                fresh[targets[e]] += mass * shares[e]
        change = 0.0
        back = damping + (1.0 - damping) * lost
        for i in range(n):
            value = back * seeds[i] + (1.0 - damping) * fresh[i]
            change += abs(value - out[i])
            out[i] = value
        if change < tolerance:
            return step + 1
    return most
