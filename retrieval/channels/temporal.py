"""Temporal channel: what lies in the time that a question asks about, or comes first, last, before or after.

It only ever looks at memories that have to do with the question's topic: z is how far a memory stands out by it
(`retrieval.channels.topical`), z+ is 0 for what is below the mean.

- **A span of time** ("last spring"): `score = fit * z+` for the 1,000 memories that stand out most, with `fit` from
  `gpu/ops/interval_scan` (1 inside the span, 1/2 to 1 where a memory's time overlaps it, below 1/2 and falling beside
  it), nothing below a fit of 0.1.
- **First, last**: of the at most 50 memories with `z >= max(1, z of the best / 2)`, which touch the span if the
  question names one and hold as many of the words of its names as any of them does, in order of time
  (`retrieval.channels.chronology`: it survives missing and equal clocks): `score = 1 - rank / n`, rank from 0.
- **Before, after an event**: the event is the memory that holds most of the anchor's terms by idf (at least half), of
  these the best by BM25 of the whole question. Then the memories on the asked side of it, nearest first,
  `score = 1 - rank / n`, without other tellings of such an event. If the question says anything beside the anchor,
  those that stand out by that (if it only names somebody, all that is about them); else its neighbours in the
  conversation (at most 20), or without a conversation those above the mean of the topic.

An order has four times the weight of a span in the fusion.

Facts (semantic memories) of which no time is known come neither first nor before nor after anything.

A question with an order and a span that finds nothing by its order is answered by its span.

Parameters: the thresholds above. Cost: that of the semantic and the keyword channel, one pass over the times, and for
an order what `chronology` costs for at most 50 memories (1,000 for an anchor). Abstains when the question has neither
a span nor an order; when it has no topic; when fewer than two memories stand out for an order; when no memory holds
enough of the anchor; and when all eligible memories touch the span, which then tells nothing apart.

Sources: relations of intervals: Allen 1983 (doi:10.1145/182.358434); relevance and time as a product: Li and Croft
2003 (doi:10.1145/956863.956951); recall of order: Pink et al. 2024 (arXiv:2410.08133).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpu.bank.layouts import ERASED_EPOCH
from gpu.bank.records import UNKNOWN_US, Kind
from gpu.ops.interval_scan.op import interval_scan
from retrieval.analysis.terms import hashed, stems
from retrieval.channels.chronology import in_order
from retrieval.channels.keyword import K1, B, idf
from retrieval.channels.topical import best_by_topic, result_of, topic_scores
from retrieval.types import AnalysedQuery, ChannelResult, Order

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

_MOST_TOPICAL = 1000
_MOST_ORDERED = 50
_STANDS_OUT = 1.0
_SHARE_OF_BEST = 0.5
_SMALLEST_FIT = 0.1
_TOUCHES = 0.5
_SHARE_OF_ANCHOR = 0.5
_NEIGHBOURS = 20
_SAME_EVENT = 0.8
"""Share of the anchor's words by idf from which a memory tells of such an event."""
_HALF_A_WORD = 0.5
_FORCE = 4.0
"""An order must outweigh the words: nearest in words to "right after the wedding" is the wedding, and of two times that
somebody went sailing the words of either may be nearer to the question for the first one."""
_EMPTY = hashed(stems("happen happened event events thing things next right something anything")).ids
"""Terms that only ask for an event, whichever."""


class TemporalChannel:
    """Memories of the time that the question asks about, or in the order that it asks for."""

    @property
    def name(self) -> str:
        """See `retrieval.ports.Channel`."""
        return "temporal"

    def search(self, query: AnalysedQuery, view: BankView, limit: int) -> ChannelResult | None:
        """See `retrieval.ports.Channel`."""
        order = query.question.order
        if (order is None and query.question.spans.size == 0) or view.eligible == 0:
            return None
        fit = _fit(query, view)
        scores = None
        if order in (Order.BEFORE, Order.AFTER):
            scores = _around(query, view, fit)
        elif order is not None:
            scores = _ordered(query, view, fit)
        ordered = scores is not None
        if scores is None and fit is not None:
            scores = _within(query, view, fit)
        if scores is None or (found := result_of(view, scores, limit)) is None:
            return None
        return replace(found, force=_FORCE if ordered else 1.0)


def _fit(query: AnalysedQuery, view: BankView) -> NDArray[np.float32] | None:
    """How well the times of memories fit the asked spans, float32 `[n_slots]`; None if no span is asked for."""
    spans = query.question.spans
    spans = spans[spans[:, 0] < spans[:, 1]]
    if spans.size == 0:
        return None
    out = np.empty(view.n_slots, np.float32)
    for segment, part, mask in view.segments():
        interval_scan(segment, spans, mask, out[part])
    return out


def _within(query: AnalysedQuery, view: BankView, fit: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Scores of memories by topic and span."""
    if np.count_nonzero(fit >= _TOUCHES) == view.eligible:
        return None
    z = topic_scores(query, view)
    if z is None:
        return None
    slots = best_by_topic(z, view, _MOST_TOPICAL, 0.0)
    slots = slots[fit[slots] >= _SMALLEST_FIT]
    scores = np.zeros(view.n_slots, np.float32)
    scores[slots] = fit[slots] * z[slots]
    return scores


def _ordered(query: AnalysedQuery, view: BankView, fit: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    """Scores of the memories that stand out, by time."""
    z = topic_scores(query, view)
    if z is None:
        return None
    slots = _holding_names(_touching(_standing_out(z, view), fit), query, view)
    if query.question.order is Order.FIRST:
        slots = _events(slots, view)
    if slots.size < 2:
        return None
    ordered = in_order(view, slots)
    return _falling(view, ordered if query.question.order is Order.FIRST else ordered[::-1])


def _around(query: AnalysedQuery, view: BankView, fit: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    """Scores of the memories on one side of the anchor, nearest first."""
    anchor_terms = hashed(stems(query.question.anchor)).ids
    anchor = _anchor(query, anchor_terms, view)
    if anchor is None:
        return None
    if _events(np.array([anchor]), view).size == 0:
        return None
    slots = _events(_touching(_beside(query, view, anchor_terms, anchor), fit), view)
    slots = slots[(slots != anchor) & ~_tells_the_same(view, anchor_terms, slots, anchor)]
    ordered = in_order(view, np.append(slots, anchor))
    at = int(np.flatnonzero(ordered == anchor)[0])
    side = ordered[at + 1 :] if query.question.order is Order.AFTER else ordered[:at][::-1]
    return _falling(view, side) if side.size else None


def _anchor(query: AnalysedQuery, terms: NDArray[np.uint32], view: BankView) -> int | None:
    """The memory of the event that the question refers to; of several, that of whom the question is about."""
    frequency = view.document_frequency(terms)
    if not frequency.any():
        return None
    weights = idf(frequency, view.n_documents)
    held = view.bm25(terms, weights, 0.0, 0.0)  # without saturation a term that occurs counts its weight
    most = float(held.max())
    if most < _SHARE_OF_ANCHOR * float(weights.sum()):
        return None
    best = np.flatnonzero(held >= most * (1.0 - 1e-5))
    whole = query.terms.ids
    best = best[view.column("died", best) != ERASED_EPOCH]
    scores = view.bm25_of(whole, idf(view.document_frequency(whole), view.n_documents), K1, B, best)
    return int(best[np.argmax(scores)]) if best.size else None


def _tells_the_same(
    view: BankView, terms: NDArray[np.uint32], slots: NDArray[np.int64], anchor: int
) -> NDArray[np.bool_]:
    """Which memories tell of such an event themselves, so that none is what came before or after it; bool `[m]`."""
    weights = idf(view.document_frequency(terms), view.n_documents)
    held = view.bm25(terms, weights, 0.0, 0.0)
    return np.asarray(held[slots] >= _SAME_EVENT * held[anchor])


def _beside(query: AnalysedQuery, view: BankView, anchor_terms: NDArray[np.uint32], anchor: int) -> NDArray[np.int64]:
    """The memories that may be the answer: by what the question says beside the anchor, or else by nearness alone."""
    rest = np.setdiff1d(query.terms.ids, np.concatenate([anchor_terms, _EMPTY]))
    names = np.intersect1d(rest, query.name_terms)
    if names.size and not view.document_frequency(np.setdiff1d(rest, names)).any():
        return _about(names, view)
    if view.document_frequency(rest).any():
        z = topic_scores(query, view, terms=rest)
        if z is None:
            return np.empty(0, np.int64)
        z[anchor] = -np.inf  # it says what was before or after, not what was asked for
        return _standing_out(z, view)
    near = _neighbours(view, anchor, after=query.question.order is Order.AFTER)
    if near.size:
        return near
    z = topic_scores(query, view)
    return np.empty(0, np.int64) if z is None else best_by_topic(z, view, _MOST_TOPICAL, 0.0)


def _about(names: NDArray[np.uint32], view: BankView) -> NDArray[np.int64]:
    """The memories that hold most of the names, at most 1,000 of the last written: whatever they tell of them."""
    frequency = view.document_frequency(names)
    held = view.bm25(names, idf(frequency, view.n_documents), 0.0, 0.0)
    most = float(held.max())
    return np.flatnonzero(held >= most * (1.0 - 1e-5))[-_MOST_TOPICAL:] if most > 0.0 else np.empty(0, np.int64)


def _neighbours(view: BankView, slot: int, *, after: bool) -> NDArray[np.int64]:
    """The eligible memories next to one in its conversation."""
    order = view.sequence_order()
    places = np.flatnonzero(order == slot)
    if places.size == 0:
        return np.empty(0, np.int64)
    at = int(places[0])
    near = order[at + 1 : at + 1 + _NEIGHBOURS] if after else order[max(0, at - _NEIGHBOURS) : at]
    same = view.column("sequences", near) == view.column("sequences", order[at : at + 1])
    eligible: NDArray[np.bool_] = view.mask()[near] != 0
    return np.asarray(near[same & eligible])


def _standing_out(z: NDArray[np.float32], view: BankView) -> NDArray[np.int64]:
    slots = best_by_topic(z, view, _MOST_ORDERED, 0.0)
    if slots.size == 0:
        return slots
    return slots[z[slots] >= max(_STANDS_OUT, _SHARE_OF_BEST * float(z[slots[0]]))]


def _holding_names(slots: NDArray[np.int64], query: AnalysedQuery, view: BankView) -> NDArray[np.int64]:
    """Those that hold as many of the words of the question's names as any of them does."""
    names = query.name_terms
    if names.size == 0 or slots.size == 0:
        return slots
    held = view.bm25_of(names, np.ones(names.size, np.float32), 0.0, 0.0, slots)
    return np.asarray(slots[held >= held.max() - _HALF_A_WORD])


def _events(slots: NDArray[np.int64], view: BankView) -> NDArray[np.int64]:
    """Those that stand in time: all but facts of which no time is known, written down whenever they were learned."""
    timeless = view.column("kinds", slots) == Kind.SEMANTIC
    timeless &= (view.column("occurred_us", slots) == UNKNOWN_US) & (view.column("n_spans", slots) == 0)
    return np.asarray(slots[~timeless])


def _touching(slots: NDArray[np.int64], fit: NDArray[np.float32] | None) -> NDArray[np.int64]:
    """Those that touch the asked span, if one is asked for and any does."""
    if fit is None:
        return slots
    return slots[fit[slots] >= _TOUCHES]


def _falling(view: BankView, slots: NDArray[np.int64]) -> NDArray[np.float32]:
    """Scores that fall from 1 along a list of memories, 0 for all others."""
    scores = np.zeros(view.n_slots, np.float32)
    scores[slots] = 1.0 - np.arange(slots.size) / max(slots.size, 1)
    return scores
