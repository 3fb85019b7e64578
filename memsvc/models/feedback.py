"""What callers said about the hits of recalls."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from memsvc.models.base import Base


class RecallFeedback(Base):
    """The verdict on one hit of one recall; goes with its memory.

    `apart` says by channel name how far the channel set the hit apart from the others: all that weights are learned
    from, so that they follow from the rows that are there.
    """

    __tablename__ = "recall_feedback"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "memory_id"], ["memory.tenant_id", "memory.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["tenant_id", "namespace_id"], ["namespace.tenant_id", "namespace.id"]),
        Index(
            "ix_recall_feedback_tenant_id_namespace_id_recorded_at",
            "tenant_id",
            "namespace_id",
            "recorded_at",
        ),
        Index("ix_recall_feedback_tenant_id_memory_id", "tenant_id", "memory_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    recall_id: Mapped[UUID] = mapped_column(primary_key=True)
    memory_id: Mapped[UUID] = mapped_column(primary_key=True)
    namespace_id: Mapped[UUID]
    verdict: Mapped[int] = mapped_column(SmallInteger)
    apart: Mapped[dict[str, Any]]
    recorded_at: Mapped[datetime]
