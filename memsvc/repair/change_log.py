"""The change log and the head of its namespace: numbers without gaps, and every memory's current version among them."""

from __future__ import annotations

from itertools import chain, islice
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, exists, func, insert, select

from memsvc.models import ChangeOp
from memsvc.models.tables import CHANGE, MEMORY
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow
from memsvc.repair.repairs import Repair, Workshop

_CHUNK = 1_000


def _own(namespace: NamespaceRow) -> tuple[ColumnElement[bool], ...]:
    return CHANGE.c.tenant_id == namespace.tenant_id, CHANGE.c.namespace_id == namespace.id


def _last(connection: Connection, namespace: NamespaceRow) -> int:
    query = select(func.coalesce(func.max(CHANGE.c.seq), 0)).where(*_own(namespace))
    return int(connection.execute(query).scalar_one())


def _ahead(connection: Connection, namespace: NamespaceRow) -> int:
    """How many changes lie beyond the head: nobody would ever read them."""
    return max(0, _last(connection, namespace) - namespace.head_seq)


def _advance_head(workshop: Workshop, namespace: NamespaceRow) -> int:
    def unit(connection: Connection, locked: NamespaceRow) -> int:
        beyond = _ahead(connection, locked)
        if beyond:
            namespaces.advance(connection, locked, beyond)
        return beyond

    return workshop.write(namespace, unit)


def _missing(connection: Connection, namespace: NamespaceRow) -> int:
    query = select(func.count()).where(*_own(namespace), CHANGE.c.seq <= namespace.head_seq)
    return namespace.head_seq - int(connection.execute(query).scalar_one())


def _gaps(connection: Connection, namespace: NamespaceRow) -> list[range]:
    """The numbers up to the head that are missing; found by the database, for the log may be long."""
    before = func.lag(CHANGE.c.seq).over(order_by=CHANGE.c.seq).label("before")
    there = select(CHANGE.c.seq, before).where(*_own(namespace), CHANGE.c.seq <= namespace.head_seq).subquery()
    after_gaps = select(there).where(there.c.seq > func.coalesce(there.c.before, 0) + 1).order_by(there.c.seq)
    gaps = [range((row.before or 0) + 1, row.seq) for row in connection.execute(after_gaps)]
    last = connection.execute(select(func.coalesce(func.max(there.c.seq), 0))).scalar_one()
    return [*gaps, range(int(last) + 1, namespace.head_seq + 1)]


def _fill(workshop: Workshop, namespace: NamespaceRow) -> int:
    def unit(connection: Connection, locked: NamespaceRow) -> int:
        gaps = chain.from_iterable(_gaps(connection, locked))
        filled = 0
        while part := list(islice(gaps, _CHUNK)):
            own = {"tenant_id": locked.tenant_id, "namespace_id": locked.id, "recorded_at": workshop.clock.now()}
            empty = own | {"op": int(ChangeOp.VOID), "memory_id": None, "version": None}
            connection.execute(insert(CHANGE), [empty | {"seq": seq} for seq in part])
            filled += len(part)
        return filled

    return workshop.write(namespace, unit)


def _untold(namespace: NamespaceRow) -> tuple[ColumnElement[bool], ...]:
    """Memories whose current version has no place in the log: banks that follow it do not have it."""
    told = exists().where(
        CHANGE.c.tenant_id == MEMORY.c.tenant_id,
        CHANGE.c.memory_id == MEMORY.c.id,
        CHANGE.c.version == MEMORY.c.version,
        CHANGE.c.op == int(ChangeOp.PUT),
    )
    return MEMORY.c.tenant_id == namespace.tenant_id, MEMORY.c.namespace_id == namespace.id, ~told


def _count_untold(connection: Connection, namespace: NamespaceRow) -> int:
    return int(connection.execute(select(func.count()).select_from(MEMORY).where(*_untold(namespace))).scalar_one())


def _tell(workshop: Workshop, namespace: NamespaceRow) -> int:
    def unit(connection: Connection, locked: NamespaceRow) -> int:
        query = select(MEMORY.c.id, MEMORY.c.version).where(*_untold(locked)).order_by(MEMORY.c.id).limit(_CHUNK)
        waiting: list[tuple[UUID, int]] = [(row.id, row.version) for row in connection.execute(query)]
        if not waiting:
            return 0
        first = namespaces.advance(connection, locked, len(waiting)) - len(waiting) + 1
        own = {"tenant_id": locked.tenant_id, "namespace_id": locked.id, "recorded_at": workshop.clock.now()}
        rows = [
            own | {"seq": first + at, "op": int(ChangeOp.PUT), "memory_id": memory_id, "version": version}
            for at, (memory_id, version) in enumerate(waiting)
        ]
        connection.execute(insert(CHANGE), rows)
        return len(waiting)

    told = 0
    while part := workshop.write(namespace, unit):
        told += part
    return told


REPAIRS: tuple[Repair[NamespaceRow], ...] = (
    Repair(
        "change_log_head",
        "{n} changes lie beyond the head of the change log, where no bank reads them",
        "move the head behind them",
        _ahead,
        _advance_head,
    ),
    Repair(
        "change_log_gaps",
        "{n} places of the change log are missing, at which every bank stops",
        "fill them with empty changes",
        _missing,
        _fill,
    ),
    Repair(
        "change_log_memories",
        "{n} memories have no place in the change log as they are now, so that banks may have them as they were",
        "write a change for each, which every server follows",
        _count_untold,
        _tell,
    ),
)
