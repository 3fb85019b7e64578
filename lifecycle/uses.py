"""How likely a memory is to be used again, from a few numbers that are kept of its uses.

Kept are how often it was used and when last, how much of that was recent (each use adds 1, and the sum falls by e every
`WINDOW_S`), and the longest time that ever passed between two uses. Brought up to date with each use, they say without
looking at anything else:

**How often it was used of late.** With a Gamma prior over the rate, as if uses had been watched for `PRIOR_S` at the
rate of the memories that say similar things (itself drawn to that of all):

    rate = (recent + prior rate * PRIOR_S) / (watched + PRIOR_S)

so that one that nobody has used yet is judged by its topic and its age, not by its zero.

**Whether that is over.** Once written, and after each use, a memory may be of no more use to anybody; odds of `DROPPED`
to 1, falling with each use that came. Silence speaks for it the more, the more often it was used before:

    odds = DROPPED / (uses + 1) * ((watched + PRIOR_S + silence) / (watched + PRIOR_S))^(recent + prior uses)

as of the last use, or the writing. This is BG/NBD (Fader, Hardie and Lee 2005, doi:10.1287/mksc.1040.0098) with a
window that forgets.

**Whether it recurs.** What comes with a period looks dead just before it is due. So one that has been silent for no
longer than its longest gap is expected once in such a gap, as surely as its gaps are many (n gaps: n / (n + 1), the
rule of succession), and less by e with each further gap. Source: LazyEviction (arXiv:2506.15969), which protects by the
longest recurrence interval; there it orders tokens, here it is a rate that is compared with the others.

The chance of use is 1 - exp(-rate * HORIZON_S) for the larger of the two rates. The constants are chosen, not fitted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HORIZON_S = 30 * 86_400.0
"""The future that counts."""
WINDOW_S = 60 * 86_400.0
"""The past that counts as recent."""
PRIOR_S = 7 * 86_400.0
"""How much watching the prior is worth."""
DROPPED = 1.0
"""Odds that a memory is never used."""
BURST_S = 3_600.0
"""Uses closer together than this count as parts of one."""

_MOST_LOG_ODDS = 50.0


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
    recent = before.recent * math.exp(-silent_s / WINDOW_S) + min(1.0, silent_s / BURST_S)
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
    ages, silences = np.maximum(uses.ages_s, 0.0), np.maximum(uses.silences_s, 0.0)
    recent = uses.recents * np.exp(-silences / WINDOW_S)
    prior = _priors(recent, _watched(ages), topics)[topics] * PRIOR_S
    late = (recent + prior) / (_watched(ages) + PRIOR_S) * _not_over(uses, ages, silences, prior)
    found: NDArray[np.float64] = -np.expm1(-np.maximum(late, recurrences(uses)) * HORIZON_S)
    return found


def recurrences(uses: UseColumns) -> NDArray[np.float64]:
    """Uses a second that each memory's longest gap lets expect, float64 `[n]`; 0 for one without a gap."""
    gaps = uses.longest_gaps_s
    known = np.flatnonzero(gaps > BURST_S)
    found = np.zeros(gaps.size)
    gap, silent = gaps[known], np.maximum(uses.silences_s[known], 0.0)
    intervals = np.maximum(uses.counts[known] - 1.0, 1.0)
    found[known] = intervals / (intervals + 1.0) * np.exp(-np.maximum(silent / gap - 1.0, 0.0)) / gap
    return found


def _watched(ages_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much time of an age lies in the window that forgets, in seconds."""
    found: NDArray[np.float64] = -WINDOW_S * np.expm1(-ages_s / WINDOW_S)
    return found


def _not_over(
    uses: UseColumns, ages: NDArray[np.float64], silences: NDArray[np.float64], prior: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The chance that each memory's uses are not over, float64 `[n]`."""
    watched = _watched(np.maximum(ages - silences, 0.0)) + PRIOR_S
    odds = np.log(DROPPED / (uses.counts + 1.0)) + (uses.recents + prior) * np.log1p(silences / watched)
    found: NDArray[np.float64] = 1.0 / (1.0 + np.exp(np.minimum(odds, _MOST_LOG_ODDS)))
    return found


def _priors(
    recent: NDArray[np.float64], watched: NDArray[np.float64], topics: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Uses a second of each topic, drawn to that of all as if that had been watched for one window, float64 `[t]`."""
    overall = recent.sum() / (watched.sum() + PRIOR_S)
    used, seen = np.bincount(topics, recent), np.bincount(topics, watched)
    rates: NDArray[np.float64] = (used + overall * WINDOW_S) / (seen + WINDOW_S)
    return rates
