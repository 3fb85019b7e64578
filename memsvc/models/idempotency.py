"""Answers that a retry gets again."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from memsvc.models.base import Base


class Idempotency(Base):
    """What a request with an idempotency key did, written in the same transaction as its effect.

    `outcome` names ids, versions and statuses, never content: what was erased later cannot come back through a replay.
    """

    __tablename__ = "idempotency"
    __table_args__ = (Index("ix_idempotency_created_at", "created_at"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    request_digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    outcome: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
