"""Which of two memories that tell different things of the same stands first among hits: the later one. Pure.

What is held true changes, and the job `conflict` hides only what it is sure of. Where two hits answer a question about
equally well and are nearly the same sentence but for what they say ("Ada lives in Oslo", "Ada has moved to Bergen"), an
order by relevance is a coin toss; what was told later is more likely so. The order of hits is all that changes: the
later one goes right before the earlier, and nothing is found, left out or said to be outdated by it. So this may be
bolder than the job: a pair that was swapped in vain costs a place.

Two hits tell of the same, for a question, if

- both are held true (semantic), written by somebody, short, and alike in whose they are and who says them;
- their vectors are alike, `ALIKE` at least, and their words are not the same: a repeat changes nothing;
- every name of the question that the earlier one has, the later one has too: else it tells of somebody else;
- every other word of the question that the earlier one has, the later one has too, or it says that something changed
  ("new", "now", "moved", "no longer"): else it tells of something else;
- the later one states something: it neither asks, nor doubts, wishes, plans or tells of the past;
- their scores lie no further apart than a bound: else one of them answers and the other does not.

A question for what was (`asks_for_past`) is answered in the order of relevance.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import regex
from numpy.typing import NDArray

from lifecycle.claim_words import UNCERTAIN
from retrieval.analysis.folding import folded_text
from retrieval.analysis.terms import stems

ALIKE = 0.65
"""Least dot product of two (unit) vectors that tell of the same."""
MOST_WORDS = 40
"""A longer text tells of several things, and the later of two need not tell of the one that is asked for."""
LOOKED_AT = 50
"""So many hits are looked at, the best: a bound on the work, which is its square."""

_CHANGE = frozenset(
    """
    new newest now nowadays anymore longer instead change changed changes switch switched switches move moved moves
    relocated become became becomes replace replaced replaces left quit stop stopped start started join joined turned
    rescheduled postponed extended raised lowered renamed appointed elected succeeded took hired promoted sold
    """.split()  # noqa: SIM905
)
"""Words with which a text says that something is not as it was."""

_WORD = regex.compile(r"[\p{L}\p{N}][\p{L}\p{N}'’.@+-]*")
_PAST = regex.compile(
    r"\b(?:used\s+to|before|previous(?:ly)?|former(?:ly)?|originally|earlier|initially|first|back\s+then|at\s+the\s+time"
    r"|in\s+the\s+past|once|ever|history|(?<!how\s)old|past|ago|until|last\s+(?:week|month|year)|chang(?:e|ed|es)|moved?\s+from)\b",
    regex.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Telling:
    """A hit that is held true.

    Attributes:
        whose: whose it is and who says it: what differs in this is not compared.
        place: where it stands from old to new: from when it is true as far as is known, when it happened, when it was
            recorded (`lifecycle.conflict`).
        score: in standard deviations, as the order of hits has it.
        vector: of its first view, unit length.
    """

    id: UUID
    text: str
    whose: tuple[Any, ...]
    place: tuple[datetime, datetime, datetime]
    score: float
    vector: NDArray[np.float32]


def asks_for_past(question: str) -> bool:
    """Whether a question has words that ask for what was, or for how something changed."""
    return _PAST.search(question) is not None


def told_later(hits: Sequence[Telling], question: str, names: Sequence[str], apart: float) -> dict[UUID, set[UUID]]:
    """For hits, those behind them that tell of the same and were told later.

    Args:
        hits: best first.
        question: in words.
        names: that it has.
        apart: standard deviations of score that the two may lie apart.
    """
    found: defaultdict[UUID, set[UUID]] = defaultdict(set)
    looked_at = [(hit, _words(hit.text)) for hit in hits[:LOOKED_AT]]
    looked_at = [(hit, words) for hit, words in looked_at if len(words) <= MOST_WORDS]
    if len(looked_at) < 2:
        return {}
    rows = np.stack([hit.vector for hit, _ in looked_at]).astype(np.float64)
    asked = {folded_text(name) for name in names}
    named = [{name for name in asked if name in folded_text(hit.text)} for hit, _ in looked_at]
    terms = set(stems(question))
    worded = [terms.intersection(stems(hit.text)) for hit, _ in looked_at]
    changes = [not _CHANGE.isdisjoint(_folded(words)) for _, words in looked_at]
    states = [_states(hit.text, words) for hit, words in looked_at]
    for ahead, behind in np.argwhere(np.triu(rows @ rows.T >= ALIKE, 1)).tolist():
        (one, words), (other, others) = looked_at[ahead], looked_at[behind]
        is_same = one.whose == other.whose and named[ahead] <= named[behind]
        is_same = is_same and (worded[ahead] <= worded[behind] or changes[behind])
        says_other = states[behind] and _folded(words) != _folded(others)
        if is_same and says_other and one.place < other.place and one.score - other.score <= apart:
            found[one.id].add(other.id)
    return dict(found)


def _states(text: str, words: Sequence[str]) -> bool:
    """Whether a text says that something is so."""
    opening = words[0].lower() if words else ""
    plain = {opening, *(word for word in words if word[0].islower())}  # "Will" and "May" are names too
    return "?" not in text and not plain & UNCERTAIN and "used" not in plain


def _words(text: str) -> list[str]:
    return [word.rstrip(".") for word in _WORD.findall(text)]


def _folded(words: Sequence[str]) -> list[str]:
    return [word.casefold() for word in words]
