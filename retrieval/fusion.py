"""From the lists of several channels to one ranking. Pure: results are read, never changed.

Two ways behind one protocol:

- `ReciprocalRanks`: sum of `weight / (k + rank)` over the channels that list a memory (Cormack, Clarke and
  Büttcher 2009, doi:10.1145/1571941.1572114; k = 60 as there).
- `StandardisedScores` (the default): sum of `weight * (score - mean) / std`, where mean and standard deviation are of
  the channel's score over all eligible memories of the namespace (a weighted CombSUM over z-scores: Fox and Shaw 1994;
  Montague and Aslam 2001, doi:10.1145/502585.502657). It knows by how much a memory stands out, which ranks do not.

Both give the same ranking in whatever order the channels come. Equal scores are ordered by slot: the memory that was
written first comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.types import ChannelResult

_SMALLEST_STD = 1e-6
"""Below this a channel's scores are all the same within float32, and it says nothing."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Memories best first: slots int64 `[n]`, distinct, and their scores float64 `[n]`."""

    slots: NDArray[np.int64]
    scores: NDArray[np.float64]


class Fusion(Protocol):
    """One way to make one ranking out of several."""

    def fuse(self, results: Mapping[str, ChannelResult], limit: int) -> Ranking:
        """Ranks the union of what the channels listed.

        Args:
            results: by channel name; channels that abstained are not in it.
            limit: how many memories at most.
        """
        ...


class ReciprocalRanks:
    """Weighted reciprocal ranks."""

    def __init__(self, weights: Mapping[str, float] | None = None, *, k: float = 60.0) -> None:
        """Sets weights by channel name (1 where none is given) and the rank constant `k`."""
        self._weights = dict(weights or {})
        self._k = k

    def fuse(self, results: Mapping[str, ChannelResult], limit: int) -> Ranking:
        """See `Fusion`."""
        candidates = _candidates(results)
        total = np.zeros(candidates.size)
        for name in sorted(results):
            listed = results[name].slots
            share = self._weights.get(name, 1.0) / (self._k + np.arange(1, listed.size + 1))
            total[np.searchsorted(candidates, listed)] += share
        return _best(candidates, total, limit)


class StandardisedScores:
    """Weighted sum of standardised scores.

    A channel that did not list a candidate is asked for its score, so that a memory is judged by all channels. Where a
    channel has no score for a memory (-inf: no vector), or all its scores are equal, it counts as neutral (0).
    """

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        """Sets weights by channel name; 1 where none is given."""
        self._weights = dict(weights or {})

    def fuse(self, results: Mapping[str, ChannelResult], limit: int) -> Ranking:
        """See `Fusion`."""
        candidates = _candidates(results)
        total = np.zeros(candidates.size)
        for name in sorted(results):  # a fixed order, so that the sum of floats is the same bits
            total += self._weights.get(name, 1.0) * standardised(results[name], candidates)
        return _best(candidates, total, limit)


def standardised(result: ChannelResult, slots: NDArray[np.int64]) -> NDArray[np.float64]:
    """How many standard deviations above the channel's mean memories are, float64 `[m]`; 0 where nothing is known."""
    if not result.std > _SMALLEST_STD:
        return np.zeros(slots.size)
    scores = result.score_of(slots).astype(np.float64)
    return np.where(np.isfinite(scores), (scores - result.mean) / result.std, 0.0)


def _candidates(results: Mapping[str, ChannelResult]) -> NDArray[np.int64]:
    """Distinct slots of all lists, ascending."""
    lists = [result.slots for result in results.values()]
    return np.unique(np.concatenate(lists)) if lists else np.empty(0, dtype=np.int64)


def _best(candidates: NDArray[np.int64], scores: NDArray[np.float64], limit: int) -> Ranking:
    order = np.argsort(-scores, kind="stable")[: max(limit, 0)]  # stable over ascending slots: ties by slot
    return Ranking(candidates[order], scores[order])
