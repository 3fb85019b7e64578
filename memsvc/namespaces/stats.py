"""What a namespace holds, in numbers: all SQL of `GET /v1/stats`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, and_, func, select

from gpu.bank.records import Kind, State
from lifecycle.policy import Level
from memsvc.models.conditions import byte_length
from memsvc.models.tables import ANALYSIS, EMBEDDING, JOB_RUN, MEMORY, PENDING, TOKEN_EMBEDDING, VERSION
from memsvc.namespaces.repository import NamespaceRow

LEVELS = (Level.ACTIVE, Level.WARM, Level.COLD)
"""Those of active memories."""
PARTS = {
    "content": (VERSION, (VERSION.c.content,)),
    "vectors": (EMBEDDING, (EMBEDDING.c.vector,)),
    "token_codes": (TOKEN_EMBEDDING, (TOKEN_EMBEDDING.c.codes,)),
    "analysis": (
        ANALYSIS,
        (
            ANALYSIS.c.term_ids,
            ANALYSIS.c.term_freqs,
            ANALYSIS.c.mention_ids,
            ANALYSIS.c.spans,
            ANALYSIS.c.place_ids,
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class LastRun:
    """The newest run of a kind of work."""

    id: UUID
    kind: str
    state: int
    asked_at: datetime
    ended_at: datetime | None


@dataclass(slots=True)
class Figures:
    """Numbers of memories, by kind, state and level; when the oldest and the newest were recorded."""

    kinds: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    levels: Counter[str] = field(default_factory=Counter)
    oldest_at: datetime | None = None
    newest_at: datetime | None = None


def figures(connection: Connection, namespace: NamespaceRow) -> Figures:
    """Memories of a namespace, counted. A level is counted for those that recalls find, which are active."""
    at = MEMORY.c.recorded_at
    query = (
        select(MEMORY.c.kind, MEMORY.c.state, MEMORY.c.level, func.count(), func.min(at), func.max(at))
        .where(MEMORY.c.tenant_id == namespace.tenant_id, MEMORY.c.namespace_id == namespace.id)
        .group_by(MEMORY.c.kind, MEMORY.c.state, MEMORY.c.level)
    )
    found = Figures()
    for kind, state, level, number, oldest, newest in connection.execute(query):
        found.kinds[Kind(kind).name.lower()] += number
        found.states[State(state).name.lower()] += number
        if state == State.ACTIVE:
            found.levels[Level(level).name.lower()] += number
        found.oldest_at = oldest if found.oldest_at is None else min(found.oldest_at, oldest)
        found.newest_at = newest if found.newest_at is None else max(found.newest_at, newest)
    return found


def stored_bytes(connection: Connection, namespace: NamespaceRow) -> dict[str, int]:
    """Bytes in the database of what is as long as the memories, every version included.

    Rows, indexes and what the database itself adds are left out: they would be those of the whole database.
    """
    found = {}
    for name, (table, columns) in PARTS.items():
        size = sum(
            (func.coalesce(byte_length(connection, column), 0) for column in columns[1:]),
            func.coalesce(byte_length(connection, columns[0]), 0),
        )
        query = (
            select(func.coalesce(func.sum(size), 0))
            .select_from(table)
            .join(MEMORY, and_(MEMORY.c.tenant_id == table.c.tenant_id, MEMORY.c.id == table.c.memory_id))
            .where(MEMORY.c.tenant_id == namespace.tenant_id, MEMORY.c.namespace_id == namespace.id)
        )
        found[name] = int(connection.execute(query).scalar_one())
    return found


def pending(connection: Connection, namespace: NamespaceRow) -> int:
    """Texts that wait for their vectors."""
    own = PENDING.c.tenant_id == namespace.tenant_id, PENDING.c.namespace_id == namespace.id
    return int(connection.execute(select(func.count()).select_from(PENDING).where(*own)).scalar_one())


def last_runs(connection: Connection, namespace: NamespaceRow) -> list[LastRun]:
    """The newest run of each kind of work that was ever asked for, by kind."""
    place = func.row_number().over(partition_by=JOB_RUN.c.kind, order_by=JOB_RUN.c.id.desc())
    columns = [JOB_RUN.c[name] for name in LastRun.__dataclass_fields__]
    ranked = (
        select(*columns, place.label("place"))
        .where(JOB_RUN.c.tenant_id == namespace.tenant_id, JOB_RUN.c.namespace_id == namespace.id)
        .subquery()
    )
    query = select(*(ranked.c[column.name] for column in columns)).where(ranked.c.place == 1).order_by(ranked.c.kind)
    return [LastRun(*row) for row in connection.execute(query)]
