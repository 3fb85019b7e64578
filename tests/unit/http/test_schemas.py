"""Types of request fields."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from memsvc.core.errors import InvalidInput, NotFound
from memsvc.core.settings import Settings
from memsvc.http.json_body import decode
from memsvc.http.schemas import ApiModel, Bytes, FiniteFloat, Id, Instant, format_instant, parse_instant, path_id


class Everything(ApiModel):
    """One field of each type."""

    at: Instant | None = None
    ref: Id | None = None
    weight: FiniteFloat = 0.0
    count: int = 0
    flag: bool = False
    text: Annotated[str, Bytes(8)] = "x"


def read(body: str) -> Everything:
    return decode(body.encode(), Everything, Settings())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T09:00:00Z", datetime(2026, 1, 31, 9, tzinfo=UTC)),
        ("2026-01-31t09:00:00z", datetime(2026, 1, 31, 9, tzinfo=UTC)),
        ("2026-01-31 09:00:00+01:00", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        ("2026-01-31T09:00:00.5-11:30", datetime(2026, 1, 31, 20, 30, 0, 500_000, tzinfo=UTC)),
        ("2026-01-31T09:00:00.123456789Z", datetime(2026, 1, 31, 9, 0, 0, 123_456, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999Z", datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
        ("2024-02-29T00:00:00Z", datetime(2024, 2, 29, tzinfo=UTC)),
    ],
)
def test_times_with_a_zone_become_utc(text: str, expected: datetime) -> None:
    at = read(f'{{"at": "{text}"}}').at
    assert at == expected
    assert at is not None
    assert at.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        '"2026-01-31T09:00:00"',
        '"2026-01-31"',
        '"0000-01-01T00:00:00Z"',
        '"10000-01-01T00:00:00Z"',
        '"0001-01-01T00:00:00+01:00"',
        '"9999-12-31T23:59:59-01:00"',
        '"2026-02-30T00:00:00Z"',
        '"2025-02-29T00:00:00Z"',
        '"2016-12-31T23:59:60Z"',
        '"2026-01-31T24:00:00Z"',
        '"2026-01-31T09:00:00+25:00"',
        '"2026-01-31T09:00:00+01:60"',
        '"1769850000"',
        "1769850000",
        "1769850000.5",
        "true",
        '"٢026-01-31T09:00:00Z"',
        '" 2026-01-31T09:00:00Z"',
        '"2026-W05-6T09:00:00Z"',
        '""',
    ],
)
def test_other_times_are_refused(value: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(f'{{"at": {value}}}')
    assert [(error.pointer, error.code) for error in caught.value.errors] == [("/at", "instant")]


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-23 * 60, 23 * 60))
def test_a_time_written_by_us_is_read_by_us(moment: datetime, offset_min: int) -> None:
    assert parse_instant(format_instant(moment)) == moment
    zone = timezone(timedelta(minutes=offset_min))
    if 2 <= moment.year <= 9998:
        assert parse_instant(moment.astimezone(zone).isoformat()) == moment


@pytest.mark.parametrize(
    "field",
    [
        '"count": "5"',
        '"count": true',
        '"count": 1.0',
        '"count": 1.5',
        '"count": null',
        '"flag": 1',
        '"flag": "true"',
        '"weight": "0.5"',
        '"weight": true',
        '"text": {}',
        '"text": 5',
        '"text": null',
        '"ref": 5',
        '"ref": "{0198c5a0-0000-7000-8000-000000000000}"',
        '"ref": "urn:uuid:0198c5a0-0000-7000-8000-000000000000"',
        '"ref": "0198c5a0000070008000000000000000"',
        '"text": ""',
        '"text": " \\t\\n "',
        '"text": "123456789"',
        '"text": "ééééé"',
        '"unknown": 1',
        '"__proto__": {}',
        '"__class__": "x"',
    ],
)
def test_nothing_is_coerced_and_nothing_unknown_is_taken(field: str) -> None:
    with pytest.raises(InvalidInput):
        read(f"{{{field}}}")


def test_what_is_accepted_as_it_is() -> None:
    given = read('{"weight": 1, "ref": "0198C5A0-0000-7000-8000-000000000000", "text": "\\u202e1234"}')
    assert given.weight == 1.0
    assert str(given.ref) == "0198c5a0-0000-7000-8000-000000000000"
    assert given.text == "\u202e1234"


def test_negative_zero_becomes_zero() -> None:
    assert str(read('{"weight": -0.0}').weight) == "0.0"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_are_finite(value: float) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(FiniteFloat).validate_python(value)


@pytest.mark.parametrize("text", ["", "1", "x" * 1_000_000, "' OR 1=1", "../etc", "0198c5a0000070008000000000000000"])
def test_an_id_in_a_url_that_is_none_is_not_found(text: str) -> None:
    with pytest.raises(NotFound):
        path_id(text)


def test_a_limit_may_be_named_by_a_setting() -> None:
    class Held(ApiModel):
        content: Annotated[str, Bytes("content_max_bytes")]

    settings = Settings(content_max_bytes=4)
    assert decode('{"content": "éé"}'.encode(), Held, settings).content == "éé"
    with pytest.raises(InvalidInput) as caught:
        decode('{"content": "ééé"}'.encode(), Held, settings)
    assert caught.value.errors[0].code == "text_too_long"
    assert "4 bytes" in caught.value.errors[0].message


def test_errors_are_placed_in_the_document_and_capped() -> None:
    class Many(ApiModel):
        items: list[Everything]

    body = '{"items": [' + ",".join(['{"count": "x"}'] * 80) + "]}"
    with pytest.raises(InvalidInput) as caught:
        decode(body.encode(), Many, Settings())
    assert len(caught.value.errors) == 50
    assert caught.value.errors[1].pointer == "/items/1/count"
    assert "79 more" in caught.value.detail
