"""Where made memories stand among hits: never before what they were made of, and in nobody's place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from uuid import UUID

from memsvc.recall.found import Found

_LEVELS = 4  # of a roll-up: session, day, week, month

Below = Callable[[Iterable[UUID]], Mapping[UUID, set[UUID]]]
"""What each of some memories was made of, one level."""


def all_below(memories: Iterable[UUID], below: Below) -> dict[UUID, set[UUID]]:
    """Everything that each of some made memories was made of, through all levels. One question for a level."""
    one_level: dict[UUID, set[UUID]] = {}
    asked: set[UUID] = set()
    ring = list(memories)
    for _ in range(_LEVELS):
        asked |= set(ring)
        one_level |= below(ring)
        ring = sorted({one for made in ring for one in one_level.get(made, ())} - asked)
        if not ring:
            break
    return {made: _reached(made, one_level) for made in memories}


def _reached(made: UUID, one_level: Mapping[UUID, set[UUID]]) -> set[UUID]:
    reached: set[UUID] = set()
    waiting = [made]
    while waiting:
        new = one_level.get(waiting.pop(), set()) - reached
        reached |= new
        waiting += new
    return reached


def sources_first(ids: list[UUID], below: Mapping[UUID, set[UUID]]) -> list[int]:
    """Places of hits in an order in which each made one stands right behind the best of its sources.

    One that stands there already, or has no source among the hits, stays where it is, and so do all others among each
    other. Of made ones behind the same source those that were made of the other stand behind it.

    Args:
        ids: best first.
        below: for the made ones, everything that they were made of.
    """
    places = {memory: place for place, memory in enumerate(ids)}
    keys: dict[UUID, tuple[int, int, int]] = {}
    for place, memory in enumerate(ids):
        sources = [places[one] for one in below.get(memory, ()) if one in places]
        written = [at for at in sources if ids[at] not in below]
        best = min(written or sources, default=place)
        keys[memory] = (best, len(below[memory]), place) if best > place else (place, 0, 0)
    return sorted(range(len(ids)), key=lambda at: keys[ids[at]])


def placed(written: Sequence[Found], both: Sequence[Found], behind: Set[UUID]) -> list[Found]:
    """What somebody wrote, in its own order, with what was made put in.

    A made one stands behind as many of the written as in the search that found both, its score between those of its
    neighbours.

    Args:
        written: hits of a search without made ones.
        both: hits of one with them; of these the made ones are taken.
        behind: those of them that stand behind all others.
    """
    ahead = 0
    at_place: dict[int, list[Found]] = {}
    for one in both:
        if one.is_made:
            at_place.setdefault(len(written) + 1 if one.id in behind else ahead, []).append(one)
        elif ahead < len(written):
            ahead += 1
    placed: list[Found] = []
    for place in range(len(written) + 2):
        least = written[place].hit.score if place < len(written) else float("-inf")
        for one in at_place.get(place, ()):
            most = placed[-1].hit.score if placed else float("inf")
            placed.append(one.scored(min(max(one.hit.score, least), most)))
        placed += written[place : place + 1]
    return placed
