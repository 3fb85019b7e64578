"""Work that is done to a namespace on a schedule: when it is due, its runs, what each run did, and who may run now."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from memsvc.models.base import Base


class RunState(IntEnum):
    """Where a run stands; stored, so codes never change."""

    QUEUED = 0
    RUNNING = 1
    SUCCEEDED = 2
    FAILED = 3
    CANCELLED = 4


class Job(Base):
    """That a kind of work is done to a namespace, and when next. `schedule` is a cron line (UTC) or `every <n>s`."""

    __tablename__ = "job"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "namespace_id"], ["namespace.tenant_id", "namespace.id"]),
        Index("ix_job_next_at", "next_at"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    namespace_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    schedule: Mapped[str] = mapped_column(String(100))
    next_at: Mapped[datetime]


class JobRun(Base):
    """One run. `period` names what it is for: of one period of a job there is one run, whoever schedules it."""

    __tablename__ = "job_run"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "namespace_id"], ["namespace.tenant_id", "namespace.id"]),
        UniqueConstraint("tenant_id", "namespace_id", "kind", "period"),
        Index("ix_job_run_state", "state"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    namespace_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(String(32))
    period: Mapped[str] = mapped_column(String(64))
    is_dry: Mapped[bool]
    # The moment that it goes by, for kinds of work that go by one.
    as_of: Mapped[datetime | None]
    # The run whose effects this one takes back.
    undoes: Mapped[UUID | None]
    state: Mapped[int] = mapped_column(SmallInteger)
    is_cancelled: Mapped[bool]
    asked_by: Mapped[str] = mapped_column(String(200))
    asked_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    # Taken anew by whoever takes the run up; whoever had it before can commit nothing any more.
    fence: Mapped[int] = mapped_column(BigInteger)
    counts: Mapped[dict[str, Any]]
    # What its plan says of the whole, in numbers. NULL: nothing.
    report: Mapped[dict[str, Any] | None]
    problem: Mapped[str | None] = mapped_column(String(200))


class JobEffect(Base):
    """What a run did, or would do, to one memory; goes with its memory. Holds nothing of its content.

    `because_of` is the other memory that it follows from, if there is one: goes with that one too.
    """

    __tablename__ = "job_effect"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "run_id"], ["job_run.tenant_id", "job_run.id"]),
        ForeignKeyConstraint(["tenant_id", "memory_id"], ["memory.tenant_id", "memory.id"], ondelete="CASCADE"),
        Index("ix_job_effect_tenant_id_memory_id", "tenant_id", "memory_id"),
        Index("ix_job_effect_tenant_id_because_of", "tenant_id", "because_of"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    memory_id: Mapped[UUID] = mapped_column(primary_key=True)
    action: Mapped[str] = mapped_column(String(32))
    before: Mapped[dict[str, Any]]
    after: Mapped[dict[str, Any]]
    why: Mapped[dict[str, Any]]
    because_of: Mapped[UUID | None]


class Lease(Base):
    """Who may do work on a namespace now. `fence` grows with every holder."""

    __tablename__ = "lease"
    __table_args__ = (ForeignKeyConstraint(["tenant_id", "namespace_id"], ["namespace.tenant_id", "namespace.id"]),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    namespace_id: Mapped[UUID] = mapped_column(primary_key=True)
    holder: Mapped[str] = mapped_column(String(64))
    fence: Mapped[int] = mapped_column(BigInteger)
    until: Mapped[datetime]
