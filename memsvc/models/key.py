"""Keys of tenants and memories, wrapped. A memory that has one is encrypted in all its rows, one that has none in none.

In tables of their own: a row of `memory` is written anew with every use, and each time PostgreSQL would leave a copy of
the key behind. What is in here is written once, and small enough to be written anew whenever something is erased.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from memsvc.models.base import Base


class TenantKey(Base):
    """The key of a tenant that has something encrypted, wrapped by a root key; see `memsvc.sealing.keyring`."""

    __tablename__ = "tenant_key"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    wrapped: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[datetime]


class MemoryKey(Base):
    """The data key of an encrypted memory, wrapped by its tenant's key."""

    __tablename__ = "memory_key"
    __table_args__ = (ForeignKeyConstraint(["tenant_id", "memory_id"], ["memory.tenant_id", "memory.id"]),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    memory_id: Mapped[UUID] = mapped_column(primary_key=True)
    wrapped: Mapped[str] = mapped_column(String(80))
