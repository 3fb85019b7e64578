"""From the lists of several channels to one ranking. Pure: results are read, never changed.

Three ways behind one protocol:

- `ReciprocalRanks`: sum of `weight / (k + rank)` over the channels that list a memory (Cormack, Clarke and
  Büttcher 2009, doi:10.1145/1571941.1572114; k = 60 as there).
- `StandardisedScores`: sum of `weight * (score - mean) / std` with mean and standard deviation of each channel's score
  over the candidates, which are what any channel listed (a weighted CombSUM over z-scores: Fox and Shaw 1994; Montague
  and Aslam 2001, doi:10.1145/502585.502657). It knows by how much a memory stands out, which ranks do not; and taken
  over the candidates instead of the namespace, a rare word weighs the same among a hundred memories and a million.
- `LearnedFusion` (the default): the same for channels that have something to say about every memory (`standardised`),
  and for channels that list only what they are sure of a bonus, `weight * score / best score`. Its weights are numbers
  in `retrieval/weights/fusion.json`; those of channels that the sets hardly use are set by hand, the others fitted, by
  `benchmarks/quality/fit.py`. The file may hold factors by the type of question; none are shipped.

Weights may be multiplied by factors that feedback taught (`retrieval.adaptation`). All give the same ranking in
whatever order the channels come. Equal scores are ordered by slot.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.types import ChannelResult, QuestionType
from retrieval.weights import read_weights

_SMALLEST_STD = 1e-6
"""Below this a channel's scores are all the same within float32, and it says nothing."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Memories best first: slots int64 `[n]`, distinct, and their scores float64 `[n]`."""

    slots: NDArray[np.int64]
    scores: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Weighing:
    """What bears on the weights of one recall: the type of the question, and factors by channel that were learned."""

    type: QuestionType = QuestionType.WHAT
    factors: Mapping[str, float] = field(default_factory=dict)


_NEUTRAL = Weighing()
_SEMANTIC, _KEYWORD, _LATE = "semantic", "keyword", "late_interaction"


class Fusion(Protocol):
    """One way to make one ranking out of several."""

    def fuse(self, results: Mapping[str, ChannelResult], limit: int, weighing: Weighing = _NEUTRAL) -> Ranking:
        """Ranks the union of what the channels listed.

        Args:
            results: by channel name; channels that abstained are not in it.
            limit: how many memories at most.
            weighing: what bears on the weights.
        """
        ...

    def contributions(
        self, results: Mapping[str, ChannelResult], slots: NDArray[np.int64], weighing: Weighing = _NEUTRAL
    ) -> dict[str, NDArray[np.float64]]:
        """What each channel adds to the scores that `fuse` gives, float64 `[m]`; NaN for what none of them listed."""
        ...


class _WeightedSum(ABC):
    """A fusion that adds up what each channel says; `_parts` is what it adds, in a fixed order."""

    @abstractmethod
    def _parts(
        self, results: Mapping[str, ChannelResult], candidates: NDArray[np.int64], weighing: Weighing
    ) -> Iterator[tuple[str, NDArray[np.float64]]]: ...

    def fuse(self, results: Mapping[str, ChannelResult], limit: int, weighing: Weighing = _NEUTRAL) -> Ranking:
        """See `Fusion`."""
        candidates = candidates_of(results)
        total = np.zeros(candidates.size)
        for _, part in self._parts(results, candidates, weighing):  # in its order: the sum of floats is the same bits
            total += part
        return best_of(candidates, total, limit)

    def contributions(
        self, results: Mapping[str, ChannelResult], slots: NDArray[np.int64], weighing: Weighing = _NEUTRAL
    ) -> dict[str, NDArray[np.float64]]:
        """See `Fusion`."""
        candidates = candidates_of(results)
        if not candidates.size:
            return {}
        at = np.minimum(np.searchsorted(candidates, slots), candidates.size - 1)
        is_listed = candidates[at] == slots
        found: dict[str, NDArray[np.float64]] = {}
        for name, part in self._parts(results, candidates, weighing):
            found[name] = found.get(name, 0.0) + np.where(is_listed, part[at], np.nan)
        return found


class ReciprocalRanks(_WeightedSum):
    """Weighted reciprocal ranks."""

    def __init__(self, weights: Mapping[str, float] | None = None, *, k: float = 60.0) -> None:
        """Sets weights by channel name (1 where none is given) and the rank constant `k`."""
        self._weights = dict(weights or {})
        self._k = k

    def _parts(
        self, results: Mapping[str, ChannelResult], candidates: NDArray[np.int64], weighing: Weighing
    ) -> Iterator[tuple[str, NDArray[np.float64]]]:
        for name in sorted(results):
            listed = results[name].slots
            weight = self._weights.get(name, 1.0) * weighing.factors.get(name, 1.0)
            part = np.zeros(candidates.size)
            part[np.searchsorted(candidates, listed)] = weight / (self._k + np.arange(1, listed.size + 1))
            yield name, part


class StandardisedScores(_WeightedSum):
    """Weighted sum of standardised scores.

    A channel that did not list a candidate is asked for its score, so that a memory is judged by all channels. Where a
    channel has no score for a memory (-inf: no vector), or all its scores are equal, it counts as neutral (0).
    """

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        """Sets weights by channel name; 1 where none is given."""
        self._weights = dict(weights or {})

    def _parts(
        self, results: Mapping[str, ChannelResult], candidates: NDArray[np.int64], weighing: Weighing
    ) -> Iterator[tuple[str, NDArray[np.float64]]]:
        for name in sorted(results):
            weight = self._weights.get(name, 1.0) * weighing.factors.get(name, 1.0)
            yield name, weight * standardised(results[name], candidates)


@dataclass(frozen=True, slots=True)
class FusionWeights:
    """The numbers of `LearnedFusion`.

    Attributes:
        standardised: weight of each channel that scores every memory.
        bonus: weight of each channel that lists only what it is sure of. A channel in neither does not count.
        by_type: by type of question, factors on the weights of channels.
        fitted_on: names of the sets that the numbers were fitted on.
    """

    standardised: Mapping[str, float]
    bonus: Mapping[str, float]
    by_type: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    fitted_on: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path | None = None) -> FusionWeights:
        """The numbers in a file; those that come with the package if none is given.

        Raises:
            ValueError: the file does not hold such numbers.
            OSError: it cannot be read.
        """
        numbers, fitted_on = read_weights("fusion", path)
        try:
            return cls(numbers["standardised"], numbers["bonus"], numbers["by_type"], fitted_on)
        except KeyError as error:
            raise ValueError(f"the weights of the fusion lack {error}") from error


class LearnedFusion(_WeightedSum):
    """Standardised scores of the channels that say something of every memory, and bonuses of the others."""

    def __init__(self, weights: FusionWeights | None = None) -> None:
        """Takes the shipped weights unless others are given."""
        self.weights = weights or FusionWeights.read()

    def _parts(
        self, results: Mapping[str, ChannelResult], candidates: NDArray[np.int64], weighing: Weighing
    ) -> Iterator[tuple[str, NDArray[np.float64]]]:
        by_type = self.weights.by_type.get(weighing.type, {})
        for name in sorted(results):
            factor = weighing.factors.get(name, 1.0) * by_type.get(name, 1.0)
            if (weight := self._standardised(name, results)) != 0.0:
                yield name, weight * factor * standardised(results[name], candidates)
            if (weight := self.weights.bonus.get(name, 0.0)) != 0.0:
                yield name, weight * factor * share_of_best(results[name], candidates)

    def _standardised(self, name: str, results: Mapping[str, ChannelResult]) -> float:
        """Weight of a channel that scores every memory. Without states of tokens meaning counts as words do."""
        weights = self.weights.standardised
        if name == _SEMANTIC and _LATE not in results:
            return max(weights.get(name, 0.0), weights.get(_KEYWORD, 0.0))
        return weights.get(name, 0.0)


def standardised(result: ChannelResult, slots: NDArray[np.int64]) -> NDArray[np.float64]:
    """How many standard deviations above their mean the memories' scores are, float64 `[m]`; 0 where nothing is known.

    Mean and deviation are those of the given memories.
    """
    scores = result.score_of(slots).astype(np.float64)
    known = np.isfinite(scores)
    if not known.any():
        return np.zeros(slots.size)
    values = np.sort(scores[known])  # sums in a fixed order: a bank that was loaded anew has its slots in another one
    mean = float(values.sum()) / values.size
    away = values - mean
    std = math.sqrt(float((away * away).sum()) / values.size)
    if not std > _SMALLEST_STD:
        return np.zeros(slots.size)
    return np.where(known, (np.where(known, scores, mean) - mean) / std, 0.0)


def share_of_best(result: ChannelResult, slots: NDArray[np.int64]) -> NDArray[np.float64]:
    """Scores as a share of the channel's best, times its force, float64 `[m]`; 0 for what it did not list."""
    best = float(result.scores[0]) if result.scores.size else 0.0
    if not best > 0.0:
        return np.zeros(slots.size)
    order = np.argsort(result.slots)
    listed = result.slots[order]
    at = np.minimum(np.searchsorted(listed, slots), listed.size - 1)
    shares = np.clip(result.scores[order][at].astype(np.float64) / best, 0.0, 1.0)
    return np.where(listed[at] == slots, result.force * shares, 0.0)


def candidates_of(results: Mapping[str, ChannelResult]) -> NDArray[np.int64]:
    """Distinct slots of all lists, ascending."""
    lists = [result.slots for result in results.values()]
    return np.unique(np.concatenate(lists)) if lists else np.empty(0, dtype=np.int64)


def best_of(candidates: NDArray[np.int64], scores: NDArray[np.float64], limit: int) -> Ranking:
    """The best `limit` candidates (ascending slots), equal scores by slot."""
    order = np.argsort(-scores, kind="stable")[: max(limit, 0)]  # stable over ascending slots: ties by slot
    return Ranking(candidates[order], scores[order])
