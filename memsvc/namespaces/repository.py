"""All SQL about namespaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite

from memsvc.core.ids import new_id
from memsvc.models.tables import EMBEDDING_SPACE, MEMORY, NAMESPACE
from memsvc.models.tenant import Beside

_NS = NAMESPACE
_SPACE = EMBEDDING_SPACE
COLUMNS = (
    _NS.c.tenant_id, _NS.c.id, _NS.c.path, _NS.c.space_id, _NS.c.head_seq, _NS.c.created_at, _NS.c.settings,
    _NS.c.epoch, _NS.c.has_derived, _NS.c.n_memories, _NS.c.n_bytes, _NS.c.has_external,
    _NS.c.beside_id, _NS.c.beside, _NS.c.is_to_switch,
)  # fmt: skip
"""Those of a `NamespaceRow`, in its order."""
# Every request needs some of these: building one costs more than running it.
_BY_PATH = select(*COLUMNS).where(_NS.c.tenant_id == bindparam("tenant"), _NS.c.path == bindparam("path"))
_IS_IT = (_NS.c.tenant_id == bindparam("tenant"), _NS.c.id == bindparam("namespace"))
_BY_ID = select(*COLUMNS).where(*_IS_IT)
_BY_ID_LOCKED = _BY_ID.with_for_update()
_ADVANCED = (
    _NS.update()
    .where(*_IS_IT)
    .values(
        head_seq=_NS.c.head_seq + bindparam("by"),
        n_memories=_NS.c.n_memories + bindparam("memories"),
        n_bytes=_NS.c.n_bytes + bindparam("size"),
    )
    .returning(_NS.c.head_seq)
)
_NEXT_EPOCH = _NS.update().where(*_IS_IT).values(epoch=_NS.c.epoch + 1)


@dataclass(frozen=True, slots=True)
class NamespaceRow:
    """A namespace as one read saw it."""

    tenant_id: UUID
    id: UUID
    path: str
    space_id: UUID
    head_seq: int
    created_at: datetime
    settings: Mapping[str, Any] = field(hash=False, compare=False)
    epoch: int = 0
    has_derived: bool = False
    n_memories: int = 0
    n_bytes: int = 0
    has_external: bool = False
    beside_id: UUID | None = None
    beside: int | None = None
    is_to_switch: bool = False

    @property
    def spaces(self) -> tuple[UUID, ...]:
        """The embedding spaces in which a text that is written gets vectors; first the one that recalls search."""
        if self.beside_id is None or self.beside == Beside.LEAVING:
            return (self.space_id,)
        return (self.space_id, self.beside_id)

    @property
    def complete_spaces(self) -> tuple[UUID, ...]:
        """Those of them in which every text has vectors."""
        return self.spaces[:1] if self.beside == Beside.GROWING else self.spaces

    @property
    def key(self) -> tuple[UUID, UUID]:
        """Its key in the bank: led by the tenant."""
        return (self.tenant_id, self.id)


@dataclass(frozen=True, slots=True)
class NamespaceSummary:
    """A namespace with what a list shows of it."""

    namespace: NamespaceRow
    memories: int
    model: str


def to_row(row: Sequence[Any]) -> NamespaceRow:
    """The namespace of a row that begins with `COLUMNS`."""
    return NamespaceRow(*row[: len(COLUMNS)])


def find(connection: Connection, tenant_id: UUID, path: str) -> NamespaceRow | None:
    """The tenant's namespace of that path, or None."""
    row = connection.execute(_BY_PATH, {"tenant": tenant_id, "path": path}).one_or_none()
    return None if row is None else to_row(row)


def get(connection: Connection, tenant_id: UUID, namespace_id: UUID, *, lock: bool = False) -> NamespaceRow | None:
    """The tenant's namespace of that id, or None.

    Args:
        lock: hold its row until the transaction ends, so that writers of one namespace queue up here and its `seq` has
            neither gaps nor commits out of order. SQLite has one writer anyway.
    """
    asked = {"tenant": tenant_id, "namespace": namespace_id}
    row = connection.execute(_BY_ID_LOCKED if lock else _BY_ID, asked).one_or_none()
    return None if row is None else to_row(row)


def ensure(connection: Connection, tenant_id: UUID, path: str, space_id: UUID, now: datetime) -> NamespaceRow:
    """The locked namespace of that path, made if it is not there yet."""
    found = find(connection, tenant_id, path)
    if found is None:
        insert = postgresql.insert(_NS) if connection.dialect.name == "postgresql" else sqlite.insert(_NS)
        connection.execute(
            insert.values(
                tenant_id=tenant_id, id=new_id(), path=path, space_id=space_id, head_seq=0, settings={}, created_at=now
            ).on_conflict_do_nothing(index_elements=["tenant_id", "path"])
        )
        found = find(connection, tenant_id, path)
    locked = None if found is None else get(connection, tenant_id, found.id, lock=True)
    if locked is None:
        raise RuntimeError("a namespace that was just written cannot be read")
    return locked


def mark_derived(connection: Connection, namespace: NamespaceRow) -> None:
    """Keep that a job made memories of others in a locked namespace."""
    connection.execute(
        _NS.update().where(_NS.c.tenant_id == namespace.tenant_id, _NS.c.id == namespace.id).values(has_derived=True)
    )


def mark_external(connection: Connection, namespace: NamespaceRow) -> None:
    """Keep that something from outside was written into a locked namespace."""
    connection.execute(
        _NS.update().where(_NS.c.tenant_id == namespace.tenant_id, _NS.c.id == namespace.id).values(has_external=True)
    )


def remove_unused(connection: Connection, namespace: NamespaceRow) -> None:
    """Take back a namespace made by this transaction in which nothing was written."""
    connection.execute(
        _NS.delete().where(_NS.c.tenant_id == namespace.tenant_id, _NS.c.id == namespace.id, _NS.c.head_seq == 0)
    )


def advance(connection: Connection, namespace: NamespaceRow, by: int, *, memories: int = 0, size: int = 0) -> int:
    """Take the next `by` numbers of the change log; returns the new head.

    Args:
        memories: how many more there are now.
        size: how many more bytes of content.
    """
    it = {"tenant": namespace.tenant_id, "namespace": namespace.id}
    return int(connection.execute(_ADVANCED, {**it, "by": by, "memories": memories, "size": size}).scalar_one())


def begin_epoch(connection: Connection, namespace: NamespaceRow) -> None:
    """Something is erased from a locked namespace: what was prepared before may not derive anything from it."""
    connection.execute(_NEXT_EPOCH, {"tenant": namespace.tenant_id, "namespace": namespace.id})


def every(connection: Connection) -> list[NamespaceRow]:
    """All namespaces of all tenants: for loading and verifying the bank, never for an answer."""
    return [to_row(row) for row in connection.execute(select(*COLUMNS).order_by(_NS.c.tenant_id, _NS.c.id))]


def of_tenant(connection: Connection, tenant_id: UUID) -> list[NamespaceRow]:
    """All namespaces of a tenant, by id."""
    query = select(*COLUMNS).where(_NS.c.tenant_id == tenant_id).order_by(_NS.c.id)
    return [to_row(row) for row in connection.execute(query)]


def page(connection: Connection, tenant_id: UUID, prefix: str, after: str | None, limit: int) -> list[NamespaceSummary]:
    """The tenant's namespaces whose path starts with `prefix`, by path, with how many memories they hold."""
    count = (
        select(func.count())
        .where(MEMORY.c.tenant_id == _NS.c.tenant_id, MEMORY.c.namespace_id == _NS.c.id)
        .scalar_subquery()
        .label("memories")
    )
    query = (
        select(*COLUMNS, count, _SPACE.c.model)
        .join(_SPACE, _SPACE.c.id == _NS.c.space_id)
        # Not LIKE, for which SQLite takes small letters and capitals as the same.
        .where(_NS.c.tenant_id == tenant_id, func.substr(_NS.c.path, 1, len(prefix)) == prefix)
        .order_by(_NS.c.path)
        .limit(limit)
    )
    if after is not None:
        query = query.where(_NS.c.path > after)
    return [NamespaceSummary(to_row(row), row.memories, row.model) for row in connection.execute(query)]


def paths(connection: Connection, tenant_id: UUID, prefix: str, after: str | None, limit: int) -> list[str]:
    """The paths of the tenant's namespaces that start with `prefix`, in order, strictly after a path."""
    query = (
        select(_NS.c.path)
        .where(_NS.c.tenant_id == tenant_id, func.substr(_NS.c.path, 1, len(prefix)) == prefix)
        .order_by(_NS.c.path)
        .limit(limit)
    )
    if after is not None:
        query = query.where(_NS.c.path > after)
    return list(connection.execute(query).scalars())


def ensure_space(connection: Connection, model: str, dim: int, now: datetime) -> UUID:
    """The id of an embedding space, made if it is new."""
    query = select(_SPACE.c.id).where(_SPACE.c.model == model, _SPACE.c.dim == dim)
    found: UUID | None = connection.execute(query).scalar_one_or_none()
    if found is None:
        insert = postgresql.insert(_SPACE) if connection.dialect.name == "postgresql" else sqlite.insert(_SPACE)
        connection.execute(
            insert.values(id=new_id(), model=model, dim=dim, created_at=now).on_conflict_do_nothing(
                index_elements=["model", "dim"]
            )
        )
        return cast(UUID, connection.execute(query).scalar_one())
    return found


def space(connection: Connection, space_id: UUID) -> tuple[str, int]:
    """Model and dimension of an embedding space."""
    row = connection.execute(select(_SPACE.c.model, _SPACE.c.dim).where(_SPACE.c.id == space_id)).one()
    return row.model, row.dim
