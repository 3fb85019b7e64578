"""All SQL about the names of a namespace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, insert, select

from gpu.bank.records import State
from memsvc.core.ids import new_id
from memsvc.memories.repository import unexpired
from memsvc.models import ChangeOp
from memsvc.models.tables import ANALYSIS, CHANGE, ENTITY, ENTITY_ALIAS, MEMORY
from memsvc.namespaces.repository import NamespaceRow

_CHUNK = 400  # bound parameters of one statement stay far below SQLite's limit
_WORD = 1 << 64


class Mentioning(NamedTuple):
    """A memory with what it mentions, and what it says of those names (see `memsvc.models.memory.Analysis`)."""

    memory_id: UUID
    mentions: list[str]
    told: list[list[str]] | None
    expires_at: datetime | None


def signed(mention_id: int) -> int:
    """The id of a mention as the database keeps it."""
    return mention_id - _WORD if mention_id >= _WORD // 2 else mention_id


def unsigned(stored: int) -> int:
    """The id of a mention as it was stored by `signed`."""
    return stored % _WORD


def _mentioning(connection: Connection, namespace: NamespaceRow, *where: ColumnElement[bool], most: int) -> list[Any]:
    query = (
        select(MEMORY.c.id, ANALYSIS.c.mentions, ANALYSIS.c.told, MEMORY.c.expires_at)
        .join(
            ANALYSIS,
            and_(
                ANALYSIS.c.tenant_id == MEMORY.c.tenant_id,
                ANALYSIS.c.memory_id == MEMORY.c.id,
                ANALYSIS.c.version == MEMORY.c.content_version,
            ),
        )
        .where(
            MEMORY.c.tenant_id == namespace.tenant_id,
            MEMORY.c.namespace_id == namespace.id,
            MEMORY.c.state == int(State.ACTIVE),
            *where,
        )
        .order_by(MEMORY.c.recorded_at.desc(), MEMORY.c.id.desc())
        .limit(most)
    )
    return [Mentioning(*row) for row in connection.execute(query)]


def newest(connection: Connection, namespace: NamespaceRow, now: datetime, most: int) -> list[Mentioning]:
    """What the active memories of a namespace mention, the newest `most` of them."""
    return _mentioning(connection, namespace, unexpired(now), most=most)


def of_memories(
    connection: Connection, namespace: NamespaceRow, memory_ids: Sequence[UUID], now: datetime
) -> list[Mentioning]:
    """What those of the memories mention that are active."""
    found: list[Mentioning] = []
    for start in range(0, len(memory_ids), _CHUNK):
        part = memory_ids[start : start + _CHUNK]
        found += _mentioning(connection, namespace, unexpired(now), MEMORY.c.id.in_(part), most=len(part))
    return found


def changed(connection: Connection, namespace: NamespaceRow, after: int, most: int) -> list[UUID] | None:
    """Memories that were written, changed or erased after a seq; None if there were more than `most` changes."""
    query = (
        select(CHANGE.c.memory_id)
        .where(
            CHANGE.c.tenant_id == namespace.tenant_id,
            CHANGE.c.namespace_id == namespace.id,
            CHANGE.c.seq > after,
            CHANGE.c.seq <= namespace.head_seq,
            CHANGE.c.op.not_in((int(ChangeOp.VOID), int(ChangeOp.RETIER), int(ChangeOp.SWITCH))),
        )
        .order_by(CHANGE.c.seq)
        .limit(most + 1)
    )
    found = [identifier for identifier in connection.execute(query).scalars() if identifier is not None]
    return None if len(found) > most else list(dict.fromkeys(found))


def decisions(connection: Connection, namespace: NamespaceRow) -> dict[int, UUID]:
    """Mentions that were decided on, each with its entity."""
    query = select(ENTITY_ALIAS.c.mention_id, ENTITY_ALIAS.c.entity_id).where(
        ENTITY_ALIAS.c.tenant_id == namespace.tenant_id, ENTITY_ALIAS.c.namespace_id == namespace.id
    )
    return {unsigned(mention): entity for mention, entity in connection.execute(query)}


def decide(
    connection: Connection, namespace: NamespaceRow, parties: Iterable[Iterable[int]], writer: str, now: datetime
) -> None:
    """Say of mentions which stand for the same party; what was said of them before is replaced.

    Args:
        parties: the mention ids of each.
    """
    own = ENTITY_ALIAS.c.tenant_id == namespace.tenant_id, ENTITY_ALIAS.c.namespace_id == namespace.id
    entities, aliases = [], []
    for mentions in parties:
        entity = new_id()
        entities.append(
            {
                "tenant_id": namespace.tenant_id, "id": entity, "namespace_id": namespace.id, "writer": writer,
                "created_at": now,
            }
        )  # fmt: skip
        aliases += [
            {
                "tenant_id": namespace.tenant_id, "namespace_id": namespace.id, "mention_id": signed(mention),
                "entity_id": entity,
            }
            for mention in mentions
        ]  # fmt: skip
    told = [alias["mention_id"] for alias in aliases]
    for start in range(0, len(told), _CHUNK):
        connection.execute(
            ENTITY_ALIAS.delete().where(*own, ENTITY_ALIAS.c.mention_id.in_(told[start : start + _CHUNK]))
        )
    connection.execute(insert(ENTITY), entities)
    connection.execute(insert(ENTITY_ALIAS), aliases)
    kept = select(ENTITY_ALIAS.c.entity_id).where(*own)
    connection.execute(
        ENTITY.delete().where(
            ENTITY.c.tenant_id == namespace.tenant_id,
            ENTITY.c.namespace_id == namespace.id,
            ENTITY.c.id.not_in(kept),
        )
    )
