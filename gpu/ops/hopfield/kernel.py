"""One step of a modern Hopfield network in one pass over its patterns, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.native import fast_jit, jit

_TILE = 64
"""Patterns whose products are settled before the sums are scaled once for all of them."""


@fast_jit
def _dot(row: NDArray[np.float32], state: NDArray[np.float32]) -> Any:
    total = np.float32(0)
    for j in range(state.shape[0]):
        total += row[j] * state[j]
    return total


@fast_jit
def _add(total: NDArray[np.float32], row: NDArray[np.float32], weight: np.float32) -> None:
    for j in range(total.shape[0]):
        total[j] += weight * row[j]


@jit
def attend(
    patterns: NDArray[np.float32], state: NDArray[np.float32], beta: float, out: NDArray[np.float32]
) -> tuple[float, float]:
    """Write `sum_i softmax(beta * patterns @ state)_i * patterns[i]`; every pattern is read once.

    Args:
        patterns: float32 `[m, dim]`, m >= 1.
        state: float32 `[dim]`.
        beta: inverse temperature.
        out: float32 `[dim]`, overwritten.

    Returns:
        log of the sum of exp(beta * products), and the entropy of the softmax in nats.
    """
    largest = -np.inf
    norm, first_moment = 0.0, 0.0
    out[:] = 0
    products = np.empty(_TILE, np.float64)
    for start in range(0, patterns.shape[0], _TILE):
        n = min(_TILE, patterns.shape[0] - start)
        top = largest
        for i in range(n):
            products[i] = beta * np.float64(_dot(patterns[start + i], state))
            top = max(top, products[i])
        if top > largest:
            scale = np.exp(largest - top)  # 0 the first time
            norm *= scale
            first_moment *= scale
            for j in range(out.shape[0]):
                out[j] *= np.float32(scale)
            largest = top
        for i in range(n):
            weight = np.exp(products[i] - largest)
            norm += weight
            first_moment += weight * products[i]
            _add(out, patterns[start + i], np.float32(weight))
    for j in range(out.shape[0]):
        out[j] /= np.float32(norm)
    log_sum = largest + np.log(norm)
    return log_sum, max(log_sum - first_moment / norm, 0.0)


@jit
def entropy(products: NDArray[np.float32], beta: float) -> Any:
    """Entropy of softmax(beta * products) in nats; at least one product, none infinite."""
    largest = products[0]
    for i in range(products.shape[0]):
        largest = max(largest, products[i])
    norm, first_moment = 0.0, 0.0
    for i in range(products.shape[0]):
        below = beta * np.float64(products[i] - largest)
        weight = np.exp(below)
        norm += weight
        first_moment += weight * below
    return np.log(norm) - first_moment / norm
