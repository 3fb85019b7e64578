"""Channel weights that learn from what turned out useful, one namespace at a time. Pure: weights follow from feedback.

Each round is the feedback on one recall. For channel c let z_ic say by how many standard deviations it set hit i apart
from the other hits. The round's gain of the channel is the mean of z over the hits that were used or useful, less the
mean over those that were wrong, cut to [-1, 1]; the loss of weights u is then the linear l(u) = -sum_c u_c g_c: weight
on a channel that put the right hits high costs less.

The weights (factors on the default ones) are found by optimistic online mirror descent with the entropy as mirror map,
that is by optimistic exponentiated gradient (Rakhlin and Sridharan 2013, arXiv:1208.3728; Kivinen and Warmuth 1997):

    v_{t+1} = clip(v_t * exp(eta_t g_t))        u_{t+1} = clip(v_{t+1} * exp(eta_t g_t))

where the last gain stands in for the one to come, and clipping to [1/2, 2] is the projection in the divergence of the
entropy onto that box, coordinate by coordinate. With the step eta_t = sqrt(D / (W + sum_s |g_s - g_{s-1}|^2)), D the
diameter of the box in that divergence, the regret after T rounds against the best fixed weights is
O(sqrt(D (W + V_T))), V_T the summed squared change of the gains: at most O(sqrt(T)) whatever the stream, and constant
where gains settle. W (`CAUTION` for each channel) makes first steps small: a handful of verdicts moves little.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

LEAST, MOST = 0.5, 2.0
"""Bounds of the factors on the default weights."""
CAUTION = 400.0
"""For each channel: the first verdict moves a factor by at most an eighth."""

_DIAMETER = MOST * np.log(MOST / LEAST) - MOST + LEAST  # divergence of the box's corners, for one channel


class Verdict(IntEnum):
    """What became of a hit; stored, so codes never change."""

    USED = 0
    USEFUL = 1
    WRONG = 2


@dataclass(frozen=True, slots=True)
class Judged:
    """A hit with its verdict; `apart` is by channel name how far the channel set it apart from the other hits."""

    verdict: Verdict
    apart: Mapping[str, float]


def apart(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """How many standard deviations above the other hits' mean each score is, float32 `[n]`.

    Args:
        scores: one channel's scores of the hits of one recall, float32 `[n]`; not finite where it has none.

    Returns:
        0 where there is no score, or all scores are equal.
    """
    known = np.isfinite(scores)
    if known.sum() < 2:
        return np.zeros(scores.size, dtype=np.float32)
    mean, std = scores[known].mean(dtype=np.float64), scores[known].std(dtype=np.float64)
    if not std > 1e-9:
        return np.zeros(scores.size, dtype=np.float32)
    return np.where(known, (np.where(known, scores, mean) - mean) / std, 0.0).astype(np.float32)


@dataclass(slots=True)
class Adaptation:
    """The state of one namespace. Without feedback every factor is 1."""

    rounds: int = 0
    _order: dict[str, int] = field(default_factory=dict)
    _anchor: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    _played: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    _last: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    _sum: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    _change: float = 0.0
    _earned: float = 0.0

    @property
    def factors(self) -> dict[str, float]:
        """By channel name what to multiply its default weight with; 1 for every channel that is not named."""
        return {name: float(self._played[place]) for name, place in self._order.items()}

    @property
    def regret(self) -> float:
        """How much more the best fixed factors would have gained in all rounds so far, at least 0 up to rounding."""
        best = np.where(self._sum > 0, MOST, LEAST)
        return float(best @ self._sum - self._earned)

    @property
    def regret_bound(self) -> float:
        """The regret cannot be larger than this."""
        n = len(self._order)
        return 4.0 * float(np.sqrt(_DIAMETER * n * (CAUTION * n + self._change)))

    def learn(self, judged: Iterable[Judged]) -> None:
        """One round: the verdicts on hits of one recall. Without any, nothing changes."""
        self.step(gains(judged))

    def step(self, gain: Mapping[str, float]) -> None:
        """One round with the gain of each channel, cut to [-1, 1]; 0 for a channel that is not named."""
        if not gain:
            return
        self._make_room(gain)
        now = np.zeros(len(self._order))
        for name, value in gain.items():
            now[self._order[name]] = min(1.0, max(-1.0, value))
        self._earned += float(self._played @ now)
        self._sum += now
        self._change += float(((now - self._last) ** 2).sum())
        self._last = now
        self.rounds += 1
        n = len(self._order)
        eta = np.sqrt(_DIAMETER * n / (CAUTION * n + self._change))
        self._anchor = np.clip(self._anchor * np.exp(eta * now), LEAST, MOST)
        self._played = np.clip(self._anchor * np.exp(eta * now), LEAST, MOST)

    def _make_room(self, names: Iterable[str]) -> None:
        """Channels not met before begin at factor 1, by name, so that the same feedback gives the same bits."""
        for name in sorted(set(names) - self._order.keys()):
            self._order[name] = len(self._order)
        new = len(self._order) - self._anchor.size
        if new:
            self._anchor = np.concatenate((self._anchor, np.ones(new)))
            self._played = np.concatenate((self._played, np.ones(new)))
            self._last = np.concatenate((self._last, np.zeros(new)))
            self._sum = np.concatenate((self._sum, np.zeros(new)))


def gains(judged: Iterable[Judged]) -> dict[str, float]:
    """The gain of each channel in a round, in [-1, 1]; empty without verdicts."""
    right: dict[str, list[float]] = {}
    wrong: dict[str, list[float]] = {}
    n_right = n_wrong = 0
    for one in judged:
        side = wrong if one.verdict is Verdict.WRONG else right
        n_wrong, n_right = n_wrong + (side is wrong), n_right + (side is right)
        for name, value in one.apart.items():
            side.setdefault(name, []).append(value)
    return {
        name: float(np.clip(_mean(right.get(name), n_right) - _mean(wrong.get(name), n_wrong), -1.0, 1.0))
        for name in sorted(right.keys() | wrong.keys())
    }


def _mean(values: list[float] | None, count: int) -> float:
    return sum(values) / count if values else 0.0
