"""How a memory fades, and what makes it last.

    R(t) = exp(-t / S)

t runs from the later of the moment of recording and of the last recall; S, the stability, is

    S = stability_s * factor of its kind * 4^(2 importance - 1) * 2^(2 surprise - 1)

with the factor from the policy of the namespace, importance and surprise from 0 to 1 (unknown surprise counts as 0.5:
no difference). Everything is evaluated when it is needed from numbers that are stored. Nothing is ever multiplied down:
a job that runs twice, late or never changes nothing, and a clock that jumps and comes back leaves no trace.

A recall that was of use makes it more stable, the more so the more was lost (the spacing effect):

    S' = S * min(1 + gain * (e^(spacing * (1 - R)) - 1), largest growth)

so that ten recalls in one minute count as one. A recall that turned out wrong halves it.

Sources: exponential forgetting with a stability of its own for each memory: Woźniak, Gorzelańczyk and Murakowski 1995
(Acta Neurobiologiae Experimentalis 55:301); growth that depends on retrievability as e^(w (1 - R)) - 1: Ye, Su and Cao
2022 (doi:10.1145/3534678.3539081); the spacing effect itself: Cepeda et al. 2006 (doi:10.1037/0033-2909.132.3.354).
The constants are chosen, not fitted.
"""

from __future__ import annotations

import math
from enum import Enum

GAIN = 4.0
SPACING = 1.5
LARGEST_GROWTH = 6.0
LOSS = 0.5
"""What a recall that was wrong leaves of a stability."""
NO_SURPRISE = 0.5
"""What an unknown surprise counts as: it makes no difference."""
LEAST_STABILITY_S = 3_600.0
MOST_STABILITY_S = 100 * 365.25 * 86_400.0


class Grade(Enum):
    """What came of a recall."""

    USED = "used"
    """It stood in a context, or whoever asked says that it was used."""
    USEFUL = "useful"
    """Whoever asked says that it helped: counts like two spaced recalls."""
    WRONG = "wrong"


def retention(elapsed_s: float, stability_s: float) -> float:
    """R from 0 to 1 after some time; time that has not come yet (a clock was set back) counts as none.

    Args:
        elapsed_s: since the recording or the last recall, whichever is later.
        stability_s: S, above 0.
    """
    return math.exp(-max(0.0, elapsed_s) / stability_s)


def elapsed_until(level: float, stability_s: float) -> float:
    """Seconds after which retention has fallen to a level in (0, 1]."""
    return -stability_s * math.log(level)


def effective_stability(stored_s: float, factor: float, importance: float, surprise: float | None) -> float:
    """S of the module's text, in seconds.

    Args:
        stored_s: the prior of its kind, and what recalls made of it.
        factor: of its kind, from the policy.
        importance: from 0 to 1.
        surprise: from 0 to 1, or None if nobody has looked yet.
    """
    surprised = math.exp2(2.0 * (NO_SURPRISE if surprise is None else surprise) - 1.0)
    return stored_s * factor * math.pow(4.0, 2.0 * importance - 1.0) * surprised


def after_recall(stored_s: float, level: float, grade: Grade) -> float:
    """The stored stability after a recall, in seconds.

    Args:
        stored_s: before it.
        level: retention at the moment of the recall, from 0 to 1.
        grade: what came of it.
    """
    if grade is Grade.WRONG:
        return max(min(stored_s, LEAST_STABILITY_S), stored_s * LOSS)
    growth = min(1.0 + GAIN * math.expm1(SPACING * (1.0 - level)), LARGEST_GROWTH)
    if grade is Grade.USEFUL:
        growth = min(growth * growth, LARGEST_GROWTH)
    return max(stored_s, min(stored_s * growth, MOST_STABILITY_S))
