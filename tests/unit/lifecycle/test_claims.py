"""What texts claim, and what they do not."""

from __future__ import annotations

import time

import pytest

from lifecycle.claims import Claim, claims, says_more


def told(text: str, speaker: str | None = "Ada") -> list[tuple[str, str, str]]:
    return [(claim.subject, claim.attribute, claim.value) for claim in claims(text, speaker)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I live in Oslo.", ("ada", "residence", "oslo")),
        ("I moved to Oslo", ("ada", "residence", "oslo")),
        ("Hi Ben! I've just moved to Oslo!", ("ada", "residence", "oslo")),
        ("Ben: I recently moved from Rome to New York last month.", ("ben", "residence", "new york")),
        ("Ada lives in Norway now.", ("ada", "residence#country", "norway")),
        ("Ada's new job is at Fjord Labs", ("ada", "employer", "fjord labs")),
        ("I work at Fjord Labs as a nurse.", ("ada", "employer", "fjord labs")),
        ("I started a new job at Fjord Labs", ("ada", "employer", "fjord labs")),
        ("my phone number is now 555 0101.", ("ada", "phone number", "555 0101")),
        ("I changed my phone number to 555 2222.", ("ada", "phone number", "555 2222")),
        ("Ben's e-mail is ben@fjord.example", ("ben", "e-mail address", "ben@fjord.example")),
        ("The CEO of Fjord Labs is now Cyd Lund.", ("fjord labs", "chief executive", "cyd lund")),
        ("Cyd Lund is the new CEO of Fjord Labs.", ("fjord labs", "chief executive", "cyd lund")),
        ("The name of the current head of state in Norway is Harald V.", ("norway", "head of state", "harald v")),
        ("The capital of Land is the city of Town.", ("land", "capital", "town")),
        ("The headquarters of Fjord Labs are located in Oslo.", ("fjord labs", "headquarters", "oslo")),
        ("Kyd was born in the city of London.", ("kyd", "birthplace", "london")),
        ("Ben is married to Cyd Lund.", ("ben", "spouse", "cyd lund")),
        ("My wife is Cyd Lund.", ("ada", "spouse", "cyd lund")),
        ("Ben is a citizen of the Kingdom of Norway.", ("ben", "citizenship", "kingdom of norway")),
        ("pesäpallo was created in the country of Finland.", ("pesäpallo", "origin#country", "finland")),
        ("Fjord FC plays for Oslo.", ("fjord fc", "team", "oslo")),
        ("Ben is 31 years old.", ("ben", "age", "31 years old")),
        ("The deadline of the report is now Friday.", ("report", "due date", "friday")),
        ("The company that produced the Il-2 is Ilyushin.", ("produced the il-2", "other/company", "ilyushin")),
        ("We switched the meeting to Tuesdays", ("meeting", "day", "tuesday")),
        ("The meeting is on Mondays.", ("meeting", "day", "monday")),
        ("Our weekly sync was moved from Monday to Friday.", ("weekly sync", "day", "friday")),
        ("My mother lives in Rome.", ("ada's mother", "residence", "rome")),
        ("My new car is Volvo V60.", ("ada", "other/car", "volvo v60")),
        ("My friend Ben lives in Rome.", ("ben", "residence", "rome")),
        ("Ben's work phone is 12345.", ("ben", "work/phone number", "12345")),
        ("St. Olav's Hospital is located in Trondheim.", ("st. olav's hospital", "location", "trondheim")),
    ],
)
def test_what_a_text_claims(text: str, expected: tuple[str, str, str]) -> None:
    assert told(text)[:1] == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "Do I live in Oslo?",
        "I might move to Oslo.",
        "If I lived in Oslo, I would ski.",
        "I think Ben lives in Oslo.",
        "Ben says that Cyd lives in Oslo.",
        'Ben told me: "I live in Oslo."',
        "I don't live in Oslo.",
        "She lives in Oslo.",
        "We are moving to Oslo next year, hopefully.",
        "I will work at Fjord Labs.",
        "I want to live in Oslo.",
        "My work at Fjord Labs is hard.",
        "Businesses can use Instagram.",
        "Submit the annual report to the SOS.",
        "Anyway, after the talk Ben and the others live in Fear.",
        "I plan to work at Fjord Labs.",
        "I used to live in Oslo.",
        "I lived in Oslo.",
        "I live in a small flat.",
        "I work at home.",
        "My sister lives in Oslo.",
        "One of my friends lives in Oslo.",
        "People in my town live in Fear.",
        "The CEO of Fjord Labs is great.",
        "The best thing about Oslo is the sea.",
        "The price of the ticket is outrageous.",
        "The deadline of the report is tight.",
        "Ben also works at Fjord Labs.",
        "I like Oslo.",
        "My son is Ben.",
        "My dog is Rex.",
        "My favourite books are Emma and Persuasion.",
        "I speak French.",
        "The restaurant that Ada likes is Noma.",
        "The place where I live is Oslo.",
        "",
        "?!",
        ":",
        "the of is",
    ],
)
def test_what_claims_nothing(text: str) -> None:
    assert told(text) == []


def test_nobody_known_claims_nothing_of_themselves() -> None:
    assert told("I live in Oslo. My phone is 12345.", None) == []
    assert told("Note: I live in Oslo.", None) == []
    assert told("Ben lives in Oslo.", None) == [("ben", "residence", "oslo")]


@pytest.mark.parametrize(
    ("text", "value", "instead_of"),
    [
        ("I no longer live in Oslo.", "", "oslo"),
        ("I don't live in Oslo any more.", "", "oslo"),
        ("Ada does not live in Oslo anymore", "", "oslo"),
        ("I no longer live in Oslo but in Bergen.", "bergen", "oslo"),
        ("I used to live in Oslo but now live in Bergen.", "bergen", None),
        ("I moved from Oslo to Bergen.", "bergen", "oslo"),
    ],
)
def test_what_is_no_more(text: str, value: str, instead_of: str | None) -> None:
    (claim,) = claims(text, "Ada")
    assert (claim.subject, claim.attribute, claim.value, claim.instead_of) == ("ada", "residence", value, instead_of)
    assert claim.marks_change


def test_a_claim_knows_its_words() -> None:
    text = "Hi Ben! I moved to Oslo last month. My phone is 555 0101."
    spans = [text[claim.start : claim.end] for claim in claims(text, "Ada")]
    assert spans == ["I moved to Oslo", "My phone is 555 0101"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I live in Oslo.", False),
        ("Ada: I live in Oslo these days.", False),
        ("By the way, I live in Oslo now.", False),
        ("I live in Oslo. Yesterday we saw a whale in the harbour.", True),
        ("I live in Oslo with my wife, two dogs and a parrot.", True),
        ("It rained.", False),
    ],
)
def test_whether_a_text_says_more(text: str, expected: bool) -> None:
    assert says_more(text, claims(text, "Ada")) is expected


def test_a_label_holds_no_words_of_the_text() -> None:
    (secret,) = claims("My new treehouse is Falcon.", "Ada")
    assert secret.label == "other"
    (known,) = claims("Ben's secret work phone is 12345.", "Ada")
    assert known.label == "phone number"


@pytest.mark.parametrize(
    "text",
    [
        "was " * 20_000,
        "I moved from " * 8_000,
        ("We moved the a from b from c " * 10 + ".\n") * 500,
        ("The a of B of C is D is E is F " * 9 + ".\n") * 500,
        ("the was has is been " * 14 + ".\n") * 500,
        "Hi, " * 40_000,
        ("X used to " * 28 + ".\n") * 500,
        "Ada: " * 30_000,
        "\n" * 100_000,
        "a" * 200_000,
        " " * 200_000 + ".",
        "'s" * 100_000,
    ],
)
def test_time_is_bounded(text: str) -> None:
    start = time.process_time()
    claims(text, "Ada")
    assert time.process_time() - start < 1.0


def test_claims_are_few() -> None:
    text = "\n".join(f"The capital of Land{n} is Town{n}." for n in range(1_000))
    assert len(claims(text)) == 16
    assert all(isinstance(claim, Claim) for claim in claims(text))
