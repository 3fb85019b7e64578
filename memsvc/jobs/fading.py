"""The job `fade`: memories grow cold, are archived or forgotten where the policy says so, and climb back when recalled.

See `lifecycle.fading`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import BigInteger, Connection, or_, select, type_coerce

from gpu.bank.records import State
from lifecycle.fading import FadedColumns, due_level, due_moves
from lifecycle.policy import Level, Policy
from lifecycle.retention import NO_SURPRISE
from lifecycle.steps import Step
from memsvc.memories import repository as memories
from memsvc.memories.draft import pair_bytes
from memsvc.memories.fading import faded, level_of, seconds
from memsvc.memories.ledger import Ledger, Stored
from memsvc.memories.repository import unexpired
from memsvc.models.tables import MEMORY
from memsvc.namespaces.repository import NamespaceRow

KIND = "fade"
_STATES = {Level.ARCHIVED: State.ARCHIVED, Level.FORGOTTEN: State.FORGOTTEN}
_REASONS = {State.ACTIVE: "warmed", State.ARCHIVED: "archived", State.FORGOTTEN: "faded"}
# Times stay the whole numbers that they are in the database: a namespace is read whole.
_TIMES = [type_coerce(MEMORY.c[name], BigInteger).label(name) for name in ("recorded_at", "last_recalled_at")]
_COLUMNS = (
    *_TIMES,
    *(MEMORY.c[name] for name in ("id", "kind", "state", "level", "stability_s", "importance", "surprise", "pinned",
                                  "legal_hold")),
)  # fmt: skip


class Fade:
    """The job; see `memsvc.jobs.work.Work`."""

    kind = KIND
    is_bounded = True

    def plan(self, connection: Connection, namespace: NamespaceRow, policy: Policy, now: datetime) -> Iterable[Step]:
        """See `Work`. What a user forgot is no business of this job."""
        query = select(*_COLUMNS).where(
            MEMORY.c.tenant_id == namespace.tenant_id,
            MEMORY.c.namespace_id == namespace.id,
            or_(MEMORY.c.state == int(State.ACTIVE), MEMORY.c.state == int(State.ARCHIVED)),
            unexpired(now),
        )
        rows = connection.execute(query).all()
        if not rows:
            return []
        columns = _columns(rows)
        moves = due_moves(columns, policy, seconds(now))
        return (  # made one by one: a run takes its share of them, and the rest is never made
            _step(rows[place].id, Level(columns.levels[place]), Level(level), retention, stability_s)
            for place, level, retention, stability_s in zip(
                moves.places.tolist(),
                moves.levels,
                moves.retentions.tolist(),
                moves.stabilities_s.tolist(),
                strict=True,
            )
        )

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
    if memory.row["level"] != kept:
        ledger.relevel(memory.id, kept)
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


def _columns(rows: Sequence[Any]) -> FadedColumns:
    recorded, recalled, ids, kinds, states, levels, stabilities, importances, surprises, pinned, held = zip(
        *rows, strict=True
    )
    recorded_us = np.array(recorded, np.int64)
    recalled_us = np.array([-(2**62) if one is None else one for one in recalled], np.int64)
    return FadedColumns(
        ids=np.frombuffer(b"".join(one.bytes for one in ids), np.uint8).reshape(-1, 16),
        kinds=np.array(kinds, np.uint8),
        levels=np.where(np.array(states) == State.ARCHIVED, np.uint8(Level.ARCHIVED), np.array(levels, np.uint8)),
        since_s=np.maximum(recorded_us, recalled_us) / 1e6,
        stabilities_s=np.array(stabilities, np.float64),
        importances=np.array(importances, np.float64),
        surprises=np.array([NO_SURPRISE if one is None else one for one in surprises], np.float64),
        is_held=np.array(pinned, np.bool_) | np.array(held, np.bool_),
    )
