"""A life: what is written when, and when it is needed again. Made up from stated rules, or taken from a namespace.

The made-up one, in a day:

- `EPISODES` episodes on average (Poisson). Importance is drawn from Beta(2, 4).
- `NEEDS` needs of an episode on average: one of them is needed with odds `popularity * (age in days + 1)^-0.7`, with
  a popularity from a Pareto distribution, so that few are needed often, most never, and the older the less: the need
  for what is in a memory falls with its age as a power (Anderson and Schooler 1991,
  doi:10.1111/j.1467-9280.1991.tb00174.x).
- `LOOKUPS` needs of a fact on average. There are `FACTS` attributes, needed by a Zipf law; half of them change, every
  `CHANGES_DAYS` days on average, and then the old value is outdated and needed no more.
- `PERIODIC` memories are needed every 7, 30 or 90 days, in turn, and not between; half of them are procedures.
- one need in twenty falls on any episode whatever, as likely as on any other.

The constants are chosen, not fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu.bank.records import Kind

DAY_S = 86_400.0
EPISODES, NEEDS, LOOKUPS = 10.0, 6.0, 4.0
FACTS, CHANGES_DAYS, PERIODIC = 80, 120.0, 60
PERIODS_DAYS = (7.0, 30.0, 90.0)
AGE_POWER = -0.7
CLASSES = ("recent", "fact", "periodic", "any")
"""Why something is needed; what a real namespace's uses are for is not known: they are all `recent`."""


@dataclass(frozen=True, slots=True)
class Life:
    """`n` memories in the order of writing, and `m` needs in the order of time. Times are seconds since the beginning.

    Attributes:
        kinds: uint8 `[n]`, of `Kind`.
        written_s: float64 `[n]`, ascending.
        importances: float64 `[n]`, from 0 to 1.
        outdated_s: float64 `[n]`, from when something newer is true; inf: never.
        is_held: bool `[n]`, pinned or under a legal hold.
        needed_s, needed, classes: float64 `[m]` ascending, int64 `[m]` places, uint8 `[m]` places in `CLASSES`.
        length_s: how long it lasts.
    """

    kinds: NDArray[np.uint8]
    written_s: NDArray[np.float64]
    importances: NDArray[np.float64]
    outdated_s: NDArray[np.float64]
    is_held: NDArray[np.bool_]
    needed_s: NDArray[np.float64]
    needed: NDArray[np.int64]
    classes: NDArray[np.uint8]
    length_s: float

    def __len__(self) -> int:
        return int(self.kinds.shape[0])


def made_up(days: int, seed: int) -> Life:
    """A life by the rules of the module's text; the same for the same seed."""
    chance = np.random.default_rng(seed)
    rows: list[tuple[Kind, float, float]] = []  # (kind, written, outdated)
    needs: list[tuple[float, int, int]] = []  # (moment, place in rows, class)
    _facts(days, chance, rows, needs)
    _periodic(days, chance, rows, needs)
    _episodes(days, chance, rows, needs)
    importances = chance.beta(2.0, 4.0, len(rows))
    written = np.array([row[1] for row in rows])
    order = np.argsort(written, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    needs.sort()
    return Life(
        kinds=np.array([row[0] for row in rows], np.uint8)[order],
        written_s=written[order],
        importances=importances[order],
        outdated_s=np.array([row[2] for row in rows])[order],
        is_held=np.zeros(len(rows), np.bool_),
        needed_s=np.array([need[0] for need in needs]),
        needed=place[np.array([need[1] for need in needs], np.int64)],
        classes=np.array([need[2] for need in needs], np.uint8),
        length_s=days * DAY_S,
    )


Rows = list[tuple[Kind, float, float]]
Needs = list[tuple[float, int, int]]


def _facts(days: int, chance: np.random.Generator, rows: Rows, needs: Needs) -> None:
    end = days * DAY_S
    odds = 1.0 / np.arange(1, FACTS + 1)
    asked = chance.choice(FACTS, size=chance.poisson(LOOKUPS * days), p=odds / odds.sum())
    ranks = chance.permutation(FACTS)  # whether it changes has nothing to do with how often it is asked for
    for attribute in range(FACTS):
        moment, values = chance.uniform(0.0, 14.0) * DAY_S, []
        while moment < end:
            values.append(moment)
            moment += chance.exponential(CHANGES_DAYS) * DAY_S if ranks[attribute] % 2 else np.inf
        first = len(rows)
        rows += [(Kind.SEMANTIC, at, to) for at, to in zip(values, [*values[1:], np.inf], strict=True)]
        moments = chance.uniform(0.0, end, int((asked == attribute).sum()))
        held = np.searchsorted(values, moments, side="right") - 1
        needs += [(float(at), first + int(place), 1) for at, place in zip(moments, held, strict=True) if place >= 0]


def _periodic(days: int, chance: np.random.Generator, rows: Rows, needs: Needs) -> None:
    end = days * DAY_S
    for number in range(PERIODIC):
        begun = chance.uniform(0.0, max(1.0, days / 3)) * DAY_S
        period = PERIODS_DAYS[number % len(PERIODS_DAYS)] * DAY_S
        rows.append((Kind.PROCEDURAL if number % 2 else Kind.EPISODIC, begun, np.inf))
        needs += [(float(at), len(rows) - 1, 2) for at in np.arange(begun + period, end, period)]


def _episodes(days: int, chance: np.random.Generator, rows: Rows, needs: Needs) -> None:
    first = len(rows)
    moments = np.sort(chance.uniform(0.0, days * DAY_S, chance.poisson(EPISODES * days)))
    rows += [(Kind.EPISODIC, float(at), np.inf) for at in moments]
    popularity = chance.pareto(1.5, len(moments)) + 0.05
    for at in np.sort(chance.uniform(0.0, days * DAY_S, chance.poisson(NEEDS * days))):
        there = int(np.searchsorted(moments, at))
        if not there:
            continue
        if chance.random() < 0.05:
            needs.append((float(at), first + int(chance.integers(there)), 3))
            continue
        odds = popularity[:there] * np.power((at - moments[:there]) / DAY_S + 1.0, AGE_POWER)
        needs.append((float(at), first + int(chance.choice(there, p=odds / odds.sum())), 0))


@dataclass(frozen=True, slots=True)
class Known:
    """What a service says of a memory. Times are seconds since the epoch."""

    kind: Kind
    recorded_s: float
    importance: float
    uses: int
    last_used_s: float | None
    is_held: bool = False
    outdated_s: float | None = None


def replayed(memories: Sequence[Known], now_s: float) -> Life:
    """The life of a real namespace up to a moment.

    A service keeps how often a memory was used and when last; the uses between are laid out evenly from its writing on.

    Raises:
        ValueError: there are no memories.
    """
    if not memories:
        raise ValueError("the namespace holds no memories")
    known = sorted(memories, key=lambda one: one.recorded_s)
    begin = known[0].recorded_s
    needs = sorted(
        (float(at) - begin, place)
        for place, one in enumerate(known)
        if one.uses and one.last_used_s is not None
        for at in np.linspace(one.recorded_s, max(one.recorded_s, one.last_used_s), one.uses + 1)[1:]
    )
    return Life(
        kinds=np.array([one.kind for one in known], np.uint8),
        written_s=np.array([one.recorded_s - begin for one in known]),
        importances=np.array([one.importance for one in known]),
        outdated_s=np.array([np.inf if one.outdated_s is None else one.outdated_s - begin for one in known]),
        is_held=np.array([one.is_held for one in known], np.bool_),
        needed_s=np.array([at for at, _ in needs], np.float64),
        needed=np.array([place for _, place in needs], np.int64),
        classes=np.zeros(len(needs), np.uint8),
        length_s=max(now_s - begin, DAY_S),
    )
