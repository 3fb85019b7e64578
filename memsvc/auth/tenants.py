"""Tenants: found by name, or made; and the first key of one."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from memsvc.core.clock import Clock
from memsvc.core.ids import new_id
from memsvc.db.engine import Database
from memsvc.db.tenancy import SERVICE
from memsvc.models import Tenant

DEFAULT_TENANT = "default"


def ensure_tenant(database: Database, clock: Clock, name: str) -> UUID:
    """The id of the tenant called `name`, which is made if there is none."""
    by_name = select(Tenant.id).where(Tenant.name == name)

    def unit(connection: Connection) -> UUID:
        found = connection.scalar(by_name)
        if found is not None:
            return found
        made = new_id()
        connection.execute(insert(Tenant).values(id=made, name=name, created_at=clock.now()))
        return made

    try:
        return database.write(SERVICE, unit)
    except IntegrityError:  # another process was faster
        with database.read(SERVICE) as connection:
            return connection.execute(by_name).scalar_one()


def ensure_default_tenant(database: Database, clock: Clock) -> UUID:
    """The id of the tenant for whom requests without a key act in open mode."""
    return ensure_tenant(database, clock, DEFAULT_TENANT)
