"""Which rule reads a point of time, by the word or the form that it begins with."""

from __future__ import annotations

from retrieval.analysis.times.amounts import amount
from retrieval.analysis.times.dates import date_form, day_before_month, month, ordinal
from retrieval.analysis.times.names import HOLIDAY_STARTS, holiday, season, weekday
from retrieval.analysis.times.pieces import nth_word, third, with_article
from retrieval.analysis.times.relative import fixed, half_of_now, relative
from retrieval.analysis.times.text import PointFound, Rule, Rules, Text
from retrieval.analysis.times.words import (
    DECADES,
    LAST,
    MONTHS,
    NEXT,
    NUMBERS,
    OPENERS,
    ORDINALS,
    PARTS,
    SEASONS,
    THIRDS,
    THIS,
    UNITS,
    WEEKDAYS,
)
from retrieval.analysis.times.years import decade, decade_word, fraction, fraction_after_year, year_alone


def _number(text: Text, index: int, asked: bool) -> PointFound | None:
    return (
        day_before_month(text, index)
        or amount(text, index, asked)
        or year_alone(text, index, asked)
        or fraction_after_year(text, index)
    )


def _no_point(text: Text, index: int, asked: bool) -> PointFound | None:
    """An expression may begin with it, a point may not."""
    return None


_BY_WORD: dict[str, Rule] = {
    **dict.fromkeys(OPENERS | {"from", "between", "noon"} | set(PARTS), _no_point),
    **dict.fromkeys(NUMBERS.keys() | {"few", "couple", "several", "half"}, amount),
    **dict.fromkeys(MONTHS, month),
    **dict.fromkeys(WEEKDAYS, weekday),
    **dict.fromkeys(SEASONS, season),
    **dict.fromkeys(HOLIDAY_STARTS, holiday),
    **dict.fromkeys(DECADES, decade_word),
    **dict.fromkeys(THIRDS, third),
    **dict.fromkeys(LAST | THIS | NEXT, relative),
    **dict.fromkeys(ORDINALS, nth_word),  # "last" too
    **dict.fromkeys(("earlier", "later"), half_of_now),
    **{day + ending: fixed for day in ("yesterday", "today", "tomorrow", "tonight") for ending in ("", "'s")},
    "the": with_article,
}

_BY_KIND: dict[str, Rule] = {
    "number": _number,
    "short": year_alone,
    "ordinal": ordinal,
    "fraction": fraction,
    "decade": decade,
    **dict.fromkeys(("iso", "ymd", "dmy", "mdy", "ym", "my"), date_form),
}

RULES = Rules(by_word=_BY_WORD, by_kind=_BY_KIND)

TRIGGERS: frozenset[str] = frozenset(
    {
        *"0123456789",
        *MONTHS, *WEEKDAYS, *SEASONS, *UNITS, *DECADES, *PARTS, *HOLIDAY_STARTS,
        *(name + "s" for name in WEEKDAYS),
        "ago", "yesterday", "today", "tomorrow", "tonight", "years",
    }
) - {"second", "good", "new", "black", "cyber", "independence"}  # fmt: skip
"""Every time has at least one of these words or digits."""
