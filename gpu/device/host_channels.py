"""The lists of a question from the host's rows: what the device gives, found by the host's operations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.bank.view import BankView
from gpu.ops.bm25_scan.op import bm25_scan
from gpu.ops.channel_pass.questions import Groups, Held, Listed, Question, Terms
from gpu.ops.entity_scan.op import entity_scan, flat_groups
from gpu.ops.interval_scan.op import interval_scan
from gpu.ops.place_scan.op import place_scan

Top = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Slots of a view and scores, best first."""


def channels(view: BankView, question: Question, k: int) -> dict[Listed, Top]:
    """The k best memories of each list that a question asks for, among those of the view; see `channel_pass`."""
    return {which: _top(view, _scores(view, question, which), k) for which in sorted(question.listed)}


def _top(view: BankView, scores: NDArray[np.float32], k: int) -> Top:
    return view.top(np.where((scores > 0) & (view.mask() != 0), scores, np.float32(-np.inf)), k)


def _scores(view: BankView, question: Question, which: Listed) -> NDArray[np.float32]:
    if which is Listed.KEYWORD and (terms := question.terms) is not None:
        return _keywords(view, terms)
    if which is Listed.ENTITY and question.entities is not None:
        return _sums(view, Held.ENTITIES, question.entities)
    if which is Listed.PLACE and question.places is not None:
        return _sums(view, Held.PLACES, question.places)
    if which is Listed.TEMPORAL and question.spans is not None:
        return _fits(view, question.spans)
    return _retentions(view, question.now_us or 0)


def _keywords(view: BankView, terms: Terms) -> NDArray[np.float32]:
    """BM25 with the mean length that the question names, which need not be that of the view."""
    out = np.empty(view.n_slots, np.float32)
    for segment, part, mask in view.segments():
        bm25_scan(segment, terms.ids, terms.weights, terms.k1, terms.b, terms.mean_length, mask, out[part])
    return out


def _sums(view: BankView, arena: Held, groups: Groups) -> NDArray[np.float32]:
    """Sum of the weights of the groups that each memory holds an id of."""
    ids, of = flat_groups(groups.ids)
    scores = np.zeros(view.n_slots, np.float32)
    for segment, part, mask in view.segments():
        if arena is Held.PLACES:
            slots, which = place_scan(segment, ids, mask)
            pairs = np.unique(np.stack([slots, of[which]]), axis=1)
        else:
            counts = np.zeros(len(groups.ids), np.int64)
            entity_scan(segment, ids, of, mask, counts)
            pairs = np.stack(entity_scan(segment, ids, of, mask, np.zeros_like(counts), int(counts.sum())))
        np.add.at(scores[part], pairs[0], groups.weights[pairs[1]])
    return scores


def _fits(view: BankView, spans: NDArray[np.int64]) -> NDArray[np.float32]:
    out = np.empty(view.n_slots, np.float32)
    for segment, part, mask in view.segments():
        interval_scan(segment, spans, mask, out[part])
    return out


def _retentions(view: BankView, now_us: int) -> NDArray[np.float32]:
    """R = exp(-dt / S) of each memory."""
    slots = np.arange(view.n_slots)
    fresh = np.maximum(
        view.column("recorded_from_us", slots).astype(np.float64),
        view.column("last_recalled_us", slots).astype(np.float64),
    )
    stability = view.column("stabilities", slots).astype(np.float64)
    ages = np.maximum(now_us - fresh, 0.0) / 1e6 / np.where(stability > 0, stability, 1.0)
    return np.where(stability > 0, np.exp(-ages), 0.0).astype(np.float32)
