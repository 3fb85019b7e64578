"""The nearest memories of a view to a vector, with what a channel needs to know beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu.bank.layouts import ERASED_EPOCH
from gpu.bank.view import BankView
from gpu.large.scans import scores_of_slots
from gpu.ops.top_memories.op import moments

_SEED = 20_240_607
_MOST_TRIES = 64


@dataclass(frozen=True, slots=True)
class DenseBest:
    """Memories by similarity to a query vector, best first, equal scores by slot (earlier written first).

    Attributes:
        slots: int64 `[k]`, distinct.
        scores: float32 `[k]`, exact: the largest dot product over the memory's views.
        mean, std: moments of the score over the eligible memories that have a vector; estimates unless `is_exact`.
        score_of: exact scores of any slots of the view `[m]` -> float32 `[m]`, -inf for memories that are not eligible
            or have no vector; usable as long as the view is open.
        is_exact: whether every eligible memory was compared. If not, one of the best may be missing.
    """

    slots: NDArray[np.int64]
    scores: NDArray[np.float32]
    mean: float
    std: float
    score_of: Callable[[NDArray[np.int64]], NDArray[np.float32]]
    is_exact: bool


def exact_best(view: BankView, vector: NDArray[np.float32], limit: int) -> DenseBest:
    """The nearest memories by comparing all.

    Raises:
        DimensionError: the vector has another dimension than the namespace.
    """
    scores = view.dense(vector)
    slots, best = view.top(scores, limit)
    mean, std = view.moments(scores)
    return DenseBest(slots, best, mean, std, lambda wanted: np.asarray(scores[wanted]), is_exact=True)


def best_among(
    view: BankView, vector: NDArray[np.float32], limit: int, candidates: NDArray[np.int64], sampled: int
) -> DenseBest:
    """The nearest of some memories, by exact scores; moments are estimated over the whole view.

    Args:
        view: where they are.
        vector: float32 `[dim]`.
        limit: how many at most.
        candidates: slots int64 `[m]`, distinct, ascending.
        sampled: memories from which moments are estimated.
    """
    scores = scores_of(view, vector, candidates)
    order = np.argsort(-scores, kind="stable")  # stable: candidates ascend, so equal scores stay in the order of slots
    order = order[scores[order] > -np.inf][:limit]
    slots, best = candidates[order], scores[order]
    kept = view.column("died", slots) != ERASED_EPOCH
    mean, std = estimated_moments(view, vector, sampled)
    return DenseBest(slots[kept], best[kept], mean, std, lambda wanted: scores_of(view, vector, wanted), is_exact=False)


def scores_of(view: BankView, vector: NDArray[np.float32], slots: NDArray[np.int64]) -> NDArray[np.float32]:
    """Exact score of slots in any order, repeated ones too, from the rows themselves.

    Returns:
        float32 `[m]`, the largest dot product over a memory's views, with the arithmetic of the dense scan; -inf for
        memories that are not eligible, have no vector or were erased in the meantime.
    """
    slots = np.asarray(slots, np.int64)
    wanted = np.asarray(view.mask()[slots] != 0)
    scores = np.full(slots.shape[0], -np.inf, np.float32)
    for segment, part, _ in view.segments():
        own = np.flatnonzero(wanted & (slots >= part.start) & (slots < part.stop))
        if own.shape[0]:
            scores[own] = scores_of_slots(segment, vector, slots[own] - part.start)
    return scores


def sample(mask: NDArray[np.uint8], eligible: int, wanted: int) -> NDArray[np.int64]:
    """About `wanted` eligible slots, pseudo-random, the same ones for the same mask; int64, some perhaps twice.

    Args:
        mask: uint8 `[n_slots]`.
        eligible: how many slots it lets through.
        wanted: how many are wanted; fewer come where only one in many is eligible.
    """
    if eligible <= wanted:
        return np.flatnonzero(mask)
    tries = min(-(-wanted * mask.shape[0] // eligible), _MOST_TRIES * wanted)
    slots = np.random.default_rng(_SEED).integers(0, mask.shape[0], tries)
    return np.asarray(slots[mask[slots] != 0])


def estimated_moments(view: BankView, vector: NDArray[np.float32], sampled: int) -> tuple[float, float]:
    """Mean and standard deviation of the score over the eligible memories that have a vector, from a sample of them."""
    return moments(scores_of(view, vector, sample(view.mask(), view.eligible, sampled)))
