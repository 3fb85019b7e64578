"""A deterministic scorer of pairs without a model, for tests and for trying out the machinery around it.

    score(q, d) = 8 * |terms of q that d holds| / |terms of q|  -  4

so that a text that holds every term of the question gets a logit of 4, and one that holds none gets -4. Nothing is
known about meaning.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.analysis.terms import stems

_SPAN = 8.0
_LOWEST = -4.0


class LexicalPairScorer:
    """Share of the question's terms that a text holds, as a logit. Thread-safe, no state."""

    @property
    def name(self) -> str:
        """See `retrieval.ports.PairScorer`."""
        return "lexical"

    def score(self, query: str, texts: Sequence[str], *, ends_at_s: float | None = None) -> NDArray[np.float32]:
        """See `retrieval.ports.PairScorer`."""
        wanted = frozenset(stems(query))
        scores = np.full(len(texts), np.nan, dtype=np.float32)
        for at, text in enumerate(texts):
            if ends_at_s is not None and time.monotonic() >= ends_at_s:
                break
            held = len(wanted.intersection(stems(text)))
            scores[at] = _LOWEST + _SPAN * held / max(len(wanted), 1)
        return scores
