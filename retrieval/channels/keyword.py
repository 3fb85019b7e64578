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
what came after; they are not fitted either. Cost: one pass over the term arena of the eligible memories, and some
more if names of the question have other names. Where a list of the best was made on a device, none if that is proved to
hold whatever may come first in context.
Abstains when no term of the question, or of another name of what it names, occurs in an eligible memory.

Sources: Robertson and Zaragoza 2009 (doi:10.1561/1500000019); the forms compared in Kamphuis et al. 2020
(doi:10.1007/978-3-030-45442-5_4); the defaults in Yang, Fang and Lin 2017 (doi:10.1145/3077136.3080721).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpu.bank.layouts import ERASED_EPOCH
from gpu.bank.lists import ListedBest
from gpu.ops.channel_pass.questions import Listed, Terms
from retrieval.types import AnalysedQuery, ChannelResult, OtherNames

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

K1 = 0.9
B = 0.4
NEIGHBOURS = (0.3, 0.1, 0.2)
"""Shares of the turn before, the one before that, and the one after."""
_RAISED = (1, 2, -1)
"""Where those stand, seen from a turn, whose scores it raises."""
_ROUNDING = 1.0 + 1e-4
"""Sums of float32 of a device differ from those of a scan by less."""
_Words = tuple[NDArray[np.uint32], NDArray[np.float32], float, float]


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

    @property
    def listed(self) -> Listed:
        """See `retrieval.ports.ListedChannel`."""
        return Listed.KEYWORD

    def asks(self, query: AnalysedQuery, view: BankView) -> Terms | None:
        """See `retrieval.ports.ListedChannel`; a question with other names is scanned for these anyway."""
        frequency = view.document_frequency(query.terms.ids)
        known = np.flatnonzero(frequency)
        if known.size == 0 or query.other_names:
            return None
        weights = idf(frequency[known], view.n_documents)
        return Terms(query.terms.ids[known], weights, self._k1, self._b, view.mean_length)

    def search(self, query: AnalysedQuery, view: BankView, limit: int) -> ChannelResult | None:
        """See `retrieval.ports.Channel`."""
        frequency = view.document_frequency(query.terms.ids)
        known = np.flatnonzero(frequency)
        if known.size == 0 and not query.other_names:
            return None
        weights = idf(frequency, view.n_documents)
        words = (query.terms.ids[known], weights[known], self._k1, self._b)
        ceiling = float(weights.sum())  # words that no memory holds count: they are often why an answer is missing
        listed = None if query.other_names else query.listed(self.listed)
        if listed is not None and (found := _of_list(listed, words, view, limit)) is not None:
            bm25 = view.bm25_of(*words, found.slots)
            return replace(found, evidence=_evidence(bm25, ceiling, query, view, found.slots))
        scores = view.bm25(*words)
        for name in query.other_names:
            scores = scores + self._gained(name, view)
        in_context = view.context_scores(scores, NEIGHBOURS)
        slots, best = view.top(in_context, limit)
        matching = best > 0.0
        if not matching.any():
            return None
        mean, std = view.moments(in_context)
        slots = slots[matching]
        return ChannelResult(
            slots=slots,
            scores=best[matching],
            mean=mean,
            std=std,
            score_of=lambda wanted: np.asarray(in_context[wanted]),
            evidence=_evidence(scores[slots], ceiling, query, view, slots),
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


def _of_list(listed: ListedBest, words: _Words, view: BankView, limit: int) -> ChannelResult | None:
    """What a scan would find, from the memories with the best scores of their own; None where that is not certain.

    A memory that is neither among some nor beside one of them in its conversation has at most the best score of the
    others, and so have its neighbours: in context it reaches that times one and all shares. Whatever scores more is
    known (the threshold of Fagin, Lotem and Naor 2003, doi:10.1016/S0022-0000(03)00026-6). So those of the list that
    are too far below the last one to be listed raise nobody into it, and are not looked at either.
    """
    bm25 = partial(view.bm25_of, *words)

    def score_of(slots: NDArray[np.int64]) -> NDArray[np.float32]:
        return view.context_scores_of(bm25, slots, NEIGHBOURS)

    most = (1.0 + sum(NEIGHBOURS)) * _ROUNDING
    own = bm25(listed.slots)
    last = float(np.partition(own, -limit)[-limit]) if 0 < limit < own.size else 0.0
    near, places = view.beside(listed.slots[own * most >= last], _RAISED)
    alive = view.column("died", near) != ERASED_EPOCH
    near, places = near[alive], places[alive]
    scores = view.context_scores_of(bm25, near, NEIGHBOURS, places)
    order = np.argsort(-scores, kind="stable")[:limit]  # stable: slots ascend, so equal scores stay in their order
    order = order[scores[order] > 0.0]
    is_certain = order.size == limit and scores[order[-1]] > listed.most_of_others * most
    if order.size == 0 or not (listed.is_complete or is_certain):
        return None
    return ChannelResult(
        slots=near[order],
        scores=scores[order],
        mean=float("nan"),
        std=float("nan"),
        score_of=score_of,
        scan=lambda: view.moments(view.context_scores(view.bm25(*words), NEIGHBOURS)),
    )


def _evidence(
    bm25: NDArray[np.float32], ceiling: float, query: AnalysedQuery, view: BankView, slots: NDArray[np.int64]
) -> float:
    return min(float((bm25 / ceiling * _share_of_names(query, view, slots)).max()), 1.0)


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
    return view.bm25_of(terms, each, 0.0, 0.0, slots)
