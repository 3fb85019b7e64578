"""Which one of something recurring is meant ("May 7th", "Friday"): by what follows it, else by its clause."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from retrieval.analysis.times import periods as cal
from retrieval.analysis.times.numbers import year_number
from retrieval.analysis.times.periods import Period, Recurring
from retrieval.analysis.times.text import Found, Point, Text
from retrieval.analysis.times.units import relative_unit
from retrieval.analysis.times.words import COMING, COMING_PAIRS, GONE, PLANNED, PRESENT


def placed(text: Text, point: Recurring, index: int) -> Found | None:
    """Something recurring with the year, month or week that it lies in; None if nothing follows that says so."""
    after = index + (text.low(index) in {",", "of", "in"})
    number = year_number(text, after)
    if number is not None:
        period = point.within(cal.year(number))
        return None if period is None else (period, after + 1)
    after += text.low(after) == "the"
    whole = relative_unit(text, after)
    if whole is not None:
        period = point.within(whole[0])
        return None if period is None else (period, whole[1])
    return None


def settled(text: Text, point: Point, index: int, coming: bool | None = None) -> Period | None:
    """Which one of something recurring is meant: as the clause tells; if it does not, the nearest in the year.

    Args:
        text: where it stands.
        point: what stands there; a period is given back as it is.
        index: a token of the clause.
        coming: whether the next one is meant, if that is known; None: the clause tells.
    """
    if isinstance(point, Period):
        return point
    if text.now is None:
        return None
    if coming is None:
        coming = is_coming(text, index)
    if coming is None:
        coming = not text.asks and _is_nearer_ahead(text, point)
    if coming:
        return point.next(text.now)
    period = point.last(text.now)
    if period is not None and period.is_day and period.start == cal.midnight(text.now):
        earlier = point.last(period.start - cal.DAY)
        return earlier if earlier is not None and period.start - earlier.start == 7 * cal.DAY else period
    return period


def is_coming(text: Text, index: int) -> bool | None:
    """Whether the clause around a token speaks of what is to come: by its words, else by its verbs.

    Past forms win ("I am glad that we met on Friday"); then words of planning and the present ("we're leaving on
    Friday", "the exam is on Friday"); None: it has neither ("a photo from Friday").
    """
    words = text.clause(index)
    if any(word in GONE or (len(word) > 4 and word.endswith("ed") and word not in PLANNED) for word in words):
        return False
    ahead = any(word in COMING or word in PRESENT for word in words)
    return ahead or any(pair in COMING_PAIRS for pair in pairwise(words)) or None


def _is_nearer_ahead(text: Text, point: Recurring) -> bool:
    """Whether the next one is nearer than the last, of what comes once a year; a question looks back."""
    now = text.now or cal.EARLIEST
    last, ahead = point.last(now), point.next(now)
    if last is None or ahead is None or ahead.start - last.start < timedelta(days=300):
        return False
    return ahead.start - now < now - last.end
