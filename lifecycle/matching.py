"""Which of the gists that are there is which of those that should be. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID


def matches(wanted: Sequence[frozenset[UUID]], there: Mapping[UUID, frozenset[UUID]]) -> dict[int, UUID]:
    """Pairs of sets that share the most (Jaccard), each used once; equal ones by place and id.

    A set that did not change is matched with itself, one that gained or lost some members with what it was before.

    Args:
        wanted: members of what should be, distinct.
        there: members of what is there.
    """
    holding: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for identifier, members in there.items():
        for member in members:
            holding[member].append(identifier)
    pairs = []
    for place, members in enumerate(wanted):
        for identifier in {one for member in members for one in holding.get(member, ())}:
            shared = len(members & there[identifier])
            pairs.append((-shared / len(members | there[identifier]), place, identifier))
    found: dict[int, UUID] = {}
    used: set[UUID] = set()
    for _, place, identifier in sorted(pairs):
        if place not in found and identifier not in used:
            found[place] = identifier
            used.add(identifier)
    return found
