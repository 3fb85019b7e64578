"""Of whom a text tells, as far as the order of tellings goes by it, and whether it says what is so. English; pure."""

from __future__ import annotations

from collections.abc import Sequence

import regex

from lifecycle.claim_words import UNCERTAIN
from retrieval.analysis.folding import folded_text
from retrieval.analysis.stop_words import ENGLISH

_SPEAKER = frozenset({"i", "me", "my", "mine", "myself", "i'm", "i've", "i'd", "i'll"})
_PEOPLE = frozenset(
    """
    child kid son daughter brother sister sibling cousin aunt uncle nephew niece grandchild grandson granddaughter
    grandmother grandfather parent mother mom mum father dad wife husband spouse partner friend boyfriend girlfriend
    colleague neighbour neighbor roommate flatmate classmate teammate boss manager landlord landlady teacher
    """.split()  # noqa: SIM905
)
_POSSESSED = regex.compile(
    r"(?:\b(?i:my|our)|\b\p{Lu}\p{L}+['’]s)\s+(?:(?i:new|best|old|last|little|big)\s+)?"
    r"(?:(?P<owner>\p{Ll}+)['’]s\b|(?P<actor>\p{Ll}+)\s+(?!(?:is|are|was|has|have|became)\b)\p{Ll})"
)
"""Somebody's "uncle's new number", or somebody's uncle who does something; not "my boss is"."""
_SAYS_WHO = regex.compile(r"\b(?:and|&|of)\b", regex.IGNORECASE)
_VALUE = regex.compile(
    r"(?<=[\p{L}\p{N},;)]\s)\p{Lu}[\p{L}\p{N}'’-]+|[\p{L}'’.@+-]*+\p{N}[\p{L}\p{N}'’.@+-]*"
    r"|[\p{L}'’.@+-]++(*SKIP)(*FAIL)"  # a run without a number is read once, not once from each of its letters
)
_WORD = regex.compile(r"[\p{L}\p{N}][\p{L}\p{N}'’.@+-]*")
_UNSURE = UNCERTAIN - {"saying"}  # "just saying" is no hearsay
_PLANS = regex.compile(r"\bplans?\s+to\b", regex.IGNORECASE)
_WAS = regex.compile(
    r"(?<!\b(?:am|is|are|was|were|be|been|being|has|have|had|got|get|[\p{L}]+['’](?:m|s|re|ve))\s(?:\p{L}+ly\s)?)"
    r"\b(?:\p{Ll}+[^\We]ed|(?:was|were)(?!\s\p{Ll}+ed\b)|had)\b"
)
"""A verb in the simple past; "is based", "has moved" and "was moved" are none."""
_ALSO_NAMES = frozenset({"Will", "May", "Hope"})


def words_of(text: str) -> list[str]:
    """The words of a text, as they are written."""
    return [word.rstrip(".") for word in _WORD.findall(text)]


def folded(words: Sequence[str]) -> frozenset[str]:
    """Words without regard to capitals."""
    return frozenset(word.casefold().replace("’", "'") for word in words)


def names_in(names: Sequence[str], text: str) -> frozenset[str]:
    """Names of a question that a text has; of "the CEO of Acme" it is Acme that counts."""
    owners = (folded_text(_SAYS_WHO.split(name)[-1].strip()) for name in names)
    whole = folded_text(text)
    return frozenset(name for name in owners if name and name in whole)


def is_of_speaker(words: frozenset[str]) -> bool:
    """Whether folded words have the first person among them."""
    return not words.isdisjoint(_SPEAKER)


def others_in(text: str) -> frozenset[str]:
    """Those of somebody's people and things that a text tells of instead of themselves ("my uncle works at")."""
    found = _POSSESSED.finditer(text)
    nouns = ((match["owner"], match["actor"]) for match in found)
    return frozenset(owner or actor for owner, actor in nouns if owner or actor in _PEOPLE)


def values_in(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Folded words of a text that look like what it says of something: names inside a sentence, and numbers."""
    found = folded(words_of(" ".join(_VALUE.findall(text)))) - ENGLISH - _SPEAKER
    numbers = frozenset(word for word in found if any(letter.isdigit() for letter in word))
    return found - numbers, numbers


def states(text: str, words: Sequence[str]) -> bool:
    """Whether a text says what is so: it neither asks, doubts, wishes, plans nor tells of what used to be."""
    plain = folded([word for at, word in enumerate(words) if at == 0 or word not in _ALSO_NAMES])
    return "?" not in text and not plain & _UNSURE and "used" not in plain and _PLANS.search(text) is None


def is_past(text: str) -> bool:
    """Whether a text has a verb in the simple past: what was, unless something changed by it."""
    return _WAS.search(text) is not None
