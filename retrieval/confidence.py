"""How sure we are that an answer is among the hits, from raw evidence and not from ranks.

    confidence = 1 / (1 + exp(-(w_0 + sum of w_i * x_i)))

over what is known of the question as a whole (each x_i does not grow with the number of memories):

- rise: how far the best cosine stands above the namespace's mean cosine, in [0, 1];
- share: how much of the question's words the best memory covers that is about the names in the question, in [0, 1];
- late: the best score of the late interaction;
- said: how much of the best candidates' weight lies on memories that somebody said whom the question names, in [0, 1]
  (`retrieval.channels.speaker`); 1 where that tells nothing apart. Weight is the softmax of the logits, else of the
  fused scores;
- read, where a cross-encoder read the best candidates: the logarithm of the sum of exp(logit), and the best logit.

There are two sets of weights, for questions whose candidates were read and for those whose were not, as plain numbers
in `retrieval/weights/confidence.json`. `benchmarks/quality/fit.py` fits them on questions that are asked as they are
(answered, if a right memory was among the first ten) and asked again with their right memories hidden, each set of
questions counting the same, and judges each set by weights that were fitted on the others: Brier score, calibration
error, and the area under the curve against questions that nothing answers (`docs/quality.md`).

Sources: logistic calibration, Platt 1999; questions that swap what two people said: Maharana et al. 2024
(arXiv:2402.17753).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.channels.speaker import SPEAKER
from retrieval.fusion import Ranking
from retrieval.types import ChannelResult
from retrieval.weights import read_weights

TYPICAL_RISE = 0.4
"""Stands in when the question has no vector."""
TYPICAL_LATE = 0.5
"""Stands in when nothing has states of tokens."""
INTERCEPT = "intercept"
SEEN = ("rise", "share", "late", "said")
READ = (*SEEN, "read", "best_read")
"""Names of the evidence, without and with what a cross-encoder said."""

_SEMANTIC, _KEYWORD, _LATE = "semantic", "keyword", "late_interaction"
_MOST = 10
"""Candidates whose weight counts for `said`."""
_LOGIT_SCALE = 5.0


@dataclass(frozen=True, slots=True)
class ConfidenceWeights:
    """Weights by name of the evidence and `intercept`, where nothing was read and where something was."""

    unread: Mapping[str, float]
    read: Mapping[str, float]
    fitted_on: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: Path | None = None) -> ConfidenceWeights:
        """The numbers in a file; those that come with the package if none is given.

        Raises:
            ValueError: the file does not hold such numbers.
            OSError: it cannot be read.
        """
        numbers, fitted_on = read_weights("confidence", path)
        for kind, names in (("unread", SEEN), ("read", READ)):
            if missing := {INTERCEPT, *names}.difference(numbers.get(kind, {})):
                raise ValueError(f"the weights of the confidence lack {', '.join(sorted(missing))} under {kind}")
        return cls(numbers["unread"], numbers["read"], fitted_on)


class Confidence:
    """Says how sure an answer is. Pure."""

    def __init__(self, weights: ConfidenceWeights | None = None) -> None:
        """Takes the shipped weights unless others are given."""
        self.weights = weights or ConfidenceWeights.load()

    def __call__(
        self, results: Mapping[str, ChannelResult], first: Ranking, logits: NDArray[np.float32] | None = None
    ) -> float:
        """Probability in [0, 1]; 0 when no channel found anything.

        Args:
            results: of the channels that had something to go on, by name.
            first: candidates by the first stage, best first.
            logits: float32 `[n]` beside them, NaN where none was scored; None where nothing was read.
        """
        if first.slots.size == 0:
            return 0.0
        known = evidence(results, first, logits)
        weights = self.weights.read if "read" in known else self.weights.unread
        total = weights[INTERCEPT] + math.fsum(weights[name] * value for name, value in known.items())
        return 1.0 / (1.0 + math.exp(-total)) if total > 0.0 else math.exp(total) / (1.0 + math.exp(total))


def evidence(
    results: Mapping[str, ChannelResult], first: Ranking, logits: NDArray[np.float32] | None = None
) -> dict[str, float]:
    """What the confidence rests on, by the names in `READ` or, where nothing was read, `SEEN`; as in `Confidence`."""
    read = np.isfinite(logits) if logits is not None else np.zeros(first.slots.size, dtype=np.bool_)
    known = {
        "rise": _evidence(results, _SEMANTIC, TYPICAL_RISE),
        "share": _evidence(results, _KEYWORD, 0.0),
        "late": _evidence(results, _LATE, TYPICAL_LATE),
    }
    if logits is None or not read.any():
        return known | {"said": _said(results.get(SPEAKER), first.slots[:_MOST], first.scores[:_MOST])}
    values = logits[read].astype(np.float64)
    return known | {
        "said": _said(results.get(SPEAKER), first.slots[read], values),
        "read": float(np.logaddexp.reduce(values)) / _LOGIT_SCALE,
        "best_read": float(values.max()) / _LOGIT_SCALE,
    }


def _evidence(results: Mapping[str, ChannelResult], name: str, otherwise: float) -> float:
    result = results.get(name)
    return otherwise if result is None or result.evidence is None else result.evidence


def _said(speaker: ChannelResult | None, slots: NDArray[np.int64], scores: NDArray[np.float64]) -> float:
    if speaker is None:
        return 1.0
    weights = np.exp(scores - scores.max())
    return float(weights @ speaker.score_of(slots).astype(np.float64) / weights.sum())
