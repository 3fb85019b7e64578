"""Small linear models: a listwise loss for rankings, a logistic one for probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

STEPS = 400
RATE = 0.03
BINS = 10
"""Of the calibration error."""


@dataclass(frozen=True, slots=True)
class Case:
    """One question: features of its candidates `[m, f]`, which of them are right, and how many right ones there are."""

    rows: NDArray[np.float32]
    right: NDArray[np.bool_]
    n_right: int

    def first_ten(self, weights: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of the ten best by these weights are right, bool `[<= 10]`."""
        return self.right[np.argsort(-(self.rows @ weights), kind="stable")[:10]]


def ranking_weights(
    sets: Sequence[Sequence[Case]],
    prior: NDArray[np.float64],
    ridge: float,
    scale: float,
    held: Sequence[bool] | None = None,
) -> NDArray[np.float64]:
    """Weights of a ranking, float64 `[f]`: least listwise softmax loss plus `ridge * |w - prior|^2`.

    Each set counts the same. ListNet's top-one form (Cao et al. 2007, doi:10.1145/1273496.1273513), minimised by Adam.

    Args:
        sets: questions by set.
        prior: float64 `[f]`, where the weights begin.
        ridge: how firmly they are held there.
        scale: of the logits.
        held: which weights stay as they are, bool `[f]`; default: none.
    """
    weights = prior.copy()
    free = 1.0 - np.asarray(np.zeros(prior.size) if held is None else held, dtype=np.float64)
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    padded = [_padded([case for case in of if case.right.any() and not case.right.all()]) for of in sets if of]
    for step in range(1, STEPS + 1):
        gradient = 2.0 * ridge * (weights - prior)
        for rows, wanted, absent in padded:
            scores = np.where(absent, -np.inf, scale * (rows @ weights))
            scores -= scores.max(axis=1, keepdims=True)
            chance = np.exp(scores)
            chance /= chance.sum(axis=1, keepdims=True)
            gradient += scale * np.einsum("qmf,qm->f", rows, chance - wanted) / rows.shape[0] / len(padded)
        gradient *= free
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        weights -= RATE * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return weights


def _padded(cases: Sequence[Case]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    most = max(case.right.size for case in cases)
    rows = np.zeros((len(cases), most, cases[0].rows.shape[1]), np.float32)
    wanted = np.zeros((len(cases), most), np.float32)
    absent = np.ones((len(cases), most), dtype=bool)
    for at, case in enumerate(cases):
        size = case.right.size
        rows[at, :size] = case.rows
        wanted[at, :size] = case.right / case.right.sum()
        absent[at, :size] = False
    return rows, wanted, absent


def logistic_weights(
    sets: Sequence[tuple[NDArray[np.float64], NDArray[np.bool_]]], ridge: float, held: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Intercept and weights of a logistic regression, float64 `[1 + f]`, each set counting the same.

    Args:
        sets: features `[q, f]` and outcomes `[q]` by set.
        ridge: holds the weights, not the intercept, near 0.
        held: float64 `[f]`, weights that are set and not fitted; NaN where one is fitted; default: all are.
    """
    rows = np.concatenate([features for features, _ in sets])
    outcomes = np.concatenate([outcome for _, outcome in sets]).astype(np.float64)
    counts = np.concatenate([np.full(outcome.size, 1.0 / outcome.size / len(sets)) for _, outcome in sets])
    found = np.concatenate([[np.nan], np.full(rows.shape[1], np.nan) if held is None else held])
    free = np.isnan(found)
    rows = np.hstack([np.ones((rows.shape[0], 1)), rows])
    known = rows[:, ~free] @ found[~free]
    penalty = np.concatenate([[0.0], np.full(int(free.sum()) - 1, ridge)])

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = rows[:, free] @ weights + known
        value = counts @ (np.logaddexp(0.0, logits) - outcomes * logits) + penalty @ weights**2
        chance = 1.0 / (1.0 + np.exp(-logits))
        return float(value), rows[:, free].T @ (counts * (chance - outcomes)) + 2.0 * penalty * weights

    found[free] = minimize(loss, np.zeros(int(free.sum())), jac=True).x
    return found


def chances(features: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a logistic regression says, float64 `[q]`."""
    return np.asarray(1.0 / (1.0 + np.exp(-(weights[0] + features @ weights[1:]))))


def brier(chance: NDArray[np.float64], outcome: NDArray[np.bool_]) -> float:
    """Mean squared error of probabilities (Brier 1950)."""
    return float(((chance - outcome) ** 2).mean())


def calibration_error(chance: NDArray[np.float64], outcome: NDArray[np.bool_]) -> float:
    """Expected calibration error: mean gap between probability and frequency over ten bins of equal width."""
    which = np.minimum((chance * BINS).astype(np.int64), BINS - 1)
    gaps = [abs(chance[which == b].mean() - outcome[which == b].mean()) * (which == b).sum() for b in np.unique(which)]
    return float(sum(gaps) / chance.size)


def scores(flags: NDArray[np.bool_], n_right: int) -> tuple[float, float]:
    """nDCG@10 and recall@10 of a ranking that is given as right or wrong."""
    gain = sum(1.0 / math.log2(at + 2) for at in np.flatnonzero(flags[:10]).tolist())
    ideal = sum(1.0 / math.log2(at + 2) for at in range(min(10, n_right)))
    return gain / ideal, float(flags[:10].sum()) / n_right
