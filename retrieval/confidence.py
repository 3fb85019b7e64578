"""How sure we are that anything in the namespace answers the question, from raw evidence and not from ranks.

    confidence = 1 / (1 + exp(-(A + B * rise + C * share)))

- rise: evidence of the semantic channel, how far the best cosine stands above the namespace's mean cosine;
- share: evidence of the keyword channel, how much of the question's words the best memory covers that is about the
  names in the question.

Where a cross-encoder read the best candidates, the logarithm of the sum of exp(logit) takes the place of the rise.

Rise and share lie in [0, 1] and do not grow with the number of memories. A, B and C were fitted with an intercept for
each set, on six sets of questions: asked as they are (answered, if a right memory was among the first ten) and asked
again with the right memories hidden. A seventh set was only checked. `benchmarks/models_confidence.py` does it again,
and `docs/decisions/0003-fusion.md` says how far it carries: it tells an empty store from a telling one, and little
about questions that differ from an answered one by a single name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from retrieval.types import ChannelResult

INTERCEPT = -3.39
RISE_WEIGHT = 5.59
SHARE_WEIGHT = 3.25
READ_INTERCEPT = -0.5  # these three are set by hand, not fitted: an order between questions, not yet a probability
READ_WEIGHT = 0.3
READ_SHARE_WEIGHT = 1.0
TYPICAL_RISE = 0.4
"""Mean over the sets of the fit: stands in when the question has no vector."""

_SEMANTIC, _KEYWORD = "semantic", "keyword"


def confidence(results: Mapping[str, ChannelResult], logits: NDArray[np.float32] | None = None) -> float:
    """Probability-like number in [0, 1]; 0 when no channel found anything.

    Args:
        results: of the channels that had something to go on, by name.
        logits: what a cross-encoder said of the best candidates, float32 `[n]`, NaN where it was not asked.
    """
    if not any(result.slots.size for result in results.values()):
        return 0.0
    rise, share = evidence(results)
    if logits is not None and np.isfinite(logits).any():
        read = float(np.logaddexp.reduce(logits[np.isfinite(logits)].astype(np.float64)))
        return 1.0 / (1.0 + math.exp(-(READ_INTERCEPT + READ_WEIGHT * read + READ_SHARE_WEIGHT * share)))
    return 1.0 / (1.0 + math.exp(-(INTERCEPT + RISE_WEIGHT * rise + SHARE_WEIGHT * share)))


def evidence(results: Mapping[str, ChannelResult]) -> tuple[float, float]:
    """The two numbers that the confidence rests on: rise and share, each in [0, 1]."""
    semantic, keyword = results.get(_SEMANTIC), results.get(_KEYWORD)
    rise = TYPICAL_RISE if semantic is None or semantic.evidence is None else semantic.evidence
    share = 0.0 if keyword is None or keyword.evidence is None else keyword.evidence
    return rise, share
