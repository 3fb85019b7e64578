"""Semantic channel: nearness in meaning.

Score of a memory: the largest cosine between the question's vector and the vectors of the memory's views (a long text
has one for each overlapping window, so that one telling passage is enough). Exact: every eligible view is compared.

Evidence: how far the best cosine stands above the mean, as a share of the way to 1. Unlike the distance in standard
deviations it does not grow with the number of memories.

Parameters: none. Cost: one pass over the eligible rows of the code pages, `views * dim` products.
Abstains when the question has no vector (the embedder failed) or no eligible memory has one.

Source: dense retrieval with maximum over passages, Dai and Callan 2019 (arXiv:1905.09217).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrieval.types import AnalysedQuery, ChannelResult

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

_SMALLEST_WAY = 1e-6


class SemanticChannel:
    """Memories whose text means something close to the question."""

    @property
    def name(self) -> str:
        """See `retrieval.ports.Channel`."""
        return "semantic"

    def search(self, query: AnalysedQuery, view: BankView, limit: int) -> ChannelResult | None:
        """See `retrieval.ports.Channel`."""
        if query.vector is None:
            return None
        best = view.nearest(query.vector, limit)
        if best.slots.size == 0:
            return None
        evidence = _rise(float(best.scores[0]), best.mean)
        return ChannelResult(best.slots, best.scores, best.mean, best.std, best.score_of, evidence)


def _rise(best: float, mean: float) -> float:
    return min(max((best - mean) / max(1.0 - mean, _SMALLEST_WAY), 0.0), 1.0)
