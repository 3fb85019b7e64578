"""How likely a memory is to be used again, from a few numbers that are kept of its uses.

Three are kept, and brought up to date with each use: how often it was used, how much of that is recent (a count that
halves about every three weeks: each use adds 1, and the sum falls by e every `HORIZON_S`), and the longest time that
ever passed between two uses. From them, without looking at anything else:

    rate   = (recent uses + prior rate * PRIOR_S) / (time under observation + PRIOR_S)
    chance = 1 - exp(-rate * HORIZON_S)

The prior is the rate of the memories that say similar things, itself drawn to the rate of all: a memory that nobody
has used yet is judged by its topic and its age, not by its zero. This is the posterior mean of a Poisson rate under a
Gamma prior, with a window that forgets, so that what was popular once does not stay so.

What recurs with a period looks dead just before it is due. So a memory that has been silent for no longer than its
longest gap counts as due again, as sure as its gaps are many (n gaps: n / (n + 1), the rule of succession), and falls
off by e with each further gap. Source: LazyEviction (arXiv:2506.15969), which protects by the maximum recurrence
interval; there it orders tokens, here it is a chance that is compared with the others.

The constants are chosen, not fitted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HORIZON_S = 30 * 86_400.0
"""The future that counts, and the memory of the recent count."""
PRIOR_S = 7 * 86_400.0
"""How much observation the prior is worth."""
BURST_S = 3_600.0
"""Uses closer together than this count as parts of one."""


@dataclass(frozen=True, slots=True)
class Uses:
    """What is kept of a memory's uses, as of the last one.

    Attributes:
        recent: uses, each worth less the longer ago it was.
        longest_gap_s: between two uses that followed each other; 0: there were not two.
    """

    recent: float = 0.0
    longest_gap_s: float = 0.0


def after_use(before: Uses, silent_s: float | None) -> Uses:
    """What is kept after one more use.

    Args:
        silent_s: since the use before; None: this is the first. A clock that was set back counts as no time.
    """
    if silent_s is None:
        return Uses(1.0, 0.0)
    silent_s = max(0.0, silent_s)
    recent = before.recent * math.exp(-silent_s / HORIZON_S) + min(1.0, silent_s / BURST_S)
    return Uses(recent, max(before.longest_gap_s, silent_s))


@dataclass(frozen=True, slots=True)
class UseColumns:
    """`n` memories as columns, float64 `[n]`; times in seconds.

    Attributes:
        ages_s: since the recording.
        silences_s: since the last use; since the recording where there was none.
        counts: uses.
        recents, longest_gaps_s: see `Uses`.
    """

    ages_s: NDArray[np.float64]
    silences_s: NDArray[np.float64]
    counts: NDArray[np.float64]
    recents: NDArray[np.float64]
    longest_gaps_s: NDArray[np.float64]


def chances(uses: UseColumns, topics: NDArray[np.int64]) -> NDArray[np.float64]:
    """How likely each memory is to be used within the horizon, float64 `[n]` in [0, 1].

    Args:
        uses: what is known of their uses.
        topics: int64 `[n]` from 0, which memories are about the same.
    """
    if not topics.size:
        return np.zeros(0)
    silences = np.maximum(uses.silences_s, 0.0)
    recent = uses.recents * np.exp(-silences / HORIZON_S)
    observed = -HORIZON_S * np.expm1(-np.maximum(uses.ages_s, 0.0) / HORIZON_S)
    rates = (recent + _priors(recent, observed, topics)[topics] * PRIOR_S) / (observed + PRIOR_S)
    return np.maximum(-np.expm1(-rates * HORIZON_S), recurrences(uses))


def recurrences(uses: UseColumns) -> NDArray[np.float64]:
    """How likely each is to be due again within the horizon by its longest gap alone; 0 for one without a gap."""
    gaps = uses.longest_gaps_s
    known = np.flatnonzero(gaps > BURST_S)
    found = np.zeros(gaps.size)
    gap, silent = gaps[known], np.maximum(uses.silences_s[known], 0.0)
    intervals = np.maximum(uses.counts[known] - 1.0, 1.0)
    late = np.exp(-np.maximum(silent / gap - 1.0, 0.0))
    found[known] = intervals / (intervals + 1.0) * late * np.minimum(1.0, HORIZON_S / gap)
    return found


def _priors(
    recent: NDArray[np.float64], observed: NDArray[np.float64], topics: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Uses a second of each topic, drawn to that of all as if that had been seen for one horizon, float64 `[t]`."""
    total = observed.sum()
    overall = 0.0 if total <= 0.0 else recent.sum() / (total + PRIOR_S)
    used, seen = np.bincount(topics, recent), np.bincount(topics, observed)
    rates: NDArray[np.float64] = (used + overall * HORIZON_S) / (seen + HORIZON_S)
    return rates
