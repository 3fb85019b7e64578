"""All SQL about limits, and about what is used of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, select

from memsvc.models.tables import API_KEY, NAMESPACE, TENANT

Stored = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Usage:
    """Memories in whatever state, and bytes of their contents in all versions."""

    memories: int
    bytes: int


NOTHING = Usage(0, 0)


def stored(connection: Connection, tenant_id: UUID, key_id: UUID | None) -> tuple[Stored | None, Stored | None]:
    """What is stored for a tenant and for one of its keys."""
    of_tenant = connection.execute(select(TENANT.c.limits).where(TENANT.c.id == tenant_id)).scalar_one_or_none()
    if key_id is None:
        return of_tenant, None
    query = select(API_KEY.c.limits).where(API_KEY.c.tenant_id == tenant_id, API_KEY.c.id == key_id)
    return of_tenant, connection.execute(query).scalar_one_or_none()


def store_of_tenant(connection: Connection, tenant_id: UUID, limits: Stored) -> None:
    """Puts a tenant's limits in the place of what was stored before."""
    connection.execute(TENANT.update().where(TENANT.c.id == tenant_id).values(limits=dict(limits)))


def store_of_key(connection: Connection, tenant_id: UUID, key_id: UUID, limits: Stored) -> bool:
    """Puts a key's limits in the place of what was stored before; False if the tenant has no such key in force."""
    target = (API_KEY.c.tenant_id == tenant_id) & (API_KEY.c.id == key_id) & API_KEY.c.revoked_at.is_(None)
    return bool(connection.execute(API_KEY.update().where(target).values(limits=dict(limits))).rowcount)


def tenant_named(connection: Connection, name: str) -> UUID | None:
    """The tenant of that name."""
    return connection.execute(select(TENANT.c.id).where(TENANT.c.name == name)).scalar_one_or_none()


def used(connection: Connection, tenant_id: UUID) -> Usage:
    """What a tenant has in all its namespaces."""
    sums = (func.coalesce(func.sum(column), 0) for column in (NAMESPACE.c.n_memories, NAMESPACE.c.n_bytes))
    memories, size = connection.execute(select(*sums).where(NAMESPACE.c.tenant_id == tenant_id)).one()
    return Usage(int(memories), int(size))


def lock(connection: Connection, tenant_id: UUID) -> None:
    """Hold a tenant's row until the transaction ends: what it has is counted by one writer at a time.

    New namespaces, which refer to the row, are not held up by it.
    """
    connection.execute(select(TENANT.c.id).where(TENANT.c.id == tenant_id).with_for_update(key_share=True))
