"""Selection and moments, compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.native import fast_jit, jit


@jit
def _worse(score: float, slot: int, other_score: float, other_slot: int) -> bool:
    """Whether the first comes after the second: lower score, or the same score and written later."""
    return score < other_score or (score == other_score and slot > other_slot)


@jit
def _sink(slots: NDArray[np.int64], scores: NDArray[np.float32], at: int, size: int) -> None:
    """Restore the heap (worst on top) below `at`."""
    slot, score = slots[at], scores[at]
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and _worse(scores[child + 1], slots[child + 1], scores[child], slots[child]):
            child += 1
        if not _worse(scores[child], slots[child], score, slot):
            break
        slots[at], scores[at] = slots[child], scores[child]
        at = child
    slots[at], scores[at] = slot, score


@jit
def select(scores: NDArray[np.float32], limit: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Best `limit` entries above -inf, best first, ties by position; NaN never counts."""
    slots = np.empty(limit, np.int64)
    best = np.empty(limit, np.float32)
    size = 0
    worst = np.float32(-np.inf)
    for i in range(scores.shape[0]):
        score = scores[i]
        # Later entries lose ties, so only a strictly better score can enter a full heap.
        if not score > worst:
            continue
        if size < limit:
            slots[size], best[size] = i, score
            size += 1
            if size == limit:
                for at in range(limit // 2 - 1, -1, -1):
                    _sink(slots, best, at, limit)
                worst = best[0]
            continue
        slots[0], best[0] = i, score
        _sink(slots, best, 0, limit)
        worst = best[0]
    if size < limit:
        for at in range(size // 2 - 1, -1, -1):
            _sink(slots, best, at, size)
    # Take the worst off the heap again and again: what is left behind is sorted, best first.
    for end in range(size - 1, 0, -1):
        slots[0], slots[end] = slots[end], slots[0]
        best[0], best[end] = best[end], best[0]
        _sink(slots, best, 0, end)
    return slots[:size], best[:size]


@fast_jit
def moments(scores: NDArray[np.float32]) -> tuple[float, float]:
    """Mean and (population) standard deviation of the entries above -inf; zeros if there is none."""
    floor = np.float32(-np.inf)
    count = np.int64(0)
    total = 0.0
    for i in range(scores.shape[0]):
        taken = scores[i] > floor
        total += np.float64(scores[i]) if taken else 0.0
        count += np.int64(taken)
    if count == 0:
        return 0.0, 0.0
    mean = total / count
    squares = 0.0
    for i in range(scores.shape[0]):
        distance = np.float64(scores[i]) - mean if scores[i] > floor else 0.0
        squares += distance * distance
    return mean, np.sqrt(squares / count)
