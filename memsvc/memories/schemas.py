"""Memories on the wire."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from gpu.bank.records import Kind, State
from lifecycle.trust import Trust, tier
from memsvc.filters.values import DECIMALS
from memsvc.http.openapi import items_of
from memsvc.http.query import QueryInt
from memsvc.http.schemas import ApiModel, Bytes, FiniteFloat, Id, Instant, Name
from memsvc.memories.draft import Draft, LinkDraft
from memsvc.models import Relation

KindName = Literal["episodic", "semantic", "procedural"]
StateName = Literal["active", "forgotten", "quarantined", "superseded", "archived", "merged"]
LevelName = Literal["active", "warm", "cold", "archived", "forgotten"]
DerivedName = Literal["session", "day", "week", "month", "fact", "procedure"]
OutcomeName = Literal["success", "failure", "partial", "unknown"]

_SEGMENT = re.compile(r"[^\s/*\x00-\x1f\x7f]{1,128}")
_METADATA_DEPTH = 5
_ITEMS_MAX = 10_000  # whatever `batch_max` is set to
_METADATA_KEYS = 256
_KEY_BYTES = 256


def _namespace_path(path: str) -> str:
    segments = path.split("/")
    if len(segments) > 16 or any(s in {".", ".."} or not _SEGMENT.fullmatch(s) for s in segments):
        raise PydanticCustomError(
            "namespace", "give 1 to 16 segments joined by '/', without spaces, '*', '.' or '..' as a segment"
        )
    return path


_PATH_PATTERN = r"^[^\s/*\x00-\x1f\x7f]{1,128}(/[^\s/*\x00-\x1f\x7f]{1,128}){0,15}$"
NamespacePath = Annotated[
    str, Bytes(512), AfterValidator(_namespace_path), Field(json_schema_extra={"pattern": _PATH_PATTERN})
]
"""A path such as `user/ada/coding`."""

Content = Annotated[str, Bytes("content_max_bytes")]
ExternalId = Annotated[str, Bytes(512)]
Tag = Annotated[str, Bytes(128)]


Share = Annotated[FiniteFloat, Field(ge=0, le=1), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})]
"""A number from 0 to 1."""


def _unique(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


def _measure(value: Any, depth: int) -> int:
    """Number of keys in a JSON value, refusing what is too deep or cannot be stored."""
    if depth > _METADATA_DEPTH:
        raise PydanticCustomError("metadata_depth", "is nested deeper than {most} levels", {"most": _METADATA_DEPTH})
    if isinstance(value, dict):
        if any(len(key.encode()) > _KEY_BYTES for key in value):
            raise PydanticCustomError("metadata_key", "has a key longer than {most} bytes", {"most": _KEY_BYTES})
        return len(value) + sum(_measure(item, depth + 1) for item in value.values())
    if isinstance(value, list):
        return sum(_measure(item, depth + 1) for item in value)
    return 0


def _metadata(value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    most = (info.context or {})["settings"].metadata_max_bytes
    if _measure(value, 0) > _METADATA_KEYS:
        raise PydanticCustomError("metadata_keys", "has more than {most} keys", {"most": _METADATA_KEYS})
    if len(orjson.dumps(value)) > most:
        raise PydanticCustomError("metadata_too_large", "is larger than {most} bytes as JSON", {"most": most})
    return value


Metadata = Annotated[dict[str, Any], AfterValidator(_metadata)]


def _source(value: dict[str, Any]) -> dict[str, Any]:
    if "trust" in value and value["trust"] not in list(Trust):
        raise PydanticCustomError(
            "source_trust", "names in `trust` no tier; give one of {tiers}", {"tiers": ", ".join(Trust)}
        )
    return value


Source = Annotated[Metadata, AfterValidator(_source)]


class WhyIn(ApiModel):
    """Why something is done, for the history."""

    reason: Annotated[str, Bytes(48), Field(min_length=1)]


class LinkIn(ApiModel):
    """A link to a memory of the same namespace."""

    relation: Relation = Field(strict=False, description="How this memory hangs on the other.")
    memory_id: Id


class Describes(ApiModel):
    """What a caller may say about a memory. In an edit, only what is named changes; null clears."""

    kind: KindName | None = Field(
        None,
        description="Default: procedural with an outcome, episodic with a time, speaker or session, else semantic.",
    )
    user_id: Name | None = None
    agent_id: Name | None = None
    session_id: Name | None = None
    speaker: Name | None = None
    place: Name | None = None
    tags: Annotated[list[Tag], Field(max_length=64), AfterValidator(_unique)] | None = None
    outcome: OutcomeName | None = Field(None, description="How it went (procedural memories).")
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)] | None = None
    occurred_at: Instant | None = Field(None, description="When it happened.")
    valid_from: Instant | None = Field(None, description="Since when it is true in the world.")
    valid_to: Instant | None = Field(None, description="Until when it is true in the world.")
    ttl_s: Annotated[int, Field(ge=1, le=100 * 366 * 86_400)] | None = Field(
        None, description="Time to live in seconds; not found any more after it."
    )
    importance: Share | None = Field(None, description="0 to 1; default 0.5.")
    pinned: bool | None = Field(None, description="Never moved by anything automatic.")
    source: Source | None = Field(
        None,
        description="Who or what it comes from. Its `type` (`user`, `web`, ...) and `trust` say how far it is trusted, "
        "at most as far as the key is; see docs/trust.md.",
    )
    metadata: Metadata | None = None
    embedding: Annotated[list[FiniteFloat], Field(min_length=1, max_length=8192)] | None = Field(
        None, description="A vector from the namespace's own model, instead of having the content embedded."
    )

    @model_validator(mode="after")
    def _interval(self) -> Describes:
        if self.valid_from is not None and self.valid_to is not None and self.valid_to <= self.valid_from:
            raise PydanticCustomError("interval", "valid_to must be later than valid_from")
        return self


class MemoryIn(Describes):
    """A memory to write. With an `external_id` that the namespace knows, this is an edit of what is named."""

    content: Content
    external_id: ExternalId | None = None
    links: Annotated[list[LinkIn], Field(max_length=100)] = Field(default_factory=list)


class MemoryCreate(MemoryIn):
    """A memory and where it goes."""

    namespace: NamespacePath


class MemoryEdit(Describes):
    """Changes to a memory."""

    content: Content | None = None

    @model_validator(mode="after")
    def _content_stays(self) -> MemoryEdit:
        if "content" in self.model_fields_set and self.content is None:
            raise PydanticCustomError("content_null", "content cannot be cleared; forget or erase the memory instead")
        if self.embedding is not None and self.content is None:
            raise PydanticCustomError("embedding_alone", "an embedding needs the content that it belongs to")
        return self


class BatchCreate(ApiModel):
    """Up to 1,000 memories; each is judged and answered by itself."""

    namespace: NamespacePath
    memories: Annotated[
        list[dict[str, Any]], Field(min_length=1, max_length=_ITEMS_MAX, json_schema_extra=items_of(MemoryIn))
    ]


class TurnIn(ApiModel):
    """One turn of a conversation."""

    content: Content
    speaker: Name | None = None
    occurred_at: Instant | None = None
    external_id: ExternalId | None = None
    metadata: Metadata | None = None


class ConversationCreate(ApiModel):
    """A conversation or its next turns, in order. Each turn becomes a memory that follows the one before."""

    namespace: NamespacePath
    session_id: Name
    user_id: Name | None = None
    agent_id: Name | None = None
    turns: Annotated[
        list[dict[str, Any]], Field(min_length=1, max_length=_ITEMS_MAX, json_schema_extra=items_of(TurnIn))
    ]


class ListQuery(ApiModel):
    """What a list shows."""

    namespace: NamespacePath
    filter: Annotated[str, Bytes(6 * 1024)] | None = Field(None, description="The filter as JSON; see docs/filters.md.")
    order: Literal["newest", "oldest"] = Field("newest", description="By the time of recording.")
    limit: QueryInt = Field(50, ge=1)
    cursor: Annotated[str, Bytes(4096)] | None = None


class MemoryOut(ApiModel):
    """A memory as it stands in every answer."""

    id: UUID
    namespace: str
    kind: KindName
    content: str
    external_id: str | None
    user_id: str | None
    agent_id: str | None
    session_id: str | None
    speaker: str | None
    place: str | None
    tags: list[str]
    outcome: str | None
    language: str | None
    occurred_at: Instant | None
    valid_from: Instant | None
    valid_to: Instant | None
    recorded_at: Instant
    updated_at: Instant
    expires_at: Instant | None
    importance: float
    trust: Trust = Field(description="Its tier; see docs/trust.md.")
    origin: str | None = Field(description="Whose words it holds: a source, or the key that wrote it.")
    flags: list[str] = Field(
        description="What was noticed in it: `instruction_like`, or a `card`, which may be blackened by now."
    )
    pinned: bool
    derived: DerivedName | None = Field(
        description="What the job `consolidate` made it as, of the memories that its `derived_from` links lead to; "
        "null: somebody wrote it."
    )
    legal_hold: bool = Field(description="Nobody can hide or erase it until it is released.")
    state: StateName
    merged_into: UUID | None = Field(description="The memory that says the same and stands for this one.")
    level: LevelName | None = Field(description="How far it has faded; null for a memory that does not.")
    retention: float | None = Field(description="From 1 (just written or recalled) down to 0, as its policy has it.")
    fades_at: Instant | None = Field(description="When it falls to the next level if nobody recalls it.")
    recall_count: int
    last_recalled_at: Instant | None
    version: int
    source: dict[str, Any] | None
    metadata: dict[str, Any]


class MemoryAnswer(ApiModel):
    """A memory after a write. `memory` is null in a replayed answer whose memory is gone by now."""

    memory: MemoryOut | None
    seq: int
    degraded: list[str] = Field(
        description="Channels that do not find it yet: `semantic` if the embedding model did not answer. Until it "
        "does, it is found by its words."
    )


class ItemProblem(ApiModel):
    """Why one item of a batch was refused."""

    code: str
    title: str
    detail: str
    errors: list[dict[str, str]]


class ItemAnswer(ApiModel):
    """What became of one item: 201 written, 200 edited or unchanged, else a problem."""

    status: int
    id: UUID | None = None
    external_id: str | None = None
    version: int | None = None
    degraded: list[str] | None = Field(None, description="As in the answer to a single write; only if there are any.")
    problem: ItemProblem | None = None


class BatchAnswer(ApiModel):
    """One answer for each item, in order."""

    items: list[ItemAnswer]
    seq: int


class MemoryPage(ApiModel):
    """One page of a list."""

    items: list[MemoryOut]
    next_cursor: str | None


class VersionOut(ApiModel):
    """A memory as it was during `[recorded_from, recorded_to)`."""

    version: int
    content: str
    kind: KindName
    state: StateName
    tags: list[str]
    metadata: dict[str, Any]
    occurred_at: Instant | None
    valid_from: Instant | None
    valid_to: Instant | None
    importance: float
    trust: Trust
    flags: list[str]
    recorded_from: Instant
    recorded_to: Instant | None
    reason: str
    writer: str


class HistoryAnswer(ApiModel):
    """Every version of a memory, oldest first."""

    items: list[VersionOut]


class LinkOut(ApiModel):
    """A link of a memory, seen from it."""

    relation: Relation
    memory_id: UUID
    direction: Literal["out", "in"]


class LinksAnswer(ApiModel):
    """All links of a memory to active memories."""

    items: list[LinkOut]


_PLAIN = (
    "user_id", "agent_id", "session_id", "speaker", "place", "tags", "outcome", "language", "occurred_at",
    "valid_from", "valid_to", "importance", "pinned", "source", "metadata",
)  # fmt: skip
_EMPTY = {"tags": [], "importance": 0.5, "pinned": False, "metadata": {}}


def _vector(numbers: list[float]) -> NDArray[np.float32]:
    """A supplied vector; numbers that float32 cannot hold become infinite, and are refused with the others."""
    with np.errstate(over="ignore"):
        return np.array(numbers, dtype=np.float32)


def to_draft(said: Describes, *, follows: int | None = None, **more: Any) -> Draft:
    """What the caller named, in the words of the tables."""
    fields = {name: getattr(said, name) for name in _PLAIN if name in said.model_fields_set}
    fields |= {name: _EMPTY[name] for name, value in fields.items() if value is None and name in _EMPTY}
    if fields.get("importance") is not None:
        fields["importance"] = round(fields["importance"], DECIMALS)  # as exact in a filter as in the bank's float32
    if said.kind is not None:
        fields["kind"] = int(Kind[said.kind.upper()])
    if said.ttl_s is None and "ttl_s" in said.model_fields_set:
        fields["expires_at"] = None
    return Draft(
        content=getattr(said, "content", None),
        fields={**fields, **more},
        external_id=getattr(said, "external_id", None),
        ttl_s=said.ttl_s,
        links=tuple(LinkDraft(link.relation, link.memory_id) for link in getattr(said, "links", ())),
        vector=None if said.embedding is None else _vector(said.embedding),
        follows=follows,
    )


_KIND_NAMES = {int(kind): kind.name.lower() for kind in Kind}
_STATE_NAMES = {int(state): state.name.lower() for state in State}
_MEMORY = (
    *_PLAIN, "merged_into", "external_id", "recorded_at", "updated_at", "expires_at", "derived", "origin", "flags",
    "version", "legal_hold",
)  # fmt: skip
_VERSION = (
    "version", "tags", "metadata", "occurred_at", "valid_from", "valid_to", "importance", "flags", "recorded_from",
    "recorded_to", "reason", "writer",
)  # fmt: skip


def memory_fields(
    row: Mapping[str, Any], memory_id: UUID, content: str, namespace: str, fading: Mapping[str, Any]
) -> dict[str, Any]:
    """The fields of `MemoryOut` from a memory row, or from a version row with the memory's own columns.

    Args:
        fading: see `memsvc.memories.fading.shown_fading`.
    """
    return {
        "id": memory_id,
        "namespace": namespace,
        "kind": _KIND_NAMES[row["kind"]],
        "content": content,
        "state": _STATE_NAMES[row["state"]],
        "trust": tier(row["trust"]).value,
        **{name: row[name] for name in _MEMORY},
        **fading,
    }


def version_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `VersionOut` from a version row with its text."""
    return {
        "content": row["text"],
        "kind": _KIND_NAMES[row["kind"]],
        "state": _STATE_NAMES[row["state"]],
        "trust": tier(row["trust"]).value,
        **{name: row[name] for name in _VERSION},
    }
