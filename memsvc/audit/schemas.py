"""The audit trail on the wire."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from memsvc.http.query import QueryInt
from memsvc.http.schemas import ApiModel, Bytes, Instant

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class AuditQuery(ApiModel):
    """Which entries."""

    kind: Annotated[str, Bytes(32)] | None = Field(
        None, description="Only of this kind, or of those under it: `key` has `key.create`."
    )
    since: Instant | None = Field(None, description="Only from this moment on.")
    until: Instant | None = Field(None, description="Only before this moment.")
    limit: QueryInt = Field(50, ge=1)
    cursor: Annotated[str, Bytes(4096)] | None = None


class EntryOut(ApiModel):
    """One entry. Its digest covers it and the digest of the entry before; docs/audit.md says how."""

    seq: int
    at: Instant
    kind: str
    actor: str = Field(description="Name of the key, or what acted without one.")
    key_id: UUID | None
    subject: str | None = Field(description="Id of the key, erasure, run, memory or namespace that it is about.")
    facts: dict[str, Any]
    digest: Digest


class AuditPage(ApiModel):
    """One page of the trail, the oldest first."""

    items: list[EntryOut]
    next_cursor: str | None


class Anchor(ApiModel):
    """The last entry of the trail, signed by the server. Kept elsewhere, it shows later that nothing was cut off."""

    seq: Annotated[int, Field(ge=1, le=2**53)]
    digest: Digest
    signature: Digest


class AnchorAnswer(ApiModel):
    """The anchor of now; null while the trail is empty."""

    anchor: Anchor | None


class VerifyIn(ApiModel):
    """What the trail is to be held against."""

    anchor: Anchor | None = Field(None, description="One that was kept.")


class TrailVerdict(ApiModel):
    """What a look at the whole trail found."""

    holds: bool
    entries: int = Field(description="How many were looked at.")
    broken_seq: int | None = Field(description="The first entry that is not what it was, or is missing.")
    problem: str | None
