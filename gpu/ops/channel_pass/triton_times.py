"""What the times of rows are worth, in Triton: how well they fit asked spans, and what is retained until now."""

from __future__ import annotations

import triton
import triton.language as tl

from gpu.bank.records import UNKNOWN_US
from gpu.ops.channel_pass.questions import SPAN_NUMBERS
from gpu.ops.paged_search.triton_kernel import GROUP

_GROUP = tl.constexpr(GROUP)
_SPAN_NUMBERS = tl.constexpr(SPAN_NUMBERS)
_UNKNOWN_US = tl.constexpr(int(UNKNOWN_US))
_FARTHEST = tl.constexpr(40.0)
"""Widths from which a miss scores less than a float32 beside 1 can show, as in `interval_scan`."""


@triton.jit
def _nearer(table, spans, n_spans, first, last, known, best, miss):
    """The better of `best` and the fit of one time of each row; the lesser of `miss` and its distance in widths.

    See `gpu.ops.interval_scan.reference`. Differences are of float64, for those of 64-bit times may overflow; what
    becomes of them is float32.
    """
    last = tl.maximum(first, last)
    length = tl.where(last > first, last.to(tl.float64) - first.to(tl.float64), 1.0).to(tl.float32)
    for number in range(n_spans):
        span = table + spans + number * _SPAN_NUMBERS
        start = tl.load(span)
        end = tl.load(span + 1)
        per_width = tl.load((span + 2).to(tl.pointer_type(tl.float32)))
        low = tl.maximum(first, start)
        high = tl.minimum(last, end)
        shared = (high.to(tl.float64) - low.to(tl.float64)).to(tl.float32)  # below 0 by the gap between them
        fit = tl.where(shared > 0.0, 0.5 + 0.5 * (shared / length), 0.0)
        fit = tl.where((start <= first) & (last <= end) & (first < end), 1.0, fit)
        best = tl.where(known, tl.maximum(best, fit), best)
        miss = tl.where(known, tl.minimum(miss, tl.maximum(-shared, 0.0) * per_width), miss)
    return best, miss


@triton.jit
def temporal_fit(occurred, count, passes, all_spans, table, asked, n_asked):
    """How well the times of rows fit the asked spans, float32 `[32]`; 0 where no time is known.

    Args:
        occurred: int64 `[32]`.
        count: int32 `[32]`, how many spans each row speaks of.
        passes: bool `[32]`; of other rows no spans are read.
        all_spans: where those of the group begin.
        asked, n_asked: where the asked spans are in the table, and how many.
    """
    best = tl.zeros([_GROUP], tl.float32)
    miss = tl.full([_GROUP], float("inf"), tl.float32)
    best, miss = _nearer(table, asked, n_asked, occurred, occurred, occurred != _UNKNOWN_US, best, miss)
    first_span = tl.cumsum(count) - count
    for number in range(tl.max(tl.where(passes, count, 0))):
        known = passes & (number < count)
        bounds = all_spans + (first_span + number) * 2
        first = tl.load(bounds, known, 0)
        last = tl.load(bounds + 1, known, 0)
        best, miss = _nearer(table, asked, n_asked, first, last, known, best, miss)
    return tl.where((best == 0.0) & (miss < _FARTHEST), 0.5 * tl.exp(-miss), best)


@triton.jit
def retention(now, fresh, stability):
    """R = exp(-dt / S), float32 `[32]`; 0 without a stability.

    Args:
        now: float64, microseconds.
        fresh: int64 `[32]`, from when on it counts.
        stability: float32 `[32]`, S in seconds.
    """
    age_s = (tl.maximum(now - fresh.to(tl.float64), 0.0) * 1e-6).to(tl.float32)
    return tl.where(stability > 0.0, tl.exp(-age_s / tl.where(stability > 0.0, stability, 1.0)), 0.0)
