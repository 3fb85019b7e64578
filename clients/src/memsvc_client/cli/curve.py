"""How a memory fades, worked out from what the service says of it, and drawn with letters.

Retention is exp(-t / S) (docs/lifecycle.md); t runs from the later of the recording and the last recall. The
stability S follows from the retention that the service gives, or from the moment at which it falls to the next level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memsvc_client.types import Memory, Policy

LEVELS = ("active", "warm", "cold", "archived", "forgotten")
"""From the warmest to the coldest."""
COLUMNS, ROWS = 56, 6
_FRESH = 0.999
"""Above it the retention has too few digits for the stability to follow from it."""
_SHOWN_DOWN_TO = 0.05
_CALENDAR = timedelta(days=100 * 365)


@dataclass(frozen=True, slots=True)
class Curve:
    """A memory's way down, if nobody uses it.

    Attributes:
        since: from when it fades.
        stability_s: after so many seconds retention is 1/e.
        bounds: the levels that it can fall to, each with the retention below which it does.
    """

    since: datetime
    stability_s: float
    bounds: tuple[tuple[str, float], ...]

    def at(self, moment: datetime) -> float:
        """Retention at a moment."""
        return math.exp(-max(0.0, (moment - self.since).total_seconds()) / self.stability_s)

    def reached(self, retention: float) -> datetime:
        """When it falls to a retention; at most in a hundred years."""
        return self.since + timedelta(seconds=min(-self.stability_s * math.log(retention), _CALENDAR.total_seconds()))

    def draw(self, now: datetime) -> str:
        """Retention over time: `*` the curve, `|` now, `-` the bounds of levels, whose names stand beside them."""
        end = max(self.reached(_SHOWN_DOWN_TO), now + (now - self.since) * 0.1)
        step = (end - self.since) / (COLUMNS - 1)
        here = min(COLUMNS - 1, round((now - self.since) / step)) if now > self.since else 0
        rows = [[" "] * COLUMNS for _ in range(ROWS)]
        beside = [""] * ROWS
        for level, bound in self.bounds:
            at = _row(bound)
            rows[at] = ["-"] * COLUMNS
            beside[at] = f"{beside[at]} {level} below {bound:g}".strip()
        for columns in rows:
            columns[here] = "|"
        for column in range(COLUMNS):
            rows[_row(self.at(self.since + column * step))][column] = "*"
        scale = (f"{1 - n / (ROWS - 1):.1f}" for n in range(ROWS))
        lines = [
            f"{level} {''.join(row)} {name}".rstrip() for level, row, name in zip(scale, rows, beside, strict=True)
        ]
        left, right = f"{self.since:%Y-%m-%d}", f"{end:%Y-%m-%d}"
        return "\n".join([*lines, f"    {left}{right.rjust(COLUMNS - len(left))}"])


def _row(retention: float) -> int:
    return round((1.0 - retention) * (ROWS - 1))


def curve_of(memory: Memory, policy: Policy) -> Curve | None:
    """The curve of a memory under a policy; None for one that does not fade, or of which too little is known."""
    since = max((at for at in (memory.recorded_at, memory.last_recalled_at) if at is not None), default=None)
    if since is None or memory.retention is None or memory.level is None:
        return None
    colder = _colder(memory, policy)
    stability_s = _stability_s(memory, since, colder)
    return None if stability_s is None else Curve(since, stability_s, colder)


def _colder(memory: Memory, policy: Policy) -> tuple[tuple[str, float], ...]:
    """The levels below a memory that the policy lets it fall to, with their bounds, the warmest first."""
    level = memory.level or LEVELS[0]
    coldest = policy.coldest.get(memory.kind, LEVELS[-1])
    if level not in LEVELS or coldest not in LEVELS:  # of a newer service
        return ()
    names = LEVELS[LEVELS.index(level) + 1 : LEVELS.index(coldest) + 1]
    return tuple((name, bound) for name in names if (bound := policy.below.get(name)))


def _stability_s(memory: Memory, since: datetime, colder: tuple[tuple[str, float], ...]) -> float | None:
    if memory.fades_at is not None and colder and memory.fades_at > since:
        return (memory.fades_at - since).total_seconds() / -math.log(colder[0][1])
    elapsed_s = (datetime.now(UTC) - since).total_seconds()
    if memory.retention is None or not 0.0 < memory.retention < _FRESH or elapsed_s <= 0.0:
        return None
    return elapsed_s / -math.log(memory.retention)


def why_it_stays(memory: Memory, policy: Policy) -> str | None:
    """What keeps a memory where it is; None if nothing does."""
    if memory.pinned:
        return "it is pinned"
    if memory.legal_hold:
        return "it is under a legal hold"
    if memory.importance is not None and policy.protect_importance and memory.importance >= policy.protect_importance:
        return f"its importance is at least {policy.protect_importance:g}"
    if memory.fades_at is None and memory.level is not None:
        return "the policy lets it fall no further"
    return None
