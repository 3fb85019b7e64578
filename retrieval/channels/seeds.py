"""What channels that go on from the others make of their results."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from retrieval.fusion import Fusion, candidates_of
from retrieval.types import ChannelResult

_SMALLEST_STD = 1e-6
_FARTHEST = 6.0
"""Deviations beyond this count as this: a channel that lists two memories of a million gives them hundreds."""


def best_seeds(
    seeds: Mapping[str, ChannelResult], fusion: Fusion, most: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The best memories of the other channels, and how far each stands above the mean of what they listed.

    Args:
        seeds: results of the other channels, by name.
        fusion: makes one ranking of them.
        most: how many memories at most.

    Returns:
        Distinct slots, int64 `[s]`, best first, and strengths, float64 `[s]`, > 0.
    """
    ranking = fusion.fuse(seeds, candidates_of(seeds).size)
    if not ranking.slots.size:
        return ranking.slots, ranking.scores
    above = ranking.scores - ranking.scores.mean()
    good = np.flatnonzero(above > 0.0)[:most]
    if not good.size:  # all are equally good
        return ranking.slots[:most], np.ones(min(most, ranking.slots.size))
    return ranking.slots[good], above[good]


def deviation(seeds: Mapping[str, ChannelResult], slots: NDArray[np.int64]) -> NDArray[np.float64]:
    """How far memories stand out in the eyes of the other channels, whichever of them listed them.

    Returns:
        float64 `[m]`, the mean over the channels of the distance from the mean of all eligible memories in standard
        deviations, at most 6 either way; 0 where a channel knows nothing.
    """
    total = np.zeros(slots.size)
    for name in sorted(seeds):
        result = seeds[name]
        mean, std = result.moments()
        if std > _SMALLEST_STD:
            scores = result.score_of(slots).astype(np.float64)
            away = (np.where(np.isfinite(scores), scores, mean) - mean) / std
            total += np.clip(away, -_FARTHEST, _FARTHEST)
    return total / max(len(seeds), 1)
