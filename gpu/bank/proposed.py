"""The nearest of proposed memories, by exact scores, and estimates of what only a look at all would tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpu.bank.layouts import ERASED_EPOCH
from gpu.bank.nearest import DenseBest
from gpu.ops.top_memories.op import moments

if TYPE_CHECKING:
    from gpu.bank.view import BankView

_SEED = 20_240_607
_MOST_TRIES = 64


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
    scores = view.dense_of(vector, candidates)
    order = np.argsort(-scores, kind="stable")  # stable: candidates ascend, so equal scores stay in the order of slots
    order = order[scores[order] > -np.inf][:limit]
    slots, best = candidates[order], scores[order]
    kept = view.column("died", slots) != ERASED_EPOCH
    mean, std = estimated_moments(view, vector, sampled)
    return DenseBest(slots[kept], best[kept], mean, std, lambda wanted: view.dense_of(vector, wanted), is_exact=False)


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
    return moments(view.dense_of(vector, sample(view.mask(), view.eligible, sampled)))
