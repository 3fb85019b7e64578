"""The meaning of the interval scan, in plain Python."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gpu.bank.records import UNKNOWN_US, RecordBatch


def interval_rows(
    batch: RecordBatch, wanted: NDArray[np.int64], widths: NDArray[np.float64], eligible: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """How well the times of each memory fit the wanted ones, float64 `[n]`; -inf if not eligible.

    The best over all pairs of a wanted span and a time of the memory: a span that it speaks of, or the point at which
    it happened. 0 for a memory of which no time is known.
    """
    out = np.full(len(batch), -np.inf)
    for i in np.flatnonzero(eligible).tolist():
        times = batch.spans[batch.span_offsets[i] : batch.span_offsets[i + 1]].tolist()
        if int(batch.occurred_us[i]) != UNKNOWN_US:
            times.append((int(batch.occurred_us[i]), int(batch.occurred_us[i])))
        pairs = [(w, width, time) for w, width in zip(wanted.tolist(), widths.tolist(), strict=True) for time in times]
        out[i] = max((_fit(w[0], w[1], width, *time) for w, width, time in pairs), default=0.0)
    return out


def _fit(start: int, end: int, width: float, first: int, last: int) -> float:
    """1 inside `[start, end)`; above 1/2 by the share that lies inside; below 1/2 the further outside."""
    last = max(first, last)
    inside = min(end, last) - max(start, first)
    if start <= first and last <= end and first < end:
        return 1.0
    if inside > 0:
        return 0.5 + 0.5 * (float(inside) / float(last - first))
    gap = max(first - end, start - last, 0)
    return 0.5 * math.exp(-float(gap) / width)
