"""Results of channels that say something about a few memories and nothing about the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retrieval.types import ChannelResult

if TYPE_CHECKING:
    from gpu.bank.bank import BankView


def sparse_result(
    view: BankView,
    slots: NDArray[np.int64],
    scores: NDArray[np.float64],
    limit: int,
    *,
    evidence: float | None = None,
) -> ChannelResult | None:
    """The result of a channel that scored some memories; every other eligible one counts as 0.

    Args:
        view: the namespace.
        slots: distinct, int64 `[n]`; those that are not eligible are left out.
        scores: float64 `[n]`; only what is above 0 is listed.
        limit: how many to list.
        evidence: see `ChannelResult`.

    Returns:
        None if nothing is left to list.
    """
    every = np.where(view.mask(), np.float32(0), np.float32(-np.inf))
    eligible = view.mask()[slots] > 0
    every[slots[eligible]] = scores[eligible]
    listed, best = view.top(every, limit)
    matching = best > 0.0
    if not matching.any():
        return None
    mean, std = view.moments(every)
    return ChannelResult(
        slots=listed[matching],
        scores=best[matching],
        mean=mean,
        std=std,
        score_of=lambda wanted: np.asarray(every[wanted]),
        evidence=evidence,
    )
