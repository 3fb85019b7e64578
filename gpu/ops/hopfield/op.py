"""Completion of a partial or noisy cue by a modern Hopfield network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu.native import plain
from gpu.ops.hopfield import kernel

_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class Completion:
    """Where a cue ended.

    Attributes:
        state: float32 `[dim]`, the completed pattern.
        energies: float64 `[t]`, energy of the cue and of the state after each further step (up to a constant that
            depends on the patterns alone).
        attended: effective number of patterns in the last step, the exponential of the softmax's entropy.
        settled: whether the last step moved the state by less than the tolerance.
        beta: the inverse temperature.
    """

    state: NDArray[np.float32]
    energies: NDArray[np.float64]
    attended: float
    settled: bool
    beta: float


def complete(
    patterns: NDArray[np.float32], cue: NDArray[np.float32], beta: float, *, tolerance: float = 1e-4, most: int = 16
) -> Completion:
    """Iterate `state <- patterns^T softmax(beta * patterns @ state)` from the cue until it stays where it is.

    Args:
        patterns: float32 `[m, dim]`, at least one.
        cue: float32 `[dim]`.
        beta: inverse temperature, > 0.
        tolerance: stop when a step moves the state by less than this (Euclidean).
        most: stop after so many steps in any case, >= 1.

    Raises:
        ValueError: the shapes do not fit, or a parameter is out of range.
    """
    if patterns.ndim != 2 or patterns.shape[0] == 0 or cue.shape != patterns.shape[1:]:
        raise ValueError(f"patterns {patterns.shape} and cue {cue.shape} must be [m, dim] and [dim], m >= 1")
    if not (beta > 0 and np.isfinite(beta)) or most < 1:
        raise ValueError("beta must be positive and finite, most at least 1")
    patterns = plain(patterns, np.float32)
    state = plain(cue, np.float32).copy()
    energies = []
    entropy, settled = 0.0, False
    for _ in range(most):
        fresh = np.empty_like(state)
        log_sum, entropy = kernel.attend(patterns, state, float(beta), fresh)
        energies.append(float(-log_sum / beta + np.dot(state, state) / 2))
        settled = bool(np.linalg.norm(fresh - state) < tolerance)
        state = fresh
        if settled:
            break
    return Completion(state, np.array(energies), float(np.exp(entropy)), settled, float(beta))


def complete_within(
    patterns: NDArray[np.float32],
    cue: NDArray[np.float32],
    attended: float,
    *,
    low: float = 1.0,
    high: float = 200.0,
    tolerance: float = 1e-4,
    most: int = 16,
) -> Completion | None:
    """Complete a cue at the first temperature at which the completed state attends to few enough patterns.

    It begins with the one at which the cue itself attends to so many (`inverse_temperature`), and doubles beta as long
    as the state ends in the mean of too many patterns.

    Args:
        patterns: float32 `[m, dim]`, at least one.
        cue: float32 `[dim]`.
        attended: effective number of patterns that the completed state may attend to.
        low, high: bounds of beta.
        tolerance, most: see `complete`.

    Returns:
        The completion, or None if even the highest beta leaves it attending to more.

    Raises:
        ValueError: see `complete` and `inverse_temperature`.
    """
    if patterns.ndim != 2 or cue.shape != patterns.shape[1:]:
        raise ValueError(f"patterns {patterns.shape} and cue {cue.shape} must be [m, dim] and [dim]")
    beta = inverse_temperature(patterns @ cue, attended, low, high)
    while True:
        found = complete(patterns, cue, beta, tolerance=tolerance, most=most)
        if found.attended <= attended:
            return found
        if beta >= high:
            return None
        beta = min(2 * beta, high)


def inverse_temperature(products: NDArray[np.float32], attended: float, low: float, high: float) -> float:
    """The smallest beta at which a cue attends to at most so many patterns, by bisection.

    Args:
        products: float32 `[m]`, of the cue with the patterns, m >= 1.
        attended: effective number of patterns wanted: the exponential of the entropy of softmax(beta * products).
        low: result where even this attends to few enough.
        high: result where nothing below does.

    Raises:
        ValueError: there are no products, or `0 < low <= high` does not hold.
    """
    if products.ndim != 1 or products.shape[0] == 0 or not 0 < low <= high:
        raise ValueError("products must be [m], m >= 1, and 0 < low <= high")
    products = plain(products, np.float32)
    wanted = float(np.log(max(attended, 1.0)))
    if kernel.entropy(products, float(low)) <= wanted:
        return low
    # The entropy falls with beta, so that halving the interval (on a logarithmic scale) closes in on the bound.
    bottom, top = np.log(low), np.log(high)
    for _ in range(_HALVINGS):
        middle = (bottom + top) / 2
        if kernel.entropy(products, float(np.exp(middle))) <= wanted:
            top = middle
        else:
            bottom = middle
    return float(np.exp(top))
