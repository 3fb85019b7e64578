"""How sure we are that anything in the namespace answers the question, from raw evidence and not from ranks.

    confidence = 1 / (1 + exp(-(A + B * rise + C * share)))

- rise: how far the best cosine stands above the namespace's mean cosine, as a share of the way to 1;
- share: the best BM25 score as a share of what a memory could reach that holds all words of the question (words that no
  memory holds count too: they are often why an answer is missing).

Both lie in [0, 1] and do not grow with the number of memories. A, B and C were fitted with an intercept for each set,
on six sets of questions: asked as they are (answered, if a right memory was among the first ten) and asked again with
the right memories hidden. A seventh set was only checked. `benchmarks/models_confidence.py` does it again, and
`docs/decisions/0003-fusion.md` says how far it carries: it tells an empty store from a telling one, and little about
questions that differ from an answered one by a single name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from retrieval.types import ChannelResult

INTERCEPT = -3.57
RISE_WEIGHT = 5.63
SHARE_WEIGHT = 3.44
TYPICAL_RISE = 0.4
"""Mean over the sets of the fit: stands in when the question has no vector."""

_SEMANTIC, _KEYWORD = "semantic", "keyword"
_SMALLEST_WAY = 1e-6


def confidence(results: Mapping[str, ChannelResult]) -> float:
    """Probability-like number in [0, 1]; 0 when no channel found anything.

    Args:
        results: of the channels that had something to go on, by name.
    """
    if not any(result.slots.size for result in results.values()):
        return 0.0
    rise, share = evidence(results)
    return 1.0 / (1.0 + math.exp(-(INTERCEPT + RISE_WEIGHT * rise + SHARE_WEIGHT * share)))


def evidence(results: Mapping[str, ChannelResult]) -> tuple[float, float]:
    """The two numbers that the confidence rests on: rise and share, each in [0, 1]."""
    return _rise(results.get(_SEMANTIC)), _share(results.get(_KEYWORD))


def _rise(semantic: ChannelResult | None) -> float:
    if semantic is None or not semantic.scores.size:
        return TYPICAL_RISE
    way = max(1.0 - semantic.mean, _SMALLEST_WAY)
    return min(max((float(semantic.scores[0]) - semantic.mean) / way, 0.0), 1.0)


def _share(keyword: ChannelResult | None) -> float:
    if keyword is None or not keyword.scores.size or not keyword.ceiling:
        return 0.0
    return min(max(float(keyword.scores[0]) / keyword.ceiling, 0.0), 1.0)
