"""What near pairs can be asked for."""

from __future__ import annotations

import math


def check(threshold: float, most: int) -> None:
    """Refuses what cannot be asked.

    Raises:
        ValueError: the threshold is not finite, or `most` is less than 1.
    """
    if not math.isfinite(threshold) or most < 1:
        raise ValueError("the threshold must be finite, and most at least 1")
