"""Where a memory stands, and where it goes next, by a policy and its retention alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu.bank.records import Kind
from lifecycle.policy import Level, Policy
from lifecycle.retention import effective_stability, elapsed_until, retention


@dataclass(frozen=True, slots=True)
class Faded:
    """What is known of a memory's fading. Times are seconds since the epoch.

    Attributes:
        kind: of the memory.
        level: where it stands.
        since_s: the later of its recording and its last recall.
        stability_s: as it is stored.
        importance: from 0 to 1.
        surprise: from 0 to 1; None if unknown.
        is_held: pinned, under a legal hold, or out for a quota: it does not move.
    """

    kind: Kind
    level: Level
    since_s: float
    stability_s: float
    importance: float
    surprise: float | None = None
    is_held: bool = False

    def stability(self, policy: Policy) -> float:
        """Effective stability under a policy, in seconds."""
        return effective_stability(self.stability_s, policy.factors[self.kind], self.importance, self.surprise)

    def retention(self, policy: Policy, now_s: float) -> float:
        """R at a moment."""
        return retention(now_s - self.since_s, self.stability(policy))

    def is_protected(self, policy: Policy) -> bool:
        """Whether it stays where it is."""
        return self.is_held or self.importance >= policy.protect_importance


def due_level(memory: Faded, policy: Policy, now_s: float) -> Level:
    """Where a memory belongs at a moment: where it stands, if nothing moves it.

    It falls as far as its retention has fallen below a level's bound, and climbs back only once retention is clearly
    above the bound again, so that a value on the edge does not go to and fro. What is forgotten comes back only when
    somebody restores it.
    """
    if memory.level is Level.FORGOTTEN or memory.is_protected(policy):
        return memory.level
    level, bounds = memory.retention(policy, now_s), _bounds(memory, policy)
    fallen = max((at for at, bound in bounds if level < bound), default=Level.ACTIVE)
    if fallen >= memory.level:
        return fallen
    held = max((at for at, bound in bounds if level < bound * (1.0 + policy.hysteresis)), default=Level.ACTIVE)
    return min(memory.level, held)


def next_fall(memory: Faded, policy: Policy, now_s: float) -> tuple[Level, float] | None:
    """The next colder level, and the second since the epoch at which a memory falls to it if nobody recalls it.

    None if it stays where it is. A fall that is overdue lies in the past.
    """
    if memory.is_protected(policy):
        return None
    at = due_level(memory, policy, now_s)
    colder = [(level, bound) for level, bound in _bounds(memory, policy) if level > min(at, memory.level)]
    if not colder:
        return None
    level, bound = colder[0]
    return level, memory.since_s + elapsed_until(bound, memory.stability(policy))


def _bounds(memory: Faded, policy: Policy) -> list[tuple[Level, float]]:
    """The levels that a memory can fall to and their bounds, the warmest first."""
    return [
        (level, bound)
        for level in sorted(policy.below)
        if (bound := policy.below[level]) is not None and level <= policy.coldest[memory.kind]
    ]


@dataclass(frozen=True, slots=True)
class FadedColumns:
    """`n` memories as columns; see `Faded`. `surprises` are 0.5 where they are unknown.

    Attributes:
        ids: uint8 `[n, 16]`.
        kinds, levels: uint8 `[n]`.
        since_s, stabilities_s, importances, surprises: float64 `[n]`.
        is_held: bool `[n]`.
    """

    ids: NDArray[np.uint8]
    kinds: NDArray[np.uint8]
    levels: NDArray[np.uint8]
    since_s: NDArray[np.float64]
    stabilities_s: NDArray[np.float64]
    importances: NDArray[np.float64]
    surprises: NDArray[np.float64]
    is_held: NDArray[np.bool_]

    def __len__(self) -> int:
        return int(self.kinds.shape[0])


def stabilities_of(memories: FadedColumns, policy: Policy) -> NDArray[np.float64]:
    """Effective stabilities under a policy, in seconds: `Faded.stability` for many at once, float64 `[n]`."""
    factors = np.array([policy.factors[kind] for kind in Kind])[memories.kinds]
    surprised = np.exp2(2.0 * memories.surprises - 1.0)
    found: NDArray[np.float64] = (
        memories.stabilities_s * factors * np.power(4.0, 2.0 * memories.importances - 1.0) * surprised
    )
    return found


def retentions_of(memories: FadedColumns, stabilities: NDArray[np.float64], now_s: float) -> NDArray[np.float64]:
    """R of many at a moment, float64 `[n]`."""
    found: NDArray[np.float64] = np.exp(-np.maximum(now_s - memories.since_s, 0.0) / stabilities)
    return found


@dataclass(frozen=True, slots=True)
class Moves:
    """Which of the memories move, in the order in which they are to: places, levels and retention `[m]`."""

    places: NDArray[np.int64]
    levels: NDArray[np.uint8]
    retentions: NDArray[np.float64]
    stabilities_s: NDArray[np.float64]


def due_moves(memories: FadedColumns, policy: Policy, now_s: float) -> Moves:
    """Moves that are due: `due_level` for many at once.

    What climbs comes first, then what has faded most; equals go by id.
    """
    stabilities = stabilities_of(memories, policy)
    retentions = retentions_of(memories, stabilities, now_s)
    coldest = np.array([policy.coldest[kind] for kind in Kind], np.uint8)[memories.kinds]
    fallen, held = np.zeros_like(memories.levels), np.zeros_like(memories.levels)
    for level in sorted(policy.below):
        bound = policy.below[level]
        if bound is not None:
            can = coldest >= level
            fallen[can & (retentions < bound)] = level
            held[can & (retentions < bound * (1.0 + policy.hysteresis))] = level
    due = np.where(fallen >= memories.levels, fallen, np.minimum(memories.levels, held))
    stays = memories.is_held | (memories.importances >= policy.protect_importance)
    stays |= memories.levels == Level.FORGOTTEN
    places = np.flatnonzero((due != memories.levels) & ~stays)
    falls = due[places] > memories.levels[places]
    by_id = np.ascontiguousarray(memories.ids[places]).view("V16").ravel().argsort(kind="stable")
    order = by_id[np.lexsort((retentions[places][by_id], falls[by_id]))]
    places = places[order]
    return Moves(places, due[places], retentions[places], stabilities[places])
