"""Which names of a namespace stand for the same party, learned from the names themselves.

Pure, and reversible: memories keep the ids of what they mention, and a question is asked for a whole group of ids.

Two names are tied by one of these rules, and only if no second party fits the same rule:

| rule | example | confidence |
|---|---|---|
| `same`: equal but for titles, accents, punctuation, legal forms | Dr. Ada Lovelace, Ada Lovelace | 0.95 |
| `told`: a memory says so | Robert Mbeki, also known as the Falcon | 0.9 |
| `part`: first or last word of a person's name; the name without a middle one | Lovelace, Ada Lovelace | 0.8 |
| `initials`: the first letters of its words | IBM, International Business Machines | 0.8 |
| `short`: a known short form, or three letters or more that one name begins with | Bob, Robert; Mel, Melanie | 0.7 |
| `spelling`: one letter differs inside six or more, and one of them is rare | Lovelace, Lovalace | 0.7 |

`told` ties a name to the one that it was said to belong to, unless it was said to belong to two parties: then to none.
What was said counts for more than that the two stand in one memory, for them and for the forms of either.
`part` needs a sign that this is a person: a known given name, a title, or a third name that is mentioned beside both.
`short` needs such a third name. Names tied by `short` or `spelling` that stand in the same memory are two parties; so
are Mr. and Mrs. Smith. That holds for whole groups: a tie that would bring two such names into one group is left out,
weaker ties first. What people say (`Decisions`) joins and parts names for good, and always wins.

Edit distances are RapidFuzz's (optimal string alignment); candidates are found by deletions (Garbe's SymSpell), so that
a name is compared with a handful of others however many there are. What is known of a group depends on the names that
hang together with it alone: it is worked out when it is asked for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import nlargest, nsmallest
from itertools import combinations
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA

from retrieval.analysis.given_names import is_given_name, long_forms, short_forms
from retrieval.analysis.mentions import mention_id
from retrieval.names import Name, name
from retrieval.types import Resolved

SAME, TOLD, PART, INITIALS, SHORT, SPELLING = "same", "told", "part", "initials", "short", "spelling"
CONFIDENCE = {SAME: 0.95, TOLD: 0.9, PART: 0.8, INITIALS: 0.8, SHORT: 0.7, SPELLING: 0.7}

_SHORTEST = 3
_SHORTENED_BY = 2
_SPELLED_FROM = 6
_RARE = 5
"""A spelling is taken for a slip if the other one is mentioned so many times as often."""
_MOST_PARTIES = 8
"""Of more names that fit a rule none is looked at for slips: they are more than one party in any case."""
_MOST_OTHERS = 4
_MOST_TELLING = 16
"""Memories that are named at most as those that tell of a tie."""
_MOST_TIED = 64
"""Names looked at together at most; what hangs together further is left apart."""


class AliasSource(Protocol):
    """Knows which mentions stand for the same entity in a namespace."""

    def expand(self, names: Sequence[str]) -> list[NDArray[np.uint64]]:
        """For each name the ids of all mentions that stand for it, its own among them, ascending; uint64 `[a]`.

        A name that no memory mentions is resolved like one that some memory does: its own id stays in its group.
        """
        ...


@dataclass(frozen=True, slots=True)
class Tie:
    """Why two names are held for one: a rule and how far it is to be trusted.

    `told_by` are the memories that say so, by the order of their ids as texts, the first 16; of `told` ties alone.
    """

    one: str
    other: str
    rule: str
    confidence: float
    told_by: tuple[Hashable, ...] = ()


@dataclass(frozen=True, slots=True)
class AliasGroup:
    """Names that stand for one entity, the most frequent first.

    Attributes:
        names: the names with their ids.
        counts: memories that mention each.
        memories: memories that mention any of them.
        ties: what holds the group together; `decided` ones are not among them.
        confidence: that of the weakest tie; 1 for a single name and for what was decided.
    """

    names: tuple[Name, ...]
    counts: tuple[int, ...]
    memories: int
    ties: tuple[Tie, ...]
    confidence: float

    @property
    def ids(self) -> NDArray[np.uint64]:
        """Ids of the mentions, ascending; uint64 `[a]`."""
        return np.sort(np.array([one.id for one in self.names], np.uint64))


@dataclass(frozen=True, slots=True)
class Shared:
    """That two parties are mentioned together: their places among the parties, and by how many memories.

    `told_by` are those memories, the first 16 by the order of their ids as texts from the last: the newest, where ids
    grow with time.
    """

    one: int
    other: int
    memories: int
    told_by: tuple[Hashable, ...]


@dataclass(frozen=True, slots=True)
class Decisions:
    """What people said about names: each mention id that they decided on -> the entity that it stands for.

    Mentions of one entity are together, those of two are apart, whatever was learned.
    """

    entity_of: Mapping[int, Hashable] = field(default_factory=dict)

    def together(self, mention: int) -> list[int]:
        """Mentions that were decided to stand for the same as this one, itself not among them."""
        entity = self.entity_of.get(mention)
        if entity is None:
            return []
        return [other for other, of in self.entity_of.items() if of == entity and other != mention]


NO_DECISIONS = Decisions()


class NameTable:
    """The names that the memories of a namespace mention. Not thread-safe."""

    def __init__(self) -> None:
        self._names: dict[int, Name] = {}
        self._forms: dict[int, Counter[str]] = {}  # name -> how it is written, how often
        self._memories: dict[int, set[int]] = {}  # name -> memories
        self._rows: dict[Hashable, tuple[int, tuple[str, ...]]] = {}  # memory -> number, mentions as written
        self._said: dict[Hashable, tuple[tuple[int, int], ...]] = {}  # memory -> other name, name
        self._told_of: dict[int, dict[int, set[Hashable]]] = {}  # other name -> name -> memories that say so
        self._told_as: dict[int, set[int]] = {}  # name -> other names
        self._mentioned: dict[int, tuple[int, ...]] = {}  # number of a memory -> names
        self._by_core: dict[str, set[int]] = defaultdict(set)
        self._by_end: dict[str, set[int]] = defaultdict(set)
        self._by_start: dict[str, set[int]] = defaultdict(set)
        self._by_initials: dict[str, set[int]] = defaultdict(set)
        self._by_deletion: dict[str, set[int]] = defaultdict(set)
        self._number = 0
        # Worked out since the last change.
        self._slips: dict[int, list[Name]] = {}
        self._tied: dict[int, list[tuple[Name, str]]] = {}
        self._links: dict[int, list[Name]] = {}

    def __len__(self) -> int:
        """Number of names."""
        return len(self._names)

    def put(self, memory: Hashable, mentions: Iterable[str], said: Iterable[tuple[str, str]] = ()) -> None:
        """Say what a memory mentions; what it mentioned before is forgotten.

        Args:
            memory: its id.
            mentions: names as it has them.
            said: what it says of those: another name and the name that it belongs to.
        """
        self.remove(memory)
        self._changed()
        self._number += 1
        written = tuple(mentions)
        ids = []
        for text in written:
            told = name(text)
            if told.id not in self._names:
                self._names[told.id] = told
                self._memories[told.id], self._forms[told.id] = set(), Counter()
                for table, key in self._keys(told):
                    table[key].add(told.id)
            ids.append(told.id)
            self._memories[told.id].add(self._number)
            self._forms[told.id][text] += 1
            self._rename(told.id)
        if ids:
            self._rows[memory] = (self._number, written)
            self._mentioned[self._number] = tuple(ids)
        self._tell(memory, said, set(ids))

    def remove(self, memory: Hashable) -> None:
        """Forget a memory, and the names that no other one mentions."""
        self._untell(memory)
        number, written = self._rows.pop(memory, (0, ()))
        if number:
            self._changed()
        for mention, text in zip(self._mentioned.pop(number, ()), written, strict=True):
            self._forms[mention] -= Counter([text])  # what is left of a form that nobody writes any more is nothing
            self._memories[mention].discard(number)
            self._rename(mention)
            if not self._forms[mention]:
                del self._memories[mention], self._forms[mention]
                for table, key in self._keys(self._names.pop(mention)):
                    table[key].discard(mention)
                    if not table[key]:
                        del table[key]

    def _changed(self) -> None:
        """Let go of what was worked out."""
        for known in (self._slips, self._tied, self._links):
            known.clear()

    def _tell(self, memory: Hashable, said: Iterable[tuple[str, str]], mentioned: set[int]) -> None:
        pairs = dict.fromkeys((mention_id(alias), mention_id(whole)) for alias, whole in said)
        told = tuple(pair for pair in pairs if pair[0] != pair[1] and mentioned.issuperset(pair))
        for alias, whole in told:
            self._told_of.setdefault(alias, {}).setdefault(whole, set()).add(memory)
            self._told_as.setdefault(whole, set()).add(alias)
        if told:
            self._said[memory] = told

    def _untell(self, memory: Hashable) -> None:
        for alias, whole in self._said.pop(memory, ()):
            wholes = self._told_of[alias]
            wholes[whole].discard(memory)
            if not wholes[whole]:
                del wholes[whole]
                self._told_as[whole].discard(alias)
            if not wholes:
                del self._told_of[alias]
            if not self._told_as.get(whole, True):
                del self._told_as[whole]

    def _rename(self, mention: int) -> None:
        """Call a name by the form in which it is written most often; of equally frequent ones by the first in order."""
        forms = self._forms[mention]
        if forms:
            text = min(forms, key=lambda form: (-forms[form], form))
            if text != self._names[mention].text:
                self._names[mention] = replace(self._names[mention], text=text)

    def group(self, text: str, decisions: Decisions = NO_DECISIONS) -> AliasGroup:
        """The names that stand for the same as this one, whether or not a memory mentions it."""
        told = self._names.get(name(text).id) or name(text)
        return self._group(told, decisions)

    def group_of(self, mention: int, decisions: Decisions = NO_DECISIONS) -> AliasGroup | None:
        """The names that stand for the same as the mention of this id; None if no memory mentions it."""
        told = self._names.get(mention)
        return None if told is None else self._group(told, decisions)

    def groups(self, decisions: Decisions = NO_DECISIONS) -> list[AliasGroup]:
        """Every entity: those that most memories mention first, then by the id of their first name."""
        found, seen = [], set[int]()
        for mention, told in self._names.items():
            if mention not in seen:
                group = self._group(told, decisions)
                seen.update(one.id for one in group.names)
                found.append(group)
        return sorted(found, key=lambda group: (-group.memories, group.names[0].id))

    def company(
        self, mention: int, most: int, decisions: Decisions = NO_DECISIONS
    ) -> tuple[list[AliasGroup], list[Shared]]:
        """Who is mentioned together with a party, and who of those with whom else.

        Args:
            mention: the id of any of its names, which some memory mentions.
            most: of those beside it, the ones that most memories mention together with it.
            decisions: what people said about names.

        Returns:
            The parties, the one that was asked for first and then those nearest to it; and what any two of them share.
        """
        parties = [self._group(self._names[mention], decisions)]
        own = self._mentioning(parties[0])
        beside = Counter(i for number in own for i in self._mentioned[number])
        placed = {one.id for one in parties[0].names}
        for i in sorted(beside.keys() - placed, key=lambda i: (-beside[i], i)):
            if len(parties) > most:
                break
            if i not in placed:
                parties.append(self._group(self._names[i], decisions))
                placed.update(one.id for one in parties[-1].names)
        return parties, self._shared([self._mentioning(party) for party in parties])

    def _mentioning(self, party: AliasGroup) -> set[int]:
        """Numbers of the memories that mention any of its names."""
        return set().union(*(self._memories.get(one.id, set()) for one in party.names))

    def _shared(self, mentioning: Sequence[set[int]]) -> list[Shared]:
        """What any two of some sets of memories share, with those that share something."""
        pairs = {
            (one, other): both
            for one, other in combinations(range(len(mentioning)), 2)
            if (both := mentioning[one] & mentioning[other])
        }
        wanted = set().union(*pairs.values())
        memory_of = {number: memory for memory, (number, _) in self._rows.items() if number in wanted}
        return [
            Shared(one, other, len(both), tuple(nlargest(_MOST_TELLING, (memory_of[i] for i in both), key=str)))
            for (one, other), both in pairs.items()
        ]

    def expand(self, names: Sequence[str], decisions: Decisions = NO_DECISIONS) -> list[NDArray[np.uint64]]:
        """See `AliasSource`."""
        return [one.ids for one in self.resolve(names, decisions)]

    def resolve(self, names: Sequence[str], decisions: Decisions = NO_DECISIONS) -> list[Resolved]:
        """What each name stands for; at most four other names, those that most memories mention."""
        return [self._resolved(name(text), self.group(text, decisions), decisions) for text in names]

    def _resolved(self, asked: Name, group: AliasGroup, decisions: Decisions) -> Resolved:
        is_decided = any(one.id in decisions.entity_of for one in group.names)
        is_said = is_decided or any(tie.rule == TOLD for tie in group.ties)
        others = [one.text for one in group.names if is_said and not _is_form(one, asked)]
        return Resolved(group.ids, tuple(others[:_MOST_OTHERS]))

    def _keys(self, told: Name) -> Iterator[tuple[dict[str, set[int]], str]]:
        """Where a name can be looked up."""
        yield self._by_core, told.core
        if told.is_personal:
            yield self._by_start, told.words[0][:_SHORTEST]
            if len(told.words) > 1:
                yield self._by_end, told.words[0]
                if told.words[-1] != told.words[0]:
                    yield self._by_end, told.words[-1]
        if told.initials:
            yield self._by_initials, told.initials
        yield from ((self._by_deletion, key) for key in _deletions(told.core))

    def _ties(self, told: Name) -> list[tuple[Name, str]]:
        """Names tied to one, with the rule; a name that no memory mentions changes nothing between the others."""
        found = self._tied.get(told.id)
        if found is None:
            found = [(other, rule) for other, rule in self._find_ties(told) if other.id != told.id]
            if told.id in self._names:
                self._tied[told.id] = found
        return found

    def _find_ties(self, told: Name) -> Iterator[tuple[Name, str]]:
        yield from ((other, SAME) for other in self._alike(told))
        yield from ((other, TOLD) for other in self._told(told))
        for rule, wholes in ((PART, self._wholes), (SHORT, self._longs), (INITIALS, self._spelled_out)):
            yield from ((other, rule) for other in self._only(wholes(told)))
            yield from (
                (other, rule)
                for other in self._others(told, rule)
                if self._parties([*wholes(other), told]) == {told.core}
            )
        yield from ((other, SPELLING) for other in self._only(self._meant(told)))
        for other in self._near(told):
            if self._is_slip(other, told) and _cores(self._meant(other)) <= {told.core}:
                yield other, SPELLING

    def _only(self, candidates: list[Name]) -> list[Name]:
        """The candidates if they are one party, else none."""
        return self._some(self._by_core, *cores) if len(cores := self._parties(candidates)) == 1 else []

    def _parties(self, candidates: list[Name]) -> set[str]:
        """Cores of names, those left out that are a slip for another one of them."""
        cores = _cores(candidates)
        if not 1 < len(cores) <= _MOST_PARTIES:
            return cores
        return cores - {one.core for one in candidates if len(meant := _cores(self._meant(one))) == 1 and meant < cores}

    def _told(self, told: Name) -> list[Name]:
        """Names that a memory says stand for the same."""
        found = self._links.get(told.id)
        if found is None:
            aliases = self._told_as.get(told.id, set()) if self._has_few_names(told.id) else set()
            known = [i for i in sorted(aliases) if told.id in self._told_wholes(i)]
            found = [self._names[i] for i in (*self._told_wholes(told.id), *known)]
            if found:
                self._links[told.id] = found
        return found

    def _told_wholes(self, alias: int) -> list[int]:
        """The names that one was said to belong to, if they are one party, else none."""
        wholes = sorted(i for i in self._told_of.get(alias, ()) if self._has_few_names(i))
        if len(wholes) > _MOST_PARTIES:
            return []
        is_one = len(wholes) < 2 or any(all(self._belongs(part, whole) for part in wholes) for whole in wholes)
        return wholes if is_one else []

    def _has_few_names(self, whole: int) -> bool:
        """Whether a name was told to have no more other names than somebody may have."""
        return len(self._told_as.get(whole, ())) <= _MOST_TIED

    def _belongs(self, part: int, whole: int) -> bool:
        """Whether a name is a part of another one or its initials, or a memory says of one that it is the other."""
        if whole in self._told_of.get(part, ()) or part in self._told_of.get(whole, ()):
            return True
        one, other = self._names[part], self._names[whole]
        return set(one.words) <= set(other.words) or (one.is_acronym and one.words[0] == other.initials)

    def _are_told(self, one: Name, other: Name) -> bool:
        """Whether a name was said to be another's, or that of a longer or shorter form of the other."""
        return any(_is_form(link, b) for a, b in ((one, other), (other, one)) for link in self._told(a))

    def _alike(self, told: Name) -> list[Name]:
        """Names with the same words; where there is a Mr. and a Mrs. of that name, those with the same title."""
        same = self._some(self._by_core, told.core)
        titles = {one.title for one in (*same, told)} & {"his", "her"}
        return same if len(titles) < len(("his", "her")) else [one for one in same if one.title == told.title]

    def _wholes(self, told: Name) -> list[Name]:
        """Longer names that this one is a part of."""
        if not told.is_personal:
            return []
        if len(told.words) == 1:
            return self._some(self._by_end, told.words[0])
        return [
            other
            for other in self._some(self._by_end, told.words[-1])
            if len(other.words) > len(told.words)
            and (other.words[0], other.words[-1]) == (told.words[0], told.words[-1])
        ]

    def _longs(self, told: Name) -> list[Name]:
        """Names whose first word this one is short for."""
        if not told.is_word:
            return []
        start = told.words[0]
        found = [
            other
            for word in sorted(long_forms(start))
            for other in (*self._some(self._by_core, word), *self._some(self._by_end, word))
            if other.words[0] == word and other.is_personal
        ]
        if len(start) >= _SHORTEST:
            found += [
                other
                for other in self._some(self._by_start, start[:_SHORTEST])
                if other.words[0].startswith(start) and len(other.words[0]) >= len(start) + _SHORTENED_BY
            ]
        # "Melanie" stands for "Melanie Smith" where she is mentioned by her first name too.
        alone = [other for other in found if len(other.words) == 1]
        return alone if alone and len({other.words[0] for other in found}) == 1 else found

    def _spelled_out(self, told: Name) -> list[Name]:
        """Names whose initials this one is."""
        return self._some(self._by_initials, told.words[0]) if told.is_acronym and len(told.words) == 1 else []

    def _others(self, told: Name, rule: str) -> list[Name]:
        """Names that may be tied to this one as their longer form."""
        if rule == INITIALS:
            return [other for other in self._some(self._by_core, told.initials) if other.is_acronym]
        if not told.is_personal:
            return []
        if rule == PART:
            if len(told.words) == 1:
                return []
            ends = {told.words[0], told.words[-1], f"{told.words[0]} {told.words[-1]}"} - {told.core}
            return self._some(self._by_core, *ends)
        first = told.words[0]
        starts = {first[:size] for size in range(_SHORTEST, len(first) - _SHORTENED_BY + 1)}
        return self._some(self._by_core, *(starts | short_forms(first)))

    def _near(self, told: Name) -> list[Name]:
        """Names whose spelling differs in one place."""
        return [
            other
            for other in self._some(self._by_deletion, *_deletions(told.core))
            if other.core != told.core and _differs_inside(told.core, other.core)
        ]

    def _meant(self, told: Name) -> list[Name]:
        """Names that this one may be a slip for."""
        found = self._slips.get(told.id)
        if found is None:
            found = [other for other in self._near(told) if self._is_slip(told, other)]
            if told.id in self._names:
                self._slips[told.id] = found
        return found

    def _is_slip(self, slip: Name, meant: Name) -> bool:
        return self._count(meant) >= _RARE * max(self._count(slip), 1)

    def _count(self, told: Name) -> int:
        return len(self._memories.get(told.id, ()))

    def _some(self, table: Mapping[str, set[int]], *keys: str) -> list[Name]:
        return [self._names[i] for i in sorted({i for key in keys if key in table for i in table[key]})]

    def _is_told_apart(self, one: Name, other: Name) -> bool:
        """Whether the titles differ, or a memory mentions both and neither is a form of the other or told to be."""
        if {one.title, other.title} == {"his", "her"}:
            return True
        if _is_form(one, other) or self._memories.get(one.id, set()).isdisjoint(self._memories.get(other.id, ())):
            return False
        return not self._are_told(one, other)

    def _share_company(self, one: Name, other: Name) -> bool:
        """Whether some third name is mentioned beside both."""
        return not self._beside(one).isdisjoint(self._beside(other) - {one.id, other.id})

    def _beside(self, told: Name) -> set[int]:
        return {i for number in self._memories.get(told.id, ()) for i in self._mentioned[number]}

    def _allowed(self, one: Name, other: Name, rule: str) -> bool:
        if self._is_told_apart(one, other):
            return False
        if rule == PART and (one.title or other.title or is_given_name(max(one.words, other.words, key=len)[0])):
            return True
        # Of a name that is only asked for no company is known.
        known = one.id in self._memories and other.id in self._memories
        return rule not in (PART, SHORT) or not known or self._share_company(one, other)

    def _hang_together(self, told: Name, decisions: Decisions) -> tuple[dict[int, Name], list[tuple[int, int, str]]]:
        """The names around one that are tied to each other, and the ties."""
        found, ties = {told.id: told}, set[tuple[int, int, str]]()
        waiting = [told]
        while waiting:
            one = waiting.pop()
            decided = [self._names[i] for i in decisions.together(one.id) if i in self._names]
            learned = self._ties(one)
            for other, rule in [*((other, "") for other in decided), *learned]:
                if rule and not self._allowed(one, other, rule):
                    continue
                if other.id not in found:
                    if len(found) >= _MOST_TIED:
                        continue
                    found[other.id] = other
                    waiting.append(other)
                if rule:
                    ties.add((min(one.id, other.id), max(one.id, other.id), rule))
        return found, sorted(ties, key=lambda tie: (-CONFIDENCE[tie[2]], tie))

    def _group(self, told: Name, decisions: Decisions) -> AliasGroup:
        """What hangs together is joined along its ties, the surest first, unless that brings together what is apart."""
        names, ties = self._hang_together(told, decisions)
        members = {i: {i} for i in names}
        for i in names:
            for other in decisions.together(i):
                if other in members and members[other] is not members[i]:
                    _join(members, i, other)
        used: list[tuple[int, int, str]] = []
        for one, other, rule in ties:
            if members[one] is members[other]:
                continue
            if not self._are_apart([names[i] for i in members[one]], [names[i] for i in members[other]], decisions):
                _join(members, one, other)
                used.append((one, other, rule))
        group = members[told.id]
        counts = {i: len(self._memories.get(i, ())) for i in group}
        order = sorted(group, key=lambda i: (-counts[i], -len(names[i].text), i))
        kept = [
            Tie(names[a].text, names[b].text, rule, CONFIDENCE[rule], self._telling(a, b) if rule == TOLD else ())
            for a, b, rule in used
            if a in group
        ]
        return AliasGroup(
            names=tuple(names[i] for i in order),
            counts=tuple(counts[i] for i in order),
            memories=len(set().union(*(self._memories.get(i, set()) for i in group))),
            ties=tuple(kept),
            confidence=min((tie.confidence for tie in kept), default=1.0),
        )

    def _telling(self, one: int, other: int) -> tuple[Hashable, ...]:
        """The memories that say that two names stand for the same."""
        found = {m for a, b in ((one, other), (other, one)) for m in self._told_of.get(a, {}).get(b, ())}
        return tuple(nsmallest(_MOST_TELLING, found, key=str))

    def _are_apart(self, some: list[Name], others: list[Name], decisions: Decisions) -> bool:
        decided = [
            {decisions.entity_of[one.id] for one in side if one.id in decisions.entity_of} for side in (some, others)
        ]
        if decided[0] and decided[1] and decided[0] != decided[1]:
            return True
        return any(self._is_told_apart(one, other) for one in some for other in others)


def _cores(names: Iterable[Name]) -> set[str]:
    return {one.core for one in names}


def _is_form(one: Name, other: Name) -> bool:
    """Whether the words of a name are among the other's, or are its initials."""
    if set(one.words) <= set(other.words) or set(other.words) <= set(one.words):
        return True
    return (one.is_acronym and one.words[0] == other.initials) or (other.is_acronym and other.words[0] == one.initials)


def _join(members: dict[int, set[int]], one: int, other: int) -> None:
    joined = members[one] | members[other]
    for i in joined:
        members[i] = joined


def _deletions(core: str) -> set[str]:
    """The core and what is left of it without one of its letters; nothing for short ones."""
    if len(core) < _SPELLED_FROM:
        return set()
    return {core, *(core[:i] + core[i + 1 :] for i in range(len(core)))}


def _differs_inside(one: str, other: str) -> bool:
    """Whether one edit turns one into the other, behind the first and before the last letter and in no number."""
    if one[0] != other[0] or one[-1] != other[-1]:  # Daniel and Daniela, Maria and Mario are two people
        return False
    if [c for c in one if c.isdigit()] != [c for c in other if c.isdigit()]:
        return False
    return OSA.distance(one, other, score_cutoff=1) == 1
