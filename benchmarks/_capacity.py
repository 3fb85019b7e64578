"""What an offered load came to, and the highest rate that is still answered in time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

_REFUSALS = frozenset({429, 503})


@dataclass(slots=True)
class Trial:
    """What came of requests that arrived at a rate, whether the ones before were answered or not.

    Attributes:
        offered_per_s, seconds: the mean rate, and for how long requests arrived.
        sent: how many there were.
        done_ms: waits for a success, from when the request was to be sent, in milliseconds.
        counted_ms: those of them that ended while requests still arrived: what comes later counts for no rate.
        refused_ms: as `done_ms`, for 429 and 503.
        statuses: how often each one came; 0: the connection ended without an answer, or none came in time.
        without_retry_after: refusals that do not say when to come again.
        busy: share of the machine's cores that were at work meanwhile, client included; from 0 to 1.
        client_cores: cores that the client took.
    """

    offered_per_s: float
    seconds: float
    sent: int = 0
    done_ms: list[float] = field(default_factory=list)
    counted_ms: list[float] = field(default_factory=list)
    refused_ms: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    without_retry_after: int = 0
    busy: float = 0.0
    client_cores: float = 0.0

    def told(self, status: int, ms: float, *, says_when: bool, is_after: bool = False) -> None:
        """Count an answer: its status, the wait, whether it has `Retry-After`, and came after the last request."""
        self.statuses[status] += 1
        if 200 <= status < 300:
            self.done_ms.append(ms)
            if not is_after:
                self.counted_ms.append(ms)
        elif status in _REFUSALS:
            self.refused_ms.append(ms)
            self.without_retry_after += not says_when

    def wait_ms(self, share: float) -> float:
        """The wait within which that share of *all* requests was done; infinite if fewer were done at all."""
        if not self.sent:
            return math.inf
        place = max(1, math.ceil(share * self.sent)) - 1
        return sorted(self.done_ms)[place] if place < len(self.done_ms) else math.inf

    def goodput(self, within_ms: float) -> float:
        """Requests a second that were done within a wait."""
        return sum(ms <= within_ms for ms in self.counted_ms) / self.seconds

    @property
    def failed(self) -> int:
        """Answers that are neither a success nor a refusal, and answers that did not come."""
        return sum(n for status, n in self.statuses.items() if not 200 <= status < 300 and status not in _REFUSALS)

    def figures(self) -> dict[str, object]:
        """What a result holds of it; a wait that too few requests had an end to is None."""
        return {
            "offered_per_s": round(self.offered_per_s, 1),
            "seconds": round(self.seconds, 1),
            "sent": self.sent,
            "done_per_s": round(len(self.counted_ms) / self.seconds, 1),
            **{
                f"p{name}_ms": _finite(self.wait_ms(share)) for name, share in (("50", 0.5), ("95", 0.95), ("99", 0.99))
            },
            "refused": len(self.refused_ms),
            "without_retry_after": self.without_retry_after,
            "statuses": {str(status): n for status, n in sorted(self.statuses.items())},
            "busy": round(self.busy, 3),
            "client_cores": round(self.client_cores, 3),
        }


def highest(holds: Callable[[float], bool], first: float, *, growth: float = 1.6, close: float = 1.1) -> float | None:
    """The highest rate that holds: grown until one does not, then the gap halved (as a ratio) until it is narrow.

    Args:
        holds: tries a rate. That higher ones hold less is taken for granted.
        first: where to begin; if it does not hold, lower ones are tried down to a tenth of it.
        growth: from one rate to the next, above 1.
        close: how far apart the one that holds and the one that does not may stay, as a ratio above 1.

    Returns:
        None if no rate held.
    """
    low, high = first, first
    if holds(first):
        while holds(high := low * growth):
            low = high
    else:
        while not holds(low := high / growth):
            if low <= first / 10:
                return None
            high = low
    while high / low > close:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def peak(goodput: Callable[[float], float], first: float, *, growth: float = 1.6, gain: float = 1.05) -> float:
    """The rate with the best goodput, as rates grow until it gets no better.

    Args:
        goodput: tries a rate.
        first: the first of them.
        growth: from one rate to the next, above 1.
        gain: by what ratio a goodput must be above the best before it to go on, above 1.
    """
    rate, best = first, goodput(first)
    while (more := goodput(rate * growth)) > gain * best:
        rate, best = rate * growth, more
    return rate


def overload(before: Trial, over: Trial, within_ms: float) -> dict[str, object]:
    """What an overload came to beside a load that was done.

    Args:
        before: at some rate.
        over: at a multiple of it.
        within_ms: until when an answer is in time.
    """
    held, refused = before.goodput(within_ms), sorted(over.refused_ms)
    done = sorted(over.done_ms)
    return {
        **over.figures(),
        "in_time_ms": within_ms,
        "goodput_per_s": round(over.goodput(within_ms), 1),
        "goodput_share": round(over.goodput(within_ms) / held, 3) if held else None,
        "admitted_p99_ms": _finite(_at(done, 0.99)),
        "refused_p99_ms": _finite(_at(refused, 0.99)),
        "failed": over.failed,
    }


def _at(ordered: list[float], share: float) -> float:
    return ordered[max(1, math.ceil(share * len(ordered))) - 1] if ordered else math.inf


def _finite(ms: float) -> float | None:
    return round(ms, 1) if math.isfinite(ms) else None
