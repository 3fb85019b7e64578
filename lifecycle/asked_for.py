"""What a question asks for, as far as the order of tellings goes by it: what was, what is one of several, or what is.

English. A question that is read wrongly keeps its order by relevance, or costs a hit a place. Pure.
"""

from __future__ import annotations

import regex

from lifecycle.claim_words import MANY_VERBS

_PAST = regex.compile(
    r"\b(?:used\s+to|before|previous(?:ly)?|former(?:ly)?|originally|earlier|initially|first|back\s+then|at\s+the\s+time"
    r"|in\s+the\s+past|once|ever|history|(?<!how\s)old|past|ago|until|last\s+(?:week|month|year)|chang(?:e|ed|es)"
    r"|moved?\s+from|did|was|were|had)\b",
    regex.IGNORECASE,
)
_VERB = r"(?:do|does|did|is|am|are|was|were|have|has|had|can|could|should|will|would|must|may|might)(?:n['’]t)?\b"
_SEVERAL = regex.compile(
    rf"^\W*(?:what|which|whose)\s+(?:(?!{_VERB})[\p{{L}}'’-]+\s+){{0,3}}?(?!{_VERB})[\p{{L}}'’-]*[^\Wsui]s\b"
    r"|\b(?:who|what|which)\s+are\b|\b(?:all|every|both|list|how\s+many)\b",
    regex.IGNORECASE,
)
_OPEN = regex.compile(r"\b(?:what|who|whom|which|where)\b", regex.IGNORECASE)
_BEST = frozenset({"best", "most", "favourite", "favorite", "main", "primary"})
_HOLDS_OF_MANY = MANY_VERBS | {"allergic", "subscribe", "member", "collect", "volunteer", "follow"}
_WORD = regex.compile(r"[\p{L}'’]+")


def asks_for_past(question: str) -> bool:
    """Whether a question has words that ask for what was, or for how something changed."""
    return _PAST.search(question) is not None


def asks_for_several(question: str) -> bool:
    """Whether a question asks for more than one: "which cities", "what are", "all"."""
    return _SEVERAL.search(question) is not None


def may_have_several(question: str) -> bool:
    """Whether a question's verb holds of many things at once ("what do I like?"), and none of them is singled out.

    When and how something is done has one answer.
    """
    words = {word.casefold() for word in _WORD.findall(question)}
    return _OPEN.search(question) is not None and bool(words & _HOLDS_OF_MANY) and not words & _BEST
