"""Which memories to keep within a quota: the most useful set that can be had, and how far it is from the best.

With p the chance of each memory to be used again (`lifecycle.uses`), R its retention and s the likeness of two
memories (`lifecycle.cells`), a set S of `n` memories is worth

    U(S) = COVERAGE * sum_v p_v max_{i in S} s_vi / sum p  +  USE * sum_{i in S} p_i / sum p
         + RETENTION * sum_{i in S} R_i / sum R

All of them are worth 1. The first part is facility location: what is asked for is answered by the memory itself or by
one that says nearly the same, so of ten that say the same, nine gain little. The rest is modular. U is monotone and
submodular.

Kept is by lazy greedy (Minoux 1978): at each step what gains most for its cost and still fits; gains only fall, so one
that was worked out earlier is an upper bound. The costs of a memory are its share of each limit; of one with several
they are summed. Guarantees, as a part of the best possible gain over what has to stay anyway:

- a number of memories: 1 - 1/e (Nemhauser, Wolsey and Fisher 1978);
- a number of bytes: (1 - 1/e) / 2, by taking the best single memory instead where that is better (Khuller, Moss and
  Naor 1999);
- both: (1 - e^(-1/2)) / 2, by the same proof: what fits into both costs 2 at most, and greedy that has met one that
  does not fit has spent 1.

How good it is in the case at hand is usually far better, and is certified. For any S, since coverage C is monotone and
submodular and the rest M modular, every set T that is allowed has

    U(T) <= C(S) + sum_{i in T} (M_i + C(S + i) - C(S))

and the largest right-hand side over all T that fit is a knapsack whose fractional relaxation is a sort. The least over
several S on greedy's way is the bound; none of it needs the best set.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lifecycle.cells import ALIKE

COVERAGE, USE, RETENTION = 0.3, 0.5, 0.2
"""Shares of the parts of U. Chosen, not fitted."""
_CHECKS = 8
"""Sets on greedy's way that bounds are worked out from, besides the first and the last."""
_EPSILON = 1e-12


@dataclass(frozen=True, slots=True)
class Utility:
    """U of the module's text, over `n` memories.

    Attributes:
        modular: float64 `[n]`, what each adds for itself, >= 0.
        demand: float64 `[n]`, what covering each is worth, >= 0.
        cells: the places of each cell, a partition of the memories.
        alike: for each cell, uint8 `[m, m]` up to `ALIKE`; see `lifecycle.cells.likeness`.
    """

    modular: NDArray[np.float64]
    demand: NDArray[np.float64]
    cells: Sequence[NDArray[np.int64]]
    alike: Sequence[NDArray[np.uint8]]

    @classmethod
    def of(
        cls,
        chances: NDArray[np.float64],
        retentions: NDArray[np.float64],
        cells: Sequence[NDArray[np.int64]],
        alike: Sequence[NDArray[np.uint8]],
        shares: tuple[float, float, float] = (COVERAGE, USE, RETENTION),
    ) -> Utility:
        """U for chances of use and retentions, float64 `[n]` each, not negative; all zero count as all equal."""
        coverage, use, retained = shares
        used, kept = _share(chances), _share(retentions)
        return cls(use * used + retained * kept, coverage * used, cells, alike)

    def __len__(self) -> int:
        return int(self.modular.size)

    def value(self, kept: NDArray[np.bool_]) -> float:
        """The worth of a set, bool `[n]`."""
        covered = 0.0
        for places, alike in zip(self.cells, self.alike, strict=True):
            inside = alike[:, kept[places]]
            if inside.shape[1]:
                covered += float(self.demand[places] @ inside.max(axis=1)) / ALIKE
        return float(self.modular[kept].sum()) + covered


@dataclass(frozen=True, slots=True)
class Kept:
    """Which memories stay.

    Attributes:
        kept: bool `[n]`, those that have to stay among them.
        gains: float64 `[n]`, of a memory that goes what it would have added to those that stay; of one that stays 0.
        value: U of those that stay.
        bound: no set that keeps within the limits is worth more.
        guarantee: the part of `bound` that `value` is sure to reach beyond what has to stay.
        is_within: whether the limits are kept. Not if those that have to stay exceed them alone; then no other stays.
    """

    kept: NDArray[np.bool_]
    gains: NDArray[np.float64]
    value: float
    bound: float
    guarantee: float
    is_within: bool

    @property
    def ratio(self) -> float:
        """How near to the best possible it is at least, from 0 to 1."""
        return 1.0 if self.bound <= _EPSILON else min(1.0, self.value / self.bound)


def keep(utility: Utility, costs: NDArray[np.float64], limits: NDArray[np.float64], fixed: NDArray[np.bool_]) -> Kept:
    """The most useful memories within limits, those that have to stay included.

    Equal memories are kept in their order.

    Args:
        utility: of the memories.
        costs: float64 `[n, m]`, what each takes of each of the limits, >= 0.
        limits: float64 `[m]`, m from 1 on.
        fixed: bool `[n]`, those that have to stay.

    Raises:
        ValueError: there is no limit, or a cost is negative.
    """
    if costs.ndim != 2 or not costs.shape[1] or (costs < 0.0).any():
        raise ValueError("give at least one limit, and costs that are not negative")
    room = limits - costs[fixed].sum(axis=0)
    if (room < 0.0).any():
        there = _Greedy(utility, costs, np.maximum(room, 0.0), fixed)
        return Kept(fixed.copy(), there.exact_gains(), there.value, there.value, 1.0, is_within=False)
    greedy = _Greedy(utility, costs, room, fixed)
    best_alone = greedy.best_single()
    greedy.run()
    bound, guarantee = greedy.bound, 1.0 - np.exp(-1.0 / limits.size)
    if limits.size > 1 or np.unique(costs[~fixed]).size > 1:
        guarantee /= 2.0
        if best_alone is not None:
            alone = fixed.copy()
            alone[best_alone] = True
            if utility.value(alone) > greedy.value:
                greedy = _Greedy(utility, costs, room, alone)
    return Kept(
        greedy.kept, greedy.exact_gains(), greedy.value, max(greedy.value, bound), float(guarantee), is_within=True
    )


def _share(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    total = float(numbers.sum())
    return numbers / total if total > _EPSILON else np.full(numbers.size, 1.0 / max(1, numbers.size))


class _Greedy:
    """Greedy on its way: what is kept, how well each memory is covered by it, and what each could still gain.

    Attributes:
        kept: bool `[n]`.
        value: U of what is kept.
        bound: the least bound so far.
    """

    def __init__(
        self, utility: Utility, costs: NDArray[np.float64], room: NDArray[np.float64], fixed: NDArray[np.bool_]
    ) -> None:
        self._utility = utility
        self._costs = costs
        self._room = room.copy()
        self._could = ~fixed & (costs <= room).all(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            self._shares = np.where(costs > 0.0, costs / room, 0.0)
        self._weights = 1.0 / np.maximum(self._shares.sum(axis=1), _EPSILON)
        self._fixed = fixed
        self._covered = [
            alike[:, fixed[places]].max(axis=1, initial=0)
            for places, alike in zip(utility.cells, utility.alike, strict=True)
        ]
        self._upper: list[NDArray[np.float64]] = []
        self.kept = fixed.copy()
        self.value = self._coverage() + float(utility.modular[fixed].sum())
        self.bound = np.inf

    def run(self) -> None:
        """Takes what gains most for its cost, as long as anything fits."""
        gains = self.exact_gains()
        self.bound = self._bound(gains)
        densities = np.where(self._could, gains * self._weights, -np.inf)
        self._upper = [densities[places] for places in self._utility.cells]
        heap: list[tuple[float, int, int]] = []
        for number in range(len(self._upper)):
            self._push(heap, number)
        limits, spent, check, is_whole = self._room.size, 0.0, 1.0 / (_CHECKS + 1), True
        while heap:
            density, place, number = heapq.heappop(heap)
            if is_whole:  # as long as nothing was passed over, nothing gains more for its cost than this
                self.bound = min(self.bound, self.value - density * limits)
            if (self._costs[place] <= self._room).all():
                self._take(place, number)
                spent += 1.0 / (self._weights[place] * limits)
                if spent >= check:
                    check = spent + 1.0 / (_CHECKS + 1)
                    self.bound = min(self.bound, self._bound(self.exact_gains()))
            else:
                is_whole = False
                places = self._utility.cells[number]
                self._upper[number][(self._costs[places] > self._room).any(axis=1)] = -np.inf
            self._push(heap, number)
        self.bound = min(self.bound, self._bound(self.exact_gains()))

    def exact_gains(self) -> NDArray[np.float64]:
        """What each memory that is not kept would add now, float64 `[n]`."""
        utility = self._utility
        gains = utility.modular.copy()
        for places, alike, covered in zip(utility.cells, utility.alike, self._covered, strict=True):
            gains[places] += (np.maximum(alike, covered) - covered) @ utility.demand[places] / ALIKE
        gains[self.kept] = 0.0
        return gains

    def best_single(self) -> int | None:
        """The memory that adds most alone, of those that fit."""
        gains = np.where(self._could, self.exact_gains(), -np.inf)
        best = int(gains.argmax()) if gains.size else 0
        return best if gains.size and np.isfinite(gains[best]) else None

    def _coverage(self) -> float:
        demand = self._utility.demand
        covered = zip(self._utility.cells, self._covered, strict=True)
        return sum(float(demand[places] @ by) for places, by in covered) / ALIKE

    def _bound(self, gains: NDArray[np.float64]) -> float:
        """The bound of the module's text from what is kept now; the least over the limits, each taken alone."""
        worth = np.where(self.kept, self._utility.modular, gains)[self._could]
        base = self._coverage() + float(self._utility.modular[self._fixed].sum())
        shares = self._shares[self._could]
        return base + min(_fractional(worth, shares[:, limit]) for limit in range(shares.shape[1]))

    def _push(self, heap: list[tuple[float, int, int]], number: int) -> None:
        """Puts the best of a cell on the heap: of upper bounds the largest, once it is no mere bound."""
        upper, places = self._upper[number], self._utility.cells[number]
        best = int(upper.argmax())
        while upper[best] > -np.inf:
            upper[best] = self._gain(number, best) * self._weights[places[best]]
            again = int(upper.argmax())
            if again == best:
                heapq.heappush(heap, (-float(upper[best]), int(places[best]), number))
                return
            best = again

    def _gain(self, number: int, inside: int) -> float:
        places, covered = self._utility.cells[number], self._covered[number]
        more = np.maximum(self._utility.alike[number][inside], covered) - covered
        return float(self._utility.modular[places[inside]] + self._utility.demand[places] @ more / ALIKE)

    def _take(self, place: int, number: int) -> None:
        inside = int(np.searchsorted(self._utility.cells[number], place))
        self.value += self._gain(number, inside)
        self._covered[number] = np.maximum(self._covered[number], self._utility.alike[number][inside])
        self._upper[number][inside] = -np.inf
        self._room -= self._costs[place]
        self.kept[place] = True


def _fractional(worth: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    """The most that fits into 1 if parts may be taken, of things with these worths and costs."""
    order = np.argsort(-worth / np.maximum(shares, _EPSILON), kind="stable")
    shares = np.maximum(shares[order], _EPSILON)
    taken = np.clip((1.0 - (np.cumsum(shares) - shares)) / shares, 0.0, 1.0)
    return float(worth[order] @ taken)
