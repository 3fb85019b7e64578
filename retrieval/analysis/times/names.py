"""Rules for what has a name and comes back: weekdays, seasons, holidays."""

from __future__ import annotations

from retrieval.analysis.stop_words import ENGLISH
from retrieval.analysis.times import periods as cal
from retrieval.analysis.times.periods import Recurring
from retrieval.analysis.times.text import PointFound, Text
from retrieval.analysis.times.which import placed
from retrieval.analysis.times.words import BEFORE_HOLIDAY, BEFORE_SEASON, HABITS, MONTHS, NAMES_TOO, SEASONS, WEEKDAYS

HOLIDAY_STARTS = frozenset(name.split()[0] for name in cal.HOLIDAYS)
_DATE_KINDS = frozenset({"iso", "ymd", "dmy", "mdy", "number", "ordinal"})


def recurring(word: str) -> Recurring:
    """A weekday, a month or a season by its name."""
    if word in WEEKDAYS:
        return cal.weekly(WEEKDAYS[word])
    if word in MONTHS:
        return cal.yearly(lambda year: cal.months(year, MONTHS[word]))
    return cal.yearly(lambda year: cal.season(year, word))


def recurring_at(text: Text, index: int) -> tuple[Recurring, int] | None:
    """A weekday, month, season or holiday that a word such as "last" or "this" makes one."""
    word = text.bare(index)
    if word in WEEKDAYS or word in MONTHS or word in SEASONS:
        return recurring(word), index + 1
    return _holiday_name(text, index)


def weekday(text: Text, index: int, asked: bool) -> PointFound | None:
    """`Friday`, `Fri.`, `Sunday, May 7`, `Monday of last week`."""
    token = text.at(index)
    short = len(token.low) <= 5 and not token.low.endswith("day")
    after = index + 1 + (short and text.low(index + 1) == ".")
    skipped = after + (text.low(after) == ",")
    skipped += text.low(skipped) == "the"
    if text.at(skipped).kind in _DATE_KINDS or text.low(skipped) in MONTHS:
        dated = text.point(skipped, asked=True)
        if dated is not None and dated[0] is not None:
            return dated
    if short and (token.raw.islower() or not (asked or text.low(index - 1) == "on")):
        return None
    if text.low(index - 1) in HABITS | {"any", "a"} or (token.raw.islower() and token.low in NAMES_TOO):
        return None
    point = cal.weekly(WEEKDAYS[token.low])
    found = placed(text, point, after)
    if found is not None:
        return found
    follows = text.at(after)
    if (
        follows.kind == "word"
        and follows.raw[0].isupper()
        and follows.raw != "I"
        and not asked
        and text.low(index - 1) != "on"
    ):
        return None
    return point, after


def season(text: Text, index: int, asked: bool) -> PointFound | None:
    """`the summer of 2022`, `in winter`."""
    name = text.low(index)
    point = cal.yearly(lambda year: cal.season(year, name))
    found = placed(text, point, index + 1)
    if found is not None:
        return found
    follows = text.at(index + 1)
    free = follows.kind != "word" or follows.low in ENGLISH
    before = text.before(index)
    the = text.low(index - 1) == "the"
    return (
        (point, index + 1)
        if free and ((before in BEFORE_SEASON and (the or name != "fall")) or (asked and the))
        else None
    )


def holiday(text: Text, index: int, asked: bool) -> PointFound | None:
    """`Christmas 2022`, `New Year's Eve`, `over the Easter holidays`."""
    named = _holiday_name(text, index)
    if named is None:
        return None
    point, after = named
    after += text.low(after) in {"holiday", "holidays", "break", "season", "weekend"}
    found = placed(text, point, after)
    if found is not None:
        return found
    return (point, after) if asked or text.before(index) in BEFORE_HOLIDAY else None


def _holiday_name(text: Text, index: int) -> tuple[Recurring, int] | None:
    if text.low(index) not in HOLIDAY_STARTS:
        return None
    for length in (3, 2, 1):
        name = " ".join(text.low(index + place) for place in range(length))
        if name in cal.HOLIDAYS:
            return _yearly_holiday(name), index + length
    return None


def _yearly_holiday(name: str) -> Recurring:
    return cal.yearly(lambda year: cal.holiday(year, name))
