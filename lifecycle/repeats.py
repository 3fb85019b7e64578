"""What several episodes say: the same claim, or nearly the same statement, in sessions of their own. Pure.

Two statements are the same if the same speaker makes them and

- both make one claim about the same (`lifecycle.claims`) with the same value; or
- neither makes a claim, both are short, neither asks, their vectors have a cosine of at least 0.9, and they share at
  least 0.6 of their words (Jaccard, stems without stop words), every number and every word of denial.

Near vectors alone are not enough: "on Mondays" and "on Tuesdays" are as near as "on Mondays" and "each Monday". Of a
claim that has one value at a time only the value that was said last is kept, and none if somebody who is trusted more
has said another since. 0.9 and 0.6 are chosen, not fitted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
import regex
from numpy.typing import NDArray

from lifecycle.claims import Claim, claims
from lifecycle.conflict import same_value
from lifecycle.rollup import Episode, Scope
from retrieval.analysis.folding import folded_text
from retrieval.analysis.terms import stems

NEAR, SHARED = 0.9, 0.6
_LEAST_TERMS, _MOST_WORDS = 3, 40
_BLOCK = 1024
_MOST_STATEMENTS = 20_000
"""So many statements without a claim are compared with each other, the newest."""
_NUMBER = regex.compile(r"\p{N}+")
_DENIAL = regex.compile(r"\b(?:no|not|never|none|nobody|nothing|neither|nor|without|cannot|\p{L}+n['’]t)\b")

Group = tuple[Scope, str]


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """What an episode says, and who says it."""

    episode: Episode
    text: str
    speaker: str | None

    @property
    def occasion(self) -> Hashable:
        """The session, or without one the day: what is said twice in it counts once."""
        episode = self.episode
        return episode.moment.date() if episode.session is None else episode.session

    @property
    def group(self) -> Group:
        """Only statements of one group are compared."""
        return self.episode.scope, folded_text(self.speaker or "")


_About = tuple[Group, str, str]
_Told = tuple[Statement, Claim]


@dataclass(frozen=True, slots=True, eq=False)
class Repeated:
    """That several episodes say the same.

    Attributes:
        said: all of them, in the order of time.
        text: in the words of the last of them.
        support: occasions on which it was said.
    """

    said: tuple[Statement, ...]
    text: str
    support: int


def repeated(statements: Iterable[Statement], support: int, above: Iterable[Statement] = ()) -> list[Repeated]:
    """What at least so many occasions say, in the order of the first of them.

    Args:
        above: what is trusted more. It lends no support; it only ends what it contradicts.
    """
    claimed: defaultdict[_About, list[_Told]] = defaultdict(list)
    ending: defaultdict[_About, list[_Told]] = defaultdict(list)
    for statement in above:
        for claim in claims(statement.text, statement.speaker):
            ending[statement.group, claim.subject, claim.attribute].append((statement, claim))
    plain: defaultdict[Group, list[Statement]] = defaultdict(list)
    for statement in sorted(statements, key=lambda one: (one.episode.moment, one.episode.id)):
        made = claims(statement.text, statement.speaker)
        for claim in made:
            claimed[statement.group, claim.subject, claim.attribute].append((statement, claim))
        if not made and is_statement(statement.text):
            plain[statement.group].append(statement)
    found = [one for about, told in claimed.items() for one in _same_claims(told, support, ending.get(about, ()))]
    found += [one for told in plain.values() for one in _same_words(told[-_MOST_STATEMENTS:], support)]
    return sorted(found, key=lambda one: (one.said[0].episode.moment, one.said[0].episode.id, one.text))


def is_statement(text: str) -> bool:
    """Whether a text is short, says something, and asks nothing."""
    return "?" not in text and len(text.split()) <= _MOST_WORDS and len(set(stems(text))) >= _LEAST_TERMS


def _same_claims(told: Sequence[_Told], support: int, above: Sequence[_Told]) -> list[Repeated]:
    values: list[list[_Told]] = []
    for statement, claim in told:
        same = next((value for value in values if _is_same(value[-1][1], claim)), None)
        if same is None:
            values.append([(statement, claim)])
        else:
            same.append((statement, claim))
    latest = max(values, key=lambda value: _place(value[-1]))
    if any(claim.is_single for _, claim in told):
        values = [] if _is_ended(latest[-1], above) else [latest]
    found = []
    for value in values:
        statement, claim = value[-1]
        if claim.value:
            text = statement.text[claim.start : claim.end].strip()
            found += _supported([statement for statement, _ in value], text, support)
    return found


def _place(told: _Told) -> tuple[datetime, UUID]:
    """Where it stands from old to new."""
    return told[0].episode.moment, told[0].episode.id


def _is_ended(latest: _Told, above: Sequence[_Told]) -> bool:
    """Whether the last of what is trusted more came later and says something else."""
    last = max(above, key=_place, default=None)
    return last is not None and _place(last) > _place(latest) and not _is_same(latest[1], last[1])


def _is_same(one: Claim, other: Claim) -> bool:
    return bool(one.value) == bool(other.value) and same_value(one.value, other.value)


def _same_words(told: Sequence[Statement], support: int) -> list[Repeated]:
    """Groups of statements, each near one that is in the group already."""
    having = [one for one in told if one.episode.vector is not None]
    if len(having) < support:
        return []
    words = [frozenset(stems(one.text)) for one in having]
    exact = [(frozenset(_NUMBER.findall(one.text)), frozenset(_DENIAL.findall(one.text.casefold()))) for one in having]
    group = list(range(len(having)))

    def root(place: int) -> int:
        while group[place] != place:
            group[place] = group[group[place]]
            place = group[place]
        return place

    vectors = np.stack([one.episode.vector for one in having if one.episode.vector is not None])
    for one, other in _near(vectors):
        shared = len(words[one] & words[other]) / len(words[one] | words[other])
        if exact[one] == exact[other] and shared >= SHARED and root(one) != root(other):
            group[root(other)] = root(one)
    members: defaultdict[int, list[Statement]] = defaultdict(list)
    for place, statement in enumerate(having):
        members[root(place)].append(statement)
    return [one for same in members.values() for one in _supported(same, same[-1].text.strip(), support)]


def _near(vectors: NDArray[np.float32]) -> Iterable[tuple[int, int]]:
    """Pairs of rows that are near, in ascending order."""
    for start in range(0, len(vectors), _BLOCK):
        products = vectors[start : start + _BLOCK] @ vectors[start:].T
        ones, others = np.nonzero(np.triu(products >= NEAR, 1))
        yield from zip((ones + start).tolist(), (others + start).tolist(), strict=True)


def _supported(said: Sequence[Statement], text: str, support: int) -> list[Repeated]:
    occasions = len({statement.occasion for statement in said})
    return [Repeated(tuple(said), text, occasions)] if occasions >= support else []
