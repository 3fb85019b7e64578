"""Semantic channel: nearness in meaning.

Score of a memory: the largest cosine between the question's vector and the vectors of the memory's views (a long text
has one for each overlapping window, so that one telling passage is enough). Exact: every eligible view is compared.

Parameters: none. Cost: one pass over the eligible rows of the code pages, `views * dim` products.
Abstains when the question has no vector (the embedder failed) or no eligible memory has one.

Source: dense retrieval with maximum over passages, Dai and Callan 2019 (arXiv:1905.09217).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retrieval.types import AnalysedQuery, ChannelResult

if TYPE_CHECKING:
    from gpu.bank.bank import BankView


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
        scores = view.dense(query.vector)
        slots, best = view.top(scores, limit)
        if slots.size == 0:
            return None
        mean, std = view.moments(scores)
        return ChannelResult(slots, best, mean, std, lambda wanted: np.asarray(scores[wanted]), ceiling=1.0)
