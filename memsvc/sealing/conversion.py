"""Encrypting what was written before encryption was switched on. There is no way back: whoever wants one exports."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import Connection, and_, select

from memsvc.core.clock import Clock
from memsvc.db.engine import Database
from memsvc.db.tenancy import SERVICE
from memsvc.models.tables import MEMORY, MEMORY_KEY
from memsvc.namespaces import repository as namespaces
from memsvc.sealing.rows import Sealing

_AT_ONCE = 200  # memories of one transaction, for which other writers of their namespace wait


def encrypt_all(database: Database, clock: Clock, done: Callable[[int], None] = lambda count: None) -> int:
    """Encrypts every memory of every tenant that is not yet; returns how many.

    In small transactions beside running servers; stopped, it goes on where it was. What was written in the clear before
    lies in free space of the files until `Database.overwrite`.

    Args:
        done: told after each transaction how many are done.
    """
    with database.read(SERVICE) as connection:
        every = namespaces.every(connection)
    count = 0
    for namespace in every:

        def unit(connection: Connection, key: tuple[UUID, UUID] = namespace.key) -> int:
            if namespaces.get(connection, *key, lock=True) is None:
                return 0
            plain = _plain(connection, key)
            Sealing.of(connection, key[0], (), plain, clock.now())
            return len(plain)

        while now := database.write(namespace.tenant_id, unit):
            count += now
            done(count)
    return count


def _plain(connection: Connection, key: tuple[UUID, UUID]) -> list[UUID]:
    """Memories of a namespace that have no key, a transaction's worth."""
    keyed = and_(MEMORY_KEY.c.tenant_id == MEMORY.c.tenant_id, MEMORY_KEY.c.memory_id == MEMORY.c.id)
    query = (
        select(MEMORY.c.id)
        .outerjoin(MEMORY_KEY, keyed)
        .where(MEMORY.c.tenant_id == key[0], MEMORY.c.namespace_id == key[1], MEMORY_KEY.c.memory_id.is_(None))
        .order_by(MEMORY.c.id)
        .limit(_AT_ONCE)
    )
    return list(connection.execute(query).scalars())
