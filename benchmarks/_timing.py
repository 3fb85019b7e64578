"""Repeating something and saying how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np


def milliseconds(work: Callable[[], Any], repeats: int = 30) -> dict[str, float]:
    """Least, median and 95th percentile of the wall time of some calls, after one that is not counted."""
    work()
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append((time.perf_counter() - start) * 1e3)
    return {
        "min_ms": round(min(taken), 3),
        "p50_ms": round(float(np.median(taken)), 3),
        "p95_ms": round(float(np.percentile(taken, 95)), 3),
    }
