"""Associative channel: a modern Hopfield network completes the question to what it is most like in the store.

    x <- X^T softmax(beta * X x)        from the question's vector, until it stays where it is
    score(d) = max(0, cos(d, x) - the smallest such cosine among the compared memories)

X are the views of the 256 memories nearest to the question: what lies beyond has next to no weight in the softmax.
beta is found anew for every question: first the one at which the question attends to 8 patterns (the exponential of
the softmax's entropy), then doubled as long as the completed state attends to more. At the 1 / sqrt(dim) of an
attention layer the softmax over unit vectors is uniform, and every question ends at the mean of the store.

A memory that shares little with the question's words, and much with what the question recalls, comes up. The score of
a memory of several views is that of its best one.

Parameters: 8 patterns (about as many as an answer shows), 256 memories, beta between 1 and 200 (half precision tells
no finer differences of a cosine than 1 / 200 from noise); none is fitted. Cost: no pass over the bank beside the
semantic channel's; the 256 memories are copied, and each step reads them once (mostly two to five steps).
Abstains when the question has no vector, when even at beta = 200 the state is a mean of more than 8 patterns, and
when the ten best are those of the plain question, in the same order.

Sources: Ramsauer et al. 2020 (arXiv:2008.02217); the wanted number of patterns as in t-SNE's perplexity, van der
Maaten and Hinton 2008.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpu.ops.hopfield.op import complete_within
from retrieval.channels.sparse import sparse_result
from retrieval.types import AnalysedQuery, ChannelResult

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

ATTENDED = 8.0
COMPARED = 256
LOWEST_BETA = 1.0
HIGHEST_BETA = 200.0

_FEWEST = 2
_SAME_HEAD = 10
_SEMANTIC = "semantic"


class AssociativeChannel:
    """Memories that are like what the question recalls."""

    def __init__(self, *, attended: float = ATTENDED, compared: int = COMPARED) -> None:
        """Sets how many patterns the completed state may be a mean of, and how many memories take part."""
        self._attended = attended
        self._compared = compared

    @property
    def name(self) -> str:
        """See `retrieval.ports.SeededChannel`."""
        return "associative"

    def search(
        self, query: AnalysedQuery, view: BankView, limit: int, seeds: Mapping[str, ChannelResult]
    ) -> ChannelResult | None:
        """See `retrieval.ports.SeededChannel`."""
        if query.vector is None:
            return None
        near = _similarities(query.vector, view, seeds)
        slots, _ = view.top(near, self._compared)
        columns, offsets = view.ranges("vectors", slots)
        held = np.diff(offsets) > 0
        slots, starts = slots[held], offsets[:-1][held]
        if slots.size < _FEWEST:
            return None
        patterns = columns["vectors"].astype(np.float32)
        found = complete_within(patterns, query.vector, self._attended, low=LOWEST_BETA, high=HIGHEST_BETA)
        if found is None:
            return None
        likeness = patterns @ (found.state / np.linalg.norm(found.state))
        scores = np.maximum.reduceat(likeness, starts).astype(np.float64)
        if _same_head(slots, scores):
            return None
        return sparse_result(view, slots, scores - scores.min(), limit)


def _similarities(
    vector: NDArray[np.float32], view: BankView, seeds: Mapping[str, ChannelResult]
) -> NDArray[np.float32]:
    """Cosines of all memories with the question: those that the semantic channel has already, if it ran."""
    semantic = seeds.get(_SEMANTIC)
    if semantic is None:
        return view.dense(vector)
    return semantic.score_of(np.arange(view.n_slots))


def _same_head(slots: NDArray[np.int64], scores: NDArray[np.float64]) -> bool:
    """Whether the best by the new scores are those that come first already, in the same order."""
    order = np.lexsort((slots, -scores))[:_SAME_HEAD]
    return bool((order == np.arange(order.size)).all())
