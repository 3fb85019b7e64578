"""The job `fade`: memories grow cold, are archived or forgotten where the policy says so, and climb back when recalled.

See `lifecycle.fading`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import Connection, and_, or_, select, update

from gpu.bank.records import State
from lifecycle.fading import FadedColumns, due_level, due_moves
from lifecycle.policy import Level, Policy
from lifecycle.retention import NO_SURPRISE
from lifecycle.steps import Step
from memsvc.memories import repository as memories
from memsvc.memories.fading import faded, is_held, level_of, seconds, since_s
from memsvc.memories.ledger import Ledger, Stored
from memsvc.memories.repository import unexpired
from memsvc.memories.write import pair_bytes
from memsvc.models.tables import MEMORY
from memsvc.namespaces.repository import NamespaceRow

KIND = "fade"
_STATES = {Level.ARCHIVED: State.ARCHIVED, Level.FORGOTTEN: State.FORGOTTEN}
_REASONS = {State.ACTIVE: "warmed", State.ARCHIVED: "archived", State.FORGOTTEN: "faded"}
FADING = (
    "id", "kind", "state", "level", "recorded_at", "last_recalled_at", "stability_s", "importance", "surprise",
    "pinned", "legal_hold", "evicted",
)  # fmt: skip
"""Columns of a memory that `faded_columns` needs."""


class Fade:
    """The job; see `memsvc.jobs.work.Work`."""

    kind = KIND
    is_bounded = True

    def plan(self, connection: Connection, namespace: NamespaceRow, policy: Policy, now: datetime) -> Sequence[Step]:
        """See `Work`. What a user forgot is no business of this job."""
        query = select(*(MEMORY.c[name] for name in FADING)).where(
            MEMORY.c.tenant_id == namespace.tenant_id,
            MEMORY.c.namespace_id == namespace.id,
            or_(MEMORY.c.state == int(State.ACTIVE), MEMORY.c.state == int(State.ARCHIVED)),
            unexpired(now),
        )
        rows = connection.execute(query).all()
        if not rows:
            return []
        columns = faded_columns(rows)
        moves = due_moves(columns, policy, seconds(now))
        return [
            _step(rows[place].id, Level(columns.levels[place]), Level(level), retention, stability_s)
            for place, level, retention, stability_s in zip(
                moves.places.tolist(),
                moves.levels,
                moves.retentions.tolist(),
                moves.stabilities_s.tolist(),
                strict=True,
            )
        ]

    def apply(self, ledger: Ledger, steps: Sequence[Step], policy: Policy, now: datetime) -> Sequence[Step]:
        """See `Work`. A memory that was recalled, edited, pinned or hidden meanwhile is judged by what it is now."""
        stored = memories.by_ids(ledger.connection, *ledger.namespace.key, [step.memory_id for step in steps])
        done = []
        for step in steps:
            memory = stored.get(step.memory_id)
            known = None if memory is None or memory.is_expired(now) else faded(memory.row)
            if memory is None or known is None or known.level.name.lower() != step.before["level"]:
                continue
            if due_level(known, policy, seconds(now)).name.lower() != step.after["level"]:
                continue
            _move(ledger, memory, Level[step.after["level"].upper()])
            done.append(step)
        return done

    def revert(self, ledger: Ledger, steps: Sequence[Step]) -> Sequence[Step]:
        """See `Work`."""
        stored = memories.by_ids(ledger.connection, *ledger.namespace.key, [step.memory_id for step in steps])
        done = []
        for step in steps:
            memory = stored.get(step.memory_id)
            level = None if memory is None else level_of(memory.row)
            if memory is None or level is None or level.name.lower() != step.before["level"]:
                continue
            _move(ledger, memory, Level[step.after["level"].upper()])
            done.append(step)
        return done


def _move(ledger: Ledger, memory: Stored, to: Level) -> None:
    """Puts a memory at a level. How warm it is is no matter of its history; that it was hidden is."""
    kept = min(to, Level.COLD)
    if memory.row["level"] != kept or memory.row["evicted"]:
        ledger.connection.execute(
            update(MEMORY)
            .where(and_(MEMORY.c.tenant_id == ledger.namespace.tenant_id, MEMORY.c.id == memory.id))
            .values(level=int(kept), evicted=False)
        )
    state = _STATES.get(to, State.ACTIVE)
    if memory.row["state"] != state:
        values = {**memory.described, "state": int(state)}
        ledger.revise(memory, values, None, None, pair_bytes(values, memory.row["external_id"]), _REASONS[state])


def _step(memory_id: UUID, before: Level, after: Level, retention: float, stability_s: float) -> Step:
    action = "fade" if after > before else "warm"
    return Step(
        memory_id,
        action,
        {"level": before.name.lower()},
        {"level": after.name.lower()},
        {"retention": round(retention, 6), "stability_s": round(stability_s, 3)},
    )


def faded_columns(rows: Sequence[Any]) -> FadedColumns:
    """Rows with the columns of a memory's fading, as columns."""
    levels = [Level.ARCHIVED if row.state == State.ARCHIVED else row.level for row in rows]
    return FadedColumns(
        ids=np.frombuffer(b"".join(row.id.bytes for row in rows), np.uint8).reshape(-1, 16),
        kinds=np.array([row.kind for row in rows], np.uint8),
        levels=np.array(levels, np.uint8),
        since_s=np.array([since_s(row.recorded_at, row.last_recalled_at) for row in rows]),
        stabilities_s=np.array([row.stability_s for row in rows], np.float64),
        importances=np.array([row.importance for row in rows], np.float64),
        surprises=np.array([NO_SURPRISE if row.surprise is None else row.surprise for row in rows], np.float64),
        is_held=np.array([is_held(row._mapping) for row in rows], np.bool_),
    )
