"""What a number may stand for: a year, days of a month, an amount, or how many of something there are."""

from __future__ import annotations

from retrieval.analysis.stop_words import ENGLISH
from retrieval.analysis.times import periods as cal
from retrieval.analysis.times.text import Text
from retrieval.analysis.times.words import MEASURES, MONTHS, NUMBERS, RANGE_WORDS, UNITS

SHORT_YEAR_PIVOT = 40
"""From here on two digits are a year of the last century: '40 is 1940, '39 is 2039."""


def year_number(text: Text, index: int) -> int | None:
    """`2023`, `'98`."""
    token = text.at(index)
    if token.kind == "short":
        number = int(token.low[1:])
        return number + (1900 if number >= SHORT_YEAR_PIVOT else 2000)
    if token.kind != "number" or len(token.low) != 4:
        return None
    number = int(token.low)
    return number if cal.FIRST_YEAR <= number <= cal.LAST_YEAR else None


def day_number(text: Text, index: int) -> int | None:
    """`7`, `7th`."""
    token = text.at(index)
    if token.kind not in {"number", "ordinal"}:
        return None
    number = int(token.low[:-2] if token.kind == "ordinal" else token.low)
    return number if 1 <= number <= 31 and len(token.low) <= 4 else None


def days_of_month(text: Text, index: int, *, before_month: bool = False) -> tuple[int, int, int] | None:
    """`7`, `7th`, `3-7`, `3 to 7`: first and last day, and the index after."""
    first = day_number(text, index)
    if first is None:
        return None
    if text.low(index + 1) in RANGE_WORDS and (before_month or text.low(index + 3) not in MONTHS):
        last = day_number(text, index + 2)
        if last is not None and last > first:
            return first, last, index + 3
    return first, first, index + 1


def quantity(text: Text, index: int) -> tuple[int, int, int] | None:
    """`3`, `three`, `a couple of`, `a few`, `several`: least, most, and the index after."""
    token = text.at(index)
    if token.kind == "number":
        return int(token.low), int(token.low), index + 1
    index += token.low in {"a", "the"} and text.low(index + 1) in {"couple", "few"}
    word = text.low(index)
    if word == "couple":
        return 2, 2, index + 1 + (text.low(index + 1) == "of")
    if word in {"few", "several"}:
        return (2, 4, index + 1) if word == "few" else (3, 7, index + 1)
    if word in NUMBERS:
        return NUMBERS[word], NUMBERS[word], index + 1
    return None


def is_counted(text: Text, index: int) -> bool:
    """Whether a word is what the number before it counts: "2000 people", "3 eggs"."""
    token = text.at(index)
    if token.kind == "junk" or token.low in MEASURES - {"of"}:
        return True
    if token.kind != "word" or not token.raw.islower() or token.low in ENGLISH or token.low in UNITS:
        return False
    return token.low.endswith("s") and "'" not in token.low and token.low not in {"was", "is", "has", "this", "us"}
