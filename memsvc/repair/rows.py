"""Rows that hang on nothing, and counts that are not those of the rows."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, ForeignKeyConstraint, Table, and_, exists, func, select, update

from lifecycle.trust import Trust
from memsvc.models import Base
from memsvc.models.conditions import byte_length
from memsvc.models.tables import ENTITY, JOB_RUN, MEMORY, NAMESPACE, VERSION
from memsvc.namespaces.repository import NamespaceRow
from memsvc.repair.repairs import Repair, Workshop

_PARENTS = (MEMORY, VERSION, ENTITY, JOB_RUN)
"""What may be gone while something of it stayed. Of a namespace that is gone nothing is deleted here."""


def _dangling() -> Iterator[tuple[Table, ColumnElement[bool]]]:
    """Each table with the condition on its rows that they refer to something that is not there; what refers first."""
    for table in reversed(Base.metadata.sorted_tables):
        for constraint in table.foreign_key_constraints:
            if constraint.referred_table in _PARENTS and "tenant_id" in constraint.column_keys:
                yield table, _refers_to_nothing(table, constraint)


def _refers_to_nothing(table: Table, constraint: ForeignKeyConstraint) -> ColumnElement[bool]:
    parent = constraint.referred_table.alias("parent")
    pairs = [(element.parent, parent.c[element.column.name]) for element in constraint.elements]
    there = exists().where(*(of == own for own, of in pairs)).correlate(table)
    if constraint.referred_table is VERSION:  # which goes, too, where its memory is gone
        memory = MEMORY.alias("memory_of")
        there = there.where(memory.c.tenant_id == parent.c.tenant_id, memory.c.id == parent.c.memory_id)
    return and_(*(own.is_not(None) for own, _ in pairs), ~there)


def _count_dangling(connection: Connection, tenant_id: UUID) -> int:
    return sum(
        int(connection.execute(select(func.count()).select_from(table).where(_of(table, tenant_id), gone)).scalar_one())
        for table, gone in _dangling()
    )


def _delete_dangling(workshop: Workshop, tenant_id: UUID) -> int:
    def unit(connection: Connection) -> int:
        deleted = 0
        while part := sum(
            connection.execute(table.delete().where(_of(table, tenant_id), gone)).rowcount
            for table, gone in _dangling()
        ):  # what hung on a deleted row hangs on nothing now
            deleted += part
        return deleted

    return workshop.database.write(tenant_id, unit)


def _of(table: Table, tenant_id: UUID) -> ColumnElement[bool]:
    return table.c.tenant_id == tenant_id


def _counted(connection: Connection, namespace: NamespaceRow) -> dict[str, int | bool]:
    """What a namespace's row says of its memories, by column, counted."""
    memories = (MEMORY.c.tenant_id == namespace.tenant_id, MEMORY.c.namespace_id == namespace.id)
    versions = (VERSION.c.tenant_id == namespace.tenant_id, VERSION.c.namespace_id == namespace.id)
    size = func.coalesce(func.sum(byte_length(connection, VERSION.c.content)), 0)
    marks = {
        "has_derived": exists().where(*memories, MEMORY.c.derived.is_not(None)),
        "has_external": exists().where(*versions, VERSION.c.trust < Trust.AGENT.rank),
    }
    return {
        "n_memories": int(connection.execute(select(func.count()).select_from(MEMORY).where(*memories)).scalar_one()),
        "n_bytes": int(connection.execute(select(size).where(*versions)).scalar_one()),
        # A mark stays when the last such memory is gone: it only ever costs a look.
        **{name: getattr(namespace, name) or bool(connection.scalar(select(found))) for name, found in marks.items()},
    }


def _miscounted(connection: Connection, namespace: NamespaceRow) -> int:
    return sum(getattr(namespace, name) != value for name, value in _counted(connection, namespace).items())


def _count_anew(workshop: Workshop, namespace: NamespaceRow) -> int:
    def unit(connection: Connection, locked: NamespaceRow) -> int:
        wrong = _miscounted(connection, locked)
        own = (NAMESPACE.c.tenant_id == locked.tenant_id, NAMESPACE.c.id == locked.id)
        connection.execute(update(NAMESPACE).where(*own).values(_counted(connection, locked)))
        return wrong

    return workshop.write(namespace, unit)


DANGLING: Repair[UUID] = Repair(
    "orphans",
    "{n} rows belong to memories that are not there",
    "delete them",
    _count_dangling,
    _delete_dangling,
)
COUNTERS: Repair[NamespaceRow] = Repair(
    "counters",
    "{n} of the namespace's counts and marks, which quotas and recalls go by, are not those of its memories",
    "count anew",
    _miscounted,
    _count_anew,
)
