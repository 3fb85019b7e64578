"""A small grammar of English time expressions: reads tokens from left to right, each at most a few dozen words ahead.

Two layers. *Points* are a period of the calendar, or something recurring that still needs to be told which one ("May
7th", "Friday"). *Expressions* put points together: ranges, open ends, thirds, parts of a day. A word that is as often
no time ("may", "march", "fall", a bare number) only counts with a word before it that asks for a time.

In the manner of rule-based temporal taggers: HeidelTime (Strötgen and Gertz, SemEval 2010), SUTime (Chang and Manning,
LREC 2012).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from retrieval.analysis import periods as cal
from retrieval.analysis.periods import Period, Recurring
from retrieval.analysis.stop_words import ENGLISH
from retrieval.analysis.time_tokens import END, Token
from retrieval.analysis.time_words import (
    BEFORE_CLOCK,
    BEFORE_HOLIDAY,
    BEFORE_MONTH,
    BEFORE_SEASON,
    BEFORE_YEAR,
    CALENDAR_UNITS,
    COMING,
    COMING_PAIRS,
    DECADES,
    GONE,
    HABITS,
    LAST,
    MEASURES,
    MONTHS,
    NAMES_TOO,
    NEXT,
    NUMBERS,
    OPENERS,
    ORDINALS,
    PARTS,
    PLANNED,
    PRESENT,
    SEASONS,
    THIRDS,
    THIS,
    UNITS,
    WEEKDAYS,
    YEAR_STARTS,
)

Point = Period | Recurring
Found = tuple[Period, int]
"""What was read, and the index of the token after it."""

PointFound = tuple[Point, int]

_TENSES = {"by": True, "since": False, "after": False}
"""Whether what follows is to come, where the word alone tells."""

_HALVES = {
    "year": ("month", 6),
    "month": ("day", 15),
    "week": ("hour", 84),
    "day": ("hour", 12),
    "hour": ("minute", 30),
}
"""Half a unit, in a smaller one."""

_DASHES = frozenset("-–—")
_RANGE_WORDS = frozenset({"to", "through", "thru", "until", "till"}) | _DASHES
_SENTENCE_ENDS = frozenset(".!?;\n")
_MOST_CLAUSE_TOKENS = 24
_MOST_NESTED = 4
"""How deep points may stand in each other: "the week of the first Monday of next month"."""

_REACH = 6
_CENTURY = 100
_SHORT_YEAR_PIVOT = 40


class Reader:
    """Reads the times out of one text.

    Args:
        tokens: the text.
        now: when it was said, in local time without a zone; None if nobody knows: then only full dates count.
        offset: what local time is ahead of UTC (times with their own zone are brought into local time by it).
        asks: whether it is a question: one looks back where its words do not tell.
    """

    def __init__(
        self,
        tokens: Sequence[Token],
        now: datetime | None,
        offset: timedelta = timedelta(0),
        *,
        asks: bool = False,
    ) -> None:
        self._tokens = tokens
        self._asks = asks
        self._now = now
        self._offset = offset
        self._depth = 0
        self._habit = any(token.low in HABITS for token in tokens)

    def periods(self, most: int) -> list[Period]:
        """The first `most` times of the text, in its order, in local time."""
        found: list[Period] = []
        index = 0
        while index < len(self._tokens) and len(found) < most:
            read = self._guarded(index)
            if read is None:
                index += 1
                continue
            if read[0].start < read[0].end:
                found.append(read[0])
            index = max(read[1], index + 1)
        return found

    # expressions

    def _guarded(self, index: int) -> Found | None:
        token = self._tokens[index]
        if token.kind == "mark" or token.kind == "junk":
            return None
        if token.kind == "word" and token.low not in _STARTS:
            return None
        if token.kind == "number" and len(token.low) < 4 and not self._may_be_time(index):
            return None
        try:
            return self._expression(index)
        except (ValueError, OverflowError):  # 31 February, the year 10000
            return None

    def _may_be_time(self, index: int) -> bool:
        """Whether a month, a unit or the like follows a number: a cheap look before the rules are tried."""
        return any(self._low(place) in _AFTER_NUMBER for place in range(index + 1, index + _REACH))

    def _expression(self, index: int) -> Found | None:
        word = self._low(index)
        if word in {"from", "between"}:
            return (
                self._hours_of(index + 1)
                or self._range(index + 1, word)
                or (self._onwards(index) if word == "from" else None)
            )
        if word in OPENERS:
            return self._open(index)
        return self._range(index, "") or self._simple(index)

    def _range(self, index: int, opener: str) -> Found | None:
        """`A to B`, `A - B`, `between A and B`."""
        left = self._end_point(index, after=opener)
        if left is None:
            return None
        split = self._low(left[1])
        if not (split in _RANGE_WORDS or (opener == "between" and split == "and")):
            return None
        right = self._end_point(left[1] + 1, after="to")
        if right is None:
            return None
        period = self._joined(left[0], right[0], index)
        return (period, right[1]) if period is not None and period.start < period.end else None

    def _end_point(self, index: int, after: str) -> PointFound | None:
        """A point, or a year alone where an opener or a second year makes it one."""
        index += self._low(index) == "the"
        number = self._year(index)
        if number is not None and (after or self._low(index + 1) in _DASHES) and not self._counts(index + 1):
            return cal.year(number), index + 1
        return self._point(index, asked=bool(after))

    def _joined(self, left: Point, right: Point, index: int) -> Period | None:
        if isinstance(right, Recurring):
            first = left if isinstance(left, Period) else self._settled(left, index)
            last = right.next(first.start) if first is not None else None
        else:
            last = right
            first = left if isinstance(left, Period) else left.last(right.start)
        return None if first is None or last is None else Period(first.start, last.end)

    def _onwards(self, index: int) -> Found | None:
        """`from May on`."""
        read = self._simple(index + 1, asked=True)
        if read is None:
            return None
        on = self._low(read[1])
        if on in {"onwards", "onward"} or (on == "on" and self._at(read[1] + 1).kind != "word"):
            return self._since(read[0]), read[1] + 1
        return self._simple(index + 1)

    def _open(self, index: int) -> Found | None:
        """`since`, `before`, `after`, `until`, `by` a time."""
        word = self._low(index)
        read = self._range(index + 1, "") or self._simple(index + 1, asked=True, coming=_TENSES.get(word))
        if read is None:
            return None
        period, after = read
        if word == "since":
            return self._since(period), after
        if word == "before":
            return Period(cal.EARLIEST, period.start), after
        past = self._now is not None and period.end < self._now
        if word == "after":
            return Period(period.end, self._now if past and self._now else cal.LATEST), after
        return Period(cal.EARLIEST if past or self._now is None else self._now, period.end), after

    def _since(self, period: Period) -> Period:
        past = self._now is not None and period.start < self._now
        return Period(period.start, self._now if past and self._now else cal.LATEST)

    def _simple(self, index: int, *, asked: bool = False, coming: bool | None = None) -> Found | None:
        """One time with its part of the day."""
        index += self._low(index) == "the" and self._low(index + 1) not in {
            "week",
            "weekend",
            "day",
            "night",
            "month",
            "year",
        }
        ahead = self._clock_before(index) or self._part_before(index)
        if ahead is not None:
            return ahead
        point = self._point(index, asked=asked)
        if point is None:
            return self._clock_alone(index)
        period = self._settled(point[0], index, coming)
        return None if period is None else self._in_day(period, point[1])

    def _settled(self, point: Point, index: int, coming: bool | None = None) -> Period | None:
        """Which one of something recurring is meant: as the clause tells; if it does not, the nearest in the year."""
        if isinstance(point, Period):
            return point
        if self._now is None:
            return None
        if coming is None:
            coming = self._is_coming(index)
        if coming is None:
            coming = not self._asks and self._is_nearer_ahead(point)
        if coming:
            return point.next(self._now)
        period = point.last(self._now)
        if period is not None and period.is_day and period.start == cal.midnight(self._now):
            earlier = point.last(period.start - cal.DAY)
            return earlier if earlier is not None and period.start - earlier.start == 7 * cal.DAY else period
        return period

    def _is_nearer_ahead(self, point: Recurring) -> bool:
        """Whether the next one is nearer than the last, of what comes once a year; a question looks back."""
        now = self._now or cal.EARLIEST
        last, ahead = point.last(now), point.next(now)
        if last is None or ahead is None or ahead.start - last.start < timedelta(days=300):
            return False
        return ahead.start - now < now - last.end

    def _is_coming(self, index: int) -> bool | None:
        """Whether the clause around a token speaks of what is to come: by its words, else by its verbs.

        Past forms win ("I am glad that we met on Friday"); then words of planning and the present ("we're leaving on
        Friday", "the exam is on Friday"); None: it has neither ("a photo from Friday").
        """
        words = self._clause(index)
        if any(word in GONE or (len(word) > 4 and word.endswith("ed") and word not in PLANNED) for word in words):
            return False
        ahead = any(word in COMING or word in PRESENT for word in words)
        return ahead or any(pair in COMING_PAIRS for pair in pairwise(words)) or None

    def _clause(self, index: int) -> list[str]:
        start = index
        while start > max(0, index - _MOST_CLAUSE_TOKENS) and self._low(start - 1) not in _SENTENCE_ENDS:
            start -= 1
        end = index
        while end < min(len(self._tokens), index + _MOST_CLAUSE_TOKENS) and self._low(end) not in _SENTENCE_ENDS:
            end += 1
        return [self._low(place) for place in range(start, end)]

    # the hours of a day

    def _in_day(self, period: Period, index: int) -> Found:
        """Narrows a day to the hours that follow it: "Friday night", "yesterday at 3pm"."""
        if not period.is_day:
            return period, index
        skipped = index + (self._low(index) in {",", "in", "the"})
        skipped += self._low(skipped) == "the"
        part = PARTS.get(self._low(skipped))
        if part is not None and (skipped == index or self._low(index) == "in"):
            return cal.part_of_day(period, part), skipped + 1
        if self._low(index) in {"between", "from"}:
            start, stop = self._hours(index + 1), self._hours(index + 3)
            if start is not None and stop is not None and self._low(index + 2) in _RANGE_WORDS | {"and"}:
                return Period(period.start + start[0], period.start + stop[0]), index + 4
        skipped = index + (self._low(index) in {",", "at", "around", "about", "@"})
        skipped += skipped == index + 1 and self._low(index) == "," and self._low(skipped) == "at"
        hours = self._hours(skipped)
        if hours is None:
            return period, index
        return Period(period.start + hours[0], period.start + hours[1]), skipped + 1

    def _hours_of(self, index: int) -> Found | None:
        """`between 09:00 and 10:00 on 2 May`; without a date, those of the day of speaking."""
        start, stop = self._hours(index), self._hours(index + 2)
        if start is None or stop is None or self._low(index + 1) not in _RANGE_WORDS | {"and"}:
            return None
        after = index + 3
        after += self._low(after) in {"on", ","}
        after += self._low(after) == "the"
        point = self._point(after, asked=True)
        whole = None if point is None else self._settled(point[0], after)
        if point is None or whole is None or not whole.is_day:
            if self._now is None or self._habit:
                return None
            whole, after = cal.day(self._now), index + 3
        else:
            after = point[1]
        return Period(whole.start + start[0], whole.start + stop[0]), after

    def _hours(self, index: int) -> tuple[timedelta, timedelta] | None:
        """A time of day as the start and end of the hour, minute or second that it names."""
        token = self._at(index)
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

    def _clock_before(self, index: int) -> Found | None:
        """`3pm yesterday`, `at 15:30 on 7 May`, `at 9 this morning`."""
        hours = self._hours(index)
        token = self._at(index)
        if hours is None and token.kind == "number" and self._low(index - 1) == "at" and self._low(index + 1) == "this":
            part, number = PARTS.get(self._low(index + 2)), int(token.low)
            if part is None or not 1 <= number <= 12 or self._now is None:
                return None
            start = cal.midnight(self._now) + timedelta(hours=number % 12 + (0 if part == "morning" else 12))
            return Period(start, start + timedelta(hours=1)), index + 3
        if hours is None:
            return None
        after = index + 1
        after += self._low(after) in {"on", ",", "of"}
        after += self._low(after) == "the"
        point = self._point(after, asked=True)
        period = None if point is None else self._settled(point[0], index)
        if period is None or point is None or not period.is_day:
            return None
        return Period(period.start + hours[0], period.start + hours[1]), point[1]

    def _clock_alone(self, index: int) -> Found | None:
        hours = self._hours(index)
        if hours is None or self._now is None or self._habit or self._low(index - 1) not in BEFORE_CLOCK:
            return None
        start = cal.midnight(self._now)
        return Period(start + hours[0], start + hours[1]), index + 1

    def _part_before(self, index: int) -> Found | None:
        """`the night of May 7`, `on the morning of 3 June`."""
        part = PARTS.get(self._low(index))
        if part is None or self._low(index + 1) not in {"of", "on"}:
            return None
        after = index + 2
        after += self._low(after) == "the"
        point = self._point(after, asked=True)
        period = None if point is None else self._settled(point[0], index)
        if point is None or period is None or not period.is_day:
            return None
        return cal.part_of_day(period, part), point[1]

    # points

    def _point(self, index: int, *, asked: bool = False) -> PointFound | None:
        """A period, or something recurring with what tells which one; `asked`: the word before it asks for a time."""
        token = self._at(index)
        rule = _BY_KIND.get(token.kind) if token.kind != "word" else _STARTS.get(token.low)
        if rule is None or self._depth == _MOST_NESTED:
            return None
        self._depth += 1
        try:
            return rule(self, index, asked)
        finally:
            self._depth -= 1

    def _placed(self, point: Recurring, index: int) -> PointFound | None:
        """Something recurring with the year, month or week that it lies in; None if nothing follows that says so."""
        after = index + (self._low(index) in {",", "of", "in"})
        number = self._year(after)
        if number is not None:
            period = point.within(cal.year(number))
            return None if period is None else (period, after + 1)
        after += self._low(after) == "the"
        whole = self._relative_unit(after)
        if whole is not None:
            period = point.within(whole[0])
            return None if period is None else (period, whole[1])
        return None

    def _relative_unit(self, index: int) -> Found | None:
        """`last month`, `this year`, `next week`."""
        word, unit = self._low(index), UNITS.get(self._bare(index + 1), "")
        if unit not in CALENDAR_UNITS or self._now is None or self._bare(index + 1).endswith("s"):
            return None
        if word in LAST or word in NEXT or word in THIS:
            return cal.unit_at(self._now, unit, -1 if word in LAST else 1 if word in NEXT else 0), index + 2
        return None

    def _month(self, index: int, asked: bool) -> PointFound | None:
        number = MONTHS[self._low(index)]
        after = index + 1 + (self._low(index + 1) == "." and len(self._low(index)) <= 4)
        of_month = self._day_of_month(after + (self._low(after) == "the"))
        if of_month is not None and self._year(after) is None and not self._counts(of_month[2]):
            return self._days(number, of_month[0], of_month[1], of_month[2])
        point = cal.yearly(lambda year: cal.months(year, number))
        if self._low(index) == "may" and self._at(index).raw == "may" and self._low(index - 1) not in BEFORE_MONTH:
            return None
        placed = self._placed(point, after)
        if placed is not None and (self._low(after) != "in" or asked or self._low(index - 1) in BEFORE_MONTH):
            return placed
        if len(self._low(index)) <= 4 and self._low(index) not in {"may", "june", "july"}:
            return None
        before = self._before(index)
        if before in {"and", "or", "&"} and self._low(index - 2) in MONTHS:  # "in December and January"
            before = self._before(index - 2)
        if (
            asked
            or before in BEFORE_MONTH - {"of", "to", "from"}
            or (before == "of" and self._low(index) not in NAMES_TOO)
        ):
            return point, index + 1
        return None

    def _day_of_month(self, index: int, *, before_month: bool = False) -> tuple[int, int, int] | None:
        """`7`, `7th`, `3-7`, `3 to 7`: first and last day, and the index after."""
        first = self._day_number(index)
        if first is None:
            return None
        if self._low(index + 1) in _RANGE_WORDS and (before_month or self._low(index + 3) not in MONTHS):
            last = self._day_number(index + 2)
            if last is not None and last > first:
                return first, last, index + 3
        return first, first, index + 1

    def _day_number(self, index: int) -> int | None:
        token = self._at(index)
        if token.kind not in {"number", "ordinal"}:
            return None
        number = int(token.low[:-2] if token.kind == "ordinal" else token.low)
        return number if 1 <= number <= 31 and len(token.low) <= 4 else None

    def _days(self, month: int, first: int, last: int, index: int) -> PointFound:
        def make(year: int) -> Period:
            return Period(cal.date(year, month, first).start, cal.date(year, month, last).end)

        point = cal.yearly(make)
        number = self._year(index + (self._low(index) in {",", "of"}))
        if number is not None:
            return make(number), index + 1 + (self._low(index) in {",", "of"})
        return self._placed(point, index) or (point, index)

    def _number(self, index: int, asked: bool) -> PointFound | None:
        return (
            self._day_before_month(index)
            or self._amount(index, asked)
            or self._year_alone(index, asked)
            or self._quarter_after_year(index)
        )

    def _day_before_month(self, index: int) -> PointFound | None:
        """`7 May`, `7th of May`, `3 to 7 June`."""
        days = self._day_of_month(index, before_month=True)
        if days is None:
            return None
        first, last, after = days
        if first == last and self._low(after) in _RANGE_WORDS | {"and"} and self._low(index - 1) == "between":
            upper = self._day_number(after + 1)
            last, after = (upper, after + 2) if upper is not None and upper > first else (last, after)
        after += self._low(after) in {"of", "-"}
        month = MONTHS.get(self._low(after))
        if month is None or (
            self._low(after) in {"may", "mar", "march"} and self._at(after).raw.islower() and first != last
        ):
            return None
        after += 1
        after += self._low(after) == "." and len(self._low(after - 1)) <= 4 and self._year(after + 1) is not None
        return self._days(month, first, last, after)

    def _year(self, index: int) -> int | None:
        token = self._at(index)
        if token.kind == "short":
            number = int(token.low[1:])
            return number + (1900 if number >= _SHORT_YEAR_PIVOT else 2000)
        if token.kind != "number" or len(token.low) != 4:
            return None
        number = int(token.low)
        return number if cal.FIRST_YEAR <= number <= cal.LAST_YEAR else None

    def _year_alone(self, index: int, asked: bool) -> PointFound | None:
        number = self._year(index)
        if number is None or self._counts(index + 1):
            return None
        before, after = self._before(index), self._at(index + 1)
        starts = before in _SENTENCE_ENDS or self._at(index - 1) is END
        fraction = self._fraction_period(after, number)
        if fraction is not None:
            return fraction, index + 2
        if (
            asked
            or before in BEFORE_YEAR
            or (before == "(" and after.low == ")")
            or (starts and (after is END or after.low in YEAR_STARTS))
            or (before in {",", "and", "or", "to"} and self._lists_years(index - 2))
        ):
            return cal.year(number), index + 1
        return None

    def _lists_years(self, index: int) -> bool:
        """Whether a year that counts stands there: "in 2019, 2020 and 2021"."""
        for place in range(index, max(index - 12, -1), -2):
            if self._year(place) is None:
                return False
            if self._before(place) in BEFORE_YEAR:
                return True
            if self._low(place - 1) not in {",", "and", "or"}:
                return False
        return False

    def _quarter_after_year(self, index: int) -> PointFound | None:
        number = self._year(index)
        period = None if number is None else self._fraction_period(self._at(index + 1), number)
        return None if period is None else (period, index + 2)

    def _fraction(self, index: int, asked: bool) -> PointFound | None:
        """`Q3 2024`, `H1 of 2023`, `Q2`."""
        token = self._at(index)
        if self._fraction_period(token, cal.FIRST_YEAR) is None:
            return None
        point = cal.yearly(lambda year: self._fraction_period(token, year) or cal.year(year))
        placed = self._placed(point, index + 1)
        if placed is not None:
            return placed
        return (point, index + 1) if asked or self._before(index) in BEFORE_MONTH else None

    @staticmethod
    def _fraction_period(token: Token, year: int) -> Period | None:
        if token.kind != "fraction":
            return None
        number, size = int(token.low[1]), 3 if token.low[0] == "q" else 6
        return cal.months(year, (number - 1) * size + 1, size) if number * size <= 12 else None

    def _counts(self, index: int) -> bool:
        """Whether a word is what a number counts: "2000 people", "3 eggs"."""
        token = self._at(index)
        if token.kind == "junk" or token.low in MEASURES - {"of"}:
            return True
        if token.kind != "word" or not token.raw.islower() or token.low in ENGLISH or token.low in UNITS:
            return False
        return token.low.endswith("s") and "'" not in token.low and token.low not in {"was", "is", "has", "this", "us"}

    def _ordinal(self, index: int, asked: bool) -> PointFound | None:
        """`7th of May`, `the 15th of last month`, `on the 7th`, `the 21st century`, `the 3rd week of June`."""
        day = self._day_before_month(index)
        if day is not None:
            return day
        number = self._day_number(index)
        if number is None:
            return None
        if self._low(index + 1) == "century":
            return Period(cal.year((number - 1) * _CENTURY).start, cal.year(number * _CENTURY).start), index + 2
        nth = self._nth(index, number)
        if nth is not None:
            return nth
        point = cal.monthly(number)
        placed = self._placed(point, index + 1) if self._low(index + 1) == "of" else None
        if placed is not None:
            return placed
        on = self._low(index - 1) == "the" and (
            asked or self._low(index - 2) in {"on", "by", "until", "since", "before", "after"}
        )
        follows = self._at(index + 1)
        if on and (follows.kind != "word" or follows.low in ENGLISH):
            return point, index + 1
        return None

    def _nth_word(self, index: int, asked: bool) -> PointFound | None:
        number = ORDINALS[self._low(index)]
        found = self._nth(index, number)
        if found is None and self._low(index) == "last":
            return self._relative(index, asked)
        return found

    def _nth(self, index: int, number: int) -> PointFound | None:
        """`first week of May 2023`, `last day of March`, `third quarter of 2023`, `first Monday of May`."""
        what = self._low(index + 1)
        if self._low(index + 2) not in {"of", "in"} or (what not in UNITS and what not in WEEKDAYS and what != "half"):
            return None
        after = index + 3
        after += self._low(after) == "the"
        whole = self._point(after, asked=True) or self._this_unit(after)
        period = None if whole is None else self._settled(whole[0], index)
        if whole is None or period is None:
            return None
        return self._piece(period, what, number), whole[1]

    @staticmethod
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

    def _this_unit(self, index: int) -> PointFound | None:
        """`the month`, `the year`: the one that is now."""
        unit = self._low(index)
        if unit not in CALENDAR_UNITS or self._now is None or self._low(index - 1) != "the":
            return None
        return cal.unit_at(self._now, unit), index + 1

    def _date_form(self, index: int, asked: bool) -> PointFound | None:
        token = self._at(index)
        if token.kind == "iso":
            return self._iso(token.raw), index + 1
        numbers = [int(part) for part in token.low.replace("/", "-").replace(".", "-").split("-")]
        if token.kind in {"ym", "my"}:
            year, month = numbers if token.kind == "ym" else reversed(numbers)
            return cal.months(year, month) if 1 <= month <= 12 else cal.year(0), index + 1
        if token.kind == "ymd":
            return cal.date(*numbers), index + 1
        first, second, year = numbers
        if token.kind == "mdy":
            year += 1900 if year >= _SHORT_YEAR_PIVOT else 2000
        day_first = "." in token.low or first > 12
        return cal.date(year, *((second, first) if day_first else (first, second))), index + 1

    def _iso(self, raw: str) -> Period:
        if len(raw) == 10:
            return cal.day(datetime.fromisoformat(raw))
        moment = datetime.fromisoformat(raw.replace(" UTC", "Z").replace(",", "."))
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None) + self._offset
        exact = raw[10:].count(":") - raw[10:].partition("+")[2].count(":") > 1
        start = moment.replace(microsecond=0)
        return Period(start, start + timedelta(seconds=1 if exact else 60))

    def _decade(self, index: int, asked: bool) -> PointFound | None:
        token = self._at(index)
        digits = "".join(letter for letter in token.low if letter.isdigit())
        marked = not token.low[0].isdigit() or len(digits) == 4
        if not (marked or self._low(index - 1) == "the" or (asked and self._low(index - 2) == "the")):
            return None
        number = int(digits)
        if number < _CENTURY:
            number += 1900 if number >= 30 else 2000
        return Period(cal.year(number).start, cal.year(number + 10).start), index + 1

    def _decade_word(self, index: int, asked: bool) -> PointFound | None:
        if self._low(index - 1) != "the":
            return None
        number = DECADES[self._low(index)]
        return Period(cal.year(number).start, cal.year(number + 10).start), index + 1

    def _weekday(self, index: int, asked: bool) -> PointFound | None:
        token = self._at(index)
        short = len(token.low) <= 5 and not token.low.endswith("day")
        after = index + 1 + (short and self._low(index + 1) == ".")
        skipped = after + (self._low(after) == ",")
        skipped += self._low(skipped) == "the"
        if self._at(skipped).kind in _DATE_KINDS or self._low(skipped) in MONTHS:
            dated = self._point(skipped, asked=True)
            if dated is not None and dated[0] is not None:
                return dated
        if short and (token.raw.islower() or not (asked or self._low(index - 1) == "on")):
            return None
        if self._low(index - 1) in HABITS | {"any", "a"} or (token.raw.islower() and token.low in NAMES_TOO):
            return None
        point = cal.weekly(WEEKDAYS[token.low])
        placed = self._placed(point, after)
        if placed is not None:
            return placed
        follows = self._at(after)
        if (
            follows.kind == "word"
            and follows.raw[0].isupper()
            and follows.raw != "I"
            and not asked
            and self._low(index - 1) != "on"
        ):
            return None
        return point, after

    def _season(self, index: int, asked: bool) -> PointFound | None:
        name = self._low(index)
        point = cal.yearly(lambda year: cal.season(year, name))
        placed = self._placed(point, index + 1)
        if placed is not None:
            return placed
        follows = self._at(index + 1)
        free = follows.kind != "word" or follows.low in ENGLISH
        before = self._before(index)
        the = self._low(index - 1) == "the"
        return (
            (point, index + 1)
            if free and ((before in BEFORE_SEASON and (the or name != "fall")) or (asked and the))
            else None
        )

    def _holiday(self, index: int, asked: bool) -> PointFound | None:
        named = self._holiday_name(index)
        if named is None:
            return None
        point, after = named
        after += self._low(after) in {"holiday", "holidays", "break", "season", "weekend"}
        placed = self._placed(point, after)
        if placed is not None:
            return placed
        return (point, after) if asked or self._before(index) in BEFORE_HOLIDAY else None

    def _holiday_name(self, index: int) -> tuple[Recurring, int] | None:
        if self._low(index) not in _HOLIDAY_STARTS:
            return None
        for length in (3, 2, 1):
            name = " ".join(self._low(index + place) for place in range(length))
            if name in cal.HOLIDAYS:
                return _holidays(name), index + length
        return None

    def _fixed(self, index: int, asked: bool) -> PointFound | None:
        """`yesterday`, `today`, `tomorrow`, `tonight`."""
        if self._now is None:
            return None
        word = self._low(index).removesuffix("'s")
        if word == "tonight":
            return cal.part_of_day(cal.day(self._now), "night"), index + 1
        return cal.day(self._now + cal.DAY * {"yesterday": -1, "today": 0, "tomorrow": 1}[word]), index + 1

    def _relative(self, index: int, asked: bool) -> PointFound | None:
        """`last week`, `this past Saturday`, `next March`, `the past three months`."""
        if self._now is None:
            return None
        word = self._low(index)
        side = -1 if word in LAST else 1 if word in NEXT else 0
        if side == 0 and (self._low(index + 1) in LAST or self._low(index + 1) in NEXT):
            nearest = self._recurring_after(index + 2)
            if nearest is not None:
                past = self._low(index + 1) in LAST
                period = nearest[0].last(self._now - cal.DAY) if past else nearest[0].next(self._now)
                return None if period is None else (period, nearest[1])
            return self._relative(index + 1, asked)
        return (
            self._rolling(index, side)
            or self._relative_part(index, side)
            or self._relative_whole(index)
            or self._relative_recurring(index, side)
        )

    def _rolling(self, index: int, side: int) -> PointFound | None:
        """`the last two weeks`, `the past year`, `the next 3 days`."""
        if side == 0 or self._now is None:
            return None
        amount = self._quantity(index + 1)
        if amount is None and self._low(index) == "past" and self._low(index + 1) in UNITS:
            amount = (1, 1, index + 1)
        unit = "" if amount is None else UNITS.get(self._low(amount[2]), "")
        if amount is None or not unit or unit == "weekend":
            return None
        other = cal.shifted(self._now, unit, side * amount[1])
        return Period(min(self._now, other), max(self._now, other)), amount[2] + 1

    def _relative_part(self, index: int, side: int) -> PointFound | None:
        """`last night`, `this morning`."""
        part = PARTS.get(self._low(index + 1))
        if part is None or side > 0 or self._now is None or (side < 0 and part != "night"):
            return None
        return cal.part_of_day(cal.day(self._now + cal.DAY * side), part), index + 2

    def _relative_whole(self, index: int) -> PointFound | None:
        whole = self._relative_unit(index)
        if whole is None:
            return None
        after = whole[1] + (self._low(whole[1]) in {"on", "in"})
        inner = self._recurring_after(after)
        if inner is not None:
            period = inner[0].within(whole[0])
            if period is not None:
                return period, inner[1]
        return whole

    def _relative_recurring(self, index: int, side: int) -> PointFound | None:
        """`last Friday`, `next March`, `this summer`, `last Christmas`."""
        inner = self._recurring_after(index + 1)
        if inner is None or self._now is None:
            return None
        point, after = inner
        if self._bare(index + 1) in WEEKDAYS:
            if side < 0:
                return self._found(point.last(self._now - cal.DAY), after)
            return self._found(point.within(cal.unit_at(self._now, "week", side)), after)
        if side == 0:
            return self._found(point.within(cal.unit_at(self._now, "year")), after)
        if side > 0:
            return self._found(point.next(self._now), after)
        return self._found(next((p for p in reversed(point.near(self._now)) if p.end <= self._now), None), after)

    def _recurring_after(self, index: int) -> tuple[Recurring, int] | None:
        """A weekday, month, season or holiday that a word such as "last" or "this" makes one."""
        word = self._bare(index)
        if word in WEEKDAYS or word in MONTHS or word in SEASONS:
            return _recurring(word), index + 1
        return self._holiday_name(index)

    @staticmethod
    def _found(period: Period | None, index: int) -> PointFound | None:
        return None if period is None else (period, index)

    def _quantity(self, index: int) -> tuple[int, int, int] | None:
        """`3`, `three`, `a couple of`, `a few`, `several`: least, most, and the index after."""
        token = self._at(index)
        if token.kind == "number":
            return int(token.low), int(token.low), index + 1
        index += token.low in {"a", "the"} and self._low(index + 1) in {"couple", "few"}
        word = self._low(index)
        if word == "couple":
            return 2, 2, index + 1 + (self._low(index + 1) == "of")
        if word in {"few", "several"}:
            return (2, 4, index + 1) if word == "few" else (3, 7, index + 1)
        if word in NUMBERS:
            return NUMBERS[word], NUMBERS[word], index + 1
        return None

    def _amount(self, index: int, asked: bool) -> PointFound | None:
        """`two weeks ago`, `half a year ago`, `three days from now`, `a week from Friday`, `in three days`."""
        if self._now is None:
            return None
        halves = self._halves(index)
        if halves is not None:
            return halves
        amount = self._quantity(index)
        unit = "" if amount is None else UNITS.get(self._low(amount[2]), "")
        if amount is not None and not unit and self._low(amount[2] + 1) == "ago":
            return self._recurrences_ago(amount[1], amount[2])
        if amount is None or not unit or amount[1] > 10_000:
            return None
        least, most, after = amount
        turn = self._low(after + 1)
        if turn == "ago":
            return self._units_away(unit, -most, -least), after + 2
        if turn == "from" and self._low(after + 2) in {"now", "today"}:
            return self._units_away(unit, least, most), after + 3
        if turn in {"from", "before", "after"}:
            return self._from_point(after + 2, unit, -most if turn == "before" else most)
        if self._low(index - 1) == "in" and not any(word in GONE for word in self._clause(index)):
            return self._units_away(unit, least, most), after + 1
        return None

    def _recurrences_ago(self, count: int, index: int) -> PointFound | None:
        """`two Fridays ago`, `three summers ago`."""
        word = self._low(index).removesuffix("s")
        if self._now is None or not (word in WEEKDAYS or word in SEASONS or word in MONTHS):
            return None
        named = _recurring(word)
        gone = [period for period in named.near(self._now) if period.end <= self._now]
        return (gone[-count], index + 2) if 1 <= count <= len(gone) else None

    def _units_away(self, unit: str, least: int, most: int) -> Period:
        now = self._now or cal.EARLIEST
        return Period(cal.unit_at(now, unit, least).start, cal.unit_at(now, unit, most).end)

    def _halves(self, index: int) -> PointFound | None:
        """`half a year ago`, `half an hour ago`, `a year and a half ago`."""
        words = [self._low(index + place) for place in range(6)]
        if words[0] == "half" and words[1] in {"a", "an"} and words[3] == "ago":
            unit, halves, after = words[2], 1, index + 4
        elif words[0] in {"a", "an", "one"} and words[2:6] == ["and", "a", "half", "ago"]:
            unit, halves, after = words[1], 3, index + 6
        else:
            return None
        if unit not in _HALVES or self._now is None:
            return None
        small, count = _HALVES[unit]
        then = cal.shifted(self._now, small, -halves * count)
        return cal.unit_at(then, "month" if unit == "year" else "minute" if unit == "hour" else unit), after

    def _from_point(self, index: int, unit: str, count: int) -> PointFound | None:
        """So many units before or after a day that is named."""
        index += self._low(index) == "the"
        point = self._point(index, asked=True)
        period = None if point is None else self._settled(point[0], index, coming=True if count > 0 else None)
        if point is None or period is None:
            return None
        return cal.day(cal.shifted(period.start, unit, count)), point[1]

    def _the(self, index: int, asked: bool) -> PointFound | None:
        """`the day before yesterday`, `the week before last`, `the weekend`, `the week of May 6`."""
        unit, turn = self._low(index + 1), self._low(index + 2)
        if unit == "night" and turn == "before" and self._low(index + 3) == "last" and self._now is not None:
            return cal.part_of_day(cal.day(self._now - 2 * cal.DAY), "night"), index + 4
        if unit not in {"day", "week", "weekend", "month", "year"}:
            return self._point(index + 1, asked=asked)
        if unit in {"week", "weekend"} and turn == "of":
            whole = self._point(index + 3 + (self._low(index + 3) == "the"), asked=True)
            period = None if whole is None else self._settled(whole[0], index)
            return None if whole is None or period is None else (cal.unit_at(period.start, unit), whole[1])
        if self._now is None:
            return self._beside(index, unit, turn)
        if turn == "before" and self._low(index + 3) == "last":
            return cal.unit_at(self._now, unit, -2), index + 4
        if turn == "after" and self._low(index + 3) == "next":
            return cal.unit_at(self._now, unit, 2), index + 4
        beside = self._beside(index, unit, turn)
        if beside is not None or unit != "weekend":
            return beside
        coming = self._is_coming(index)
        return cal.unit_at(self._now, unit, 0 if coming else -1), index + 2 + (turn == "before")

    def _beside(self, index: int, unit: str, turn: str) -> PointFound | None:
        """`the day after Christmas`, `the week before May 7`."""
        if turn not in {"before", "after"}:
            return None
        whole = self._point(index + 3 + (self._low(index + 3) == "the"), asked=True)
        period = None if whole is None else self._settled(whole[0], index)
        if whole is None or period is None:
            return None
        return cal.unit_at(period.start, unit, -1 if turn == "before" else 1), whole[1]

    def _third(self, index: int, asked: bool) -> PointFound | None:
        """`early 2023`, `mid-March`, `the end of last year`, `late in May`."""
        word = self._low(index)
        after = index + 1 + (self._low(index + 1) in {"-", "of", "in"})
        after += self._low(after) == "the"
        whole = self._point(after, asked=True) or (self._this_unit(after) if self._low(after - 1) == "the" else None)
        period = None if whole is None else self._settled(whole[0], index)
        if whole is None or period is None or period.is_day:
            return None
        return cal.third(period, THIRDS[word]), whole[1]

    def _half_of_now(self, index: int, asked: bool) -> PointFound | None:
        """`earlier this year`, `later today`."""
        if self._now is None:
            return None
        word, what = self._low(index), self._low(index + 1)
        if what == "today":
            whole: Found | None = (cal.day(self._now), index + 2)
        else:
            whole = self._relative_unit(index + 1) if what in THIS else None
        if whole is None:
            return None
        period, after = whole
        if word == "earlier":
            return Period(period.start, min(self._now, period.end)), after
        return Period(max(self._now, period.start), period.end), after

    # tokens

    def _at(self, index: int) -> Token:
        return self._tokens[index] if 0 <= index < len(self._tokens) else END

    def _low(self, index: int) -> str:
        return self._tokens[index].low if 0 <= index < len(self._tokens) else ""

    def _bare(self, index: int) -> str:
        return self._low(index).removesuffix("'s")

    def _before(self, index: int) -> str:
        """The word before a point, over an article and a hyphen."""
        index -= 1
        while self._low(index) in {"the", "-"}:
            index -= 1
        return self._low(index)


Rule = Callable[[Reader, int, bool], PointFound | None]

_HOLIDAY_STARTS = frozenset(name.split()[0] for name in cal.HOLIDAYS)
_AFTER_NUMBER = frozenset({*MONTHS, *UNITS, "this", "ago"})
_DATE_KINDS = frozenset({"iso", "ymd", "dmy", "mdy", "number", "ordinal"})
_BY_KIND: dict[str, Rule] = {
    "number": Reader._number,
    "short": Reader._year_alone,
    "ordinal": Reader._ordinal,
    "fraction": Reader._fraction,
    "decade": Reader._decade,
    **dict.fromkeys(("iso", "ymd", "dmy", "mdy", "ym", "my"), Reader._date_form),
}


def _recurring(word: str) -> Recurring:
    """A weekday, a month or a season by its name."""
    if word in WEEKDAYS:
        return cal.weekly(WEEKDAYS[word])
    if word in MONTHS:
        return cal.yearly(lambda year: cal.months(year, MONTHS[word]))
    return cal.yearly(lambda year: cal.season(year, word))


def _holidays(name: str) -> Recurring:
    return cal.yearly(lambda year: cal.holiday(year, name))


def _none(reader: Reader, index: int, asked: bool) -> PointFound | None:
    return None


_STARTS: dict[str, Rule] = {
    **dict.fromkeys(OPENERS | {"from", "between", "noon"} | set(PARTS), _none),
    **dict.fromkeys(NUMBERS.keys() | {"few", "couple", "several", "half"}, Reader._amount),
    **dict.fromkeys(MONTHS, Reader._month),
    **dict.fromkeys(WEEKDAYS, Reader._weekday),
    **dict.fromkeys(SEASONS, Reader._season),
    **dict.fromkeys(_HOLIDAY_STARTS - {"good", "black", "cyber"}, Reader._holiday),
    **dict.fromkeys(("good", "black", "cyber"), Reader._holiday),
    **dict.fromkeys(DECADES, Reader._decade_word),
    **dict.fromkeys(THIRDS, Reader._third),
    **dict.fromkeys(ORDINALS, Reader._nth_word),
    **dict.fromkeys(LAST | THIS | NEXT, Reader._relative),
    "last": Reader._nth_word,
    **dict.fromkeys(("earlier", "later"), Reader._half_of_now),
    **{day + ending: Reader._fixed for day in ("yesterday", "today", "tomorrow", "tonight") for ending in ("", "'s")},
    "the": Reader._the,
}

TRIGGERS: frozenset[str] = frozenset(
    {
        *"0123456789",
        *MONTHS, *WEEKDAYS, *SEASONS, *UNITS, *DECADES, *PARTS, *_HOLIDAY_STARTS,
        *(name + "s" for name in WEEKDAYS),
        "ago", "yesterday", "today", "tomorrow", "tonight", "years",
    }
) - {"second", "good", "new", "black", "cyber", "independence"}  # fmt: skip
"""Every time has at least one of these words or digits."""
