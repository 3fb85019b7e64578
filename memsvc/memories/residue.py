"""Every row that holds something of a memory, and how it is taken out. `docs/erasure.md` lists them one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

import numpy as np
from sqlalchemy import ColumnElement, Connection, Table, func, select

from memsvc.core.secrets import Secrets
from memsvc.models import ChangeOp
from memsvc.models.conditions import byte_length
from memsvc.models.ids import given, one_of, one_of_given
from memsvc.models.tables import (
    ANALYSIS,
    CHANGE,
    EMBEDDING,
    ENTITY,
    ENTITY_ALIAS,
    ERASURE,
    FEEDBACK,
    IDEMPOTENCY,
    JOB_EFFECT,
    LEGAL_HOLD,
    LINK,
    MEMORY,
    MEMORY_KEY,
    PENDING,
    TOKEN_EMBEDDING,
    VERSION,
)
from memsvc.namespaces.repository import NamespaceRow

TOUCHED: tuple[Table, ...] = (
    MEMORY, VERSION, ANALYSIS, EMBEDDING, TOKEN_EMBEDDING, LINK, FEEDBACK, JOB_EFFECT, LEGAL_HOLD, CHANGE, ENTITY,
    ENTITY_ALIAS, IDEMPOTENCY, ERASURE, MEMORY_KEY, PENDING,
)  # fmt: skip
"""Tables in which an erasure leaves dead rows."""
_WORD = "<u8"
# One statement for each column, not one with OR, which would be answered from no index. The memories go last.
_NAMING = (
    *((LINK, column) for column in ("from_id", "to_id")),
    (FEEDBACK, "memory_id"),
    *((JOB_EFFECT, column) for column in ("memory_id", "because_of")),
    *(
        (table, "memory_id")
        for table in (MEMORY_KEY, LEGAL_HOLD, PENDING, TOKEN_EMBEDDING, EMBEDDING, ANALYSIS, VERSION)
    ),
    (MEMORY, "id"),
)
_DELETES = tuple((table, table.delete().where(one_of_given(table.c[column]))) for table, column in _NAMING)
_VOID = (
    CHANGE.update().where(one_of_given(CHANGE.c.memory_id)).values(op=int(ChangeOp.VOID), memory_id=None, version=None)
)


def tombstone(secrets: Secrets, memory_id: UUID) -> bytes:
    """What is kept of the id of an erased memory: a keyed digest."""
    return secrets.sign("tombstone", memory_id.bytes)


def content_bytes(connection: Connection, tenant_id: UUID, memory_ids: Sequence[UUID]) -> int:
    """Bytes of the contents of some memories, all versions."""
    size = func.coalesce(func.sum(byte_length(connection, VERSION.c.content)), 0)
    return int(connection.execute(select(size).where(one_of(VERSION.c.memory_id, tenant_id, memory_ids))).scalar_one())


def take_out(connection: Connection, namespace: NamespaceRow, memory_ids: Sequence[UUID]) -> Counter[str]:
    """Takes memories of a locked namespace out of every table; returns how many rows of each.

    Earlier places in the change log stay, without their ids. Names that were decided about and that no memory mentions
    any more go, too.
    """
    decided = _decided(connection, namespace)
    mentioned = _mentioned(connection, namespace, memory_ids) & decided if decided else set()
    counts = _take_out(connection, namespace.tenant_id, memory_ids)
    if mentioned:
        counts += _forget_names(connection, namespace, mentioned)
    return counts


def _take_out(connection: Connection, tenant_id: UUID, memory_ids: Sequence[UUID]) -> Counter[str]:
    named = given(tenant_id, memory_ids)
    counts: Counter[str] = Counter()
    for table, statement in _DELETES:
        counts[table.name] += connection.execute(statement, named).rowcount
    connection.execute(_VOID, named)
    return +counts


def _decided(connection: Connection, namespace: NamespaceRow) -> set[int]:
    """Ids of the names that somebody decided about, as they are stored."""
    query = select(ENTITY_ALIAS.c.mention_id).where(*_own(ENTITY_ALIAS, namespace))
    return set(connection.execute(query).scalars())


def _mentioned(connection: Connection, namespace: NamespaceRow, memory_ids: Sequence[UUID]) -> set[int]:
    query = select(ANALYSIS.c.mention_ids).where(one_of(ANALYSIS.c.memory_id, namespace.tenant_id, memory_ids))
    return {one for row in connection.execute(query).scalars() for one in _ids(row)}


def _forget_names(connection: Connection, namespace: NamespaceRow, names: set[int]) -> Counter[str]:
    """Takes out what was decided about those of the names that no version of any memory mentions now."""
    left = set(names)
    query = (
        select(ANALYSIS.c.mention_ids)
        .join(VERSION, (VERSION.c.tenant_id == ANALYSIS.c.tenant_id) & (VERSION.c.memory_id == ANALYSIS.c.memory_id)
              & (VERSION.c.version == ANALYSIS.c.version))
        .where(*_own(VERSION, namespace))
        .execution_options(yield_per=1_000)
    )  # fmt: skip
    for row in connection.execute(query).scalars():
        left -= set(_ids(row))
        if not left:
            return Counter()
    own = _own(ENTITY_ALIAS, namespace)
    losing = connection.execute(
        ENTITY_ALIAS.delete().where(*own, ENTITY_ALIAS.c.mention_id.in_(left)).returning(ENTITY_ALIAS.c.entity_id)
    )
    parties = list(losing.scalars())
    # A name whose only others are gone is what it was before somebody joined them.
    alone = (
        select(ENTITY_ALIAS.c.entity_id)
        .where(*own, ENTITY_ALIAS.c.entity_id.in_(set(parties)))
        .group_by(ENTITY_ALIAS.c.entity_id)
        .having(func.count() == 1)
    )
    connection.execute(ENTITY_ALIAS.delete().where(*own, ENTITY_ALIAS.c.entity_id.in_(alone)))
    kept = select(ENTITY_ALIAS.c.entity_id).where(*own)
    connection.execute(ENTITY.delete().where(*_own(ENTITY, namespace), ENTITY.c.id.not_in(kept)))
    return Counter({ENTITY_ALIAS.name: len(parties)})


def _own(table: Table, namespace: NamespaceRow) -> tuple[ColumnElement[bool], ...]:
    return table.c.tenant_id == namespace.tenant_id, table.c.namespace_id == namespace.id


def _ids(stored: bytes) -> list[int]:
    """Ids of mentions as aliases are stored: signed."""
    found: list[int] = np.frombuffer(stored, dtype=_WORD).astype(np.int64).tolist()
    return found
