"""What becomes of a life under a way of keeping memories: levels, bytes, and whether what is needed is found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gpu.bank.records import Kind
from lifecycle.fading import FadedColumns, due_moves
from lifecycle.lab.life import CLASSES, DAY_S, Life
from lifecycle.policy import Level, Policy
from lifecycle.retention import NO_SURPRISE, Grade, after_recall, effective_stability, retention

INITIAL_STABILITY_S = {Kind.EPISODIC: 7 * DAY_S, Kind.SEMANTIC: 90 * DAY_S, Kind.PROCEDURAL: 90 * DAY_S}
"""As the service gives them to new memories."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a memory costs and is worth, by level.

    The defaults are those of vectors of 384 dimensions at 16, 8 and 4 bits, and of the 350 bytes that the other columns
    of the bank took on average; worth is how often a search over codes of so many bits finds what an exact one does
    among its first ten (docs/decisions/0013). What is archived or forgotten takes nothing and is not found.

    Attributes:
        bytes: resident, by level.
        worth: of a need that falls on a memory of the level, from 0 to 1.
    """

    bytes: tuple[float, ...] = (768.0 + 350.0, 392.0 + 350.0, 200.0 + 350.0, 0.0, 0.0)
    worth: tuple[float, ...] = (1.0, 0.988, 0.870, 0.0, 0.0)


TERMS = Terms()


@dataclass(slots=True)
class Stock:
    """The memories that are there, as columns `[n]` that grow as the life goes on; see `FadedColumns`."""

    kinds: NDArray[np.uint8]
    written_s: NDArray[np.float64]
    importances: NDArray[np.float64]
    is_held: NDArray[np.bool_]
    since_s: NDArray[np.float64]
    stabilities_s: NDArray[np.float64]
    uses: NDArray[np.int64]
    levels: NDArray[np.uint8]

    @property
    def columns(self) -> FadedColumns:
        """As the job `fade` reads them; surprise is unknown."""
        n = len(self.kinds)
        ids = np.zeros((n, 16), np.uint8)
        ids[:, 8:] = np.arange(n, dtype=">u8").view(np.uint8).reshape(n, 8)
        surprises = np.full(n, NO_SURPRISE)
        return FadedColumns(
            ids, self.kinds, self.levels, self.since_s, self.stabilities_s, self.importances, surprises, self.is_held
        )


class Way(Protocol):
    """A way of keeping memories."""

    def nightly(self, stock: Stock, now_s: float) -> None:
        """Sets the levels anew."""
        ...


@dataclass(frozen=True, slots=True)
class Fading:
    """As the job `fade` does by a policy, its share of a run included."""

    policy: Policy

    def nightly(self, stock: Stock, now_s: float) -> None:
        """See `Way`."""
        moves = due_moves(stock.columns, self.policy, now_s)
        most = self.policy.most(len(stock.kinds))
        stock.levels[moves.places[:most]] = moves.levels[:most]


@dataclass(frozen=True, slots=True)
class Latest:
    """Keeps as many as bytes allow at full precision, those that were used or written last; the rest is archived.

    Attributes:
        most_bytes: in all.
        by_use: what was used last; else what was written last.
        terms: what one costs.
    """

    most_bytes: float
    by_use: bool = True
    terms: Terms = TERMS

    def nightly(self, stock: Stock, now_s: float) -> None:
        """See `Way`. What was archived does not come back by itself: nobody uses what is not found."""
        most = int(self.most_bytes // self.terms.bytes[Level.ACTIVE])
        there = np.flatnonzero(stock.levels == Level.ACTIVE)
        if len(there) > most:
            moments = stock.since_s if self.by_use else stock.written_s
            stock.levels[there[np.argsort(moments[there], kind="stable")[: len(there) - most]]] = Level.ARCHIVED


@dataclass(frozen=True, slots=True)
class Course:
    """What became of a life. A row for each night.

    Attributes:
        days: float64 `[t]`.
        counts: int64 `[t, 5]`, memories of each level.
        bytes: float64 `[t]`, resident.
        retention: float64 `[t, 3]`, its 10th, 50th and 90th percentile.
        quality: float64 `[t]`, mean worth of the needs of the last 30 days; nan where there were none.
        stale: float64 `[t]`, share of the resident bytes that outdated memories take.
        needs: float64 `[m]`, worth of each need.
        by_class: mean worth of the needs of each class that there is.
    """

    days: NDArray[np.float64]
    counts: NDArray[np.int64]
    bytes: NDArray[np.float64]
    retention: NDArray[np.float64]
    quality: NDArray[np.float64]
    stale: NDArray[np.float64]
    needs: NDArray[np.float64]
    by_class: dict[str, float] = field(default_factory=dict)

    @property
    def found(self) -> float:
        """Mean worth of all needs, from 0 to 1; nan if there were none."""
        return float(self.needs.mean()) if len(self.needs) else float("nan")

    @property
    def mean_bytes(self) -> float:
        """Resident on average."""
        return float(self.bytes.mean())


def lived(life: Life, way: Way, terms: Terms = TERMS, policy: Policy | None = None) -> Course:
    """Lives a life: every need is a use if it is found, and every night the way sets the levels.

    Args:
        life: what is written and needed.
        way: of keeping.
        terms: what levels cost and are worth.
        policy: by which retention is shown and uses count; default: that of the way, or the default one.
    """
    by = policy or (way.policy if isinstance(way, Fading) else Policy())
    stabilities = np.array([INITIAL_STABILITY_S[kind] for kind in Kind])[life.kinds]
    since, uses, levels = life.written_s.copy(), np.zeros(len(life), np.int64), np.zeros(len(life), np.uint8)
    worth = np.array(terms.worth)
    needs, nights = np.zeros(len(life.needed)), int(np.ceil(life.length_s / DAY_S))
    rows: list[tuple[NDArray[np.int64], float, NDArray[np.float64], float]] = []
    begun = 0
    for night in range(1, nights + 1):
        now = night * DAY_S
        ended = int(np.searchsorted(life.needed_s, now, side="right"))
        for need in range(begun, ended):
            place = int(life.needed[need])
            needs[need] = worth[levels[place]]
            if levels[place] <= Level.COLD:
                at = float(life.needed_s[need])
                stability = effective_stability(
                    stabilities[place], by.factors[Kind(life.kinds[place])], life.importances[place], None
                )
                level = retention(at - since[place], stability)
                stabilities[place] = after_recall(stabilities[place], level, Grade.USED)
                since[place] = max(since[place], at)
                uses[place] += 1
        begun = ended
        n = int(np.searchsorted(life.written_s, now, side="right"))
        stock = Stock(
            life.kinds[:n], life.written_s[:n], life.importances[:n], life.is_held[:n],
            since[:n], stabilities[:n], uses[:n], levels[:n],
        )  # fmt: skip
        if n:
            way.nightly(stock, now)
        rows.append(_night(stock, by, terms, life.outdated_s[:n] <= now, now))
    moments = np.arange(1, nights + 1, dtype=np.float64) * DAY_S
    return Course(
        days=np.arange(1, nights + 1, dtype=np.float64),
        counts=np.array([row[0] for row in rows]),
        bytes=np.array([row[1] for row in rows]),
        retention=np.array([row[2] for row in rows]),
        quality=_rolling(life.needed_s, needs, moments),
        stale=np.array([row[3] for row in rows]),
        needs=needs,
        by_class={
            name: round(float(needs[life.classes == number].mean()), 4)
            for number, name in enumerate(CLASSES)
            if (life.classes == number).any()
        },
    )


def _night(
    stock: Stock, policy: Policy, terms: Terms, is_outdated: NDArray[np.bool_], now_s: float
) -> tuple[NDArray[np.int64], float, NDArray[np.float64], float]:
    counts = np.bincount(stock.levels, minlength=len(Level))
    cost = np.array(terms.bytes)[stock.levels]
    total = float(cost.sum())
    if not len(stock.kinds):
        return counts, 0.0, np.full(3, np.nan), 0.0
    factors = np.array([policy.factors[kind] for kind in Kind])[stock.kinds]
    stabilities = stock.stabilities_s * factors * np.power(4.0, 2.0 * stock.importances - 1.0)
    left = np.exp(-np.maximum(now_s - stock.since_s, 0.0) / stabilities)
    stale = float(cost[is_outdated].sum()) / total if total else 0.0
    return counts, total, np.percentile(left, (10, 50, 90)), stale


def _rolling(
    at: NDArray[np.float64], worth: NDArray[np.float64], nights: NDArray[np.float64], days: float = 30.0
) -> NDArray[np.float64]:
    """Mean worth of the needs of the days before each night."""
    summed = np.concatenate([[0.0], np.cumsum(worth)])
    until, since = np.searchsorted(at, nights), np.searchsorted(at, nights - days * DAY_S)
    with np.errstate(invalid="ignore"):
        mean: NDArray[np.float64] = (summed[until] - summed[since]) / (until - since)
    return mean
