"""Rules for months and their days, and for dates in digits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from retrieval.analysis.stop_words import ENGLISH
from retrieval.analysis.times import periods as cal
from retrieval.analysis.times.numbers import SHORT_YEAR_PIVOT, day_number, days_of_month, is_counted, year_number
from retrieval.analysis.times.periods import Period
from retrieval.analysis.times.pieces import nth
from retrieval.analysis.times.text import PointFound, Text
from retrieval.analysis.times.which import placed
from retrieval.analysis.times.words import BEFORE_MONTH, MONTHS, NAMES_TOO, RANGE_WORDS
from retrieval.analysis.times.years import century


def month(text: Text, index: int, asked: bool) -> PointFound | None:
    """`May 7th, 2023`, `Dec. 3`, `June 3-7`, `May 2023`, `in March`."""
    number = MONTHS[text.low(index)]
    after = index + 1 + (text.low(index + 1) == "." and len(text.low(index)) <= 4)
    of_month = days_of_month(text, after + (text.low(after) == "the"))
    if of_month is not None and year_number(text, after) is None and not is_counted(text, of_month[2]):
        return _days(text, number, of_month[0], of_month[1], of_month[2])
    point = cal.yearly(lambda year: cal.months(year, number))
    if text.low(index) == "may" and text.at(index).raw == "may" and text.low(index - 1) not in BEFORE_MONTH:
        return None
    found = placed(text, point, after)
    if found is not None and (text.low(after) != "in" or asked or text.low(index - 1) in BEFORE_MONTH):
        return found
    if len(text.low(index)) <= 4 and text.low(index) not in {"may", "june", "july"}:
        return None
    before = text.before(index)
    if before in {"and", "or", "&"} and text.low(index - 2) in MONTHS:  # "in December and January"
        before = text.before(index - 2)
    if asked or before in BEFORE_MONTH - {"of", "to", "from"} or (before == "of" and text.low(index) not in NAMES_TOO):
        return point, index + 1
    return None


def day_before_month(text: Text, index: int) -> PointFound | None:
    """`7 May`, `7th of May`, `3 to 7 June`."""
    days = days_of_month(text, index, before_month=True)
    if days is None:
        return None
    first, last, after = days
    if first == last and text.low(after) in RANGE_WORDS | {"and"} and text.low(index - 1) == "between":
        upper = day_number(text, after + 1)
        last, after = (upper, after + 2) if upper is not None and upper > first else (last, after)
    after += text.low(after) in {"of", "-"}
    number = MONTHS.get(text.low(after))
    if number is None or (
        text.low(after) in {"may", "mar", "march"} and text.at(after).raw.islower() and first != last
    ):
        return None
    after += 1
    after += text.low(after) == "." and len(text.low(after - 1)) <= 4 and year_number(text, after + 1) is not None
    return _days(text, number, first, last, after)


def _days(text: Text, number: int, first: int, last: int, index: int) -> PointFound:
    """Days of a month by its number, with the year that follows at `index` if one does."""

    def make(year: int) -> Period:
        return Period(cal.date(year, number, first).start, cal.date(year, number, last).end)

    point = cal.yearly(make)
    year = year_number(text, index + (text.low(index) in {",", "of"}))
    if year is not None:
        return make(year), index + 1 + (text.low(index) in {",", "of"})
    return placed(text, point, index) or (point, index)


def ordinal(text: Text, index: int, asked: bool) -> PointFound | None:
    """`7th of May`, `the 15th of last month`, `on the 7th`, `the 21st century`, `the 3rd week of June`."""
    day = day_before_month(text, index)
    if day is not None:
        return day
    number = day_number(text, index)
    if number is None:
        return None
    if text.low(index + 1) == "century":
        return century(number), index + 2
    piece = nth(text, index, number)
    if piece is not None:
        return piece
    point = cal.monthly(number)
    found = placed(text, point, index + 1) if text.low(index + 1) == "of" else None
    if found is not None:
        return found
    on = text.low(index - 1) == "the" and (
        asked or text.low(index - 2) in {"on", "by", "until", "since", "before", "after"}
    )
    follows = text.at(index + 1)
    if on and (follows.kind != "word" or follows.low in ENGLISH):
        return point, index + 1
    return None


def date_form(text: Text, index: int, asked: bool) -> PointFound | None:
    """`2023-05-07`, `2023-05-07T10:15Z`, `7.5.2023`, `3/14/24`, `2023-05`."""
    token = text.at(index)
    if token.kind == "iso":
        return _iso(token.raw, text.offset), index + 1
    numbers = [int(part) for part in token.low.replace("/", "-").replace(".", "-").split("-")]
    if token.kind in {"ym", "my"}:
        year, number = numbers if token.kind == "ym" else reversed(numbers)
        return cal.months(year, number) if 1 <= number <= 12 else cal.year(0), index + 1
    if token.kind == "ymd":
        return cal.date(*numbers), index + 1
    first, second, year = numbers
    if token.kind == "mdy":
        year += 1900 if year >= SHORT_YEAR_PIVOT else 2000
    day_first = "." in token.low or first > 12
    return cal.date(year, *((second, first) if day_first else (first, second))), index + 1


def _iso(raw: str, offset: timedelta) -> Period:
    """A day, or the minute or second of a time; one with a zone is brought into local time."""
    if len(raw) == 10:
        return cal.day(datetime.fromisoformat(raw))
    moment = datetime.fromisoformat(raw.replace(" UTC", "Z").replace(",", "."))
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None) + offset
    exact = raw[10:].count(":") - raw[10:].partition("+")[2].count(":") > 1
    start = moment.replace(microsecond=0)
    return Period(start, start + timedelta(seconds=1 if exact else 60))
