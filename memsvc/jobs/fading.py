"""The job `fade`: memories grow cold, are archived or forgotten where the policy says so, and climb back when recalled.

See `lifecycle.fading`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Connection, or_, select, type_coerce, update

from gpu.bank.records import State
from lifecycle.fading import FadedColumns, due_level, due_moves
from lifecycle.policy import Level, Policy
from lifecycle.retention import NO_SURPRISE
from lifecycle.steps import Step
from memsvc.memories import repository as memories
from memsvc.memories.draft import pair_bytes
from memsvc.memories.fading import faded, level_of, seconds, since_s
from memsvc.memories.ledger import Ledger, Stored
from memsvc.memories.repository import unexpired
from memsvc.models.tables import MEMORY
from memsvc.namespaces.repository import NamespaceRow

KIND = "fade"
_NEVER_US = -(2**62)
_STATES = {Level.ARCHIVED: State.ARCHIVED, Level.FORGOTTEN: State.FORGOTTEN}
_REASONS = {State.ACTIVE: "warmed", State.ARCHIVED: "archived", State.FORGOTTEN: "faded"}
FADING = (
    "id", "kind", "state", "level", "stability_s", "importance", "surprise", "pinned", "legal_hold", "evicted",
)  # fmt: skip
FADING_SINCE = (*FADING, "recorded_at", "last_recalled_at")
"""Columns of a memory that `columns_of` needs."""
# Times stay the whole numbers that they are in the database: a namespace is read whole.
_TIMES = [type_coerce(MEMORY.c[name], BigInteger).label(name) for name in ("recorded_at", "last_recalled_at")]


class Fade:
    """The job; see `memsvc.jobs.work.Work`."""

    kind = KIND
    is_bounded = True

    def plan(self, connection: Connection, namespace: NamespaceRow, policy: Policy, now: datetime) -> Iterable[Step]:
        """See `Work`. What a user forgot is no business of this job."""
        query = select(*_TIMES, *(MEMORY.c[name] for name in FADING)).where(
            MEMORY.c.tenant_id == namespace.tenant_id,
            MEMORY.c.namespace_id == namespace.id,
            or_(MEMORY.c.state == int(State.ACTIVE), MEMORY.c.state == int(State.ARCHIVED)),
            unexpired(now),
        )
        rows = connection.execute(query).all()
        if not rows:
            return []
        recorded_us = np.array([row.recorded_at for row in rows], np.int64)
        recalled_us = np.array([_NEVER_US if row.last_recalled_at is None else row.last_recalled_at for row in rows])
        columns = _columns(rows, np.maximum(recorded_us, recalled_us) / 1e6)
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
    if memory.row["evicted"]:
        ledger.connection.execute(
            update(MEMORY)
            .where(MEMORY.c.tenant_id == ledger.namespace.tenant_id, MEMORY.c.id == memory.id)
            .values(evicted=False)
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


def columns_of(rows: Sequence[Any]) -> FadedColumns:
    """Rows with the columns `FADING_SINCE`, as columns."""
    return _columns(rows, np.array([since_s(row.recorded_at, row.last_recalled_at) for row in rows]))


def _columns(rows: Sequence[Any], since: NDArray[np.float64]) -> FadedColumns:
    """Rows with the columns `FADING`, and the seconds since which they fade, as columns."""
    states = np.array([row.state for row in rows])
    is_archived = states == State.ARCHIVED
    is_out = is_archived & np.array([row.evicted for row in rows], np.bool_)
    return FadedColumns(
        ids=np.frombuffer(b"".join(row.id.bytes for row in rows), np.uint8).reshape(-1, 16),
        kinds=np.array([row.kind for row in rows], np.uint8),
        levels=np.where(is_archived, np.uint8(Level.ARCHIVED), np.array([row.level for row in rows], np.uint8)),
        since_s=since,
        stabilities_s=np.array([row.stability_s for row in rows], np.float64),
        importances=np.array([row.importance for row in rows], np.float64),
        surprises=np.array([NO_SURPRISE if row.surprise is None else row.surprise for row in rows], np.float64),
        is_held=np.array([row.pinned or row.legal_hold for row in rows], np.bool_) | is_out,
    )
