"""Scores of memories in the light of what was said just before and after them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.native import plain
from gpu.ops.context_scores import kernel


def context_scores(
    scores: NDArray[np.float32],
    order: NDArray[np.int64],
    starts: NDArray[np.uint8],
    weights: tuple[float, float, float],
) -> NDArray[np.float32]:
    """Each memory's score with a share of its neighbours' in the conversation.

    Args:
        scores: float32 `[n]`, one for each slot; -inf where a memory is not eligible.
        order: int64 `[k]`, distinct slots, sequence by sequence, in each by time.
        starts: uint8 `[k]`, 1 at the first memory of each sequence.
        weights: shares of the memory before, of the one before that, and of the one after; finite.

    Returns:
        float32 `[n]`, a new array (the scores themselves if there is no sequence); -inf stays -inf.

    Raises:
        ValueError: order and starts differ in length, or a weight is not finite.
    """
    if order.shape != starts.shape or order.ndim != 1:
        raise ValueError("order and starts must be [k]")
    if not np.isfinite(weights).all():
        raise ValueError("weights must be finite")
    if not order.shape[0]:
        return scores
    scores = plain(scores, np.float32)
    out = scores.copy()
    kernel.add_neighbours(scores, plain(order, np.int64), plain(starts, np.uint8), np.array(weights, np.float32), out)
    return out
