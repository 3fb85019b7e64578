"""What callers may send, as typed dictionaries: the keyword arguments of the clients' methods.

A field that is left out is not sent, so that the service's own defaults hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

When: TypeAlias = datetime | str
"""An aware datetime, or an RFC 3339 text that is sent as it is."""

Filter: TypeAlias = Mapping[str, Any]
"""`{"kind": "semantic"}`, `{"importance": {"gte": 0.5}}`, `{"metadata.city": {"in": ["Rome", "Oslo"]}}`,
and `{"and": [...]}`, `{"or": [...]}`, `{"not": {...}}`. Operators: eq ne in nin gt gte lt lte contains exists."""

Kind = Literal["episodic", "semantic", "procedural"]
Trust = Literal["trusted", "agent", "external"]
Outcome = Literal["success", "failure", "partial", "unknown"]
Order = Literal["newest", "oldest"]
Rehearsed = Literal["remembered", "failed"]
Profile = Literal["fast", "balanced", "thorough"]
BlockOrder = Literal["time", "relevance"]
Tokenizer = Literal["conservative", "wordpiece", "characters", "bytes"]
Role = Literal["read", "write", "erase", "export", "admin"]


class LinkTo(TypedDict):
    """A link from the memory being written to another one."""

    relation: str
    memory_id: str


class Described(TypedDict, total=False):
    """Everything that a write or an edit may say about a memory beside its content.

    `ttl_s` is in seconds, `importance` between 0 and 1, `embedding` a vector `[dim]` in the namespace's space.
    """

    kind: Kind | None
    user_id: str | None
    agent_id: str | None
    session_id: str | None
    speaker: str | None
    place: str | None
    tags: Sequence[str] | None
    outcome: Outcome | None
    language: str | None
    occurred_at: When | None
    valid_from: When | None
    valid_to: When | None
    ttl_s: int | None
    importance: float | None
    pinned: bool | None
    source: Mapping[str, Any] | None
    metadata: Mapping[str, Any] | None
    embedding: Sequence[float] | None


class MemoryFields(Described, total=False):
    """Everything that a write may say about a memory beside its content; see `Described`.

    With an `external_id` that the namespace has already, the write is an edit.
    """

    external_id: str | None
    links: Sequence[LinkTo] | None


class NewMemory(MemoryFields):
    """One memory of a batch."""

    content: str


class MemoryChanges(Described, total=False):
    """A merge patch: only the named fields change, None clears a field."""

    content: str


class Turn(TypedDict):
    """One turn of a conversation. `role` is accepted for `speaker`, as chat messages have it."""

    content: str
    speaker: NotRequired[str]
    role: NotRequired[str]
    occurred_at: NotRequired[When | None]
    external_id: NotRequired[str | None]
    metadata: NotRequired[Mapping[str, Any] | None]


class Erased(TypedDict, total=False):
    """What an erasure is of: exactly one of these."""

    memory_ids: Sequence[str]
    filter: Filter
    user_id: str
    entity_id: str
    writer: str
    receipt: Mapping[str, Any]


class Brought(TypedDict, total=False):
    """What a revocation is of: the memories for which all that is named holds."""

    writer: str
    origin: str
    session_id: str
    since: When
    until: When


class AskOptions(TypedDict, total=False):
    """What a question may say. Left out, the service decides (the balanced profile, now).

    `namespaces` or `namespace_prefix` ask several namespaces at once, in place of the call's or the client's own.
    `as_of` asks what the service knew at a time, `valid_at` what was true at a time, `asked_at` is the "now" of the
    question, `descend` also finds archived memories that the hits were made of, `min_confidence` (0 to 1) how sure an
    answer must be, `min_trust` the least trusted that may be found, `include_quarantined` finds what is in quarantine,
    too (for admins), `min_seq` a write that must be visible, `deadline_ms` the time after which slow channels are left
    out.
    """

    namespaces: Sequence[str] | None
    namespace_prefix: str | None
    top_k: int | None
    kinds: Sequence[Kind] | None
    filter: Filter | None
    as_of: When | None
    valid_at: When | None
    asked_at: When | None
    token_budget: int | None
    profile: Profile | None
    descend: bool | None
    min_confidence: float | None
    min_trust: Trust | None
    include_quarantined: bool | None
    explain: bool | None
    min_seq: int | None
    deadline_ms: int | None


class RecallOptions(AskOptions, total=False):
    """How to recall: at most `top_k` hits (10), whose contents stay within `token_budget` (estimated)."""


class ContextOptions(AskOptions, total=False):
    """How to pack a context: at most `token_budget` tokens (2,000), counted by `tokenizer`, out of `top_k` hits (50).

    `order` says in which order the memories stand; those of `previous` (ids that the prompt holds already) stay unless
    others are clearly better.
    """

    tokenizer: Tokenizer | None
    order: BlockOrder | None
    previous: Sequence[str] | None
