"""All SQL about the space that a namespace keeps beside its active one: what is missing in it, and how it stands.

A text has vectors in a space if its first view has: all views of a text are written together. Texts are those of every
version, whatever has become of the memory: a question about the past, a rewind and a switch back need them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, ScalarSelect, Select, and_, func, select, update

from memsvc.models.ids import one_of
from memsvc.models.tables import EMBEDDING, MEMORY, NAMESPACE, TOKEN_EMBEDDING, VERSION
from memsvc.models.tenant import Beside
from memsvc.namespaces.repository import NamespaceRow

KIND = "reembed"
"""The job that embeds what is missing, and deletes what is not kept any more."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How many texts a namespace has, and how many of them have vectors in the space beside."""

    texts: int
    embedded: int


@dataclass(frozen=True, slots=True)
class Missing:
    """A text without vectors in the space beside.

    Attributes:
        context_id: the memory in whose light it was read for the active space, if it was.
    """

    memory_id: UUID
    version: int
    content: str
    derived: str | None
    context_id: UUID | None


def with_missing(connection: Connection, namespace: NamespaceRow, most: int) -> list[UUID]:
    """Memories that lack vectors in the space beside, the oldest first."""
    return list(connection.execute(memories_missing(namespace, most)).scalars())


def memories_missing(namespace: NamespaceRow, most: int) -> Select[Any]:
    """The statement of `with_missing`."""
    place = MEMORY.c.recorded_at, MEMORY.c.id
    return _missing(namespace, MEMORY.c.id).group_by(*place).order_by(*place).limit(most)


def missing(connection: Connection, namespace: NamespaceRow, memory_ids: Iterable[UUID]) -> list[Missing]:
    """The texts of some memories that have no vectors in the space beside, by memory and version.

    Raises:
        Damaged: one is encrypted and does not open.
    """
    tokens = and_(
        TOKEN_EMBEDDING.c.tenant_id == VERSION.c.tenant_id,
        TOKEN_EMBEDDING.c.memory_id == VERSION.c.memory_id,
        TOKEN_EMBEDDING.c.version == VERSION.c.version,
        TOKEN_EMBEDDING.c.space_id == namespace.space_id,
    )
    columns = (
        VERSION.c.memory_id, VERSION.c.version, VERSION.c.content, VERSION.c.derived, TOKEN_EMBEDDING.c.context_id,
    )  # fmt: skip
    query = _missing(namespace, *columns, beside_it=tokens)
    query = query.where(one_of(MEMORY.c.id, namespace.tenant_id, memory_ids))
    rows = connection.execute(query.order_by(VERSION.c.memory_id, VERSION.c.version)).all()
    return [Missing(*row) for row in rows]


def missing_keys(connection: Connection, namespace: NamespaceRow, memory_ids: Iterable[UUID]) -> set[tuple[UUID, int]]:
    """(memory, version) of the texts of some memories that have no vectors in the space beside."""
    query = _missing(namespace, VERSION.c.memory_id, VERSION.c.version)
    query = query.where(one_of(MEMORY.c.id, namespace.tenant_id, memory_ids))
    return {(row.memory_id, row.version) for row in connection.execute(query)}


def _missing(namespace: NamespaceRow, *columns: Any, beside_it: ColumnElement[bool] | None = None) -> Select[Any]:
    # Outer joins for the order of the tables alone, see `memsvc.index.loader`.
    tables = MEMORY.outerjoin(
        VERSION, and_(VERSION.c.tenant_id == MEMORY.c.tenant_id, VERSION.c.memory_id == MEMORY.c.id)
    )
    if beside_it is not None:
        tables = tables.outerjoin(TOKEN_EMBEDDING, beside_it)
    return (
        select(*columns)
        .select_from(tables)
        .where(
            MEMORY.c.tenant_id == namespace.tenant_id,
            MEMORY.c.namespace_id == namespace.id,
            VERSION.c.content.is_not(None),
            _first_view(namespace).is_(None),
        )
    )


def _first_view(namespace: NamespaceRow) -> ScalarSelect[int]:
    """Number 0 for a version that has vectors in the space beside, else NULL.

    No join: what statistics there are say that a new space is empty, and PostgreSQL would read all of it for each row.
    """
    return (
        select(EMBEDDING.c.view)
        .where(
            EMBEDDING.c.tenant_id == VERSION.c.tenant_id,
            EMBEDDING.c.memory_id == VERSION.c.memory_id,
            EMBEDDING.c.version == VERSION.c.version,
            EMBEDDING.c.space_id == namespace.beside_id,
            EMBEDDING.c.view == 0,
        )
        .correlate(VERSION)
        .scalar_subquery()
    )


def with_leftovers(connection: Connection, namespace: NamespaceRow, most: int) -> list[UUID]:
    """Memories that still have vectors in the space beside, the oldest first."""
    return list(connection.execute(memories_left(namespace, most)).scalars())


def memories_left(namespace: NamespaceRow, most: int) -> Select[Any]:
    """The statement of `with_leftovers`."""
    any_view = (
        select(func.min(EMBEDDING.c.view))
        .where(
            EMBEDDING.c.tenant_id == MEMORY.c.tenant_id,
            EMBEDDING.c.memory_id == MEMORY.c.id,
            EMBEDDING.c.space_id == namespace.beside_id,
        )
        .correlate(MEMORY)
        .scalar_subquery()
    )
    return (
        select(MEMORY.c.id)
        .where(
            MEMORY.c.tenant_id == namespace.tenant_id,
            MEMORY.c.namespace_id == namespace.id,
            any_view.is_not(None),
        )
        .order_by(MEMORY.c.recorded_at, MEMORY.c.id)
        .limit(most)
    )


def free(connection: Connection, namespace: NamespaceRow, memory_ids: Sequence[UUID]) -> None:
    """Delete what some memories have in the space beside."""
    for table in (TOKEN_EMBEDDING, EMBEDDING):
        connection.execute(
            table.delete().where(
                one_of(table.c.memory_id, namespace.tenant_id, memory_ids), table.c.space_id == namespace.beside_id
            )
        )


def progress(connection: Connection, namespace: NamespaceRow) -> Progress:
    """How far the space beside is."""
    own = (
        VERSION.c.tenant_id == namespace.tenant_id,
        VERSION.c.namespace_id == namespace.id,
        VERSION.c.content.is_not(None),
    )
    query = select(func.count(), func.count(_first_view(namespace))).select_from(VERSION)
    texts, embedded = connection.execute(query.where(*own)).one()
    return Progress(int(texts), int(embedded))


def put_beside(
    connection: Connection,
    namespace: NamespaceRow,
    space_id: UUID | None,
    state: Beside | None,
    *,
    is_to_switch: bool = False,
) -> None:
    """Write which space a locked namespace keeps beside, and how it stands."""
    connection.execute(
        update(NAMESPACE)
        .where(NAMESPACE.c.tenant_id == namespace.tenant_id, NAMESPACE.c.id == namespace.id)
        .values(beside_id=space_id, beside=None if state is None else int(state), is_to_switch=is_to_switch)
    )
