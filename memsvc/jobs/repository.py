"""All SQL about jobs, their runs, and leases. Every query of a tenant's names the tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from lifecycle.steps import BY, Step
from memsvc.core.ids import new_id
from memsvc.jobs import schedules
from memsvc.models import RunState
from memsvc.models.tables import JOB, JOB_EFFECT, JOB_RUN, LEASE, MEMORY, NAMESPACE
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow

LEASE_S = 60
"""Seconds for which a lease is given; every chunk of work extends it."""
SKEW_S = 180
"""Seconds that the clocks of two processes may lie apart without one taking the other's lease for a mistake."""

_OPEN = (int(RunState.QUEUED), int(RunState.RUNNING))


@dataclass(frozen=True, slots=True)
class Run:
    """A run as one read saw it; see `memsvc.models.job.JobRun`."""

    tenant_id: UUID
    id: UUID
    namespace_id: UUID
    kind: str
    period: str
    is_dry: bool
    as_of: datetime | None
    undoes: UUID | None
    state: RunState
    is_cancelled: bool
    asked_by: str
    asked_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    fence: int
    counts: Mapping[str, int]
    report: Mapping[str, Any] | None
    problem: str | None


_RUN = tuple(JOB_RUN.c[name] for name in Run.__dataclass_fields__)


def _run(row: Row[Any]) -> Run:
    values = dict(row._mapping)
    return Run(**{**values, "state": RunState(values["state"])})


def ask(
    connection: Connection,
    namespace: NamespaceRow,
    kind: str,
    period: str,
    now: datetime,
    *,
    by: str,
    is_dry: bool = False,
    as_of: datetime | None = None,
    undoes: UUID | None = None,
) -> UUID | None:
    """Queues a run; None if the period has one already."""
    into = postgresql.insert(JOB_RUN) if connection.dialect.name == "postgresql" else sqlite.insert(JOB_RUN)
    run_id = new_id()
    made = connection.execute(
        into.values(
            tenant_id=namespace.tenant_id,
            id=run_id,
            namespace_id=namespace.id,
            kind=kind,
            period=period,
            is_dry=is_dry,
            as_of=as_of,
            undoes=undoes,
            state=int(RunState.QUEUED),
            is_cancelled=False,
            asked_by=by,
            asked_at=now,
            fence=0,
            counts={},
        )
        .on_conflict_do_nothing(index_elements=["tenant_id", "namespace_id", "kind", "period"])
        .returning(JOB_RUN.c.id)
    ).scalar_one_or_none()
    return None if made is None else run_id


def run(connection: Connection, tenant_id: UUID, run_id: UUID) -> Run | None:
    """The tenant's run of that id, or None."""
    query = select(*_RUN).where(JOB_RUN.c.tenant_id == tenant_id, JOB_RUN.c.id == run_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else _run(row)


def runs(connection: Connection, namespace: NamespaceRow, before: UUID | None, limit: int) -> list[Run]:
    """Runs of a namespace, the newest first, strictly older than one."""
    query = select(*_RUN).where(JOB_RUN.c.tenant_id == namespace.tenant_id, JOB_RUN.c.namespace_id == namespace.id)
    if before is not None:
        query = query.where(JOB_RUN.c.id < before)
    return [_run(row) for row in connection.execute(query.order_by(JOB_RUN.c.id.desc()).limit(limit))]


def waiting(connection: Connection, limit: int) -> list[tuple[int, UUID, UUID]]:
    """(turn, tenant, run) of runs of all tenants that nobody has finished, the ones asked for first at the front.

    Namespaces take turns: before the second run of one comes the first of every other, so that many that wait for
    each other hold nobody else up.
    """
    turn = func.row_number().over(
        partition_by=(JOB_RUN.c.tenant_id, JOB_RUN.c.namespace_id), order_by=(JOB_RUN.c.asked_at, JOB_RUN.c.id)
    )
    query = (
        select(turn.label("turn"), JOB_RUN.c.tenant_id, JOB_RUN.c.id)
        .where(JOB_RUN.c.state.in_(_OPEN))
        .order_by(turn, JOB_RUN.c.asked_at, JOB_RUN.c.id)
        .limit(limit)
    )
    return [(row.turn, row.tenant_id, row.id) for row in connection.execute(query)]


def queued(connection: Connection, namespace: NamespaceRow, kind: str | None = None) -> int:
    """How many runs of a namespace nobody has begun; with a kind, of those that do such work for real."""
    query = select(func.count()).where(
        JOB_RUN.c.tenant_id == namespace.tenant_id,
        JOB_RUN.c.namespace_id == namespace.id,
        JOB_RUN.c.state == int(RunState.QUEUED),
    )
    if kind is not None:
        query = query.where(JOB_RUN.c.kind == kind, JOB_RUN.c.is_dry.is_(False), JOB_RUN.c.undoes.is_(None))
    return int(connection.execute(query).scalar_one())


def change(connection: Connection, run: Run, **values: Any) -> None:
    """Writes columns of a run."""
    connection.execute(
        update(JOB_RUN).where(JOB_RUN.c.tenant_id == run.tenant_id, JOB_RUN.c.id == run.id).values(**values)
    )


def of_period(connection: Connection, namespace: NamespaceRow, kind: str, period: str) -> Run:
    """The run of a period, which is there."""
    query = select(*_RUN).where(
        JOB_RUN.c.tenant_id == namespace.tenant_id,
        JOB_RUN.c.namespace_id == namespace.id,
        JOB_RUN.c.kind == kind,
        JOB_RUN.c.period == period,
    )
    return _run(connection.execute(query).one())


def record(connection: Connection, run: Run, steps: Sequence[Step]) -> None:
    """Writes what a run did, or would do. The memory that a step follows from (`by`) has a column of its own.

    What was done to a memory that is gone is not written. What a dry run would make is written to the memory that it
    would be made of.
    """
    there = _there(connection, run.tenant_id, steps)
    if run.is_dry:
        steps = [step if step.memory_id in there else replace(step, memory_id=UUID(step.why[BY])) for step in steps]
        told = _told(connection, run, steps)
        steps = [step for step in {step.memory_id: step for step in steps}.values() if step.memory_id not in told]
    else:
        steps = [step for step in steps if step.memory_id in there]
    rows = [
        {
            "tenant_id": run.tenant_id,
            "run_id": run.id,
            "memory_id": step.memory_id,
            "action": step.action,
            "before": dict(step.before),
            "after": dict(step.after),
            "why": {name: value for name, value in step.why.items() if name != BY},
            "because_of": UUID(step.why[BY]) if BY in step.why else None,
        }
        for step in steps
    ]
    if rows:
        connection.execute(insert(JOB_EFFECT), rows)


def _there(connection: Connection, tenant_id: UUID, steps: Sequence[Step]) -> set[UUID]:
    """The memories of steps that are there."""
    query = select(MEMORY.c.id).where(MEMORY.c.tenant_id == tenant_id)
    return set(connection.execute(query.where(MEMORY.c.id.in_([step.memory_id for step in steps]))).scalars())


def _told(connection: Connection, run: Run, steps: Sequence[Step]) -> set[UUID]:
    """The memories of steps for which a run has written something already."""
    query = select(JOB_EFFECT.c.memory_id).where(JOB_EFFECT.c.tenant_id == run.tenant_id, JOB_EFFECT.c.run_id == run.id)
    ids = [step.memory_id for step in steps]
    return set(connection.execute(query.where(JOB_EFFECT.c.memory_id.in_(ids))).scalars())


def effects(
    connection: Connection, tenant_id: UUID, run_id: UUID, after: UUID | None = None, limit: int | None = None
) -> list[Step]:
    """What a run did to memories that are still there, by id, strictly after one."""
    query = select(JOB_EFFECT).where(JOB_EFFECT.c.tenant_id == tenant_id, JOB_EFFECT.c.run_id == run_id)
    if after is not None:
        query = query.where(JOB_EFFECT.c.memory_id > after)
    found = connection.execute(query.order_by(JOB_EFFECT.c.memory_id).limit(limit))
    return [
        Step(row.memory_id, row.action, row.before, row.after, dict(row.why) | _because_of(row.because_of))
        for row in found
    ]


def _because_of(memory_id: UUID | None) -> dict[str, str]:
    return {} if memory_id is None else {BY: str(memory_id)}


def take_lease(connection: Connection, namespace: NamespaceRow, holder: str, now: datetime) -> int | None:
    """The fence of a lease on a locked namespace; None while somebody else holds it.

    A lease that ends much later than one given now would is from a clock that was wrong: nobody waits for it. Whoever
    still works under it is stopped by the fence.
    """
    where = (LEASE.c.tenant_id == namespace.tenant_id, LEASE.c.namespace_id == namespace.id)
    row = connection.execute(select(LEASE).where(*where)).one_or_none()
    until = now + timedelta(seconds=LEASE_S)
    if row is None:
        connection.execute(
            insert(LEASE).values(
                tenant_id=namespace.tenant_id, namespace_id=namespace.id, holder=holder, fence=1, until=until
            )
        )
        return 1
    if row.holder != holder and now < row.until <= until + timedelta(seconds=SKEW_S):
        return None
    connection.execute(update(LEASE).where(*where).values(holder=holder, fence=row.fence + 1, until=until))
    return int(row.fence) + 1


def keep_lease(connection: Connection, namespace: NamespaceRow, fence: int, until: datetime) -> bool:
    """Moves the end of a lease; False if somebody else has it by now."""
    moved = connection.execute(
        update(LEASE)
        .where(LEASE.c.tenant_id == namespace.tenant_id, LEASE.c.namespace_id == namespace.id, LEASE.c.fence == fence)
        .values(until=until)
    )
    return bool(moved.rowcount)


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A job and when it is due."""

    kind: str
    schedule: str
    next_at: datetime


def scheduled(connection: Connection, namespace: NamespaceRow) -> list[Scheduled]:
    """The jobs of a namespace, by kind."""
    query = (
        select(JOB.c.kind, JOB.c.schedule, JOB.c.next_at)
        .where(JOB.c.tenant_id == namespace.tenant_id, JOB.c.namespace_id == namespace.id)
        .order_by(JOB.c.kind)
    )
    return [Scheduled(*row) for row in connection.execute(query)]


def schedule(connection: Connection, namespace: NamespaceRow, kind: str, when: str | None, now: datetime) -> None:
    """Puts a job of a locked namespace on a checked schedule, or takes it off."""
    where = (JOB.c.tenant_id == namespace.tenant_id, JOB.c.namespace_id == namespace.id, JOB.c.kind == kind)
    connection.execute(JOB.delete().where(*where))
    if when is not None:
        connection.execute(
            insert(JOB).values(
                tenant_id=namespace.tenant_id,
                namespace_id=namespace.id,
                kind=kind,
                schedule=when,
                next_at=schedules.next_after(when, now),
            )
        )


def due(connection: Connection, now: datetime, limit: int) -> list[tuple[NamespaceRow, Scheduled]]:
    """Jobs of all tenants that are due."""
    query = (
        select(*namespaces.COLUMNS, JOB.c.kind, JOB.c.schedule, JOB.c.next_at)
        .join(NAMESPACE, (NAMESPACE.c.tenant_id == JOB.c.tenant_id) & (NAMESPACE.c.id == JOB.c.namespace_id))
        .where(JOB.c.next_at <= now)
        .order_by(JOB.c.next_at)
        .limit(limit)
    )
    return [
        (namespaces.to_row(row), Scheduled(row.kind, row.schedule, row.next_at)) for row in connection.execute(query)
    ]


def scheduled_next(connection: Connection, namespace: NamespaceRow, seen: Scheduled, now: datetime) -> bool:
    """Moves a job on to its next moment; False if somebody else did.

    Runs that were missed while nothing ran are made up for by one.
    """
    moved = connection.execute(
        update(JOB)
        .where(
            JOB.c.tenant_id == namespace.tenant_id,
            JOB.c.namespace_id == namespace.id,
            JOB.c.kind == seen.kind,
            JOB.c.next_at == seen.next_at,
        )
        .values(next_at=schedules.next_after(seen.schedule, now))
    )
    return bool(moved.rowcount)


def is_open(run: Run) -> bool:
    """Whether a run is still to be done."""
    return int(run.state) in _OPEN
