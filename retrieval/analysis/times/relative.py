"""Rules for times told from now: "yesterday", "last week", "next March", "the past three months"."""

from __future__ import annotations

from retrieval.analysis.times import periods as cal
from retrieval.analysis.times.names import recurring_at
from retrieval.analysis.times.numbers import quantity
from retrieval.analysis.times.periods import Period
from retrieval.analysis.times.text import Found, PointFound, Text
from retrieval.analysis.times.units import relative_unit
from retrieval.analysis.times.words import LAST, NEXT, PARTS, THIS, UNITS, WEEKDAYS


def fixed(text: Text, index: int, asked: bool) -> PointFound | None:
    """`yesterday`, `today`, `tomorrow`, `tonight`."""
    if text.now is None:
        return None
    word = text.bare(index)
    if word == "tonight":
        return cal.part_of_day(cal.day(text.now), "night"), index + 1
    return cal.day(text.now + cal.DAY * {"yesterday": -1, "today": 0, "tomorrow": 1}[word]), index + 1


def half_of_now(text: Text, index: int, asked: bool) -> PointFound | None:
    """`earlier this year`, `later today`."""
    if text.now is None:
        return None
    word, what = text.low(index), text.low(index + 1)
    if what == "today":
        whole: Found | None = (cal.day(text.now), index + 2)
    else:
        whole = relative_unit(text, index + 1) if what in THIS else None
    if whole is None:
        return None
    period, after = whole
    if word == "earlier":
        return Period(period.start, min(text.now, period.end)), after
    return Period(max(text.now, period.start), period.end), after


def relative(text: Text, index: int, asked: bool) -> PointFound | None:
    """`last week`, `this past Saturday`, `next March`, `the past three months`."""
    if text.now is None:
        return None
    word = text.low(index)
    side = -1 if word in LAST else 1 if word in NEXT else 0
    if side == 0 and (text.low(index + 1) in LAST or text.low(index + 1) in NEXT):
        nearest = recurring_at(text, index + 2)
        if nearest is not None:
            past = text.low(index + 1) in LAST
            period = nearest[0].last(text.now - cal.DAY) if past else nearest[0].next(text.now)
            return None if period is None else (period, nearest[1])
        return relative(text, index + 1, asked)
    return (
        _rolling(text, index, side)
        or _part_of_day(text, index, side)
        or _unit(text, index)
        or _recurring(text, index, side)
    )


def _rolling(text: Text, index: int, side: int) -> PointFound | None:
    """`the last two weeks`, `the past year`, `the next 3 days`."""
    if side == 0 or text.now is None:
        return None
    amount = quantity(text, index + 1)
    if amount is None and text.low(index) == "past" and text.low(index + 1) in UNITS:
        amount = (1, 1, index + 1)
    unit = "" if amount is None else UNITS.get(text.low(amount[2]), "")
    if amount is None or not unit or unit == "weekend":
        return None
    other = cal.shifted(text.now, unit, side * amount[1])
    return Period(min(text.now, other), max(text.now, other)), amount[2] + 1


def _part_of_day(text: Text, index: int, side: int) -> PointFound | None:
    """`last night`, `this morning`."""
    part = PARTS.get(text.low(index + 1))
    if part is None or side > 0 or text.now is None or (side < 0 and part != "night"):
        return None
    return cal.part_of_day(cal.day(text.now + cal.DAY * side), part), index + 2


def _unit(text: Text, index: int) -> PointFound | None:
    """`last week`, `last week on Friday`, `next year in March`."""
    whole = relative_unit(text, index)
    if whole is None:
        return None
    after = whole[1] + (text.low(whole[1]) in {"on", "in"})
    inner = recurring_at(text, after)
    if inner is not None:
        period = inner[0].within(whole[0])
        if period is not None:
            return period, inner[1]
    return whole


def _recurring(text: Text, index: int, side: int) -> PointFound | None:
    """`last Friday`, `next March`, `this summer`, `last Christmas`."""
    inner = recurring_at(text, index + 1)
    if inner is None or text.now is None:
        return None
    point, after = inner
    if text.bare(index + 1) in WEEKDAYS:
        period = point.last(text.now - cal.DAY) if side < 0 else point.within(cal.unit_at(text.now, "week", side))
    elif side == 0:
        period = point.within(cal.unit_at(text.now, "year"))
    elif side > 0:
        period = point.next(text.now)
    else:
        period = next((gone for gone in reversed(point.near(text.now)) if gone.end <= text.now), None)
    return None if period is None else (period, after)
