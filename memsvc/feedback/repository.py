"""All SQL about feedback. Every query names the tenant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, select
from sqlalchemy.dialects import postgresql, sqlite

from memsvc.core.clock import from_us, to_us
from memsvc.models.tables import FEEDBACK, MEMORY, NAMESPACE
from memsvc.namespaces.repository import NamespaceRow

_RESET = "weights_reset_at_us"


def homes(
    connection: Connection, tenant_id: UUID, memory_ids: Sequence[UUID], *, lock: bool = False
) -> dict[UUID, UUID]:
    """The namespace's id of each of the tenant's memories that is there; at most some hundreds.

    Args:
        lock: none of them is erased before the transaction ends.
    """
    query = select(MEMORY.c.id, MEMORY.c.namespace_id).where(
        MEMORY.c.tenant_id == tenant_id, MEMORY.c.id.in_(memory_ids)
    )
    if lock:
        query = query.order_by(MEMORY.c.id).with_for_update(key_share=True)
    return {memory_id: namespace_id for memory_id, namespace_id in connection.execute(query)}


def store(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write verdicts; a later one on the same hit of the same recall takes the place of the earlier."""
    if not rows:
        return
    insert = postgresql.insert(FEEDBACK) if connection.dialect.name == "postgresql" else sqlite.insert(FEEDBACK)
    statement = insert.on_conflict_do_update(
        index_elements=["tenant_id", "recall_id", "memory_id"], set_={"verdict": insert.excluded.verdict}
    )
    connection.execute(statement, list(rows))


def known(connection: Connection, tenant_id: UUID, recall_id: UUID) -> set[UUID]:
    """Memories on which there is a verdict for this recall."""
    query = select(FEEDBACK.c.memory_id).where(FEEDBACK.c.tenant_id == tenant_id, FEEDBACK.c.recall_id == recall_id)
    return set(connection.execute(query).scalars())


def latest(connection: Connection, namespace: NamespaceRow, since: datetime | None, limit: int) -> list[Row[Any]]:
    """The last verdicts on memories of a namespace, oldest first: recall_id, verdict, apart.

    Args:
        since: only those recorded after it.
        limit: how many at most.
    """
    query: Select[Any] = select(FEEDBACK.c.recall_id, FEEDBACK.c.verdict, FEEDBACK.c.apart).where(
        FEEDBACK.c.tenant_id == namespace.tenant_id, FEEDBACK.c.namespace_id == namespace.id
    )
    if since is not None:
        query = query.where(FEEDBACK.c.recorded_at > since)
    newest_first = (FEEDBACK.c.recorded_at.desc(), FEEDBACK.c.recall_id.desc(), FEEDBACK.c.memory_id.desc())
    return list(connection.execute(query.order_by(*newest_first).limit(limit)))[::-1]


def reset_at(connection: Connection, namespace: NamespaceRow) -> datetime | None:
    """When the weights of a namespace were reset last."""
    settings = connection.execute(_settings_of(namespace)).scalar_one_or_none() or {}
    us = settings.get(_RESET)
    return None if us is None else from_us(us)


def reset(connection: Connection, namespace: NamespaceRow, now: datetime) -> None:
    """From now on, weights follow from later verdicts only."""
    settings = connection.execute(_settings_of(namespace).with_for_update()).scalar_one_or_none()
    if settings is not None:
        connection.execute(
            NAMESPACE.update()
            .where(NAMESPACE.c.tenant_id == namespace.tenant_id, NAMESPACE.c.id == namespace.id)
            .values(settings={**settings, _RESET: to_us(now)})
        )


def _settings_of(namespace: NamespaceRow) -> Any:
    return select(NAMESPACE.c.settings).where(
        NAMESPACE.c.tenant_id == namespace.tenant_id, NAMESPACE.c.id == namespace.id
    )
