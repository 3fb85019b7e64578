"""Whole expressions, made of points: one time with its hours, ranges, open ends."""

from __future__ import annotations

from retrieval.analysis.times import periods as cal
from retrieval.analysis.times.hours import before_day, clock_alone, hour_range, in_day
from retrieval.analysis.times.numbers import is_counted, year_number
from retrieval.analysis.times.periods import Period, Recurring
from retrieval.analysis.times.text import Found, Point, PointFound, Text
from retrieval.analysis.times.which import settled
from retrieval.analysis.times.words import DASHES, MONTHS, OPENERS, RANGE_WORDS, UNITS

_TENSES = {"by": True, "since": False, "after": False}
"""Whether what follows is to come, where the word alone tells."""

_AFTER_NUMBER = frozenset({*MONTHS, *UNITS, "this", "ago"})
_REACH = 6


def read_periods(text: Text, most: int) -> list[Period]:
    """The first `most` times of a text, in its order, in local time."""
    found: list[Period] = []
    index = 0
    while index < len(text.tokens) and len(found) < most:
        read = _guarded(text, index)
        if read is None:
            index += 1
            continue
        if read[0].start < read[0].end:
            found.append(read[0])
        index = max(read[1], index + 1)
    return found


def _guarded(text: Text, index: int) -> Found | None:
    """The expression that begins at a token: none where none can begin, none that the calendar lacks."""
    token = text.tokens[index]
    if token.kind == "mark" or token.kind == "junk":
        return None
    if token.kind == "word" and token.low not in text.rules.by_word:
        return None
    if token.kind == "number" and len(token.low) < 4 and not _may_be_time(text, index):
        return None
    try:
        return _expression(text, index)
    except (ValueError, OverflowError):  # 31 February, the year 10000
        return None


def _may_be_time(text: Text, index: int) -> bool:
    """Whether a month, a unit or the like follows a number: a cheap look before the rules are tried."""
    return any(text.low(place) in _AFTER_NUMBER for place in range(index + 1, index + _REACH))


def _expression(text: Text, index: int) -> Found | None:
    word = text.low(index)
    if word in {"from", "between"}:
        return (
            hour_range(text, index + 1)
            or _range(text, index + 1, word)
            or (_onwards(text, index) if word == "from" else None)
        )
    if word in OPENERS:
        return _open(text, index)
    return _range(text, index, "") or _simple(text, index)


def _simple(text: Text, index: int, *, asked: bool = False, coming: bool | None = None) -> Found | None:
    """One time with its part of the day."""
    index += text.low(index) == "the" and text.low(index + 1) not in {
        "week",
        "weekend",
        "day",
        "night",
        "month",
        "year",
    }
    ahead = before_day(text, index)
    if ahead is not None:
        return ahead
    point = text.point(index, asked=asked)
    if point is None:
        return clock_alone(text, index)
    period = settled(text, point[0], index, coming)
    return None if period is None else in_day(text, period, point[1])


def _range(text: Text, index: int, opener: str) -> Found | None:
    """`A to B`, `A - B`, `between A and B`."""
    left = _end_point(text, index, after=opener)
    if left is None:
        return None
    split = text.low(left[1])
    if not (split in RANGE_WORDS or (opener == "between" and split == "and")):
        return None
    right = _end_point(text, left[1] + 1, after="to")
    if right is None:
        return None
    period = _joined(text, left[0], right[0], index)
    return (period, right[1]) if period is not None and period.start < period.end else None


def _end_point(text: Text, index: int, after: str) -> PointFound | None:
    """A point, or a year alone where an opener or a second year makes it one."""
    index += text.low(index) == "the"
    number = year_number(text, index)
    if number is not None and (after or text.low(index + 1) in DASHES) and not is_counted(text, index + 1):
        return cal.year(number), index + 1
    return text.point(index, asked=bool(after))


def _joined(text: Text, left: Point, right: Point, index: int) -> Period | None:
    if isinstance(right, Recurring):
        first = left if isinstance(left, Period) else settled(text, left, index)
        last = right.next(first.start) if first is not None else None
    else:
        last = right
        first = left if isinstance(left, Period) else left.last(right.start)
    return None if first is None or last is None else Period(first.start, last.end)


def _open(text: Text, index: int) -> Found | None:
    """`since`, `before`, `after`, `until`, `by` a time."""
    word, now = text.low(index), text.now
    read = _range(text, index + 1, "") or _simple(text, index + 1, asked=True, coming=_TENSES.get(word))
    if read is None:
        return None
    period, after = read
    if word == "since":
        return _since(text, period), after
    if word == "before":
        return Period(cal.EARLIEST, period.start), after
    past = now is not None and period.end < now
    if word == "after":
        return Period(period.end, now if past and now else cal.LATEST), after
    return Period(cal.EARLIEST if past or now is None else now, period.end), after


def _onwards(text: Text, index: int) -> Found | None:
    """`from May on`."""
    read = _simple(text, index + 1, asked=True)
    if read is None:
        return None
    on = text.low(read[1])
    if on in {"onwards", "onward"} or (on == "on" and text.at(read[1] + 1).kind != "word"):
        return _since(text, read[0]), read[1] + 1
    return _simple(text, index + 1)


def _since(text: Text, period: Period) -> Period:
    past = text.now is not None and period.start < text.now
    return Period(period.start, text.now if past and text.now else cal.LATEST)
