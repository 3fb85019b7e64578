"""Which hits give way to what was told later of the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest

from lifecycle.asked_for import asks_for_past, asks_for_several
from lifecycle.telling_order import LOOKED_AT, Telling, told_later

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SAME = np.array([1.0, 0.0], np.float32)
OTHER = np.array([0.0, 1.0], np.float32)


def telling(number: int, text: str, day: int, score: float = 0.0) -> Telling:
    at = NOW + timedelta(days=day)
    return Telling(UUID(int=number), text, ("Ada",), (at, at, at), score, SAME)


def later(hits: list[Telling], names: tuple[str, ...] = (), question: str = "Where do I live?") -> dict[int, set[int]]:
    return {one.int: {other.int for other in others} for one, others in told_later(hits, question, names, 1.0).items()}


OLD = telling(1, "I live in Oslo.", 0, 5.0)
NEW = telling(2, "I've moved to Bergen!", 1, 4.5)


def test_what_was_told_later_goes_before_what_stands_ahead_of_it() -> None:
    assert later([OLD, NEW]) == {1: {2}}


def test_what_was_told_later_and_stands_ahead_stays() -> None:
    assert later([NEW, OLD]) == {}
    assert later([replace(NEW, place=OLD.place), OLD]) == {}


@pytest.mark.parametrize(
    "new",
    [
        replace(NEW, score=0.9),
        replace(NEW, text="I live in Bergen!", score=3.9),
        replace(NEW, vector=OTHER),
        replace(NEW, whose=("Ben",)),
        replace(NEW, place=OLD.place),
        replace(NEW, text="i live in OSLO!"),
        replace(NEW, text="Should I move to Bergen?"),
        replace(NEW, text="I might move to Bergen."),
        replace(NEW, text="I used to live in Bergen."),
        replace(NEW, text="Bergen " * 41),
    ],
    ids=["far apart", "apart", "unlike", "another's", "as old", "a repeat", "asks", "doubts", "past", "long"],
)
def test_what_does_not_tell_of_the_same_stays_behind(new: Telling) -> None:
    assert later([OLD, new]) == {}


def test_denial_states_something() -> None:
    assert later([OLD, replace(NEW, text="I don't live in Oslo anymore, I'm in Bergen now.")]) == {1: {2}}


def test_a_name_of_the_question_must_be_in_the_later_one_too() -> None:
    old, new = replace(OLD, text="Ben lives in Oslo."), replace(NEW, text="Jonas lives in Bergen.")
    assert later([old, new], ("Ben",)) == {}
    assert later([old, replace(new, text="BEN lives in Bergen.")], ("Ben",)) == {1: {2}}
    assert later([OLD, NEW], ("Ben",)) == {1: {2}}, "neither has it: the question's name decides nothing"


def test_a_word_of_the_question_must_be_in_the_later_one_unless_it_tells_of_a_change() -> None:
    old, new = replace(OLD, text="My work phone is 1."), replace(NEW, text="My home phone is 2.")
    assert later([old, new], question="What is my work phone?") == {}
    assert later([old, replace(new, text="My work phone is 2.")], question="What is my work phone?") == {1: {2}}
    changed = replace(new, text="My new number is 2.")
    assert later([old, changed], question="What is my phone?") == {1: {2}}
    assert later([old, changed], question="What is my work phone?") == {}, "two of its words are left out"


def test_what_was_is_no_news_unless_something_changed_by_it() -> None:
    assert later([OLD, replace(NEW, text="I lived in Bergen as a student.")]) == {}
    assert later([OLD, replace(NEW, text="I live in Bergen, where I was raised.")]) == {1: {2}}
    assert later([OLD, replace(NEW, text="I have settled in Bergen.")]) == {1: {2}}


def test_so_many_hits_are_looked_at() -> None:
    rest = [telling(9, "We all like tea.", -1)] * (LOOKED_AT - 1)
    assert later([OLD, *rest, NEW]) == {}


@pytest.mark.parametrize(
    "question",
    [
        "Where did I live before?",
        "Where did Ada use to live, and where had she previously lived?",
        "What was my first address?",
        "Who was the former CEO?",
        "How has my address changed?",
        "What was my old number?",
        "Where was I born?",
        "Where did Ada grow up?",
    ],
)
def test_questions_for_the_past_are_told(question: str) -> None:
    assert asks_for_past(question)


@pytest.mark.parametrize("question", ["Where do I live?", "How old am I?", "What's my number now?"])
def test_questions_for_what_is_are_not(question: str) -> None:
    assert not asks_for_past(question)


def test_who_says_i_is_not_their_uncle_and_nobody_else() -> None:
    old = replace(OLD, text="I work at Acme.")
    for text in ("My uncle now works at Globex.", "Jonas now works at Globex.", "My sister's new job is at Globex."):
        assert later([old, replace(NEW, text=text)], question="Where do I work?") == {}, text
    assert later([old, replace(NEW, text="My new job is at Globex.")], question="Where do I work?") == {1: {2}}


def test_asked_for_an_uncle_it_is_the_uncle() -> None:
    old = replace(OLD, text="My uncle works at Acme.")
    new = replace(NEW, text="My uncle now works at Globex.")
    assert later([old, new], question="Where does my uncle work?") == {1: {2}}


def test_of_a_thing_half_the_words_of_the_question_tell_which() -> None:
    old = replace(OLD, text="The standup is on Mondays.")
    question = "When is the standup?"
    assert later([old, replace(NEW, text="The party was moved to Friday.")], question=question) == {}
    assert later([old, replace(NEW, text="The standup was moved to Fridays.")], question=question) == {1: {2}}


def test_of_an_office_it_is_whose_that_counts() -> None:
    old = replace(OLD, text="The CEO of Acme is Liv Aas.")
    names = ("CEO of Acme",)
    question = "Who is the CEO of Acme?"
    assert later([old, replace(NEW, text="Acme appointed Omar Haddad as CEO.")], names, question) == {1: {2}}
    assert later([old, replace(NEW, text="The new CEO of Hooli is Omar Haddad.")], names, question) == {}


def test_what_was_said_may_be_named_instead_of_the_words_of_the_question() -> None:
    old, question = replace(OLD, text="I drive a Volvo."), "What car do I drive?"
    assert later([old, replace(NEW, text="I traded the Volvo in for a Tesla.")], question=question) == {1: {2}}
    assert later([old, replace(NEW, text="I traded some old books in.")], question=question) == {}
    number = replace(OLD, text="My phone is 555 0101.")
    other = replace(NEW, text="My fax is 555 0199.")
    assert later([number, other], question="What is my phone number?") == {}, "part of a number is not the number"


def test_what_says_that_something_changed_may_be_less_alike_and_score_lower() -> None:
    less = np.array([0.62, np.sqrt(1 - 0.62**2)], np.float32)
    assert later([OLD, replace(NEW, vector=less, score=1.1)]) == {1: {2}}
    assert later([OLD, replace(NEW, text="I live in Bergen.", vector=less)]) == {}


@pytest.mark.parametrize(
    "question", ["Which cities have I visited?", "What are my hobbies?", "Who are my sons?", "How many cats have I?"]
)
def test_of_several_none_gives_way(question: str) -> None:
    assert asks_for_several(question)
    assert later([OLD, NEW], question=question) == {}


@pytest.mark.parametrize(
    "question", ["Where do I live?", "What is my status?", "Which bus do I take?", "Who is my boss?"]
)
def test_of_one_it_does(question: str) -> None:
    assert not asks_for_several(question)


def test_what_holds_of_many_things_gives_way_to_its_end_alone() -> None:
    old, question = replace(OLD, text="I like chess."), "What do I like?"
    assert later([old, replace(NEW, text="I now like hiking.")], question=question) == {}
    assert later([old, replace(NEW, text="I don't like chess anymore.")], question=question) == {1: {2}}
    best = "What do I like best?"
    assert later([old, replace(NEW, text="I now like hiking.")], question=best) == {1: {2}}


@pytest.mark.parametrize("text", ["Oh, Suppose I moved to Bergen.", "Should I live in Bergen?"])
def test_capitals_hide_no_doubt(text: str) -> None:
    assert later([OLD, replace(NEW, text=text)]) == {}


def test_names_that_are_words_of_doubt_too_hide_nothing() -> None:
    assert later([OLD, replace(NEW, text="I moved in with Will in Bergen.")]) == {1: {2}}
