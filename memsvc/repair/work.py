"""Work that was begun and is held up, and trails that nobody may mend."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Table, and_, func, or_, select, update

from memsvc.audit import trail
from memsvc.audit.chain import verified
from memsvc.core.clock import SystemClock
from memsvc.erasures import runner as erasing
from memsvc.erasures.eraser import Eraser
from memsvc.erasures.runner import ErasureRunner
from memsvc.jobs.repository import LEASE_S, SKEW_S
from memsvc.models.tables import ERASURE, LEASE
from memsvc.namespaces.repository import NamespaceRow
from memsvc.repair.repairs import Repair, Workshop


def _impossible(column: ColumnElement[datetime], now: datetime, lease_s: float) -> ColumnElement[bool]:
    """An end that no clock that is right can have given: who holds it is gone, and everybody else waits."""
    return column > now + timedelta(seconds=lease_s + SKEW_S)


def _stale_lease(namespace: NamespaceRow, now: datetime) -> ColumnElement[bool]:
    return and_(
        LEASE.c.tenant_id == namespace.tenant_id,
        LEASE.c.namespace_id == namespace.id,
        _impossible(LEASE.c.until, now, LEASE_S),
    )


def _count(connection: Connection, table: Table, where: ColumnElement[bool]) -> int:
    return int(connection.execute(select(func.count()).select_from(table).where(where)).scalar_one())


def _stale_leases(connection: Connection, namespace: NamespaceRow) -> int:
    return _count(connection, LEASE, _stale_lease(namespace, SystemClock().now()))


def _end_leases(workshop: Workshop, namespace: NamespaceRow) -> int:
    """The fence grows, so that a holder that is alive after all commits nothing more."""

    def unit(connection: Connection, locked: NamespaceRow) -> int:
        now = workshop.clock.now()
        stale = update(LEASE).where(_stale_lease(locked, now)).values(until=now, fence=LEASE.c.fence + 1)
        return connection.execute(stale).rowcount

    return workshop.write(namespace, unit)


def _open(tenant_id: UUID) -> ColumnElement[bool]:
    """Erasures that nobody carries out now: not over, or over with bytes that still lie in files."""
    now = SystemClock().now()
    held = and_(ERASURE.c.held_until > now, ~_impossible(ERASURE.c.held_until, now, erasing.LEASE_S))
    is_over = and_(ERASURE.c.ended_at.is_not(None), ERASURE.c.overwritten_at.is_not(None))
    return and_(ERASURE.c.tenant_id == tenant_id, ~is_over, or_(ERASURE.c.held_until.is_(None), ~held))


def _open_erasures(connection: Connection, tenant_id: UUID) -> int:
    return _count(connection, ERASURE, _open(tenant_id))


def _carry_out(workshop: Workshop, tenant_id: UUID) -> int:
    def release(connection: Connection) -> list[UUID]:
        waiting = list(connection.execute(select(ERASURE.c.id).where(_open(tenant_id))).scalars())
        connection.execute(update(ERASURE).where(_open(tenant_id)).values(held_until=None))
        return waiting

    waiting = workshop.database.write(tenant_id, release)
    eraser = Eraser(workshop.database, workshop.clock, workshop.preparer(), workshop.secrets)
    vacuum = "full" if workshop.database.is_sqlite else "plain"
    runner = ErasureRunner(workshop.database, workshop.clock, eraser, workshop.keeper, vacuum=vacuum)
    for erasure_id in waiting:
        runner.run(tenant_id, erasure_id)
    runner.overwrite()
    with workshop.database.read(tenant_id) as connection:
        return len(waiting) - _count(connection, ERASURE, and_(_open(tenant_id), ERASURE.c.id.in_(waiting)))


def _broken_trail(connection: Connection, tenant_id: UUID) -> int:
    return int(verified(trail.every(connection, tenant_id), trail.head(connection, tenant_id)).problem is not None)


LEASES: Repair[NamespaceRow] = Repair(
    "leases",
    "{n} leases of jobs end later than any clock that is right can have said, and hold the namespace up",
    "end them; what was begun is taken up by the next worker",
    _stale_leases,
    _end_leases,
)
ERASURES: Repair[UUID] = Repair(
    "erasures",
    "{n} erasures were begun and are not over",
    "carry them out to the end, and have their bytes overwritten",
    _open_erasures,
    _carry_out,
)
AUDIT: Repair[UUID] = Repair(
    "audit",
    "the audit trail is not what it was",
    "nothing mends a trail, or it would prove nothing; `memsvc verify-audit` says where it is broken",
    _broken_trail,
    None,
)
