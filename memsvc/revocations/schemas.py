"""Revocations on the wire."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from memsvc.http.schemas import ApiModel, Bytes, Instant, Name
from memsvc.memories.schemas import NamespacePath

_WHOSE = ("writer", "origin", "session_id", "since")


class RevocationIn(ApiModel):
    """What is not to be believed any more: the memories for which all that is named holds."""

    namespace: NamespacePath | None = Field(
        None, description="Where; null: in all namespaces of the tenant that the key reaches."
    )
    writer: Name | None = Field(None, description="Memories that the key of this name made.")
    origin: Annotated[str, Bytes(1024)] | None = Field(
        None, description="Memories of this origin, such as `source:news.example`."
    )
    session_id: Name | None = Field(None, description="Memories of this session.")
    since: Instant | None = Field(None, description="Memories recorded then or later.")
    until: Instant | None = Field(None, description="Memories recorded before then.")
    dry_run: bool = Field(False, description="Only say what would be revoked.")
    erase: bool = Field(False, description="Erase them for good instead of hiding them; needs the role `erase` too.")

    @model_validator(mode="after")
    def _something(self) -> RevocationIn:
        if all(getattr(self, name) is None for name in _WHOSE):
            raise PydanticCustomError("revocation_choice", "give at least one of {names}", {"names": ", ".join(_WHOSE)})
        if self.since is not None and self.until is not None and self.until <= self.since:
            raise PydanticCustomError("interval", "until must be later than since")
        return self


class RevocationPreview(ApiModel):
    """What a revocation would take back now. Of each kind the first 1,000 ids are named."""

    dry_run: Literal[True] = True
    memories: int
    derived: int = Field(description="Further memories, that jobs derived from some of these.")
    held: int = Field(description="Memories under a legal hold, which stay.")
    edited: int = Field(description="Memories of others that the writer edited; they stay: look at their history.")
    memory_ids: list[UUID]
    derived_ids: list[UUID]
    edited_ids: list[UUID]


class RevocationOut(ApiModel):
    """A revocation that was carried out. `:undo` takes it back, unless it erased."""

    id: UUID
    memories: int = Field(description="Memories that it hid.")
    derived: int = Field(description="Memories that were withdrawn because jobs derived them from some of these.")
    erasure_id: UUID | None = Field(None, description="The erasure that it became; see `/v1/erasures`.")


class UndoneOut(ApiModel):
    """How many memories are again as they were before a revocation."""

    id: UUID
    memories: int
