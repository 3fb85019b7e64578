"""Questions: the gold lists, and any text in linear time."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu.bank.records import Kind
from retrieval.analysis.analyser import TextAnalyser
from retrieval.analysis.identifiers import identifiers, phrases
from retrieval.analysis.places import place_id
from retrieval.analysis.questions import question
from retrieval.types import Order, QuestionType
from tests.fixtures.growth import assert_linear
from tests.unit.retrieval.analysis.question_gold import IDENTIFIERS, KINDS, ORDERS, QUOTED, TYPES

NOW = datetime(2024, 5, 16, 14, 30, tzinfo=UTC)
PIECES = """
    who what's when which how many long ago do did you I Anna the is was last first before after since prior to it? , .
    ! ? " ' “ ” ` ABC-1 a_b /x/y v1.2 tell me please remind how come list all wedding name following most recent ？
"""


@pytest.mark.parametrize(("text", "expected"), TYPES)
def test_type(text: str, expected: str) -> None:
    assert question(text, NOW).type is QuestionType(expected)


@pytest.mark.parametrize(("text", "order", "anchor"), ORDERS)
def test_order(text: str, order: str | None, anchor: str) -> None:
    found = question(text, NOW)
    assert (found.order, found.anchor) == (Order(order) if order else None, anchor)


@pytest.mark.parametrize(("text", "expected"), KINDS)
def test_kind_hint(text: str, expected: str | None) -> None:
    assert question(text, NOW).kind_hint == (Kind[expected.upper()] if expected else None)


@pytest.mark.parametrize(("text", "expected"), QUOTED)
def test_phrases(text: str, expected: tuple[str, ...]) -> None:
    assert phrases(text) == expected


@pytest.mark.parametrize(("text", "expected"), IDENTIFIERS)
def test_identifiers(text: str, expected: tuple[str, ...]) -> None:
    assert identifiers(text) == expected


def test_a_question_has_all_its_parts() -> None:
    found = TextAnalyser().question('What did Caroline say about "the plan" in Berlin last week, see ABC-12?', NOW)
    assert found.type is QuestionType.WHAT
    assert "Caroline" in found.names
    assert found.phrases == ("the plan",)
    assert found.identifiers == ("ABC-12",)
    assert place_id("Berlin") in found.place_ids
    assert found.spans.tolist() == [[1714953600000000, 1715558400000000]]
    assert found.kind_hint is Kind.EPISODIC


@given(st.one_of(st.text(st.characters()), st.lists(st.sampled_from(PIECES.split()), max_size=20).map(" ".join)))
def test_any_text_is_read_the_same_way_twice(text: str) -> None:
    first, again = question(text, NOW), question(text, NOW)
    assert (first.type, first.order, first.anchor, first.phrases, first.identifiers, first.kind_hint) == (
        again.type,
        again.order,
        again.anchor,
        again.phrases,
        again.identifiers,
        again.kind_hint,
    )
    assert first.spans.tolist() == again.spans.tolist()
    assert first.place_ids.tolist() == again.place_ids.tolist()
    assert first.anchor in text


@pytest.mark.parametrize(
    "unit",
    ["a", "1", "a-", "a_", "_", "a.", "/a", "/", '"', "'a", "`", "@", "a@b.", "aB", "1.", "f", "0x", "--a", "f1-",
     "“", "-", "https://", "before a ", "last ", "last. ", "how long last. ", "a ", "A", "A ", "Aa", "what ", "does ",
     "? ", "é", "please ", "\u0301\u0327", "A\u0301\u0327"],
)  # fmt: skip
def test_long_texts_take_linear_time(unit: str) -> None:
    for read in (partial(question, asked_at=NOW), partial(TextAnalyser().analyse, occurred_at=NOW)):
        assert_linear(read, lambda size: unit * (size // len(unit.encode())), 131_072)
