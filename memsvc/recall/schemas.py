"""Recall on the wire."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from memsvc.http.schemas import ApiModel, Bytes, Instant
from memsvc.memories.schemas import KindName, MemoryOut, NamespacePath


class RecallRequest(ApiModel):
    """A question in plain language over one namespace."""

    namespace: NamespacePath
    query: Annotated[str, Bytes("query_max_bytes")]
    top_k: int = Field(10, ge=1, description="Most hits.")
    kinds: Annotated[list[KindName], Field(min_length=1, max_length=3)] | None = None
    filter: dict[str, Any] | None = Field(None, description="See docs/filters.md.")
    as_of: Instant | None = Field(None, description="Answer from what the service knew then.")
    valid_at: Instant | None = Field(None, description="Only what was true in the world then.")
    asked_at: Instant | None = Field(None, description='The "now" of the question; default: the clock.')
    token_budget: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="Hits stop before their contents exceed this many tokens (estimated as bytes / 4)."
    )
    profile: Literal["fast", "balanced", "thorough"] = "balanced"
    explain: bool = False
    min_seq: Annotated[int, Field(ge=0, le=2**62)] | None = Field(
        None, description="Refuse to answer from less than this change of the namespace."
    )
    deadline_ms: Annotated[int, Field(ge=1, le=60_000)] | None = Field(
        None, description="Channels that take longer are left out and named in `degraded`."
    )


class ChannelOut(ApiModel):
    """What one channel thought of a hit; `rank` is null if it did not list the memory itself."""

    rank: int | None
    score: float


class HitOut(ApiModel):
    """One memory of the answer."""

    rank: int
    score: float
    memory: MemoryOut
    channels: dict[str, ChannelOut]


class Explanation(ApiModel):
    """How the answer came about."""

    eligible: int = Field(description="Memories that the filters let through.")
    timings_ms: dict[str, float]


class RecallAnswer(ApiModel):
    """Hits, best first. `confidence` says how sure the service is that anything relevant is here."""

    hits: list[HitOut]
    confidence: float
    seq: int
    degraded: list[str]
    took_ms: float
    explanation: Explanation | None = None
