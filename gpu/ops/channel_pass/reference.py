"""The meaning of the pass, in plain Python at double precision."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gpu.bank.records import RecordBatch
from gpu.ops.bm25_scan.reference import bm25_rows
from gpu.ops.channel_pass.questions import Groups, Listed, Question
from gpu.ops.entity_scan.op import flat_groups
from gpu.ops.filter_scan.reference import filter_rows
from gpu.ops.interval_scan.op import decay_widths
from gpu.ops.interval_scan.reference import interval_rows


def channel_rows(batch: RecordBatch, question: Question) -> dict[Listed, NDArray[np.float64]]:
    """The scores of the rows of a batch in each list that a question asks for, float64 `[n]`.

    -inf for what the filter does not let through, and for what has nothing of what is asked: a score of 0 or less.
    """
    eligible = filter_rows(batch, question.scan)
    scores: dict[Listed, NDArray[np.float64]] = {}
    if (terms := question.terms) is not None:
        weights = dict(zip(terms.ids.tolist(), terms.weights.tolist(), strict=True))
        scores[Listed.KEYWORD] = bm25_rows(batch, weights, terms.k1, terms.b, terms.mean_length, eligible)
    if question.entities is not None:
        scores[Listed.ENTITY] = _sums(batch.entity_ids, batch.entity_offsets, question.entities)
    if question.places is not None:
        scores[Listed.PLACE] = _sums(batch.place_ids, batch.place_offsets, question.places)
    if question.spans is not None:
        scores[Listed.TEMPORAL] = interval_rows(batch, question.spans, decay_widths(question.spans), eligible)
    if question.now_us is not None:
        scores[Listed.RETENTION] = retention_rows(batch, question.now_us)
    return {which: np.where(eligible & (of > 0), of, -np.inf) for which, of in scores.items()}


def retention_rows(batch: RecordBatch, now_us: int) -> NDArray[np.float64]:
    """R = exp(-dt / S), dt from the later of when a memory was recorded and last recalled; 0 without a stability."""
    fresh = np.maximum(batch.recorded_from_us.astype(np.float64), batch.last_recalled_us.astype(np.float64))
    stability = batch.stabilities.astype(np.float64)
    age_s = np.maximum(now_us - fresh, 0.0) / 1e6
    return np.where(stability > 0, np.exp(-age_s / np.where(stability > 0, stability, 1.0)), 0.0)


def best_rows(scores: NDArray[np.float64], k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The k best rows, best first, equal ones by place, and their scores; -inf is never among them."""
    order = np.argsort(-scores, kind="stable")[:k]
    order = order[scores[order] > -np.inf]
    return order, scores[order]


def _sums(ids: NDArray[np.uint64], offsets: NDArray[np.int64], groups: Groups) -> NDArray[np.float64]:
    """Sum of the weights of the groups that each row holds an id of."""
    flat, of = flat_groups(groups.ids)
    group_of = dict(zip(flat.tolist(), of.tolist(), strict=True))
    held = [
        {group_of[own] for own in ids[first:end].tolist() if own in group_of}
        for first, end in pairwise(offsets.tolist())
    ]
    return np.array([sum(float(groups.weights[g]) for g in sorted(own)) for own in held], np.float64)
