"""The meaning of selection and moments, in plain numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def top_rows(scores: NDArray[np.float32], limit: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Sort everything by falling score, then by slot, and cut."""
    slots = np.flatnonzero(scores > -np.inf)
    order = np.lexsort((slots, -scores[slots]))[:limit]
    return slots[order], scores[slots[order]]


def moments_rows(scores: NDArray[np.float32]) -> tuple[float, float]:
    """Mean and population standard deviation of what is above -inf."""
    taken = scores[scores > -np.inf].astype(np.float64)
    return (float(taken.mean()), float(taken.std())) if taken.size else (0.0, 0.0)
