"""Which candidates go into a budget: a monotone submodular objective, a greedy method, and how good its answer is.

For a set S of candidates with relevance r, likeness s and weights p = r / sum(r):

    f(S) = (1 - c) * sum_{i in S} p_i + c * sum_j p_j * max_{i in S} s_ij

The first part is modular, the second is the facility location function, so f is monotone and submodular; f of all
candidates is 1. Costs are tokens, and must fit into the budget.

Greedy takes what gains most for its cost and still fits, and at every step also looks at the best single candidate
that could end the set there (Greedy+Max: Yaroslavtsev, Zhou and Avdiukhin 2020, arXiv:2007.05014). That gives at least
1/2 of the best possible value; cost-benefit greedy and the best single candidate alone give (1 - 1/e) / 2 (Khuller,
Moss and Naor 1999; Leskovec et al. 2007, CELF, doi:10.1145/1281192.1281239). For up to `FEW` candidates greedy is run
again from every pair, which gives 1 - 1/e (Kulik, Schwartz and Shachnai 2021, arXiv:2102.12879).

What was reached in the instance at hand is usually far better, and is certified: for any set T,

    f(best) <= f(T) + max { sum of gains of x over T : cost of x within the budget, x fractional }

(Leskovec et al. 2007, section 3.2); the least over all T on greedy's way is `bound`.

Cost: one pass over `[n, n]` for each candidate taken. Evaluating lazily (Minoux 1978) gives the same set; with the few
hundred candidates of a recall one vectorised pass costs less than the heap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

FEW = 12
"""Up to this many candidates, greedy is run from every pair."""
GUARANTEE_FEW = 1.0 - 1.0 / np.e
GUARANTEE = 0.5

_EPSILON = 1e-12


@dataclass(frozen=True, slots=True)
class Objective:
    """The value of a set of candidates.

    Attributes:
        weights: float64 `[n]`, not negative, their sum is 1 (or all 0).
        likeness: float64 `[n, n]` in [0, 1], symmetric, 1 on the diagonal.
        coverage: share of the coverage part, in [0, 1].
    """

    weights: NDArray[np.float64]
    likeness: NDArray[np.float64]
    coverage: float = 0.5

    @classmethod
    def of(cls, relevance: NDArray[np.float64], likeness: NDArray[np.float64], coverage: float = 0.5) -> Objective:
        """The objective for relevances, float64 `[n]`, not negative; all zero counts as all equal."""
        total = float(relevance.sum())
        n = max(1, relevance.size)
        weights = relevance / total if total > _EPSILON else np.full(relevance.size, 1.0 / n)
        return cls(weights.astype(np.float64), likeness, coverage)

    def value(self, chosen: Sequence[int]) -> float:
        """The value of a set."""
        if not len(chosen):
            return 0.0
        rows = list(chosen)
        covered = self.likeness[rows].max(axis=0)
        return float((1 - self.coverage) * self.weights[rows].sum() + self.coverage * (self.weights @ covered))

    def gains(self, covered: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each candidate would add to a set that covers the candidates by `covered`, float64 `[n]`."""
        more = np.maximum(self.likeness - covered, 0.0) @ self.weights
        return (1 - self.coverage) * self.weights + self.coverage * more


@dataclass(frozen=True, slots=True)
class Selection:
    """What was chosen.

    Attributes:
        chosen: places of the candidates, in the order in which they were taken.
        value: f of them, in [0, 1].
        bound: no choice within the budget is worth more than this.
        guarantee: share of the best possible value that the method never falls below.
    """

    chosen: tuple[int, ...]
    value: float
    bound: float
    guarantee: float


def select(objective: Objective, costs: NDArray[np.int64], budget: int) -> Selection:
    """A set of candidates whose costs sum to at most the budget, with nearly the greatest value.

    Args:
        objective: over n candidates.
        costs: int64 `[n]`, at least 1.
        budget: most cost in all.
    """
    fitting = np.flatnonzero(costs <= budget)
    if not fitting.size:
        return Selection((), 0.0, 0.0, 1.0)
    best, bound = _greedy(objective, costs, budget, ())
    if fitting.size <= FEW:
        for pair in combinations(fitting.tolist(), 2):
            if costs[list(pair)].sum() <= budget:
                best = _better(objective, best, _greedy(objective, costs, budget, pair)[0])
    value = objective.value(best)
    guarantee = GUARANTEE_FEW if fitting.size <= FEW else GUARANTEE
    return Selection(best, value, max(value, min(bound, 1.0)), float(guarantee))


def _greedy(
    objective: Objective, costs: NDArray[np.int64], budget: int, start: tuple[int, ...]
) -> tuple[tuple[int, ...], float]:
    """The best set on greedy's way from `start`, and the least of the upper bounds on its way."""
    chosen = list(start)
    room = budget - int(costs[chosen].sum())
    covered = objective.likeness[chosen].max(axis=0) if chosen else np.zeros(costs.size)
    best: tuple[int, ...] = tuple(chosen)
    bound = np.inf
    while True:
        gains = objective.gains(covered)
        gains[chosen] = 0.0
        bound = min(bound, objective.value(chosen) + _fractional(gains, costs, budget))
        fits = np.flatnonzero((costs <= room) & (gains > 0.0))
        if not fits.size:
            return _better(objective, best, tuple(chosen)), float(bound)
        ending = fits[np.argmax(gains[fits])]
        best = _better(objective, best, (*chosen, int(ending)))
        taken = int(fits[np.argmax(gains[fits] / costs[fits])])
        chosen.append(taken)
        room -= int(costs[taken])
        covered = np.maximum(covered, objective.likeness[taken])


def _better(objective: Objective, one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return other if objective.value(other) > objective.value(one) + _EPSILON else one


def _fractional(gains: NDArray[np.float64], costs: NDArray[np.int64], budget: int) -> float:
    """The most that gains can sum to within the budget, the last one in part. What is too large alone is left out."""
    gains = np.where(costs <= budget, gains, 0.0)
    order = np.argsort(-gains / costs, kind="stable")
    before = np.concatenate(([0], np.cumsum(costs[order])[:-1]))
    shares = np.clip((budget - before) / costs[order], 0.0, 1.0)
    return float(gains[order] @ shares)
