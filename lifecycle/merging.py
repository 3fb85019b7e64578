"""Which memories say the same and become one, and what the one that stays takes over. Pure.

Of memories that say the same (`lifecycle.wording`) in the same circumstances one stays, the **pivot**; the others, its
**members**, are hidden and counted to it. Being near as vectors is never enough, and being far apart is enough to
refuse: the same short answer to two questions is read in the light of each (`floor`). Circumstances are the kind, whose
memory it is, who speaks, where, how it went, the metadata, how long it lives, when it is valid, and how far it is
trusted: so what is merged is exactly as trusted as each of its parts.

What happened at different times happened twice. Times are near within `within_s`; other words for it than the same
letters need the same moment. What is held true needs no time, unless it speaks of one ("tomorrow") or one is given.

The pivot is the one that a user pinned or that others are merged into already, then of those that make claims the
newest (a claim that is made again is confirmed; see `lifecycle.conflict`), then the one used most, then what lasts
longest, is most important, came first.

The vector of what is merged is the centre of the smallest cap of the sphere that holds the vectors of all: of all unit
vectors the one whose least dot product with any of them is greatest,

    v = argmax_v min_i v . x_i,

by steps towards whichever is farthest (Badoiu and Clarkson 2003, Smaller core-sets for balls, SODA). It finds as much
as the mean, and no member lies farther from it than the farthest does from the mean. A mean weighted by a kernel around
the pivot (Wang et al. 2024, arXiv:2407.08454) finds less: it holds down what is worded unlike the pivot, and nothing
here needs to be held down, since all say the same and lie above the floor (docs/decisions/0020-merging.md has all ways
that were tried). `floor` and `within_s` are chosen.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from gpu.bank.records import Kind
from lifecycle.conflict import same_value
from lifecycle.wording import Wording, says_same

MOST_TAGS = 64
"""Tags of one memory; where members bring more, the pivot keeps its own."""
_FIRST_STEP, _STEPS = 4, 60
"""Steps of 1/4, 1/5, ... from the mean towards the farthest: the vector is kept at 11 bits, more would not be seen."""
_CANCELLED = 1e-6


@dataclass(frozen=True, slots=True)
class MergePolicy:
    """What is merged.

    Attributes:
        floor: least dot product of the (unit) vectors of two memories that are merged.
        within_s: seconds that two tellings of one event lie apart at most.
    """

    floor: float = 0.8
    within_s: float = 3_600.0

    def __post_init__(self) -> None:
        """Refuses what makes no sense.

        Raises:
            ValueError: a number out of its range.
        """
        if not 0.0 <= self.floor <= 1.0:
            raise ValueError("the floor of merging lies between 0 and 1")
        if not 0.0 <= self.within_s <= 86_400.0:
            raise ValueError("tellings of one event lie a day apart at most")


@dataclass(frozen=True, slots=True)
class Told:
    """A memory as merging sees it.

    Attributes:
        circumstances: what must be equal, comparable; see the module's text.
        letters: a digest of its folded text.
        is_pinned, is_pivot: a user pinned it, or others are merged into it already: it is no member of another.
        is_apart: it was taken out of a merge, or may not be changed: it is left alone.
    """

    id: UUID
    kind: Kind
    wording: Wording
    circumstances: tuple[Any, ...]
    letters: bytes
    occurred_at: datetime | None
    recorded_at: datetime
    recall_count: int
    stability_s: float
    importance: float
    is_pinned: bool = False
    is_pivot: bool = False
    is_apart: bool = False

    @property
    def moment(self) -> datetime:
        """When it happened, as far as is known."""
        return self.occurred_at or self.recorded_at

    @property
    def needs_time(self) -> bool:
        """Whether it is of one moment, rather than true at any."""
        return self.kind is Kind.EPISODIC or self.wording.speaks_of_time

    @property
    def place(self) -> tuple[Any, ...]:
        """Where it stands among those that could be the pivot, the best first."""
        newest = -self.moment.timestamp() if self.wording.made else 0.0
        used = (-self.recall_count, -self.stability_s, -self.importance)
        return not self.is_pinned, not self.is_pivot, newest, *used, self.moment, self.id


@dataclass(frozen=True, slots=True)
class Merge:
    """That a memory says the same as another, which stays."""

    pivot: Told
    member: Told

    @property
    def is_exact(self) -> bool:
        """Whether their letters are the same."""
        return self.pivot.letters == self.member.letters


def are_one(one: Told, other: Told, policy: MergePolicy) -> bool:
    """Whether two memories tell of the same, by all but their vectors."""
    if one.id == other.id or one.is_apart or other.is_apart or one.circumstances != other.circumstances:
        return False
    if (one.occurred_at is None) != (other.occurred_at is None):
        return False
    apart = abs((one.moment - other.moment).total_seconds())
    if (one.needs_time or other.needs_time or one.occurred_at is not None) and apart > policy.within_s:
        return False
    if one.letters != other.letters and one.occurred_at != other.occurred_at:
        return False
    return says_same(one.wording, other.wording)


def merges(memories: Iterable[Told], policy: MergePolicy) -> list[Merge]:
    """Every memory that another one stands for, and that one; the pivots in their order, the oldest member first.

    A pivot is no member, and a member is like its pivot itself, not like another member. Time grows with n log n for
    memories that are not all alike in everything but their time.
    """
    alike: defaultdict[tuple[Any, ...], list[Told]] = defaultdict(list)
    for memory in memories:
        if not memory.is_apart:
            for key in memory.wording.keys:
                alike[(memory.circumstances, memory.occurred_at is None, key)].append(memory)
    groups = [sorted(group, key=lambda one: (one.moment, one.id)) for group in alike.values() if len(group) > 1]
    found: dict[UUID, Merge] = {}
    pivots: set[UUID] = set()
    places = [(pivot.place, number) for number, group in enumerate(groups) for pivot in group]
    members = {(pivot.place, number): pivot for number, group in enumerate(groups) for pivot in group}
    moments = [[one.moment for one in group] for group in groups]
    within = timedelta(seconds=policy.within_s)
    for at in sorted(places):
        pivot, group, times = members[at], groups[at[1]], moments[at[1]]
        if pivot.id in found:
            continue
        first, last = 0, len(group)
        if pivot.needs_time or pivot.occurred_at is not None:
            first, last = bisect_left(times, pivot.moment - within), bisect_right(times, pivot.moment + within)
        for other in group[first:last]:
            is_free = other.id not in found and other.id not in pivots and not (other.is_pivot or other.is_pinned)
            if is_free and are_one(pivot, other, policy):
                found[other.id] = Merge(pivot, other)
                pivots.add(pivot.id)
    return sorted(found.values(), key=lambda merge: (merge.pivot.place, merge.member.moment, merge.member.id))


def is_interrupted(merge: Merge, tellings: Mapping[tuple[str, str], Sequence[tuple[datetime, str]]]) -> bool:
    """Whether between the two somebody claims something else: then each is true of its own time.

    Args:
        tellings: by subject and attribute, when which value was told, in any order.
    """
    since, until = sorted((merge.pivot.moment, merge.member.moment))
    return any(
        since <= moment <= until and not same_value(claim.value, other)
        for claim in (*merge.pivot.wording.made, *merge.member.wording.made)
        for moment, other in tellings.get((claim.subject, claim.attribute), ())
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a memory a merge changes. `tags` keep their order."""

    recall_count: int
    stability_s: float
    last_recalled_at: datetime | None
    importance: float
    tags: tuple[str, ...]


def together(own: Standing, members: Iterable[Standing]) -> Standing:
    """What a pivot is with its members: all uses, the strongest stability, the last use, all tags."""
    every = [own, *members]
    tags = tuple(dict.fromkeys(tag for one in every for tag in one.tags))
    return Standing(
        sum(one.recall_count for one in every),
        max(one.stability_s for one in every),
        max((one.last_recalled_at for one in every if one.last_recalled_at is not None), default=None),
        max(one.importance for one in every),
        tags if len(tags) <= MOST_TAGS else own.tags,
    )


def moved(now: Standing, was: Standing, becomes: Standing) -> Standing:
    """What a pivot becomes when its members change, whatever else has happened to it since.

    Args:
        now: as it stands.
        was: what the merge had made of it.
        becomes: what the merge makes of it now.

    Returns:
        `becomes` where nothing happened; uses since then are added, and what somebody set or earned since stays.
    """
    gone, more = set(was.tags) - set(becomes.tags), [tag for tag in becomes.tags if tag not in was.tags]
    kept = tuple(dict.fromkeys([tag for tag in now.tags if tag not in gone] + more))
    if now.tags == was.tags:
        kept = becomes.tags
    return Standing(
        max(0, becomes.recall_count + now.recall_count - was.recall_count),
        becomes.stability_s if now.stability_s == was.stability_s else now.stability_s,
        becomes.last_recalled_at if now.last_recalled_at == was.last_recalled_at else now.last_recalled_at,
        becomes.importance if now.importance == was.importance else now.importance,
        kept if len(kept) <= MOST_TAGS else now.tags,
    )


def merged_vector(vectors: NDArray[Any], pivot: int = 0) -> NDArray[np.float64]:
    """The vector of a pivot with its members, unit length, float64 `[dim]`; the pivot's own if they cancel out.

    Args:
        vectors: `[n, dim]`, unit rows; their order makes no difference but for ties.
        pivot: which of them is the pivot.
    """
    rows = np.asarray(vectors, np.float64)
    centre, least = rows.mean(axis=0), -np.inf
    found: NDArray[np.float64] = rows[pivot]
    for step in range(_FIRST_STEP, _FIRST_STEP + _STEPS):
        length = float(np.linalg.norm(centre))
        if length < _CANCELLED:
            break
        centre = centre / length
        near = rows @ centre
        if near.min() > least:  # never worse than the mean, which is the first
            found, least = centre, float(near.min())
        centre = centre + (rows[int(near.argmin())] - centre) / step
    return found
