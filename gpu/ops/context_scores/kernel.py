"""Scores in the light of the neighbours in a conversation, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.native import jit


@jit
def _score(scores: NDArray[np.float32], slot: Any) -> Any:
    """A neighbour's score; 0 for one that the filter does not let through."""
    score = scores[slot]
    return score if score > -np.inf else np.float32(0)


@jit
def add_neighbours(
    scores: NDArray[np.float32],
    order: NDArray[np.int64],
    starts: NDArray[np.uint8],
    weights: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Raise `out[s]` by the weighted scores of the two memories before `s` and the one after it, sequence by sequence.

    Args:
        scores: float32 `[n]`, -inf where a memory is not eligible.
        order: int64 `[k]`, slots by sequence and then by time.
        starts: uint8 `[k]`, 1 at the first memory of each sequence.
        weights: float32 `[3]`, for the one before, the one before that, and the one after.
        out: float32 `[n]`, holds the scores.
    """
    before: Any = 0
    for at in range(order.shape[0]):
        before = 0 if starts[at] else before + 1
        slot = order[at]
        if not scores[slot] > -np.inf:
            continue
        total = scores[slot]
        if before >= 1:
            total += weights[0] * _score(scores, order[at - 1])
        if before >= 2:
            total += weights[1] * _score(scores, order[at - 2])
        if at + 1 < order.shape[0] and not starts[at + 1]:
            total += weights[2] * _score(scores, order[at + 1])
        out[slot] = total
