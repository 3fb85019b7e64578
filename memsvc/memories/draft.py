"""A write as it was asked, before anything is known about what is already there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from gpu.bank.records import Kind, State
from lifecycle.trust import Trust
from memsvc.filters.pairs import row_pairs
from memsvc.models import Relation
from retrieval.types import TextAnalysis

DESCRIBED = (
    "kind", "state", "user_id", "agent_id", "session_id", "speaker", "place", "tags", "outcome", "language",
    "occurred_at", "valid_from", "valid_to", "expires_at", "importance", "trust", "pinned", "source", "metadata",
    "derived", "origin", "flags",
)  # fmt: skip
"""Columns that a memory and each of its versions share."""

DEFAULTS: Mapping[str, Any] = {
    **dict.fromkeys(DESCRIBED),
    "state": int(State.ACTIVE),
    "tags": [],
    "importance": 0.5,
    "trust": Trust.AGENT.rank,
    "pinned": False,
    "metadata": {},
    "flags": [],
}

INITIAL_STABILITY_S: Mapping[int, float] = {
    Kind.EPISODIC: 7 * 86_400.0,
    Kind.SEMANTIC: 90 * 86_400.0,
    Kind.PROCEDURAL: 90 * 86_400.0,
}
"""Prior of how long a memory of each kind lasts before anything is known about its use."""


@dataclass(frozen=True, slots=True)
class LinkDraft:
    """A link from the memory being written to one that is there."""

    relation: Relation
    to_id: UUID


@dataclass(frozen=True, slots=True)
class Draft:
    """What the caller said, and nothing that the caller did not say.

    Attributes:
        content: the text, or None in an edit that leaves it.
        fields: values by column, only those that were named.
        ttl_s: time to live from the moment of writing, in seconds.
        vector: float32 `[dim]` supplied by the caller instead of an embedding, or None.
        follows: index in the same call of the draft that this one comes after, or None.
        flags: what screening found in it, see `memsvc.screening`.
    """

    content: str | None
    fields: Mapping[str, Any] = field(default_factory=dict)
    external_id: str | None = None
    ttl_s: int | None = None
    links: tuple[LinkDraft, ...] = ()
    vector: NDArray[np.float32] | None = None
    follows: int | None = None
    flags: tuple[str, ...] = ()

    def named(self, now: datetime) -> dict[str, Any]:
        """The named columns, with the time to live turned into its end."""
        values = dict(self.fields)
        if self.ttl_s is not None:
            values["expires_at"] = now + timedelta(seconds=self.ttl_s)
        return values


class Outdated(Exception):
    """What was prepared before a transaction does not go with what stands inside of it: prepare it again."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """What one embedding model made of a text.

    Attributes:
        views: float16 `[n_views, dim]`, unit rows.
        token_codes: uint8 `[n_tokens, ceil(dim / 4)]`, maybe of none; None if the model gives no states of tokens, or
            did not read the text because its vector was supplied.
    """

    views: NDArray[np.float16]
    token_codes: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class Encoding:
    """What the embedding models of a namespace made of a text.

    Attributes:
        of: by embedding space: one, or two while the namespace keeps another one beside.
        context_id: the memory in whose light the text was read, so that something of its text is in here; or None.
    """

    of: Mapping[UUID, Vectors]
    context_id: UUID | None = None

    @property
    def is_pending(self) -> bool:
        """Whether the text waits for its vectors."""
        return not self.of

    def without_tokens(self) -> Encoding:
        """The same without states of tokens."""
        return replace(self, of={space: Vectors(made.views) for space, made in self.of.items()})


class Circumstances(NamedTuple):
    """What a text is analysed with, beside its words."""

    speaker: str | None
    place: str | None
    occurred_at: datetime | None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Circumstances:
        """Those among described columns, of which some may be missing."""
        return cls(*(values.get(name) for name in cls._fields))


@dataclass(frozen=True, slots=True)
class Prepared:
    """What analysis and embedding made of a text in its circumstances.

    Attributes:
        findings: what screening noticed, see `retrieval.screening`.
    """

    circumstances: Circumstances
    analysis: TextAnalysis
    encoding: Encoding
    findings: tuple[str, ...] = ()


def described(named: Mapping[str, Any]) -> dict[str, Any]:
    """All described columns of a new memory: what was named over the defaults, and a kind if none was given."""
    values = {**DEFAULTS, **named}
    if values["kind"] is None:
        values["kind"] = int(_kind_of(values))
    return values


def pair_bytes(values: Mapping[str, Any], external_id: str | None) -> bytes:
    """The hashed (field, value) pairs of a memory as they are stored."""
    return row_pairs({**values, "external_id": external_id}).astype("<u8").tobytes()


def _kind_of(values: Mapping[str, Any]) -> Kind:
    """Something with an outcome was done, something with a time, speaker or session happened; the rest is held true."""
    if values["outcome"] is not None:
        return Kind.PROCEDURAL
    if any(values[name] is not None for name in ("occurred_at", "speaker", "session_id")):
        return Kind.EPISODIC
    return Kind.SEMANTIC
