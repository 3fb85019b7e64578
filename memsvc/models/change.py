"""The change log: one row for each state change, numbered without gaps inside its namespace, in commit order."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, Integer, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from memsvc.models.base import Base


class ChangeOp(IntEnum):
    """What happened; stored, so codes never change."""

    PUT = 0
    ERASE = 1
    VOID = 2
    """A change to a memory that was erased later: the seq stays, the id is gone."""
    REWRITE = 3
    """Its versions are what they were, but their vectors were made anew: nothing of the old ones may stay anywhere."""
    RETIER = 4
    """Its versions are what they were, but it stands at another level, which says how exactly a bank keeps vectors."""
    SWITCH = 5
    """The whole namespace has another active embedding space: its bank is loaded anew. Names no memory."""


class Change(Base):
    """One change. The seq is taken by an update of the namespace row, whose lock is held until the commit."""

    __tablename__ = "change"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "namespace_id"], ["namespace.tenant_id", "namespace.id"]),
        Index("ix_change_tenant_id_memory_id", "tenant_id", "memory_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    namespace_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    op: Mapped[int] = mapped_column(SmallInteger)
    memory_id: Mapped[UUID | None]
    version: Mapped[int | None] = mapped_column(Integer)
    recorded_at: Mapped[datetime]
