"""Erasures on the wire."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from memsvc.entities.endpoints import EntityId
from memsvc.http.query import QueryInt
from memsvc.http.schemas import ApiModel, Bytes, Id, Instant, Name
from memsvc.memories.schemas import NamespacePath

ErasureStateName = Literal["waiting", "running", "erased"]
_KINDS = ("memory_ids", "filter", "user_id", "entity_id", "writer", "receipt")


def _at_most(ids: list[UUID], info: ValidationInfo) -> list[UUID]:
    most = (info.context or {})["settings"].batch_max
    if len(ids) > most:
        raise PydanticCustomError("too_many_ids", "holds more than {most} ids", {"most": most})
    return list(dict.fromkeys(ids))


class ErasureIn(ApiModel):
    """What is to be erased: exactly one of the fields below `dry_run`."""

    namespace: NamespacePath | None = Field(
        None, description="Where; null: in all namespaces of the tenant that the key reaches."
    )
    dry_run: bool = Field(False, description="Only say what would be erased.")
    memory_ids: Annotated[list[Id], Field(min_length=1, max_length=10_000), AfterValidator(_at_most)] | None = Field(
        None, description="These memories; ids that are unknown or out of reach are passed over."
    )
    filter: dict[str, Any] | None = Field(
        None,
        description="Memories that it fits as they are now, in every state unless it names one (docs/filters.md). An "
        "empty one is everything, and needs a namespace.",
    )
    user_id: Name | None = Field(None, description="Memories that are, or in any version were, of this user.")
    entity_id: EntityId | None = Field(
        None, description="Memories that mention this entity by any of its names; needs a namespace."
    )
    writer: Name | None = Field(None, description="Memories that the key of this name made.")
    receipt: dict[str, Any] | None = Field(
        None, description="What is back of an erasure, by its receipt: after a backup was restored."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> ErasureIn:
        given = [name for name in _KINDS if getattr(self, name) is not None]
        if len(given) != 1:
            raise PydanticCustomError("erasure_choice", "give exactly one of {names}", {"names": ", ".join(_KINDS)})
        if self.namespace is None and (self.entity_id is not None or self.filter == {}):
            raise PydanticCustomError("namespace_needed", "an entity, and an empty filter, need a namespace")
        return self


class ErasuresQuery(ApiModel):
    """Which erasures to list."""

    limit: QueryInt = Field(50, ge=1)
    cursor: Annotated[str, Bytes(4096)] | None = None


class PreviewOut(ApiModel):
    """What an erasure would erase now. Of the ids the first 1,000 are named."""

    dry_run: Literal[True] = True
    memories: int
    derived: int = Field(description="Further memories, that jobs derived from some of these.")
    memory_ids: list[UUID]
    derived_ids: list[UUID]


class ReceiptOut(ApiModel):
    """What can be shown of an erasure: signed, and without anything of what was erased."""

    erasure_id: UUID
    asked_at: Instant
    ended_at: Instant
    overwritten_at: Instant | None = Field(description="When the bytes had left the database's files.")
    overwriting: str | None = Field(description="How: `checkpoint`, `vacuum` or `vacuum full`, see docs/erasure.md.")
    counts: dict[str, int] = Field(description="Rows by table; `derived` are among `memory`.")
    digests: list[str] | None = Field(description="Keyed digests of the erased ids; null for more than 100,000.")
    digest_of_all: str
    signature: str


class ErasureOut(ApiModel):
    """An erasure. `erased`: nothing of it is found any more; its bytes follow at `overwritten_at`."""

    id: UUID
    namespaces: list[str]
    state: ErasureStateName
    asked_by: str
    asked_at: Instant
    started_at: Instant | None
    ended_at: Instant | None
    overwritten_at: Instant | None
    overwriting: str | None
    counts: dict[str, int]
    problem: str | None = Field(description="What went wrong in the last try; it is tried again.")
    receipt: ReceiptOut | None = Field(None, description="Of one that is over; not in lists.")


class ErasurePage(ApiModel):
    """One page of erasures, the newest first."""

    items: list[ErasureOut]
    next_cursor: str | None


class ReceiptIn(ApiModel):
    """A receipt that is to be checked."""

    receipt: dict[str, Any]


class VerdictOut(ApiModel):
    """What is true of a receipt."""

    genuine: bool = Field(description="This server signed it for this tenant, as it is.")
    holds: bool = Field(description="It is genuine, and nothing of it is back.")
    back: int = Field(description="Memories, and rows that name them, that are back.")
    without_tombstone: int = Field(description="Erased ids that the database does not know as erased: it is older.")
