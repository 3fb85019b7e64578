"""Keyword channel: BM25 over the hashed terms that are stored beside each memory.

    score(q, d) = sum over the distinct terms t of q of  idf(t) * tf / (tf + k1 * (1 - b + b * |d| / mean |d|))
    idf(t) = ln(1 + (N - n(t) + 0.5) / (n(t) + 0.5))

with tf the frequency of t in d, |d| the number of terms of d, N the memories of the namespace and n(t) those that hold
t. This is Lucene's form; a term that the question repeats counts once.

Other names: where the namespace was told that "Pip" is Wanda Aldred, a memory that holds "Pip" counts as one that holds
the name that was asked for: each name of the question scores max(own, best of the other names), with the weights of an
other name scaled so that whole names weigh the same.

Context: a turn of a conversation is often meaningless alone ("Yes, on Friday!"), so that it also gets a share of the
scores of its neighbours, 0.3 of the turn before, 0.1 of the one before that, and 0.2 of the one after
(`gpu/ops/context_scores`): BM25 with the neighbours as weighted fields, without storing their words twice.

Evidence: the best share, among the listed memories, of what a memory could reach that holds all words of the question,
times the share of the question's names that it holds: a memory about somebody else is no evidence.

Parameters: k1 = 0.9 and b = 0.4, the defaults of Anserini, which suit collections of short texts of uneven length; they
were not fitted here. The shares of the neighbours fall with the distance, and what was said before counts more than
what came after; they are not fitted either. Cost: one pass over the term arena of the eligible memories, a second
one if the question has names, and some more if they have other names.
Abstains when no term of the question, or of another name of what it names, occurs in an eligible memory.

Sources: Robertson and Zaragoza 2009 (doi:10.1561/1500000019); the forms compared in Kamphuis et al. 2020
(doi:10.1007/978-3-030-45442-5_4); the defaults in Yang, Fang and Lin 2017 (doi:10.1145/3077136.3080721).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retrieval.types import AnalysedQuery, ChannelResult, OtherNames

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

K1 = 0.9
B = 0.4
NEIGHBOURS = (0.3, 0.1, 0.2)
"""Shares of the turn before, the one before that, and the one after."""


def idf(document_frequency: NDArray[np.int64], n_documents: int) -> NDArray[np.float32]:
    """Inverse document frequency of terms, never negative.

    Args:
        document_frequency: int64 `[q]`, memories that hold each term.
        n_documents: memories in the namespace.

    Returns:
        float32 `[q]`.
    """
    held = document_frequency.astype(np.float64)
    return np.log1p((n_documents - held + 0.5) / (held + 0.5)).astype(np.float32)


class KeywordChannel:
    """Memories that share words with the question."""

    def __init__(self, *, k1: float = K1, b: float = B) -> None:
        """Sets the two constants of BM25: `k1` (saturation, >= 0) and `b` (weight of the length, 0 to 1)."""
        self._k1 = k1
        self._b = b

    @property
    def name(self) -> str:
        """See `retrieval.ports.Channel`."""
        return "keyword"

    def search(self, query: AnalysedQuery, view: BankView, limit: int) -> ChannelResult | None:
        """See `retrieval.ports.Channel`."""
        frequency = view.document_frequency(query.terms.ids)
        known = np.flatnonzero(frequency)
        if known.size == 0 and not query.other_names:
            return None
        weights = idf(frequency, view.n_documents)
        scores = view.bm25(query.terms.ids[known], weights[known], self._k1, self._b)
        for name in query.other_names:
            scores = scores + self._gained(name, view)
        in_context = view.context_scores(scores, NEIGHBOURS)
        slots, best = view.top(in_context, limit)
        matching = best > 0.0
        if not matching.any():
            return None
        mean, std = view.moments(in_context)
        listed, found = slots[matching], best[matching]
        ceiling = float(weights.sum())  # words that no memory holds count: they are often why an answer is missing
        share = float((scores[listed] / ceiling * _share_of_names(query, view, listed)).max())
        return ChannelResult(
            slots=listed,
            scores=found,
            mean=mean,
            std=std,
            score_of=lambda wanted: np.asarray(in_context[wanted]),
            evidence=min(share, 1.0),
        )

    def _gained(self, name: OtherNames, view: BankView) -> NDArray[np.float32]:
        """What a memory's score gains where another name stands for one of the question, float32 `[n_slots]`."""
        weights = idf(view.document_frequency(name.own), view.n_documents)
        own = view.bm25(name.own, weights, self._k1, self._b)
        others = [
            view.bm25(other, _scaled(idf(view.document_frequency(other), view.n_documents), weights), self._k1, self._b)
            for other in name.others
        ]
        return _more(np.maximum.reduce(others), own)


def _scaled(weights: NDArray[np.float32], like: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights with the sum that others have."""
    return np.asarray(weights * (like.sum() / weights.sum()), dtype=np.float32)


def _more(scores: NDArray[np.float32], than: NDArray[np.float32]) -> NDArray[np.float32]:
    """By how much scores are above others; 0 where they are not, or where there are none (-inf)."""
    known = np.isfinite(scores) & np.isfinite(than)
    return np.where(known, np.maximum(np.where(known, scores, 0) - np.where(known, than, 0), 0), np.float32(0))


def _share_of_names(query: AnalysedQuery, view: BankView, slots: NDArray[np.int64]) -> NDArray[np.float32]:
    """How many of the question's name terms memories hold, as a share; 1 where the question names nobody.

    A memory that holds all of another name holds the name.
    """
    names = query.name_terms
    if names.size == 0:
        return np.ones(slots.size, dtype=np.float32)
    held = _held(names, view, slots)
    for name in query.other_names:
        own = _held(name.own, view, slots)
        best = np.maximum.reduce([_held(other, view, slots) for other in name.others])
        held = held + np.maximum(best - own, 0) * np.float32(name.own.size / names.size)
    return np.minimum(held, np.float32(1))


def _held(terms: NDArray[np.uint32], view: BankView, slots: NDArray[np.int64]) -> NDArray[np.float32]:
    """How many of some terms memories hold, as a share."""
    each = np.full(terms.size, 1.0 / terms.size, dtype=np.float32)
    # Without saturation a term that occurs counts its weight, however often.
    return np.asarray(view.bm25(terms, each, 0.0, 0.0, among=slots)[slots])
