"""Procedural channel: what was done in such a situation, weighted by how it went.

    score(q, d) = z+(q, d) * w(outcome of d)

over procedural memories alone, with z+ how far d stands out among them by its topic (`retrieval.channels.topical`), 0
for what is below their mean, and w = 1 after success, 0.9 where nobody knows, 0.8 after success in part, 0.5 after
failure, linear in between. What failed stays in the list, since it warns.

Parameters: the weights above. Cost: that of the semantic and the keyword channel. Abstains when no procedural memory
is eligible; when the question does not ask how something is done and other kinds are eligible too; when no outcome is
known, since then it would say nothing that the semantic channel does not; and when no procedure stands out.

Sources: case-based reasoning reuses the outcome of the nearest case: Aamodt and Plaza 1994
(doi:10.3233/AIC-1994-7104); instance-based choice weighs remembered outcomes by similarity: Gilboa and Schmeidler
1995 (doi:10.2307/2946694).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpu.bank.records import Kind
from retrieval.channels.topical import result_of, topic_scores
from retrieval.types import AnalysedQuery, ChannelResult

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

_UNKNOWN = 0.9
_OUTCOMES = (0.0, 0.5, 1.0)
_WEIGHTS = (0.5, 0.8, 1.0)


class ProceduralChannel:
    """Procedures that fit the situation, those that worked first."""

    @property
    def name(self) -> str:
        """See `retrieval.ports.Channel`."""
        return "procedural"

    def search(self, query: AnalysedQuery, view: BankView, limit: int) -> ChannelResult | None:
        """See `retrieval.ports.Channel`."""
        eligible = np.flatnonzero(view.mask())
        procedural = eligible[view.column("kinds", eligible) == Kind.PROCEDURAL]
        asked = query.question.kind_hint == Kind.PROCEDURAL
        if procedural.size == 0 or not (asked or procedural.size == eligible.size):
            return None
        outcomes = view.column("outcomes", procedural).astype(np.float64)
        if np.isnan(outcomes).all():
            return None
        among = np.zeros(view.n_slots, np.bool_)
        among[procedural] = True
        z = topic_scores(query, view, among=among)
        if z is None:
            return None
        scores = np.zeros(view.n_slots, np.float32)
        scores[procedural] = np.maximum(z[procedural], 0.0) * outcome_weights(outcomes)
        return result_of(view, scores, limit)


def outcome_weights(outcomes: NDArray[np.float64]) -> NDArray[np.float64]:
    """What outcomes in [0, 1] (NaN: unknown) are worth, float64 of the same shape."""
    known: NDArray[np.float64] = np.interp(outcomes, _OUTCOMES, _WEIGHTS)
    return np.where(np.isnan(outcomes), _UNKNOWN, known)
