"""The times that a text speaks of, as spans: what "last week" meant when it was said.

Deterministic: the clock is never read. Local time is that of the moment's own UTC offset. English; other languages
give what they share with it (ISO dates, years in brackets). `docs/decisions/0009-time-expressions.md` states the
conventions.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from retrieval.analysis.times.expressions import read_periods
from retrieval.analysis.times.periods import Period
from retrieval.analysis.times.points import RULES, TRIGGERS
from retrieval.analysis.times.text import Text
from retrieval.analysis.times.tokens import tokens

TIMES_VERSION = 1
MOST_SPANS = 32

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local time, shifted below
_MICROSECOND = timedelta(microseconds=1)
_TRIGGER = re.compile(r"[a-z]+|[0-9]")


def time_spans(text: str, said_at: datetime | None, *, asks: bool = False) -> NDArray[np.int64]:
    """The times that a text speaks of.

    Args:
        text: any text.
        said_at: when it was said or asked (aware), which relative times refer to; None: only full dates count.
        asks: whether it is a question: "in August" then means the last one, where a statement may mean the next.

    Returns:
        int64 `[s, 2]`, half-open microseconds since the epoch, distinct, ascending; the first 32 in the text. Open ends
        reach to 1900, to 2100, or to `said_at` ("since").
    """
    if _has_none(text):
        return np.empty((0, 2), dtype=np.int64)
    now, offset = None, timedelta(0)
    if said_at is not None:
        offset = said_at.utcoffset() or timedelta(0)
        now = said_at.replace(tzinfo=None)
    said = Text(tokens(text), now, offset, asks=asks, rules=RULES)
    found = {_bounds(period, offset) for period in read_periods(said, MOST_SPANS)}
    return np.array(sorted(found), dtype=np.int64).reshape(-1, 2)


def _has_none(text: str) -> bool:
    """Whether no word and no digit could begin a time: most texts end here."""
    return TRIGGERS.isdisjoint(_TRIGGER.findall(text.lower()))


def _bounds(period: Period, offset: timedelta) -> tuple[int, int]:
    shift = _EPOCH + offset
    return (period.start - shift) // _MICROSECOND, (period.end - shift) // _MICROSECOND
