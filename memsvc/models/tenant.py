"""Who may do what, and where memories live."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    ForeignKeyConstraint,
    LargeBinary,
    SmallInteger,
    String,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column

from memsvc.models.base import Base


class Tenant(Base):
    """The isolation boundary. Comes from the API key alone."""

    __tablename__ = "tenant"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    created_at: Mapped[datetime]
    # What the operator set over the settings' defaults (`memsvc.limits`).
    limits: Mapped[dict[str, Any] | None]


class ApiKey(Base):
    """A key: only its keyed digest is kept; the prefix is for people to tell keys apart."""

    __tablename__ = "api_key"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    prefix: Mapped[str] = mapped_column(String(16))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    roles: Mapped[list[str]]
    namespaces: Mapped[list[str]]
    # The most that what it writes may be trusted, see `lifecycle.trust.Trust`.
    trust: Mapped[str] = mapped_column(String(16), server_default="agent")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    limits: Mapped[dict[str, Any] | None]
    # The first of the keys that came out of one another by rotation; NULL: it is that one itself.
    client_id: Mapped[UUID | None]
    # Where it may be used from; NULL: anywhere.
    networks: Mapped[list[str] | None]
    # To the minute or so: uses are gathered, see `memsvc.auth.uses`.
    last_used_at: Mapped[datetime | None]


class Beside(IntEnum):
    """How the space beside the active one of a namespace stands; stored, so codes never change."""

    GROWING = 0
    """The texts that were there are being embedded for it; what is written goes to both."""
    COMPLETE = 1
    """Every text has its vectors in both: the namespace may switch to it."""
    FORMER = 2
    """It was the active one, and every text still has its vectors in both: the namespace may switch back."""
    LEAVING = 3
    """Its vectors are being deleted; what is written has none in it."""


class Namespace(Base):
    """One memory bank of a tenant. `head_seq` is the seq of its last committed change.

    `space_id` is the embedding space in which recalls search, `beside_id` another one that is kept beside it, if any
    (`Beside`); `is_to_switch` says that the other one becomes the active one as soon as it is complete.

    `epoch` grows with every transaction that erases something: what was derived from an older one is not written.
    """

    __tablename__ = "namespace"
    __table_args__ = (
        UniqueConstraint("tenant_id", "path"),
        ForeignKeyConstraint(["space_id"], ["embedding_space.id"]),
    )

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(String(512))
    space_id: Mapped[UUID]
    head_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    epoch: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    # Whether a job ever made memories of others here: recalls of all other namespaces need not look for them.
    has_derived: Mapped[bool] = mapped_column(default=False, server_default=false())
    # Whether anything that came from outside was ever written here: other namespaces have nothing to keep out.
    has_external: Mapped[bool] = mapped_column(default=False, server_default=false())
    settings: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    # Its memories in whatever state, and the bytes of their contents in all versions: quotas must not count rows.
    n_memories: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    n_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    beside_id: Mapped[UUID | None]
    beside: Mapped[int | None] = mapped_column(SmallInteger)
    is_to_switch: Mapped[bool] = mapped_column(default=False, server_default=false())
