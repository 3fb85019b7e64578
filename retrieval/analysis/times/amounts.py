"""Rules for amounts of time from now or from a day: "two weeks ago", "in three days", "a week from Friday"."""

from __future__ import annotations

from retrieval.analysis.times import periods as cal
from retrieval.analysis.times.names import recurring
from retrieval.analysis.times.numbers import quantity
from retrieval.analysis.times.periods import Period
from retrieval.analysis.times.text import PointFound, Text
from retrieval.analysis.times.which import settled
from retrieval.analysis.times.words import GONE, MONTHS, SEASONS, UNITS, WEEKDAYS

_HALVES = {
    "year": ("month", 6),
    "month": ("day", 15),
    "week": ("hour", 84),
    "day": ("hour", 12),
    "hour": ("minute", 30),
}
"""Half a unit, in a smaller one."""


def amount(text: Text, index: int, asked: bool) -> PointFound | None:
    """`two weeks ago`, `half a year ago`, `three days from now`, `a week from Friday`, `in three days`."""
    if text.now is None:
        return None
    halves = _halves(text, index)
    if halves is not None:
        return halves
    number = quantity(text, index)
    unit = "" if number is None else UNITS.get(text.low(number[2]), "")
    if number is not None and not unit and text.low(number[2] + 1) == "ago":
        return _recurrences_ago(text, number[1], number[2])
    if number is None or not unit or number[1] > 10_000:
        return None
    least, most, after = number
    turn = text.low(after + 1)
    if turn == "ago":
        return _units_away(text, unit, -most, -least), after + 2
    if turn == "from" and text.low(after + 2) in {"now", "today"}:
        return _units_away(text, unit, least, most), after + 3
    if turn in {"from", "before", "after"}:
        return _from_point(text, after + 2, unit, -most if turn == "before" else most)
    if text.low(index - 1) == "in" and not any(word in GONE for word in text.clause(index)):
        return _units_away(text, unit, least, most), after + 1
    return None


def _halves(text: Text, index: int) -> PointFound | None:
    """`half a year ago`, `half an hour ago`, `a year and a half ago`."""
    words = [text.low(index + place) for place in range(6)]
    if words[0] == "half" and words[1] in {"a", "an"} and words[3] == "ago":
        unit, halves, after = words[2], 1, index + 4
    elif words[0] in {"a", "an", "one"} and words[2:6] == ["and", "a", "half", "ago"]:
        unit, halves, after = words[1], 3, index + 6
    else:
        return None
    if unit not in _HALVES or text.now is None:
        return None
    small, count = _HALVES[unit]
    then = cal.shifted(text.now, small, -halves * count)
    return cal.unit_at(then, "month" if unit == "year" else "minute" if unit == "hour" else unit), after


def _recurrences_ago(text: Text, count: int, index: int) -> PointFound | None:
    """`two Fridays ago`, `three summers ago`."""
    word = text.low(index).removesuffix("s")
    if text.now is None or not (word in WEEKDAYS or word in SEASONS or word in MONTHS):
        return None
    named = recurring(word)
    gone = [period for period in named.near(text.now) if period.end <= text.now]
    return (gone[-count], index + 2) if 1 <= count <= len(gone) else None


def _units_away(text: Text, unit: str, least: int, most: int) -> Period:
    now = text.now or cal.EARLIEST
    return Period(cal.unit_at(now, unit, least).start, cal.unit_at(now, unit, most).end)


def _from_point(text: Text, index: int, unit: str, count: int) -> PointFound | None:
    """So many units before or after a day that is named."""
    index += text.low(index) == "the"
    point = text.point(index, asked=True)
    period = None if point is None else settled(text, point[0], index, coming=True if count > 0 else None)
    if point is None or period is None:
        return None
    if unit == "weekend":
        ahead = count > 0 and cal.weekend(period.start).start > period.start  # that of its own week is the first one
        return cal.unit_at(period.start, unit, count - ahead), point[1]
    return cal.day(cal.shifted(period.start, unit, count)), point[1]
