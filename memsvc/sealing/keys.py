"""All SQL about keys. Every query of a tenant's names the tenant."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from memsvc.core.errors import StartupRefused
from memsvc.db.engine import Database
from memsvc.db.tenancy import SERVICE
from memsvc.models.ids import one_of
from memsvc.models.tables import MEMORY_KEY, TENANT_KEY
from memsvc.sealing.keyring import DataKey, Keyring, TenantKey


def require(database: Database) -> None:
    """Refuse to serve what cannot be read.

    Raises:
        StartupRefused: something is encrypted, and there is no root key, or another one.
    """
    with database.read(SERVICE) as connection:
        every = connection.execute(select(TENANT_KEY.c.tenant_id, TENANT_KEY.c.wrapped)).all()
    if every and database.keyring is None:
        raise StartupRefused(
            "memories in this database are encrypted, and MEMSVC_ROOT_KEY is not given; without it they cannot be read"
        )
    if database.keyring is not None:
        for tenant_id, wrapped in every:
            database.keyring.tenant_key(tenant_id, wrapped)


def of_tenant(connection: Connection, keyring: Keyring, tenant_id: UUID) -> TenantKey | None:
    """The tenant's key; None if nothing of it is encrypted yet."""
    query = select(TENANT_KEY.c.wrapped).where(TENANT_KEY.c.tenant_id == tenant_id)
    wrapped = connection.execute(query).scalar_one_or_none()
    return None if wrapped is None else keyring.tenant_key(tenant_id, wrapped)


def ensure(connection: Connection, keyring: Keyring, tenant_id: UUID, now: datetime) -> TenantKey:
    """The tenant's key, made if there is none. Of two processes that make one at once, both get the first one's."""
    found = of_tenant(connection, keyring, tenant_id)
    if found is not None:
        return found
    new = keyring.new_tenant_key(tenant_id)
    into = postgresql.insert(TENANT_KEY) if connection.dialect.name == "postgresql" else sqlite.insert(TENANT_KEY)
    row = {"tenant_id": tenant_id, "wrapped": new.wrapped, "created_at": now}
    connection.execute(into.on_conflict_do_nothing(index_elements=["tenant_id"]), row)
    return of_tenant(connection, keyring, tenant_id) or new


def of_memories(
    connection: Connection, keyring: Keyring, tenant: TenantKey, memory_ids: Iterable[UUID]
) -> dict[UUID, DataKey]:
    """Data keys of those memories that have one.

    Raises:
        Damaged: one does not open.
    """
    query = select(MEMORY_KEY.c.memory_id, MEMORY_KEY.c.wrapped).where(
        one_of(MEMORY_KEY.c.memory_id, tenant.tenant_id, memory_ids)
    )
    prefix, of = tenant.wrapped, tenant.tenant_id.hex
    return {row.memory_id: keyring.data_key(row.wrapped + prefix + of + row.memory_id.hex)
            for row in connection.execute(query)}  # fmt: skip


def store(connection: Connection, tenant_id: UUID, wrapped: dict[UUID, str]) -> None:
    """Keeps new data keys."""
    if wrapped:
        rows = [{"tenant_id": tenant_id, "memory_id": one, "wrapped": key} for one, key in wrapped.items()]
        connection.execute(insert(MEMORY_KEY), rows)


def rewrap(database: Database, keyring: Keyring) -> int:
    """Has the current root key wrap every tenant's key; returns how many another one had wrapped.

    Raises:
        StartupRefused: one was wrapped by a root key that is not given; those before it are done.
    """
    with database.read(SERVICE) as connection:
        tenants = list(connection.execute(select(TENANT_KEY.c.tenant_id)).scalars())

    def unit(connection: Connection, tenant_id: UUID) -> bool:
        key = of_tenant(connection, keyring, tenant_id)
        anew = None if key is None else keyring.rewrapped(key)
        if anew is None or anew is key:
            return False
        connection.execute(update(TENANT_KEY).where(TENANT_KEY.c.tenant_id == tenant_id).values(wrapped=anew.wrapped))
        return True

    return sum(
        database.write(one, lambda connection, one=one: unit(connection, one))  # type: ignore[misc]
        for one in tenants
    )
