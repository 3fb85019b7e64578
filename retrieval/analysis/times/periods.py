"""Stretches of the calendar, as plain values: days, weeks, months, seasons, holidays, and what recurs.

Local time without a zone; who knows the zone shifts the result. Dates beyond the calendar raise ValueError or
OverflowError, as `datetime` does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

DAY = timedelta(days=1)
FIRST_YEAR = 1500
LAST_YEAR = 2099
EARLIEST = datetime(1900, 1, 1)  # noqa: DTZ001 - local time
LATEST = datetime(2100, 1, 1)  # noqa: DTZ001

_SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
_MONTHS_IN = {"month": 1, "quarter": 3, "half": 6, "year": 12, "decade": 120, "century": 1200}
_SECONDS_IN = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800, "fortnight": 1_209_600}
_PARTS = {"morning": (6, 12), "afternoon": (12, 18), "evening": (18, 24), "night": (18, 30), "noon": (12, 13)}


class Period(NamedTuple):
    """Half-open `[start, end)`."""

    start: datetime
    end: datetime

    @property
    def is_day(self) -> bool:
        """Whether it is one whole day."""
        return self.end - self.start == DAY and self.start == midnight(self.start)


class Recurring(NamedTuple):
    """What comes back again and again, such as "May 7th" or "Friday": its periods near a moment, in order."""

    near: Callable[[datetime], list[Period]]

    def within(self, whole: Period) -> Period | None:
        """The first that starts in a longer period."""
        return next((period for period in self.near(whole.start) if whole.start <= period.start < whole.end), None)

    def last(self, moment: datetime) -> Period | None:
        """The last that started by a moment."""
        return next((period for period in reversed(self.near(moment)) if period.start <= moment), None)

    def next(self, moment: datetime) -> Period | None:
        """The first that starts after a moment."""
        return next((period for period in self.near(moment) if period.start > moment), None)


def midnight(moment: datetime) -> datetime:
    """The start of its day."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def day(moment: datetime) -> Period:
    """The day that a moment lies in."""
    start = midnight(moment)
    return Period(start, start + DAY)


def date(year: int, month: int, number: int) -> Period:
    """A day of the calendar."""
    return day(datetime(year, month, number))  # noqa: DTZ001


def months(year: int, month: int, count: int = 1) -> Period:
    """`count` months from the start of a month on."""
    return Period(_first_of(year, month), _first_of(year, month + count))


def year(number: int) -> Period:
    """A year."""
    return months(number, 1, 12)


def season(number: int, name: str) -> Period:
    """A meteorological season of the northern half; winter is that which starts in the year."""
    return months(number, _SEASONS[name], 3)


def weekend(moment: datetime) -> Period:
    """The Saturday and Sunday of the week that a moment lies in."""
    start = midnight(moment) - DAY * moment.weekday() + DAY * 5
    return Period(start, start + 2 * DAY)


def unit_at(moment: datetime, unit: str, count: int = 0) -> Period:
    """The calendar unit that lies `count` units after the one a moment lies in."""
    if unit == "weekend":
        return weekend(moment + 7 * DAY * count)
    if unit in _MONTHS_IN:
        size = _MONTHS_IN[unit]
        first = (moment.year * 12 + moment.month - 1) // size * size + count * size
        return months(first // 12, first % 12 + 1, size)
    if unit in {"week", "fortnight"}:
        start = midnight(moment) - DAY * moment.weekday() + timedelta(seconds=count * _SECONDS_IN[unit])
        return Period(start, start + 7 * DAY)
    size = _SECONDS_IN[unit]
    start = midnight(moment)
    start += timedelta(seconds=(int((moment - start).total_seconds()) // size + count) * size)
    return Period(start, start + timedelta(seconds=size))


def shifted(moment: datetime, unit: str, count: int) -> datetime:
    """A moment `count` units later; a day that the month does not have becomes its last."""
    if unit not in _MONTHS_IN:
        return moment + timedelta(seconds=count * _SECONDS_IN[unit])
    first = _first_of(moment.year, moment.month + count * _MONTHS_IN[unit])
    length = (_first_of(first.year, first.month + 1) - first).days
    return moment.replace(year=first.year, month=first.month, day=min(moment.day, length))


def part_of_day(whole: Period, part: str) -> Period:
    """The morning, afternoon, evening, night or noon of a day."""
    start, end = _PARTS[part]
    return Period(whole.start + timedelta(hours=start), whole.start + timedelta(hours=end))


def third(whole: Period, number: int) -> Period:
    """The first, second or third (0, 1, 2) third of a period; of a month these are days 1-10, 11-20 and the rest."""
    days = (whole.end - whole.start).days
    if days < 3:
        return whole
    if days >= 365:  # years, decades: whole months
        size = (whole.end.year - whole.start.year) * 4
        cuts = [shifted(whole.start, "month", size * cut) for cut in range(3)]
    elif days > 80:
        cuts = [shifted(whole.start, "month", cut) for cut in range(3)]
    else:
        size = 10 if days > 27 else max(days // 3, 1)
        cuts = [whole.start + DAY * size * cut for cut in range(3)]
    return Period(cuts[number], [*cuts, whole.end][number + 1])


def yearly(make: Callable[[int], Period]) -> Recurring:
    """What comes once a year; years in which it cannot be are left out (29 February)."""

    def near(moment: datetime) -> list[Period]:
        found = []
        for number in range(max(moment.year - 4, 1), min(moment.year + 5, 9998)):
            try:
                found.append(make(number))
            except ValueError:
                continue
        return found

    return Recurring(near)


def monthly(number: int) -> Recurring:
    """A day of each month that has it."""

    def near(moment: datetime) -> list[Period]:
        found = []
        for offset in range(-3, 4):
            first = _first_of(moment.year, moment.month + offset)
            try:
                found.append(day(first.replace(day=number)))
            except ValueError:
                continue
        return found

    return Recurring(near)


def weekly(weekday: int) -> Recurring:
    """A day of each week (0: Monday)."""

    def near(moment: datetime) -> list[Period]:
        monday = midnight(moment) - DAY * moment.weekday()
        return [day(monday + DAY * (weekday + 7 * offset)) for offset in range(-2, 6)]

    return Recurring(near)


def holiday(number: int, name: str) -> Period:
    """A holiday in a year, by one of the names in `HOLIDAYS`."""
    fixed = HOLIDAYS[name]
    if fixed is not None:
        return date(number, *fixed)
    if name == "thanksgiving":  # the fourth Thursday of November
        first = datetime(number, 11, 1)  # noqa: DTZ001
        return day(first + DAY * ((3 - first.weekday()) % 7 + 21))
    if name in {"black friday", "cyber monday"}:
        return day(holiday(number, "thanksgiving").start + DAY * (1 if name == "black friday" else 4))
    easter = _easter(number)
    return day(easter - 2 * DAY if name == "good friday" else easter + DAY if name == "easter monday" else easter)


HOLIDAYS: dict[str, tuple[int, int] | None] = {
    "christmas": (12, 25),
    "christmas day": (12, 25),
    "christmas eve": (12, 24),
    "boxing day": (12, 26),
    "new year's eve": (12, 31),
    "new years eve": (12, 31),
    "new year's day": (1, 1),
    "new years day": (1, 1),
    "new year's": (1, 1),
    "halloween": (10, 31),
    "valentine's day": (2, 14),
    "valentines day": (2, 14),
    "independence day": (7, 4),
    "thanksgiving": None,
    "black friday": None,
    "cyber monday": None,
    "easter": None,
    "easter sunday": None,
    "easter monday": None,
    "good friday": None,
}


def _first_of(number: int, month: int) -> datetime:
    return datetime(number + (month - 1) // 12, (month - 1) % 12 + 1, 1)  # noqa: DTZ001


def _easter(number: int) -> datetime:
    """Easter Sunday, Gregorian: the anonymous algorithm (Meeus, Astronomical Algorithms, chapter 8)."""
    golden, century, rest = number % 19, number // 100, number % 100
    epact = (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (rest // 4) - epact - rest % 4) % 7
    moon = epact + weekday - 7 * ((golden + 11 * epact + 22 * weekday) // 451) + 114
    return datetime(number, moon // 31, moon % 31 + 1)  # noqa: DTZ001
