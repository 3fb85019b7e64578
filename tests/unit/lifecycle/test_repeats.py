"""What several episodes say, and what is only like it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest

from lifecycle.procedures import Action, procedures
from lifecycle.repeats import Statement, repeated
from lifecycle.rollup import Episode

BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC)
SAME = np.array([1.0, 0.0], np.float32)


def said(*texts: str, speaker: str = "Ada", sessions: int | None = None) -> list[Statement]:
    return [
        Statement(
            Episode(
                UUID(int=n + 1), (None, None), n if sessions is None else n % sessions, BEGIN + timedelta(days=n), SAME
            ),
            text,
            speaker,
        )
        for n, text in enumerate(texts)
    ]


def found(statements: list[Statement], support: int = 3) -> list[tuple[str, int]]:
    return [(one.text, one.support) for one in repeated(statements, support)]


def test_the_same_claim_in_other_words_counts() -> None:
    told = said("I live in Oslo.", "By the way, I live in Oslo, Norway.", "I now live in Oslo.")
    assert found(told) == [("I now live in Oslo", 3)]


def test_one_session_counts_once() -> None:
    assert found(said(*["I live in Oslo."] * 6, sessions=2)) == []


@pytest.mark.parametrize(
    ("above", "day", "is_there"),
    [
        ("I moved to Bergen.", 9, False),
        ("I no longer live in Oslo.", 9, False),
        ("I live in Oslo, Norway.", 9, True),
        ("I work at Fjord Labs.", 9, True),
        ("I live in Bergen.", 0, True),
    ],
)
def test_what_is_trusted_more_ends_what_it_contradicts_later(above: str, day: int, is_there: bool) -> None:
    told = said(*["I live in Oslo."] * 4)
    moment = BEGIN + timedelta(days=day)
    more = Statement(Episode(UUID(int=99 if day else 0), (None, None), 99, moment, SAME), above, "Ada")
    assert bool(repeated(told, 3, [more])) is is_there
    assert repeated(told[:2], 3, [more, *said("I live in Oslo.")]) == []  # and lends no support


def test_of_what_has_one_value_the_last_counts() -> None:
    oslo, bergen = ["I live in Oslo."] * 3, ["I live in Bergen."]
    assert found(said(*oslo, *bergen)) == []
    assert found(said(*oslo, *bergen * 3)) == [("I live in Bergen", 3)]


@pytest.mark.parametrize(
    "texts",
    [
        ["I enjoy strong coffee early.", "I never enjoy strong coffee early.", "I don't enjoy strong coffee early."],
        ["Bought 3 apples and pears today.", "Bought 5 apples and pears today.", "Bought 7 apples and pears today."],
        ["Do you enjoy strong coffee?"] * 3,
        ["Okay, thanks!"] * 3,
        ["The garden looks lovely today.", "My violin teacher came again.", "Somebody repaired our bicycle."],
    ],
)  # fmt: skip
def test_what_is_only_near_does_not(texts: list[str]) -> None:
    assert found(said(*texts)) == []


def test_the_same_statement_of_two_people_is_two() -> None:
    mine = said("I really enjoy strong coffee early.", "I really enjoy strong coffee early.")
    other = said("I really enjoy strong coffee early.", speaker="Ben")
    assert found([*mine, *other]) == []
    assert found([*mine, *said(*["I really enjoy strong coffee early."] * 3)[2:]]) == [
        ("I really enjoy strong coffee early.", 3)
    ]


def done(*sessions: list[tuple[str, str]]) -> list[Action]:
    return [
        Action(Episode(UUID(int=n * 100 + m + 1), (None, None), n, BEGIN + timedelta(days=n, minutes=m)), text, outcome)
        for n, session in enumerate(sessions)
        for m, (text, outcome) in enumerate(session)
    ]


def test_a_sequence_that_worked_is_a_procedure() -> None:
    way = [("Run tests", "success"), ("Build image 7", "success"), ("Push", "success")]
    failed = [*way[:2], ("Push", "failure")]
    (one,) = procedures(done(way, failed, [("Look around", "unknown"), *way]), 3)
    assert one.text == "1. Run tests\n2. Build image 7\n3. Push"
    assert one.success == 0.6667


def test_what_mostly_failed_or_was_done_once_is_none() -> None:
    way = [("Run tests", "success"), ("Push", "failure")]
    assert procedures(done(way, way, way), 3) == []
    assert procedures(done([("a", "success"), ("b", "success")] * 9), 2) == []
    assert procedures(done(*[[("wait", "success")] * 4] * 3), 3) == []


def test_a_part_stands_by_itself_where_more_sessions_have_it() -> None:
    long = [("a", "success"), ("b", "success"), ("c", "success")]
    found = procedures(done(long, long, long, long[:2]), 3)
    assert [one.text.count("\n") + 1 for one in found] == [2, 3]
