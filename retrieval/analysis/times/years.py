"""Rules for years alone, and for their quarters, halves, decades and centuries."""

from __future__ import annotations

from retrieval.analysis.times import periods as cal
from retrieval.analysis.times.numbers import is_counted, year_number
from retrieval.analysis.times.periods import Period
from retrieval.analysis.times.text import PointFound, Text
from retrieval.analysis.times.tokens import END, Token
from retrieval.analysis.times.which import placed
from retrieval.analysis.times.words import BEFORE_MONTH, BEFORE_YEAR, DECADES, SENTENCE_ENDS, YEAR_STARTS

_CENTURY = 100


def year_alone(text: Text, index: int, asked: bool) -> PointFound | None:
    """`in 2019`, `(2019)`, `in 2019, 2020 and 2021`, `2023 Q1`; at the start of a sentence `2023 was ...`."""
    number = year_number(text, index)
    if number is None or is_counted(text, index + 1):
        return None
    before, after = text.before(index), text.at(index + 1)
    starts = before in SENTENCE_ENDS or text.at(index - 1) is END
    part = _fraction_of(number, after)
    if part is not None:
        return part, index + 2
    if (
        asked
        or before in BEFORE_YEAR
        or (before == "(" and after.low == ")")
        or (starts and (after is END or after.low in YEAR_STARTS))
        or (before in {",", "and", "or", "to"} and _lists_years(text, index - 2))
    ):
        return cal.year(number), index + 1
    return None


def _lists_years(text: Text, index: int) -> bool:
    """Whether a year that counts stands there: "in 2019, 2020 and 2021"."""
    for place in range(index, max(index - 12, -1), -2):
        if year_number(text, place) is None:
            return False
        if text.before(place) in BEFORE_YEAR:
            return True
        if text.low(place - 1) not in {",", "and", "or"}:
            return False
    return False


def fraction_after_year(text: Text, index: int) -> PointFound | None:
    """`2023 Q1`, `2023 H2`."""
    number = year_number(text, index)
    period = None if number is None else _fraction_of(number, text.at(index + 1))
    return None if period is None else (period, index + 2)


def fraction(text: Text, index: int, asked: bool) -> PointFound | None:
    """`Q3 2024`, `H1 of 2023`, `Q2`."""
    token = text.at(index)
    if _fraction_of(cal.FIRST_YEAR, token) is None:
        return None
    point = cal.yearly(lambda year: _fraction_of(year, token) or cal.year(year))
    found = placed(text, point, index + 1)
    if found is not None:
        return found
    return (point, index + 1) if asked or text.before(index) in BEFORE_MONTH else None


def _fraction_of(year: int, token: Token) -> Period | None:
    if token.kind != "fraction":
        return None
    number, size = int(token.low[1]), 3 if token.low[0] == "q" else 6
    return cal.months(year, (number - 1) * size + 1, size) if number * size <= 12 else None


def decade(text: Text, index: int, asked: bool) -> PointFound | None:
    """`the 90s`, `the 1980s`, `the '70s`."""
    token = text.at(index)
    digits = "".join(letter for letter in token.low if letter.isdigit())
    marked = not token.low[0].isdigit() or len(digits) == 4
    if not (marked or text.low(index - 1) == "the" or (asked and text.low(index - 2) == "the")):
        return None
    number = int(digits)
    if number < _CENTURY:
        number += 1900 if number >= 30 else 2000
    return _years(number, number + 10), index + 1


def decade_word(text: Text, index: int, asked: bool) -> PointFound | None:
    """`the nineties`."""
    if text.low(index - 1) != "the":
        return None
    number = DECADES[text.low(index)]
    return _years(number, number + 10), index + 1


def century(number: int) -> Period:
    """The `number`th century, as it is commonly counted: the 21st begins with 2000."""
    return _years((number - 1) * _CENTURY, number * _CENTURY)


def _years(first: int, end: int) -> Period:
    return Period(cal.year(first).start, cal.year(end).start)
