"""Which of two memories that tell different things of the same stands first among hits: the later one. Pure.

What is held true changes, and the job `conflict` hides only what it is sure of. Where two hits answer a question about
equally well and are nearly the same sentence but for what they say ("Ada lives in Oslo", "Ada has moved to Bergen"), an
order by relevance is a coin toss; what was told later is more likely so. The order of hits is all that changes: the
later one goes right before the earlier, and nothing is found, left out or said to be outdated by it. So this may be
bolder than the job: a pair that was swapped in vain costs a place.

Two hits tell of the same, for a question, if

- both are held true (semantic), written by somebody, short, and alike in whose they are and who says them;
- both are about whom it asks for: every name of the question that the earlier one has, the later one has too, so with
  the first person, and the later one tells of nobody's uncle instead (`lifecycle.told_of`);
- both are about what it asks for: every other word of the question that the earlier one has, the later one has too,
  and their vectors are alike, `ALIKE` at least. One that says that something changed ("new", "moved", "no longer", or
  what the earlier one said, by name) need not repeat every word, as long as whom or half the words tell what of, may be
  less alike (`CHANGED_ALIKE`) and of a much lower score: words that were left out are what a score misses most;
- the later one states something: it neither asks, nor doubts, wishes, plans or tells of the past, unless something
  changed by what was done; and it is no repeat;
- their scores lie no further apart than a bound: else one of them answers and the other does not.

A question for what was, or for several ("which cities"), is answered in the order of relevance (`lifecycle.asked_for`).
What holds of many things at once ("what do I like?") gives way only to what says that the earlier one is over.
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

from lifecycle.asked_for import asks_for_several, may_have_several
from lifecycle.told_of import folded, is_of_speaker, is_past, names_in, others_in, states, values_in, words_of
from retrieval.analysis.terms import stems

ALIKE = 0.65
"""Least dot product of two (unit) vectors that tell of the same."""
CHANGED_ALIKE = 0.6
"""The same where the later one says that something changed."""
CHANGED_APART = 4.0
"""So many times as far apart may scores lie then."""
MOST_LEFT_OUT = 1
"""So many words of the question may be left out then."""
MOST_WORDS = 40
"""A longer text tells of several things, and the later of two need not tell of the one that is asked for."""
LOOKED_AT = 10
"""So many hits are looked at, the best, however many were asked for: which memories are among them is not changed."""

_CHANGE = frozenset(
    """
    new newest now nowadays anymore longer instead change changed changes switch switched switches move moved moves
    relocated become became becomes replace replaced replaces left quit stop stopped start started join joined turned
    rescheduled postponed extended raised lowered renamed appointed elected succeeded took hired promoted sold
    """.split()  # noqa: SIM905
)
"""Words with which a text says that something is not as it was."""
_PERFECT = regex.compile(
    r"(?:\b(?:has|have)|['’]ve)\s+(?:just\s+)?(?:become|gone|got|gotten|taken|found|\p{Ll}{2,}[^\We]ed)\b"
)
"""Present perfect: what has happened matters now."""
_END = frozenset({"anymore", "longer", "instead", "switched", "replaced", "stopped", "quit", "left", "sold", "changed"})
"""Words with which a text says that something is over."""


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


@dataclass(frozen=True, slots=True)
class _Read:
    """A telling with what is read out of it for a question.

    Attributes:
        asked: terms of the question that it has.
        names: names of the question that it has.
        others: whom it tells of instead of those.
        values: names in it that the question has not.
        numbers: numbers in it that the question has not.
    """

    telling: Telling
    words: frozenset[str]
    asked: frozenset[str]
    names: frozenset[str]
    others: frozenset[str]
    values: frozenset[str]
    numbers: frozenset[str]
    changes: bool
    states: bool
    is_past: bool

    def repeats_value_of(self, older: _Read) -> bool:
        """Whether it has what an older telling said, by name or number."""
        is_numbered = bool(older.numbers) and older.numbers <= self.words
        return is_numbered or not self.words.isdisjoint(older.values)


def told_later(hits: Sequence[Telling], question: str, names: Sequence[str], apart: float) -> dict[UUID, set[UUID]]:
    """For hits, those behind them that tell of the same and were told later.

    Args:
        hits: best first.
        question: in words.
        names: that it has.
        apart: standard deviations of score that the two may lie apart.
    """
    found: defaultdict[UUID, set[UUID]] = defaultdict(set)
    if asks_for_several(question):
        return {}
    short = [(hit, words) for hit in hits[:LOOKED_AT] if len(words := words_of(hit.text)) <= MOST_WORDS]
    if len(short) < 2:
        return {}
    asked = _Asked(question, names, apart)
    read = [asked.read(hit, words) for hit, words in short]
    rows = np.stack([hit.vector for hit, _ in short]).astype(np.float64)
    alike = rows @ rows.T
    for ahead, behind in np.argwhere(np.triu(alike >= CHANGED_ALIKE, 1)).tolist():
        one, other = read[ahead], read[behind]
        if one.telling.place < other.telling.place and asked.tells_of_same(one, other, alike[ahead, behind]):
            found[one.telling.id].add(other.telling.id)
    return dict(found)


class _Asked:
    """A question that tellings are compared for."""

    def __init__(self, question: str, names: Sequence[str], apart: float) -> None:
        self._words = folded(words_of(question))
        self._terms = frozenset(stems(question))
        self._names = names
        self._apart = apart
        self._is_open = may_have_several(question)

    def read(self, telling: Telling, written: Sequence[str]) -> _Read:
        """A telling of these words, as far as the question asks for it."""
        values, numbers = values_in(telling.text)
        words = folded(written)
        changes = not words.isdisjoint(_CHANGE) or _PERFECT.search(telling.text) is not None
        return _Read(
            telling=telling,
            words=words,
            asked=self._terms.intersection(stems(telling.text)),
            names=names_in(self._names, telling.text),
            others=others_in(telling.text) - self._words,
            values=values - self._words,
            numbers=numbers - self._words,
            changes=changes,
            states=states(telling.text, written),
            is_past=is_past(telling.text),
        )

    def tells_of_same(self, older: _Read, newer: _Read, alike: float) -> bool:
        """Whether a newer telling, `alike` to an older one, may go before it."""
        if older.telling.whose != newer.telling.whose or older.words == newer.words or not newer.states:
            return False
        of_speaker = is_of_speaker(self._words) and is_of_speaker(older.words)
        if not older.names <= newer.names or newer.others or (of_speaker and not is_of_speaker(newer.words)):
            return False
        repeats = newer.repeats_value_of(older)
        is_changed = repeats or newer.changes
        if newer.is_past and not is_changed:
            return False
        if self._is_open and not repeats and newer.words.isdisjoint(_END):
            return False
        left_out = older.asked - newer.asked
        says_whom = of_speaker or bool(older.names) or 2 * len(left_out) <= len(older.asked)
        if left_out and not repeats and not (is_changed and says_whom and len(left_out) <= MOST_LEFT_OUT):
            return False
        bound = self._apart * (CHANGED_APART if is_changed else 1.0)
        return alike >= (CHANGED_ALIKE if is_changed else ALIKE) and (
            older.telling.score - newer.telling.score <= bound
        )
