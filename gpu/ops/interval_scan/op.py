"""How well the times of memories fit the times that a question asks about."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.bank.errors import PageOwnershipError
from gpu.bank.layouts import ATTRIBUTES, SPANS
from gpu.bank.records import NEVER_US, UNKNOWN_US
from gpu.bank.segment import SegmentSnapshot
from gpu.native import plain
from gpu.ops.interval_scan import kernel

SHORTEST_WIDTH_US = 3_600e6
"""An hour: a miss decays over the length of the wanted span, but over no less than this."""
LONGEST_WIDTH_US = 365 * 86_400e6
"""A year, and over no more than this: "before 2020" is no long time, but one with a sharp end."""
OPEN_WIDTH_US = 30 * 86_400e6
"""Thirty days: over what a miss decays beside a span without a start or an end."""

_PREFIXES = np.concatenate([ATTRIBUTES.prefixes("occurred_us", "first_span", "n_spans"), SPANS.prefixes("bounds")])


def interval_scan(
    segment: SegmentSnapshot, wanted: NDArray[np.int64], eligible: NDArray[np.uint8], out: NDArray[np.float32]
) -> None:
    """Write how well the times of each eligible memory (when it happened, what it speaks of) fit the wanted ones.

    Args:
        segment: what to scan.
        wanted: int64 `[q, 2]`, half-open spans in microseconds; `UNKNOWN_US` and `NEVER_US` stand for an open start
            and end.
        eligible: uint8 `[n_slots]`, from the filter scan.
        out: float32 `[n_slots]`, overwritten: 1 inside a wanted span, 1/2 to 1 where it overlaps one, below 1/2 the
            further outside, 0 where no time is known, -inf for memories that are not eligible.

    Raises:
        ValueError: a span is empty or an array has another shape.
        PageOwnershipError: a page does not belong to this segment.
    """
    if wanted.ndim != 2 or wanted.shape[1] != 2 or not (wanted[:, 0] < wanted[:, 1]).all():
        raise ValueError("wanted must be [q, 2], each span with a start before its end")
    if eligible.shape != (segment.n_slots,) or out.shape != (segment.n_slots,):
        raise ValueError(f"eligible and out must be [{segment.n_slots}]")
    if segment.n_slots == 0:
        return
    fine = kernel.scan_pages(
        segment.attributes.entries,
        segment.attributes.owner,
        _PREFIXES,
        segment.spans.entries,
        plain(wanted, np.int64),
        decay_widths(wanted),
        UNKNOWN_US,
        eligible,
        out,
    )
    if not fine:
        raise PageOwnershipError("an attribute page or one of times belongs to somebody else")


def decay_widths(wanted: NDArray[np.int64]) -> NDArray[np.float64]:
    """Microseconds over which a miss beside each span decays by a factor of e, float64 `[q]`."""
    is_open = (wanted[:, 0] == UNKNOWN_US) | (wanted[:, 1] == NEVER_US)
    lengths = wanted[:, 1].astype(np.float64) - wanted[:, 0].astype(np.float64)
    return np.where(is_open, OPEN_WIDTH_US, np.clip(lengths, SHORTEST_WIDTH_US, LONGEST_WIDTH_US))
