"""What was done with the keys, policies and contents of a tenant, and by whom."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from memsvc.models.base import Base


class Audit(Base):
    """An entry of a tenant's audit trail; see `memsvc.audit.chain`. Triggers refuse to change or remove one."""

    __tablename__ = "audit"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(32))
    actor: Mapped[str] = mapped_column(String(200))
    key_id: Mapped[UUID | None]
    subject: Mapped[str | None] = mapped_column(String(64))
    # JSON as text, byte by byte what the digest covers: JSONB would spell numbers anew.
    facts: Mapped[str] = mapped_column(Text)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))


class AuditHead(Base):
    """The last entry of a tenant's trail. Whoever appends locks it first."""

    __tablename__ = "audit_head"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
