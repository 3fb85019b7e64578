"""Rules for a piece of a longer period, and for what lies beside one: "the first week of May", "early 2023"."""

from __future__ import annotations

from retrieval.analysis.times import periods as cal
from retrieval.analysis.times.periods import Period
from retrieval.analysis.times.relative import relative
from retrieval.analysis.times.text import PointFound, Text
from retrieval.analysis.times.units import this_unit
from retrieval.analysis.times.which import is_coming, settled
from retrieval.analysis.times.words import ORDINALS, THIRDS, UNITS, WEEKDAYS


def third(text: Text, index: int, asked: bool) -> PointFound | None:
    """`early 2023`, `mid-March`, `the end of last year`, `late in May`."""
    word = text.low(index)
    after = index + 1 + (text.low(index + 1) in {"-", "of", "in"})
    after += text.low(after) == "the"
    whole = text.point(after, asked=True) or (this_unit(text, after) if text.low(after - 1) == "the" else None)
    period = None if whole is None else settled(text, whole[0], index)
    if whole is None or period is None or period.is_day:
        return None
    return cal.third(period, THIRDS[word]), whole[1]


def nth_word(text: Text, index: int, asked: bool) -> PointFound | None:
    """`first week of May`, `last day of March`; `last` also as in "last week"."""
    number = ORDINALS[text.low(index)]
    found = nth(text, index, number)
    if found is None and text.low(index) == "last":
        return relative(text, index, asked)
    return found


def nth(text: Text, index: int, number: int) -> PointFound | None:
    """`first week of May 2023`, `last day of March`, `third quarter of 2023`, `first Monday of May`."""
    what = text.low(index + 1)
    if text.low(index + 2) not in {"of", "in"} or (what not in UNITS and what not in WEEKDAYS and what != "half"):
        return None
    after = index + 3
    after += text.low(after) == "the"
    whole = text.point(after, asked=True) or this_unit(text, after)
    period = None if whole is None else settled(text, whole[0], index)
    if whole is None or period is None:
        return None
    return _piece(period, what, number), whole[1]


def _piece(whole: Period, what: str, number: int) -> Period:
    if what in WEEKDAYS or what == "weekend":
        target = WEEKDAYS.get(what, 5)
        first = whole.start + cal.DAY * ((target - whole.start.weekday()) % 7)
        count = (whole.end - first - cal.DAY).days // 7 if number < 0 else number - 1
        start = first + 7 * cal.DAY * count
        return Period(start, start + cal.DAY * (2 if what == "weekend" else 1))
    unit = "half" if what == "half" else UNITS[what]
    ends = [cal.shifted(whole.start, unit, number - 1), cal.shifted(whole.start, unit, number)]
    if number < 0:
        ends = [cal.shifted(whole.end, unit, -1), whole.end]
    if not whole.start <= ends[0] < whole.end:
        raise ValueError(number)
    return Period(ends[0], min(ends[1], whole.end))


def with_article(text: Text, index: int, asked: bool) -> PointFound | None:
    """`the day before yesterday`, `the week before last`, `the weekend`, `the week of May 6`."""
    unit, turn = text.low(index + 1), text.low(index + 2)
    if unit == "night" and turn == "before" and text.low(index + 3) == "last" and text.now is not None:
        return cal.part_of_day(cal.day(text.now - 2 * cal.DAY), "night"), index + 4
    if unit not in {"day", "week", "weekend", "month", "year"}:
        return text.point(index + 1, asked=asked)
    if unit in {"week", "weekend"} and turn == "of":
        whole = text.point(index + 3 + (text.low(index + 3) == "the"), asked=True)
        period = None if whole is None else settled(text, whole[0], index)
        return None if whole is None or period is None else (cal.unit_at(period.start, unit), whole[1])
    if text.now is None:
        return _beside(text, index, unit, turn)
    if turn == "before" and text.low(index + 3) == "last":
        return cal.unit_at(text.now, unit, -2), index + 4
    if turn == "after" and text.low(index + 3) == "next":
        return cal.unit_at(text.now, unit, 2), index + 4
    beside = _beside(text, index, unit, turn)
    if beside is not None or unit != "weekend":
        return beside
    coming = is_coming(text, index)
    return cal.unit_at(text.now, unit, 0 if coming else -1), index + 2 + (turn == "before")


def _beside(text: Text, index: int, unit: str, turn: str) -> PointFound | None:
    """`the day after Christmas`, `the week before May 7`."""
    if turn not in {"before", "after"}:
        return None
    whole = text.point(index + 3 + (text.low(index + 3) == "the"), asked=True)
    period = None if whole is None else settled(text, whole[0], index)
    if whole is None or period is None:
        return None
    return cal.unit_at(period.start, unit, -1 if turn == "before" else 1), whole[1]
