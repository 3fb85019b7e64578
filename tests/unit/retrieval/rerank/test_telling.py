"""What a cross-encoder reads of a long message."""

from __future__ import annotations

from retrieval.analysis.terms import stems
from retrieval.rerank.telling import telling

GREETING = "Hello there my dear friend, it is so good to hear from you again after all this while."
POINT = "Where did I park the blue bicycle?"


def worth(**of: float) -> dict[str, float]:
    return {stem: value for word, value in of.items() for stem in stems(word)}


def test_a_short_question_is_read_as_it_is() -> None:
    assert telling(POINT, {}) == POINT


def test_a_long_message_is_cut_to_its_telling_sentences() -> None:
    message = f"{GREETING} {POINT} {GREETING}"
    assert telling(message, worth(bicycle=5.0, park=3.0, friend=0.1), most_words=12) == POINT


def test_sentences_keep_their_order() -> None:
    message = f"I bought a red kayak. {GREETING} {POINT}"
    kept = telling(message, worth(kayak=9.0, bicycle=5.0), most_words=14)
    assert kept == f"I bought a red kayak. {POINT}"


def test_one_endless_sentence_is_kept() -> None:
    endless = "word " * 500
    assert telling(endless, {}) == endless


def test_the_most_telling_sentence_is_kept_whatever_its_length() -> None:
    long = "the kayak " * 40 + "."
    assert telling(f"{long} Thanks!", worth(kayak=9.0), most_words=5) == long
