"""Memories, their versions, what the analysers found in them, and how they hang together."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from memsvc.models.base import Base
from memsvc.models.sealed import SealedBytes, SealedJson, SealedLabel, SealedName, SealedText

_OF_VERSION = ("version",)
_IN_ARCHIVE = text("state IN (1, 4)")  # forgotten, archived: see `memsvc.models.archive`


class Relation(StrEnum):
    """How one memory hangs on another."""

    DERIVED_FROM = "derived_from"
    SUPERSEDES = "supersedes"
    CONTRADICTS = "contradicts"
    FOLLOWS = "follows"
    SAME_AS = "same_as"


class Described:
    """What a memory says about itself: the same columns in the memory (as it is) and in each version (as it was)."""

    kind: Mapped[int] = mapped_column(SmallInteger)
    state: Mapped[int] = mapped_column(SmallInteger)
    user_id: Mapped[str | None] = mapped_column(String(256))
    agent_id: Mapped[str | None] = mapped_column(String(256))
    session_id: Mapped[str | None] = mapped_column(String(256))
    speaker: Mapped[str | None] = mapped_column(SealedLabel("speaker", _OF_VERSION))
    place: Mapped[str | None] = mapped_column(SealedLabel("place", _OF_VERSION))
    tags: Mapped[list[str]] = mapped_column(SealedJson("tags", _OF_VERSION))
    outcome: Mapped[str | None] = mapped_column(String(32))
    language: Mapped[str | None] = mapped_column(String(35))
    occurred_at: Mapped[datetime | None]
    valid_from: Mapped[datetime | None]
    valid_to: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    importance: Mapped[float]
    # Rank of its tier, see `lifecycle.trust`.
    trust: Mapped[float]
    # Whose words it holds, see `lifecycle.trust.origin`. NULL: written before anybody asked.
    origin: Mapped[str | None] = mapped_column(String(256))
    # What was noticed when it was written, see `memsvc.memories.vetting` and `memsvc.screening`. Nobody can set it.
    flags: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    pinned: Mapped[bool]
    source: Mapped[dict[str, Any] | None] = mapped_column(SealedJson("source", _OF_VERSION))
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", SealedJson("metadata", _OF_VERSION))
    # What a job made it of others as, see `lifecycle.policy.Derived`; NULL: somebody wrote it. Nobody else can set it.
    derived: Mapped[str | None] = mapped_column(String(16))
    # Hash of the conversation that it belongs to (see `memsvc.memories.sequence`); follows from the fields above.
    sequence_id: Mapped[int | None] = mapped_column(BigInteger)


class Memory(Described, Base):
    """A memory as it is now. `content_version` names the version whose text, analysis and vectors it has."""

    __tablename__ = "memory"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "namespace_id"], ["namespace.tenant_id", "namespace.id"]),
        UniqueConstraint("tenant_id", "namespace_id", "external_id"),
        Index("ix_memory_tenant_id_namespace_id_recorded_at_id", "tenant_id", "namespace_id", "recorded_at", "id"),
        Index("ix_memory_tenant_id_nearest_id", "tenant_id", "nearest_id"),
        # Inside a conversation the order is that of the ids, which are ordered by time.
        Index("ix_memory_tenant_id_namespace_id_sequence_id_id", "tenant_id", "namespace_id", "sequence_id", "id"),
        Index("ix_memory_tenant_id_merged_into", "tenant_id", "merged_into"),
        Index(
            "ix_memory_archive", "tenant_id", "namespace_id", "recorded_at", "id",
            sqlite_where=_IN_ARCHIVE, postgresql_where=_IN_ARCHIVE,
        ),
    )  # fmt: skip

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    namespace_id: Mapped[UUID]
    # Of an encrypted memory a keyed digest, by which it is looked up; what it stands for is sealed beside it.
    external_id: Mapped[str | None] = mapped_column(SealedName("external_id"))
    sealed_external_id: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer)
    content_version: Mapped[int] = mapped_column(Integer)
    recorded_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    stability_s: Mapped[float]
    last_recalled_at: Mapped[datetime | None]
    recall_count: Mapped[int] = mapped_column(Integer)
    # How far it has faded, see `lifecycle.policy.Level`: active, warm or cold. Archived and forgotten are states.
    level: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    legal_hold: Mapped[bool] = mapped_column(server_default=false())
    # From 0 to 1, how unlike everything that was there it was, see `lifecycle.surprise`. NULL: nobody has looked yet.
    surprise: Mapped[float | None]
    # The memory that says the same and stands for this one, whose state is `merged`.
    merged_into: Mapped[UUID | None]
    # What a memory that others are merged into was by itself, see `memsvc.memories.merged`.
    before_merge: Mapped[dict[str, Any] | None] = mapped_column(SealedJson("before_merge"))
    # What that follows from: how far it was from the nearest memory before it, and which that is.
    novelty: Mapped[float | None]
    nearest_id: Mapped[UUID | None]
    # Uses, each worth less the longer ago it was, as of the last one; and the longest time between two of them. See
    # `lifecycle.uses`.
    recent_uses: Mapped[float] = mapped_column(server_default="0")
    longest_gap_s: Mapped[float] = mapped_column(server_default="0")
    # Archived because its namespace was over its quota, and not because it has faded: it does not come back by itself.
    evicted: Mapped[bool] = mapped_column(server_default=false())
    # Rehearsals in a row that it was remembered in, and the last one, however that went.
    rehearsals: Mapped[int] = mapped_column(Integer, server_default="0")
    rehearsed_at: Mapped[datetime | None]
    # Never used: keys have tables of their own (`memsvc.models.key`).
    data_key: Mapped[bytes | None] = mapped_column(LargeBinary)


class MemoryVersion(Described, Base):
    """A memory as it was during `[recorded_from, recorded_to)`; the open one is the current state.

    `content` stands only where it changed (`content_version == version`).
    """

    __tablename__ = "memory_version"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "memory_id"], ["memory.tenant_id", "memory.id"]),
        Index("ix_memory_version_tenant_id_namespace_id", "tenant_id", "namespace_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    memory_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    namespace_id: Mapped[UUID]
    content_version: Mapped[int] = mapped_column(Integer)
    content: Mapped[str | None] = mapped_column(SealedText("content", _OF_VERSION))
    recorded_from: Mapped[datetime]
    recorded_to: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(String(64))
    writer: Mapped[str] = mapped_column(String(200))
    # Hashes of its equal-able (field, value) pairs, uint64 little-endian: what the bank filters by.
    pairs: Mapped[bytes] = mapped_column(SealedBytes("pairs", _OF_VERSION))


class Analysis(Base):
    """What the analysers found in the text of a version. Kept, so that rebuilding a bank analyses nothing."""

    __tablename__ = "analysis"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "memory_id", "version"],
            ["memory_version.tenant_id", "memory_version.memory_id", "memory_version.version"],
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    memory_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    analyser_version: Mapped[int] = mapped_column(Integer)
    length: Mapped[int] = mapped_column(Integer)
    term_ids: Mapped[bytes] = mapped_column(SealedBytes("term_ids", _OF_VERSION))
    term_freqs: Mapped[bytes] = mapped_column(SealedBytes("term_freqs", _OF_VERSION))
    mentions: Mapped[list[str]] = mapped_column(SealedJson("mentions", _OF_VERSION))
    mention_ids: Mapped[bytes] = mapped_column(SealedBytes("mention_ids", _OF_VERSION))
    # Hashed name of whoever said the text, as a signed number; None if nobody is named as its speaker.
    speaker_id: Mapped[int | None] = mapped_column(BigInteger)
    # What the text says of names: pairs of another name and the name that it belongs to. NULL: nothing.
    told: Mapped[list[list[str]] | None] = mapped_column(SealedJson("told", _OF_VERSION))
    # Times that the text speaks of: pairs of int64, little-endian, `[start, end)` in microseconds.
    spans: Mapped[bytes] = mapped_column(SealedBytes("spans", _OF_VERSION))
    # Hashes of places, uint64 little-endian.
    place_ids: Mapped[bytes] = mapped_column(SealedBytes("place_ids", _OF_VERSION))


class MemoryLink(Base):
    """A directed link between two memories of one tenant."""

    __tablename__ = "memory_link"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "from_id"], ["memory.tenant_id", "memory.id"]),
        ForeignKeyConstraint(["tenant_id", "to_id"], ["memory.tenant_id", "memory.id"]),
        Index("ix_memory_link_tenant_id_to_id", "tenant_id", "to_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    from_id: Mapped[UUID] = mapped_column(primary_key=True)
    relation: Mapped[str] = mapped_column(String(32), primary_key=True)
    to_id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]


class LegalHold(Base):
    """That a memory was put under a legal hold, by whom and why, and when it was released; goes with its memory."""

    __tablename__ = "legal_hold"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "memory_id"], ["memory.tenant_id", "memory.id"], ondelete="CASCADE"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    memory_id: Mapped[UUID] = mapped_column(primary_key=True)
    held_at: Mapped[datetime] = mapped_column(primary_key=True)
    held_by: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(String(1000))
    released_at: Mapped[datetime | None]
    released_by: Mapped[str | None] = mapped_column(String(200))
    release_reason: Mapped[str | None] = mapped_column(String(1000))


class Tombstone(Base):
    """The keyed digest of an erased id: stops a restore or an import from bringing it back, and tells nothing else."""

    __tablename__ = "tombstone"
    __table_args__ = (Index("ix_tombstone_tenant_id_erasure_id", "tenant_id", "erasure_id"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    erased_at: Mapped[datetime]
    # The erasure that it belongs to; none for those from before erasures were kept.
    erasure_id: Mapped[UUID | None]
