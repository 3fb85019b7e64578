"""The hours of a day, before or after the day itself: "3pm yesterday", "Friday night", "between 9:00 and 10:00"."""

from __future__ import annotations

from datetime import timedelta

from retrieval.analysis.times import periods as cal
from retrieval.analysis.times.periods import Period
from retrieval.analysis.times.text import Found, Text
from retrieval.analysis.times.which import settled
from retrieval.analysis.times.words import BEFORE_CLOCK, PARTS, RANGE_WORDS


def in_day(text: Text, period: Period, index: int) -> Found:
    """Narrows a day to the hours that follow it: "Friday night", "yesterday at 3pm"."""
    if not period.is_day:
        return period, index
    skipped = index + (text.low(index) in {",", "in", "the"})
    skipped += text.low(skipped) == "the"
    part = PARTS.get(text.low(skipped))
    if part is not None and (skipped == index or text.low(index) == "in"):
        return cal.part_of_day(period, part), skipped + 1
    if text.low(index) in {"between", "from"}:
        start, stop = _hours(text, index + 1), _hours(text, index + 3)
        if start is not None and stop is not None and text.low(index + 2) in RANGE_WORDS | {"and"}:
            return Period(period.start + start[0], period.start + stop[0]), index + 4
    skipped = index + (text.low(index) in {",", "at", "around", "about", "@"})
    skipped += skipped == index + 1 and text.low(index) == "," and text.low(skipped) == "at"
    hours = _hours(text, skipped)
    if hours is None:
        return period, index
    return Period(period.start + hours[0], period.start + hours[1]), skipped + 1


def hour_range(text: Text, index: int) -> Found | None:
    """`between 09:00 and 10:00 on 2 May`; without a date, those of the day of speaking."""
    start, stop = _hours(text, index), _hours(text, index + 2)
    if start is None or stop is None or text.low(index + 1) not in RANGE_WORDS | {"and"}:
        return None
    after = index + 3
    after += text.low(after) in {"on", ","}
    after += text.low(after) == "the"
    point = text.point(after, asked=True)
    whole = None if point is None else settled(text, point[0], after)
    if point is None or whole is None or not whole.is_day:
        if text.now is None or text.tells_habits:
            return None
        whole, after = cal.day(text.now), index + 3
    else:
        after = point[1]
    return Period(whole.start + start[0], whole.start + stop[0]), after


def before_day(text: Text, index: int) -> Found | None:
    """Hours with the day that follows them: "3pm yesterday", "the night of May 7"."""
    return _clock_before(text, index) or _part_before(text, index)


def clock_alone(text: Text, index: int) -> Found | None:
    """`at 3pm`: on the day of speaking."""
    hours = _hours(text, index)
    if hours is None or text.now is None or text.tells_habits or text.low(index - 1) not in BEFORE_CLOCK:
        return None
    start = cal.midnight(text.now)
    return Period(start + hours[0], start + hours[1]), index + 1


def _hours(text: Text, index: int) -> tuple[timedelta, timedelta] | None:
    """A time of day as the start and end of the hour, minute or second that it names."""
    token = text.at(index)
    if token.low == "noon":
        return timedelta(hours=12), timedelta(hours=13)
    if token.kind != "clock":
        return None
    digits = token.low.rstrip(" apm.").split(":")
    numbers = [int(part) for part in digits]
    if token.low.rstrip(".").endswith("m"):
        if not 1 <= numbers[0] <= 12:
            return None
        numbers[0] = numbers[0] % 12 + (12 if "p" in token.low else 0)
    start = timedelta(hours=numbers[0], minutes=sum(numbers[1:2]), seconds=sum(numbers[2:3]))
    return start, start + (timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1))[len(numbers) - 1]


def _clock_before(text: Text, index: int) -> Found | None:
    """`3pm yesterday`, `at 15:30 on 7 May`, `at 9 this morning`."""
    hours = _hours(text, index)
    token = text.at(index)
    if hours is None and token.kind == "number" and text.low(index - 1) == "at" and text.low(index + 1) == "this":
        part, number = PARTS.get(text.low(index + 2)), int(token.low)
        if part is None or not 1 <= number <= 12 or text.now is None:
            return None
        start = cal.midnight(text.now) + timedelta(hours=number % 12 + (0 if part == "morning" else 12))
        return Period(start, start + timedelta(hours=1)), index + 3
    if hours is None:
        return None
    after = index + 1
    after += text.low(after) in {"on", ",", "of"}
    after += text.low(after) == "the"
    point = text.point(after, asked=True)
    period = None if point is None else settled(text, point[0], index)
    if period is None or point is None or not period.is_day:
        return None
    return Period(period.start + hours[0], period.start + hours[1]), point[1]


def _part_before(text: Text, index: int) -> Found | None:
    """`the night of May 7`, `on the morning of 3 June`."""
    part = PARTS.get(text.low(index))
    if part is None or text.low(index + 1) not in {"of", "on"}:
        return None
    after = index + 2
    after += text.low(after) == "the"
    point = text.point(after, asked=True)
    period = None if point is None else settled(text, point[0], index)
    if point is None or period is None or not period.is_day:
        return None
    return cal.part_of_day(period, part), point[1]
