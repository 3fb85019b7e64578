"""Which memories are outdated by newer claims. Pure.

A newer claim about the same subject and attribute outdates an older one if the subject has one such value at a time,
or the text says that it changed; the same value again confirms it. A memory is superseded only by one that outdates
**all** its claims, and only if it says nothing else: a true sentence must not vanish with an outdated one. Of several
it is the next newer one, so that a memory that arrives late takes its place between the others, and the order in which
memories arrive makes no difference.

Newer is what became valid later (`valid_from`, or when it happened, or when it was recorded, whichever is known first);
among equals what happened later; among equals what was recorded later. Of memories that are equal in all three none is
outdated.

What is trusted less outdates nothing that is trusted more (`lifecycle.trust`): a page that an agent read must not hide
what its user said.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from lifecycle.claims import Claim, claims, says_more
from lifecycle.trust import Trust, tier

_MOST_LOOKS = 256
"""So many newer memories about the same are looked at to find the one that supersedes."""

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Dated:
    """What a memory claims, and when.

    Attributes:
        says_more: see `lifecycle.claims.says_more`.
        is_fixed: it may outdate others and is not itself superseded.
        trust: rank of its tier, see `lifecycle.trust`.
    """

    id: UUID
    claims: tuple[Claim, ...]
    says_more: bool
    valid_from: datetime | None
    occurred_at: datetime | None
    recorded_at: datetime
    is_fixed: bool = False
    trust: float = Trust.AGENT.rank

    @property
    def moment(self) -> datetime:
        """From when it is true, as far as is known."""
        return self.valid_from or self.occurred_at or self.recorded_at

    @property
    def place(self) -> tuple[datetime, datetime, datetime]:
        """Where it stands from old to new."""
        return self.moment, self.occurred_at or self.recorded_at, self.recorded_at


@dataclass(frozen=True, slots=True)
class Evidence:
    """One outdated claim and the claim that outdates it."""

    older: Claim
    newer: Claim


@dataclass(frozen=True, slots=True)
class Supersession:
    """That a memory supersedes another, and why."""

    older: Dated
    newer: Dated
    evidence: tuple[Evidence, ...]


def dated(
    memory_id: UUID,
    text: str,
    speaker: str | None,
    *,
    valid_from: datetime | None,
    occurred_at: datetime | None,
    recorded_at: datetime,
    is_fixed: bool = False,
    trust: float = Trust.AGENT.rank,
) -> Dated:
    """What a memory claims, from its text."""
    made = claims(text, speaker)
    return Dated(memory_id, made, says_more(text, made), valid_from, occurred_at, recorded_at, is_fixed, trust)


def supersession(newer: Dated, older: Dated) -> Supersession | None:
    """That one memory supersedes another; None if it does not."""
    if older.says_more or older.is_fixed or not older.claims or newer.id == older.id or newer.place <= older.place:
        return None
    if tier(newer.trust).rank < tier(older.trust).rank:
        return None
    told = {(claim.subject, claim.attribute): claim for claim in newer.claims}
    evidence = []
    for claim in older.claims:
        other = told.get((claim.subject, claim.attribute))
        if other is None or not _outdates(other, claim):
            return None
        evidence.append(Evidence(claim, other))
    return Supersession(older, newer, tuple(evidence))


def supersessions(memories: Iterable[Dated]) -> dict[UUID, Supersession]:
    """For each memory that is superseded, by what. Time grows with n log n, whatever the memories say."""
    about: defaultdict[tuple[Key, Trust], list[Dated]] = defaultdict(list)
    everything = [memory for memory in memories if memory.claims]
    for memory in everything:
        for key in _keys(memory):
            for reached in _reached(memory):
                about[key, reached].append(memory)
    groups = {place: _Group(place[0], found) for place, found in about.items() if len(found) > 1}
    found: dict[UUID, Supersession] = {}
    for memory in everything:
        group = groups.get((next(iter(_keys(memory))), tier(memory.trust)))
        one = None if group is None or memory.says_more or memory.is_fixed else group.next_after(memory)
        if one is not None:
            found[memory.id] = one
    return found


def begins(found: Mapping[UUID, Supersession]) -> dict[UUID, datetime]:
    """Memories that say nothing but what takes the place of something older, and from when it is so.

    Those whose beginning is stated already are left out.
    """
    replaced: defaultdict[UUID, set[Key]] = defaultdict(set)
    newer: dict[UUID, Dated] = {}
    for one in found.values():
        newer[one.newer.id] = one.newer
        replaced[one.newer.id] |= {(e.newer.subject, e.newer.attribute) for e in one.evidence}
    return {
        memory.id: memory.moment
        for memory in newer.values()
        if memory.valid_from is None and not memory.says_more and set(_keys(memory)) <= replaced[memory.id]
    }


class _Group:
    """Memories of a tier or a higher one that claim something about the same subject and attribute, from old to new."""

    def __init__(self, key: Key, memories: Sequence[Dated]) -> None:
        self._memories = sorted(memories, key=lambda memory: (memory.place, memory.id))
        self._places = [memory.place for memory in self._memories]
        values = [next(c.value for c in memory.claims if (c.subject, c.attribute) == key) for memory in self._memories]
        self._run_ends = [0] * len(values)  # after the last of those that say the same next to each other
        for number in range(len(values) - 1, -1, -1):
            goes_on = number + 1 < len(values) and values[number + 1] == values[number]
            self._run_ends[number] = self._run_ends[number + 1] if goes_on else number + 1

    def next_after(self, older: Dated) -> Supersession | None:
        """By what a memory of the group is superseded."""
        place = bisect_right(self._places, older.place)
        for _ in range(_MOST_LOOKS):
            if place >= len(self._memories):
                return None
            found = supersession(self._memories[place], older)
            if found is not None:
                return found
            place = self._run_ends[place] if len(older.claims) == 1 else place + 1
        return None


def _reached(memory: Dated) -> list[Trust]:
    """The tiers of what a memory may outdate."""
    return [one for one in Trust if one.rank <= tier(memory.trust).rank]


def _keys(memory: Dated) -> dict[Key, None]:
    return dict.fromkeys((claim.subject, claim.attribute) for claim in memory.claims)


def _outdates(newer: Claim, older: Claim) -> bool:
    """Whether of two claims about the same the newer one makes the older one outdated."""
    if not older.value:  # what is no more stays so
        return False
    if not newer.value:
        return newer.instead_of is not None and same_value(newer.instead_of, older.value)
    if same_value(newer.value, older.value):
        return False
    if newer.is_single:
        return True
    if not newer.marks_change:
        return False
    return newer.instead_of is None or same_value(newer.instead_of, older.value)


def same_value(one: str, other: str) -> bool:
    """Whether two folded values are one in more or fewer words: Oslo, and Oslo in Norway."""
    words, others = _words(one), _words(other)
    if words <= others or others <= words:
        return True
    digits, other_digits = (_digits(value) for value in (one, other))
    return len(digits) >= _LEAST_DIGITS and digits == other_digits


_LEAST_DIGITS = 5
"""So many digits in the same order are the same number, however it is written."""


def _digits(value: str) -> str:
    """In their order."""
    return "".join(sign for sign in value if sign.isdigit())


def _words(value: str) -> frozenset[str]:
    return frozenset("".join(sign if sign.isalnum() or sign in "+@" else " " for sign in value).split())
