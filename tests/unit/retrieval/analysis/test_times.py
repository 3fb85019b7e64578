"""Time expressions: the gold lists, open cases, and any text in linear time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from retrieval.analysis.times.spans import MOST_SPANS, time_spans
from tests.fixtures.growth import assert_linear
from tests.unit.retrieval.analysis.time_expressions import GOLD, KNOWN_MISSES, NONE, SAID_AT, SECOND, THIRD

NOW = datetime.fromisoformat(SAID_AT)
PIECES = """
    last next this the of in from to between and since before after until by early mid - – , . week weekend month year
    day two 3 7th 31 2023 1999 0001 9999 May march Feb February 29 30 Friday Sunday summer winter Christmas ago now
    morning night at 3pm 15:30 2023-02-30 2024-02-29 31/12/2023 99/99/2023 Q3 90s century 21st decade past few couple
    yesterday tomorrow Easter half a quarter years weekends 9999-12-31 10000
"""


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text if len(text) > 7 else f"{text}-01" if len(text) > 4 else f"{text}-01-01")


def _span(written: str) -> tuple[int, int]:
    start, _, end = written.partition("..")
    first = _moment(start)
    if end:
        last = _moment(end)
    elif len(start) == 10:
        last = first + timedelta(days=1)
    elif len(start) == 7:
        last = (first + timedelta(days=31)).replace(day=1)
    else:
        last = first.replace(year=first.year + 1)
    return _micros(first.replace(tzinfo=UTC)), _micros(last.replace(tzinfo=UTC))


def _micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    "case", [case for case in [*GOLD, *SECOND, *THIRD] if case[0] not in KNOWN_MISSES], ids=lambda case: case[0]
)
def test_gold(case: tuple[str, ...]) -> None:
    text, *expected = case
    assert [tuple(span) for span in time_spans(text, NOW).tolist()] == sorted(map(_span, expected))


def test_a_question_looks_back_and_a_statement_to_the_nearest() -> None:
    assert time_spans("photos of August 20", NOW).tolist() == [list(_span("2024-08-20"))]
    assert time_spans("photos of August 20", NOW, asks=True).tolist() == [list(_span("2023-08-20"))]


def test_without_a_moment_only_full_dates_count() -> None:
    spans = time_spans("Yesterday, last week, on Friday, in March and on May 7th, but also on May 7, 2023.", None)
    assert [tuple(span) for span in spans.tolist()] == [_span("2023-05-07")]
    assert time_spans("since 2021", None).tolist() == [list(_span("2021-01-01..2100-01-01"))]


def test_days_are_those_of_the_speaker() -> None:
    evening_in_new_york = datetime(2024, 5, 16, 22, 0, tzinfo=timezone(timedelta(hours=-4)))
    (span,) = time_spans("today", evening_in_new_york).tolist()
    assert span == list(_span("2024-05-16T04:00..2024-05-17T04:00"))
    (span,) = time_spans("at 2024-05-16T23:00:00Z", evening_in_new_york).tolist()
    assert span == list(_span("2024-05-16T23:00:00..2024-05-16T23:00:01"))


def test_other_calendars_than_the_present_one() -> None:
    leap_day = datetime(2024, 2, 29, 12, 0, tzinfo=UTC)
    assert time_spans("a year ago", leap_day).tolist() == [list(_span("2023"))]
    assert time_spans("in the past year", leap_day).tolist() == [list(_span("2023-02-28T12:00..2024-02-29T12:00"))]
    assert time_spans("on February 29", datetime(2023, 3, 1, tzinfo=UTC), asks=True).tolist() == [
        list(_span("2020-02-29"))
    ]


@pytest.mark.parametrize(
    ("text", "weekend"),
    [
        ("a weekend after Christmas 2023", "2023-12-30..2024-01-01"),
        ("two weekends before Easter 2023", "2023-03-25..2023-03-27"),
    ],
)
def test_weekends_from_a_day_are_counted_in_weeks(text: str, weekend: str) -> None:
    assert list(_span(weekend)) in time_spans(text, NOW).tolist()


@pytest.mark.parametrize("text", ["2023-02-30", "10000 years ago", "99/99/2023", "the 0th century"])
def test_what_the_calendar_lacks_is_no_time(text: str) -> None:
    assert time_spans(text, NOW).shape == (0, 2)


@given(st.text(st.characters()))
@example("\ud800 May 7 2023")
def test_any_text_is_read(text: str) -> None:
    _check(time_spans(text, NOW))
    _check(time_spans(text, None))


@given(
    st.lists(st.sampled_from(PIECES.split()), max_size=24).map(" ".join),
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))])),
)
def test_any_jumble_of_time_words_is_read(text: str, now: datetime) -> None:
    spans = time_spans(text, now)
    _check(spans)
    assert np.array_equal(spans, time_spans(text, now))


def _check(spans: np.ndarray) -> None:
    assert spans.dtype == np.int64
    assert spans.shape[1:] == (2,)
    assert len(spans) <= MOST_SPANS
    assert (spans[:, 0] < spans[:, 1]).all()
    assert spans.tolist() == sorted(map(list, {tuple(span) for span in spans.tolist()}))


@pytest.mark.parametrize(
    "unit",
    ["1 ", "1", "a-", "2023-", "12:", "May ", "1-", "1,", "é", "a'b", "the ", "last ", "from ", "May 1 - ", "in 2019, ",
     "Friday ", "a year and a half ", "3 to ", "of the ", "early ", "before after ", "the week of ",
     "two weeks before "],
)  # fmt: skip
def test_long_texts_take_linear_time(unit: str) -> None:
    assert_linear(lambda text: time_spans(text, NOW), lambda size: unit * (size // len(unit.encode())), 131_072)


def test_a_text_that_only_looks_like_it_has_none() -> None:
    assert all(time_spans(text, NOW).shape == (0, 2) for (text,) in NONE)
