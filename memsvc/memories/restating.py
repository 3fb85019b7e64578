"""Many memories into another state, of which nothing else changes: three statements, however many they are.

A version for each is what `Ledger.revise` would write, copied inside the database from the row that is there. What is
encrypted is bound to the number of its version and cannot be copied so.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Connection, and_, case, insert, literal, null, select, type_coerce, update

from memsvc.memories.draft import DESCRIBED
from memsvc.models.ids import one_of
from memsvc.models.tables import MEMORY, VERSION

_TICK_US = 1
_COPIED = (*DESCRIBED, "sequence_id", "tenant_id", "namespace_id", "version", "content_version")


def restate(
    connection: Connection,
    tenant_id: UUID,
    memory_ids: Collection[UUID],
    state: int,
    *,
    now: datetime,
    reason: str,
    writer: str,
) -> list[tuple[UUID, int]]:
    """Writes a version of each memory that is in another state; none of them may have a key.

    Args:
        memory_ids: of one namespace, which is locked.
        now: when it happens; never before the version that ends with it.

    Returns:
        Those memories with their new versions, by id.
    """
    clock = literal(now, MEMORY.c.updated_at.type)
    # No version has an empty interval, whatever the clock does.
    since = case((MEMORY.c.updated_at < clock, clock), else_=type_coerce(MEMORY.c.updated_at, BigInteger) + _TICK_US)
    moving = (
        update(MEMORY)
        .where(one_of(MEMORY.c.id, tenant_id, memory_ids), MEMORY.c.state != state)
        .values(state=state, version=MEMORY.c.version + 1, updated_at=since)
        .returning(MEMORY.c.id, MEMORY.c.version)
    )
    moved = sorted((row.id, int(row.version)) for row in connection.execute(moving))
    ids = [memory_id for memory_id, _ in moved]
    if not ids:
        return []
    ended = select(MEMORY.c.updated_at).where(
        MEMORY.c.tenant_id == VERSION.c.tenant_id, MEMORY.c.id == VERSION.c.memory_id
    )
    connection.execute(
        update(VERSION)
        .where(one_of(VERSION.c.memory_id, tenant_id, ids), VERSION.c.recorded_to.is_(None))
        .values(recorded_to=ended.scalar_subquery())
    )
    before = and_(
        VERSION.c.tenant_id == MEMORY.c.tenant_id,
        VERSION.c.memory_id == MEMORY.c.id,
        VERSION.c.version == MEMORY.c.version - 1,
    )
    # An outer join for the order of the tables alone, see `memsvc.index.loader`; the version is there.
    rows = (
        select(
            *(MEMORY.c[name] for name in _COPIED),
            MEMORY.c.id,
            null(),
            MEMORY.c.updated_at,
            null(),
            literal(reason),
            literal(writer),
            VERSION.c.pairs,
        )
        .outerjoin(VERSION, before)
        .where(one_of(MEMORY.c.id, tenant_id, ids))
    )
    into = [*_COPIED, "memory_id", "content", "recorded_from", "recorded_to", "reason", "writer", "pairs"]
    connection.execute(insert(VERSION).from_select(into, rows))
    return moved
