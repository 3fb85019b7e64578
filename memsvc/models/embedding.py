"""Vectors of memories, in embedding spaces."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from memsvc.models.base import Base
from memsvc.models.sealed import SealedBytes

MERGED_VIEW = -1
"""The view of a memory that others are merged into: it stands for all the others of its version."""


class EmbeddingSpaceRow(Base):
    """One model with one dimension. A catalogue of the server, not of a tenant."""

    __tablename__ = "embedding_space"
    __table_args__ = (UniqueConstraint("model", "dim"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(String(256))
    dim: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime]


class Embedding(Base):
    """The vector of one view (chunk) of one version: `dim` float16 numbers, little-endian, unit length."""

    __tablename__ = "embedding"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "memory_id", "version"],
            ["memory_version.tenant_id", "memory_version.memory_id", "memory_version.version"],
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    memory_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    space_id: Mapped[UUID] = mapped_column(ForeignKey("embedding_space.id"), primary_key=True)
    view: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    vector: Mapped[bytes] = mapped_column(SealedBytes("vector", ("version", "view")))


class PendingEmbedding(Base):
    """A text that was stored while the model did not answer. It is found by its words until it has its vectors."""

    __tablename__ = "pending_embedding"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "memory_id", "version"],
            ["memory_version.tenant_id", "memory_version.memory_id", "memory_version.version"],
            ondelete="CASCADE",  # a release that does not know of this table can still erase
        ),
        Index("ix_pending_embedding_due_at", "due_at"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    memory_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    namespace_id: Mapped[UUID]
    since: Mapped[datetime]
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(Integer)


class TokenEmbedding(Base):
    """States of the tokens of one version for late interaction: `n_tokens` codes of `ceil(dim / 4)` bytes, end to end.

    A version without a row here was not read by a model that gives such states: its vector was supplied, or came from
    another kind of model. One with a row and no tokens was read, and has no words.
    """

    __tablename__ = "token_embedding"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "memory_id", "version"],
            ["memory_version.tenant_id", "memory_version.memory_id", "memory_version.version"],
            ondelete="CASCADE",  # a release that does not know of this table can still erase
        ),
        Index("ix_token_embedding_tenant_id_context_id", "tenant_id", "context_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    memory_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    space_id: Mapped[UUID] = mapped_column(ForeignKey("embedding_space.id"), primary_key=True)
    n_tokens: Mapped[int] = mapped_column(Integer)
    # The memory in whose light the text was read: something of its text is in the vectors and codes of this version.
    context_id: Mapped[UUID | None]
    codes: Mapped[bytes] = mapped_column(SealedBytes("codes", ("version",)))
