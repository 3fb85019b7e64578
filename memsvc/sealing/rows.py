"""Rows on their way into the database: those of memories that have a key are sealed.

Where the server has a root key every new memory gets a key, and a memory without one gets it before anything else is
written of it: what is encrypted of a memory is all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, bindparam, select, update

from memsvc.models.ids import one_of
from memsvc.models.sealed import MARK, Sealed, SealedName, keyring_of
from memsvc.models.tables import ANALYSIS, EMBEDDING, MEMORY, TOKEN_EMBEDDING, VERSION
from memsvc.sealing import keys
from memsvc.sealing.keyring import DataKey, TenantKey

SEALED: Mapping[Table, Mapping[str, Sealed]] = {
    table: {column.name: column.type for column in table.c if isinstance(column.type, Sealed)}
    for table in (MEMORY, VERSION, ANALYSIS, EMBEDDING, TOKEN_EMBEDDING)
}
"""What is encrypted, by table and column."""


class Sealing:
    """Seals rows of one tenant, in one transaction.

    Args:
        tenant: its key, None where nothing is encrypted.
        known: data keys of the memories whose rows are written, of those that have one.
        new: keys that are not stored yet, wrapped.
    """

    def __init__(
        self,
        connection: Connection,
        tenant: TenantKey | None,
        known: dict[UUID, DataKey],
        new: dict[UUID, str] | None = None,
    ) -> None:
        self._connection = connection
        self._tenant = tenant
        self._known = known
        self._new = new or {}

    @classmethod
    def of(
        cls, connection: Connection, tenant_id: UUID, new: Iterable[UUID], old: Iterable[UUID], now: datetime
    ) -> Sealing:
        """For a transaction that makes memories and writes of others, which are encrypted first if they are not yet."""
        keyring = keyring_of(connection.dialect)
        made, others = list(dict.fromkeys(new)), list(dict.fromkeys(old))
        if keyring is None or not (made or others):
            return cls(connection, None, {})
        tenant = keys.ensure(connection, keyring, tenant_id, now)
        wrapped, known = _generated(tenant, made)
        others = [one for one in others if one not in wrapped]
        known |= keys.of_memories(connection, keyring, tenant, others)
        known |= encrypt(connection, tenant, [one for one in others if one not in known])
        return cls(connection, tenant, known, wrapped)

    @classmethod
    def as_they_are(cls, connection: Connection, tenant_id: UUID, memory_ids: Iterable[UUID]) -> Sealing:
        """For a transaction that writes of memories what is sealed only if the rest of them is."""
        keyring = keyring_of(connection.dialect)
        tenant = None if keyring is None else keys.of_tenant(connection, keyring, tenant_id)
        if keyring is None or tenant is None:
            return cls(connection, None, {})
        return cls(connection, tenant, keys.of_memories(connection, keyring, tenant, memory_ids))

    def store(self) -> None:
        """Keeps the new keys; once the memories are there."""
        if self._tenant is not None:
            keys.store(self._connection, self._tenant.tenant_id, self._new)

    def rows(self, table: Table, rows: Sequence[dict[str, Any]], prefix: str = "") -> Sequence[dict[str, Any]]:
        """The rows as they are stored.

        Args:
            prefix: of the names of their columns.
        """
        if self._tenant is None:
            return rows
        name = prefix + ("id" if table is MEMORY else "memory_id")
        return [
            row if row[name] not in self._known else row | self._sealed(table, row, self._known[row[name]], prefix)
            for row in rows
        ]

    def _sealed(self, table: Table, row: Mapping[str, Any], key: DataKey, prefix: str) -> dict[str, Any]:
        plain = {name.removeprefix(prefix): value for name, value in row.items()} if prefix else row
        found: dict[str, Any] = {}
        for name, kind in SEALED[table].items():
            if name not in plain:
                continue
            value = kind.sealed(key, plain, plain[name])
            if isinstance(kind, SealedName):
                found[f"sealed_{name}"] = value
                value = self.looked_up(plain[name])
            found[prefix + name] = value
        return found

    def looked_up(self, name: str | None) -> str | None:
        """What a name is stored as that rows are looked up by."""
        if name is None or self._tenant is None:
            return name
        return MARK + self._tenant.digest(name)


def encrypt(connection: Connection, tenant: TenantKey, memory_ids: Sequence[UUID]) -> dict[UUID, DataKey]:
    """Encrypts memories that are there and have no key, in all their versions; returns the keys.

    Nobody else may write of them meanwhile: the namespace is locked.
    """
    if not memory_ids:
        return {}
    wrapped, made = _generated(tenant, memory_ids)
    sealing = Sealing(connection, tenant, made, wrapped)
    read = {table: _rows(connection, tenant.tenant_id, table, memory_ids) for table in SEALED}
    sealing.store()
    for table, rows in read.items():
        if not rows:
            continue
        key = [column.name for column in table.primary_key]
        written = [
            *SEALED[table],
            *(f"sealed_{n}" for n, kind in SEALED[table].items() if isinstance(kind, SealedName)),
        ]
        connection.execute(
            update(table)
            .where(*(table.c[name] == bindparam(f"b_{name}") for name in key))
            .values({name: bindparam(f"v_{name}") for name in written}),
            [
                {f"b_{name}": row[name] for name in key} | {f"v_{name}": row.get(name) for name in written}
                for row in sealing.rows(table, rows)
            ],
        )
    return made


def names(connection: Connection, tenant_id: UUID, given: Sequence[str]) -> list[str]:
    """What a name is looked up by: itself, and where something of the tenant is encrypted its digest too."""
    sealing = Sealing.as_they_are(connection, tenant_id, ())
    return list(dict.fromkeys([*given, *(found for one in given if (found := sealing.looked_up(one)) is not None)]))


def _generated(tenant: TenantKey, memory_ids: Sequence[UUID]) -> tuple[dict[UUID, str], dict[UUID, DataKey]]:
    """New keys of memories: as they are stored, and to be used."""
    made = {one: tenant.new_data_key(one) for one in memory_ids}
    return {one: wrapped for one, (wrapped, _) in made.items()}, {one: key for one, (_, key) in made.items()}


def _rows(connection: Connection, tenant_id: UUID, table: Table, memory_ids: Sequence[UUID]) -> list[dict[str, Any]]:
    own = table.c.id if table is MEMORY else table.c.memory_id
    wanted = dict.fromkeys([*(c.name for c in table.primary_key), *SEALED[table], *_told(table)])
    query = select(*(table.c[name] for name in wanted)).where(one_of(own, tenant_id, memory_ids))
    return [dict(row._mapping) for row in connection.execute(query)]


def _told(table: Table) -> Iterable[str]:
    return (name for kind in SEALED[table].values() for name in kind.rows)
