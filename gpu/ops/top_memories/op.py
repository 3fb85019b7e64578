"""The best memories by score, and how scores are spread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.native import plain
from gpu.ops.top_memories import kernel


def top_memories(scores: NDArray[np.float32], limit: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Best `limit` slots by score.

    Args:
        scores: float32 `[n_slots]`, one for each memory; -inf and NaN are never taken.
        limit: how many at most, >= 0.

    Returns:
        Slots int64 `[k]` and scores float32 `[k]`, best first, equal scores by slot (earlier written first).

    Raises:
        ValueError: `limit` is negative.
    """
    if limit < 0:
        raise ValueError("limit must not be negative")
    limit = min(limit, scores.shape[0])
    if limit == 0:
        return np.empty(0, np.int64), np.empty(0, np.float32)
    return kernel.select(plain(scores, np.float32), limit)


def moments(scores: NDArray[np.float32]) -> tuple[float, float]:
    """Mean and population standard deviation over the entries above -inf; `(0.0, 0.0)` if there is none."""
    mean, std = kernel.moments(plain(scores, np.float32))
    return float(mean), float(std)
