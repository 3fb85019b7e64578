"""How much memories have to do with the topic of a question: what channels of time, place and outcome rest on.

    z = standardised( standardised(cosine) + standardised(BM25) )

each over the memories that are looked at; a part that is missing (no vector, no known term) is left out. A memory
without a vector counts as average in meaning. Weighted CombSUM over z-scores: Fox and Shaw 1994; Montague and Aslam
2001 (doi:10.1145/502585.502657).

A time, a place or an outcome by itself answers nothing: a channel that lists the oldest memories of a person whatever
was asked about her costs accuracy. So such channels look only at memories that stand out by their topic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retrieval.channels.keyword import K1, B, idf
from retrieval.types import AnalysedQuery, ChannelResult

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

_SMALLEST_STD = 1e-6


def topic_scores(
    query: AnalysedQuery,
    view: BankView,
    *,
    terms: NDArray[np.uint32] | None = None,
    among: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32] | None:
    """How far each memory stands out by its topic.

    Args:
        query: the question.
        view: where to look.
        terms: look for these terms instead of all of the question, uint32 `[q]`, distinct.
        among: standardise over these memories alone, bool `[n_slots]`.

    Returns:
        float32 `[n_slots]`, in standard deviations from the mean; -inf for memories that are not eligible (or not among
        those). None if the question has neither a vector nor a term that is known here.
    """
    total = np.zeros(view.n_slots, np.float32)
    known = False
    wanted = query.terms.ids if terms is None else terms
    frequency = view.document_frequency(wanted)
    if frequency.any():
        held = np.flatnonzero(frequency)
        weights = idf(frequency[held], view.n_documents)
        known |= _add_standardised(total, _within(view.bm25(wanted[held], weights, K1, B), among), view)
    if query.vector is not None:
        known |= _add_standardised(total, _within(view.dense(query.vector), among), view)
    if not known:
        return None
    left_out = view.mask() == 0
    total[left_out if among is None else left_out | ~among] = -np.inf
    mean, std = view.moments(total)
    return (total - np.float32(mean)) / np.float32(max(std, _SMALLEST_STD))


def best_by_topic(z: NDArray[np.float32], view: BankView, limit: int, floor: float) -> NDArray[np.int64]:
    """The memories that stand out most, at most `limit`, all above `floor`; slots int64 `[m]`, best first."""
    slots, best = view.top(z, limit)
    return slots[best > floor]


def result_of(
    view: BankView, scores: NDArray[np.float32], limit: int, evidence: float | None = None
) -> ChannelResult | None:
    """The memories with a score above 0 as a channel lists them; None if there is none.

    Args:
        view: what was searched.
        scores: float32 `[n_slots]`, >= 0; those of memories that are not eligible do not count.
        limit: how many at most.
        evidence: see `ChannelResult`.
    """
    scores = np.where(view.mask() != 0, scores, np.float32(-np.inf)).astype(np.float32, copy=False)
    slots, best = view.top(scores, limit)
    found = best > 0.0
    if not found.any():
        return None
    mean, std = view.moments(scores)
    return ChannelResult(slots[found], best[found], mean, std, lambda wanted: np.asarray(scores[wanted]), evidence)


def _within(scores: NDArray[np.float32], among: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    return scores if among is None else np.where(among, scores, np.float32(-np.inf))


def _add_standardised(total: NDArray[np.float32], scores: NDArray[np.float32], view: BankView) -> bool:
    """Add standardised scores where there is one; whether they tell memories apart at all."""
    mean, std = view.moments(scores)
    if not std > _SMALLEST_STD:
        return False
    total += np.where(np.isfinite(scores), (scores - np.float32(mean)) / np.float32(std), np.float32(0.0))
    return True
