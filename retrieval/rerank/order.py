"""From first-stage scores and a cross-encoder's logits to the final order: a learned linear score.

For every candidate that was shown to the cross-encoder:

    score = w . [ s/5, z(s), c/5, logistic(c), x_k/3 ..., 1/(1 + r/3) of c, x_k ..., s, clip(c - max c, -3, 0), b/3, a ]

with s the fused score, z(s) its distance from the mean of the shown ones in deviations, c the logit, x_k the
standardised scores of the keyword, semantic and late interaction channels, r ranks from 0 among the shown ones, b what
the fusion added for channels that are sure of what they list, and for what a thread led to, and a whether somebody said
the memory whom the question names (`retrieval.channels.speaker`). A cross-encoder
knows nothing of which came first, of what went well, of the letters of an identifier, or of the memory before.
Logits speak of relevance in absolute terms, ranks and differences of what is best for this question: with both, a
cross-encoder that is lost on a long chat message (all logits low and alike) does little harm. Candidates that were not
shown follow in the order of the first stage.

The weights are numbers in `retrieval/weights/rerank.json`, fitted by `benchmarks/quality/fit.py` with a listwise
softmax loss (ListNet's top-one form: Cao et al. 2007, doi:10.1145/1273496.1273513) and reported leave one set out
(`docs/decisions/0008-late-interaction-and-fusion.md`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.channels.speaker import SPEAKER
from retrieval.fusion import FusionWeights, Ranking, share_of_best, standardised
from retrieval.types import ChannelResult
from retrieval.weights import read_weights

CHANNELS = ("keyword", "semantic", "late_interaction")
FEATURES = (
    "fused", "fused_z", "logit", "logistic", *CHANNELS,
    "rank_logit", *(f"rank_{name}" for name in CHANNELS), "rank_fused", "below_best", "bonus", "speaker",
)  # fmt: skip
THREAD = 3.0
_RANK_SCALE = 3.0
_DEEPEST = -3.0
_BELOW = 1e-3


@dataclass(frozen=True, slots=True)
class OrderWeights:
    """Weight of each feature in `FEATURES`, and the names of the sets that they were fitted on."""

    features: Mapping[str, float]
    fitted_on: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path | None = None) -> OrderWeights:
        """The numbers in a file; those that come with the package if none is given.

        Raises:
            ValueError: the file does not hold such numbers.
            OSError: it cannot be read.
        """
        numbers, fitted_on = read_weights("rerank", path)
        weights = numbers.get("features", {})
        if missing := [name for name in FEATURES if name not in weights]:
            raise ValueError(f"the weights of the order lack {', '.join(missing)}")
        return cls(weights, fitted_on)


class LearnedOrder:
    """Puts candidates into their final order."""

    def __init__(self, weights: OrderWeights | None = None, bonus: Mapping[str, float] | None = None) -> None:
        """Takes the shipped weights unless others are given; `bonus` are those of the fusion, by channel."""
        self.weights = weights or OrderWeights.read()
        self.bonus = dict(FusionWeights.read().bonus if bonus is None else bonus)
        self._vector = np.array([self.weights.features[name] for name in FEATURES])

    def order(
        self,
        first: Ranking,
        logits: NDArray[np.float32],
        results: Mapping[str, ChannelResult],
        led_to: Collection[int] = (),
    ) -> Ranking:
        """The final order.

        Args:
            first: candidates by the first stage, best first.
            logits: float32 `[n]` beside them, NaN where none was scored.
            results: what the channels said, by name.
            led_to: slots that a thread led to (`retrieval.hops`): they get a bonus of `THREAD`.

        Returns:
            The same candidates; those without a logit follow those with one.
        """
        shown = np.flatnonzero(np.isfinite(logits))
        if shown.size == 0:
            return first
        scores = self.features(first, logits, results, led_to)[1] @ self._vector
        rest = np.setdiff1d(np.arange(first.slots.size), shown, assume_unique=True)
        if rest.size:
            behind = float(scores.min()) - _BELOW
            tail = behind + np.minimum(first.scores[rest] - first.scores[rest].max(), 0.0)
            scores = np.concatenate([scores, tail])
        slots = np.concatenate([first.slots[shown], first.slots[rest]])
        best = np.argsort(-scores, kind="stable")
        return Ranking(slots[best], scores[best])

    def features(
        self,
        first: Ranking,
        logits: NDArray[np.float32],
        results: Mapping[str, ChannelResult],
        led_to: Collection[int] = (),
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Places of the candidates that were read, int64 `[n]`, and their features; arguments as in `order`."""
        shown = np.flatnonzero(np.isfinite(logits))
        channels = {n: standardised(r, first.slots)[shown] for n, r in results.items() if n in CHANNELS}
        bonus = np.where(np.isin(first.slots[shown], np.array(sorted(led_to), dtype=np.int64)), THREAD, 0.0)
        for name in sorted(results):
            if (weight := self.bonus.get(name, 0.0)) > 0.0:
                bonus += weight * share_of_best(results[name], first.slots[shown])
        speaker = results.get(SPEAKER)
        said = None if speaker is None else speaker.score_of(first.slots[shown]).astype(np.float64)
        return shown, features(first.scores[shown], logits[shown], channels, bonus, said)


def features(
    fused: NDArray[np.float64],
    logits: NDArray[np.float32],
    channels: Mapping[str, NDArray[np.float64]],
    bonus: NDArray[np.float64] | None = None,
    said: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Features of the candidates of one question, float64 `[n, len(FEATURES)]`.

    Args:
        fused: first-stage scores, float64 `[n]`.
        logits: float32 `[n]`, finite.
        channels: standardised scores by channel, float64 `[n]` each; a channel that abstained counts as 0.
        bonus: what the fusion added for channels that are sure of what they list, float64 `[n]`; default: nothing.
        said: 1 for candidates that somebody said whom the question names, else 0, float64 `[n]`; default: none.
    """
    n = fused.size
    logit = np.clip(logits.astype(np.float64), -20.0, 20.0)
    std = float(fused.std())
    columns = [fused / 5.0, (fused - fused.mean()) / std if std > 0.0 else np.zeros(n), logit / 5.0]
    columns.append(1.0 / (1.0 + np.exp(-logit)))
    by_channel = [channels.get(name, np.zeros(n)) for name in CHANNELS]
    columns += [z / 3.0 for z in by_channel]
    columns += [_rank_share(values) for values in (logit, *by_channel, fused)]
    columns.append(np.clip(logit - logit.max(), _DEEPEST, 0.0))
    columns.append((np.zeros(n) if bonus is None else bonus) / 3.0)
    columns.append(np.zeros(n) if said is None else said)
    return np.stack(columns, axis=1)


def _rank_share(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 for the best, falling with the rank; equal values share the better rank, none differ: all 0."""
    order = np.sort(-values)
    if values.size == 0 or order[0] == order[-1]:
        return np.zeros(values.size)
    ranks = np.searchsorted(order, -values, side="left")
    share: NDArray[np.float64] = 1.0 / (1.0 + ranks / _RANK_SCALE)
    return share
