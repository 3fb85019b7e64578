"""What people said about names: which of them stand for the same party, and which do not.

Only that is stored. What is learned from the names is worked out from the memories that are there, so that nothing of
it is left when they are erased; and a name stands here as the hash that a mention of it has, never as a text.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from memsvc.models.base import Base


class Entity(Base):
    """A party that somebody decided on."""

    __tablename__ = "entity"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "namespace_id"], ["namespace.tenant_id", "namespace.id"]),
        Index("ix_entity_tenant_id_namespace_id", "tenant_id", "namespace_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    namespace_id: Mapped[UUID]
    writer: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]


class EntityAlias(Base):
    """A mention that was decided to stand for an entity: the id of the mention, read as a signed number."""

    __tablename__ = "entity_alias"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "entity_id"], ["entity.tenant_id", "entity.id"]),
        ForeignKeyConstraint(["tenant_id", "namespace_id"], ["namespace.tenant_id", "namespace.id"]),
        Index("ix_entity_alias_tenant_id_entity_id", "tenant_id", "entity_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    namespace_id: Mapped[UUID] = mapped_column(primary_key=True)
    mention_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entity_id: Mapped[UUID]
