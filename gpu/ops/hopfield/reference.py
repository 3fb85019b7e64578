"""The meaning of Hopfield completion, in plain numpy at double precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def softmax_rows(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """Softmax, float64 `[m]`."""
    weights = np.exp(products - products.max())
    return np.asarray(weights / weights.sum())


def step_rows(patterns: NDArray[np.float64], state: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
    """One update: `patterns^T softmax(beta * patterns @ state)`, float64 `[dim]`."""
    return np.asarray(patterns.T @ softmax_rows(beta * (patterns @ state)))


def energy_rows(patterns: NDArray[np.float64], state: NDArray[np.float64], beta: float) -> float:
    """Energy of a state (equation 2 of the paper); no update makes it rise."""
    products = beta * (patterns @ state)
    log_sum = products.max() + np.log(np.exp(products - products.max()).sum())
    longest = float((patterns**2).sum(axis=1).max())
    return float(-log_sum / beta + state @ state / 2 + np.log(patterns.shape[0]) / beta + longest / 2)


def entropy_rows(products: NDArray[np.float64]) -> float:
    """Entropy in nats of the softmax of products."""
    weights = softmax_rows(products)
    return float(-(weights[weights > 0] * np.log(weights[weights > 0])).sum())
