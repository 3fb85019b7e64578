"""A roll-up of a stream of episodes: sessions, days, weeks, months, every episode below exactly one node. Pure.

Inside a session episodes stand in the order of time and are cut into runs that belong together: where nothing was said
for two hours, and, between half the ratio and the ratio of them, where what comes after is least like what was before
(TextTiling, Hearst 1997, J97-1003). The runs of a day, the days of a week and the weeks of a month are cut
into groups of the ratio. Whatever is fewer than the least number gets no node of its own and goes up to the next level
as it is. So a stream of n episodes has O(n / ratio) nodes, and each leads to all that is below it (fixed-ratio
summaries: Kwai Summary Attention; levels with periods of their own: Nested Learning, arXiv:2512.24695).

A session is rolled up once it has been quiet for two hours, a day, week (ISO) or month once it is over, in UTC. What is
added at the end changes nothing of what is complete before it. The two hours are chosen, not fitted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from lifecycle.policy import Derived, Gists

QUIET = timedelta(hours=2)
"""After so much silence something else begins."""
_AROUND = 3
"""Episodes on each side that are compared at a cut."""

Scope = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """A leaf.

    Attributes:
        scope: user and agent; nothing is made out of two of them.
        session: names the conversation; None if it is in none.
        moment: when it happened, else when it was recorded. Aware.
        vector: float32 `[dim]`, unit; None if it has none.
    """

    id: UUID
    scope: Scope
    session: int | None
    moment: datetime
    vector: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A roll-up of what is below it, in the order of time."""

    level: Derived
    scope: Scope
    below: tuple[Episode | Node, ...]

    @property
    def moment(self) -> datetime:
        """When the first of it happened."""
        return self.below[0].moment


Piece = Episode | Node


def rollup(episodes: Iterable[Episode], gists: Gists, now: datetime) -> list[Node]:
    """All nodes, each after those below it; the same for the same episodes in whatever order they are given."""
    streams: defaultdict[Scope, list[Episode]] = defaultdict(list)
    for episode in episodes:
        streams[episode.scope].append(episode)
    made: list[Node] = []
    for scope in sorted(streams, key=lambda scope: [part or "" for part in scope] + [str(scope)]):
        pieces = _sessions(sorted(streams[scope], key=_place), gists, now, made)
        for level in (Derived.DAY, Derived.WEEK, Derived.MONTH):
            pieces = _period(pieces, level, gists, now, made)
    return made


def _place(piece: Piece) -> tuple[datetime, UUID]:
    while isinstance(piece, Node):
        piece = piece.below[0]
    return piece.moment, piece.id


def _sessions(episodes: Sequence[Episode], gists: Gists, now: datetime, made: list[Node]) -> list[Piece]:
    """What goes up to the days."""
    sessions: defaultdict[Hashable, list[Episode]] = defaultdict(list)
    for episode in episodes:
        day = episode.moment.astimezone(UTC).date()
        sessions[day if episode.session is None else episode.session].append(episode)
    above: list[Piece] = []
    for session in sessions.values():
        if session[-1].moment + QUIET > now:
            continue
        if Derived.SESSION not in gists.levels or len(session) < gists.least:
            above += session
            continue
        for start, end in pairwise(cuts(session, gists)):
            made.append(Node(Derived.SESSION, session[0].scope, tuple(session[start:end])))
            above.append(made[-1])
    return sorted(above, key=_place)


def cuts(session: Sequence[Episode], gists: Gists) -> list[int]:
    """Where the runs of a session begin, and its end. Each run has at least `least` episodes."""
    silent = [n for n in range(1, len(session)) if session[n].moment - session[n - 1].moment > QUIET]
    parts = [0]
    for place in silent:
        if place - parts[-1] >= gists.least and len(session) - place >= gists.least:
            parts.append(place)
    found = [0]
    for start, end in pairwise([*parts, len(session)]):
        while end - found[-1] > gists.ratio:
            found.append(_weakest(session, start, found[-1], end, gists))
        found.append(end)
    return found


def _weakest(session: Sequence[Episode], first: int, start: int, end: int, gists: Gists) -> int:
    """The best place for the end of a run: of equal ones the last."""
    earliest = start + max(gists.least, (gists.ratio + 1) // 2)
    latest = min(start + gists.ratio, end - gists.least)
    return min(
        range(min(earliest, latest), latest + 1), key=lambda place: (_likeness(session, first, place, end), -place)
    )


def _likeness(session: Sequence[Episode], first: int, place: int, end: int) -> float:
    """Cosine of what is before and what is after a place."""
    before, after = session[max(first, place - _AROUND) : place], session[place : min(end, place + _AROUND)]
    one, other = (np.sum([e.vector for e in side if e.vector is not None], axis=0) for side in (before, after))
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return round(float(np.dot(one, other)) / lengths, 6) if lengths else 0.0


def _period(pieces: Sequence[Piece], level: Derived, gists: Gists, now: datetime, made: list[Node]) -> list[Piece]:
    """What goes up from a level to the next."""
    periods: defaultdict[datetime, list[Piece]] = defaultdict(list)
    for piece in pieces:
        periods[_end(piece.moment, level)].append(piece)
    above: list[Piece] = []
    for end, inside in periods.items():
        if end > now:
            continue
        if level not in gists.levels or len(inside) < gists.least:
            above += inside
            continue
        for start, stop in pairwise(groups(len(inside), gists)):
            made.append(Node(level, inside[0].scope, tuple(inside[start:stop])))
            above.append(made[-1])
    return above


def groups(number: int, gists: Gists) -> list[int]:
    """Where groups of the ratio begin, and the end; a rest that is too small stays with the last."""
    starts = list(range(0, number, gists.ratio))
    if len(starts) > 1 and number - starts[-1] < gists.least:
        starts.pop()
    return [*starts, number]


def _end(moment: datetime, level: Derived) -> datetime:
    """When the period that a moment lies in is over."""
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        match level:
            case Derived.DAY:
                return day + timedelta(days=1)
            case Derived.WEEK:
                return day + timedelta(days=7 - day.weekday())
            case _:
                return (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    except OverflowError:  # the last days of the calendar are never over
        return datetime.max.replace(tzinfo=UTC)


def leaves(piece: Piece) -> list[Episode]:
    """Every episode below, in order."""
    if isinstance(piece, Episode):
        return [piece]
    return [leaf for below in piece.below for leaf in leaves(below)]
