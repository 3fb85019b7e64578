"""Erasures that were asked for: what is left to do of them, and what can be said of them when they are done."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from memsvc.models.base import Base


class Erasure(Base):
    """One erasure. `selection` says what is to be erased, and is gone once that is done: it may name a person.

    `ended_at`: nothing of it is found any more. `overwritten_at`: its bytes have left the database's files, as far as
    `overwriting` (how that was done) goes.
    """

    __tablename__ = "erasure"
    __table_args__ = (Index("ix_erasure_overwritten_at", "overwritten_at"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    # Ids of the namespaces in which it erases.
    namespaces: Mapped[list[str]]
    selection: Mapped[dict[str, Any] | None]
    # Keyed digest of what was asked, while it is open: the same asked twice at once is one erasure.
    request_digest: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    asked_by: Mapped[str] = mapped_column(String(200))
    asked_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    overwritten_at: Mapped[datetime | None]
    overwriting: Mapped[str | None] = mapped_column(String(16))
    # Taken anew by whoever takes it up; whoever had it before can commit nothing any more.
    fence: Mapped[int] = mapped_column(BigInteger)
    held_until: Mapped[datetime | None]
    # Rows that were taken out, by table.
    counts: Mapped[dict[str, Any]]
    problem: Mapped[str | None] = mapped_column(String(200))
