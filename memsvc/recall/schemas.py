"""Recall on the wire."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from lifecycle.trust import Trust
from memsvc.http.schemas import ApiModel, Bytes, Instant
from memsvc.memories.schemas import KindName, MemoryOut, NamespacePath, Share
from memsvc.recall.several import NAMESPACES_MAX


def _once(paths: list[str]) -> list[str]:
    return list(dict.fromkeys(paths))


class Asked(ApiModel):
    """What a question may say, whatever is made of its answer. One of the first three fields says where to look."""

    namespace: NamespacePath | None = Field(None, description="One namespace.")
    namespaces: (
        Annotated[list[NamespacePath], Field(min_length=1, max_length=NAMESPACES_MAX), AfterValidator(_once)] | None
    ) = Field(None, description="Several namespaces; the answer is one.")
    namespace_prefix: Annotated[str, Bytes(512, least=0)] | None = Field(
        None, description="All namespaces that begin so and that the key may read, at most 32."
    )
    query: Annotated[str, Bytes("query_max_bytes")]
    kinds: Annotated[list[KindName], Field(min_length=1, max_length=3)] | None = None
    filter: dict[str, Any] | None = Field(None, description="See docs/filters.md.")
    as_of: Instant | None = Field(None, description="Answer from what the service knew then.")
    valid_at: Instant | None = Field(None, description="Only what was true in the world then.")
    asked_at: Instant | None = Field(None, description='The "now" of the question; default: the clock.')
    profile: Literal["fast", "balanced", "thorough"] = "balanced"
    descend: bool = Field(False, description="Also find archived memories that the hits were made of.")
    min_confidence: Share | None = Field(
        None, description="Below this confidence the answer has no hits, and says `nothing_relevant`."
    )
    min_trust: Trust | None = Field(
        None,
        strict=False,
        description="The least trusted that may be found; default: `agent`, or `external` for a key that is trusted no "
        "more. See docs/trust.md.",
    )
    include_quarantined: bool = Field(
        False, description="Also find what is in quarantine; for keys with the role `admin` alone."
    )
    explain: bool = False
    min_seq: Annotated[int, Field(ge=0, le=2**62)] | None = Field(
        None, description="Refuse to answer from less than this change; only with `namespace`."
    )
    deadline_ms: Annotated[int, Field(ge=1, le=60_000)] | None = Field(
        None, description="Channels that take longer are left out and named in `degraded`."
    )

    @model_validator(mode="after")
    def _one_place(self) -> Asked:
        places = (self.namespace, self.namespaces, self.namespace_prefix)
        if sum(place is not None for place in places) != 1:
            raise PydanticCustomError(
                "namespace_choice", "give exactly one of namespace, namespaces and namespace_prefix"
            )
        if self.min_seq is not None and self.namespace is None:
            raise PydanticCustomError("min_seq_of_one", "min_seq counts the changes of one namespace: give namespace")
        return self


class RecallRequest(Asked):
    """A question in plain language over one or several namespaces."""

    top_k: int = Field(10, ge=1, description="Most hits.")
    token_budget: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="Hits stop before their contents exceed this many tokens (estimated as bytes / 4)."
    )


class ChannelOut(ApiModel):
    """What one channel thought of a hit; `rank` is null if it did not list the memory itself."""

    rank: int | None
    score: float
    contribution: float | None = Field(
        None,
        description="With `explain`: what it added to the fused score, before a cross-encoder read the memory.",
    )


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
    min_trust: Trust | None = Field(None, description="The least trusted that could be found.")
    capped: dict[str, int] = Field(
        default_factory=dict,
        description="By untrusted origin, how many of its memories gave way: one has a fifth of `top_k` at most.",
    )
    question: dict[str, Any] | None = Field(None, description="What was read out of the question.")
    trail: list[str] | None = Field(None, description="What further retrieval was tried, and why it ended.")


class Answered(ApiModel):
    """What every answer to a question says of itself."""

    id: UUID = Field(description="Names the answer when feedback is given, for an hour.")
    confidence: float = Field(description="How sure the service is that anything relevant is here.")
    nothing_relevant: bool = Field(description="Nothing was found, or `confidence` lies below `min_confidence`.")
    seq: int | None = Field(description="Last change of the namespace; null if several were asked.")
    seqs: dict[str, int] = Field(
        default_factory=dict, description="Last change of each namespace, if several were asked."
    )
    degraded: list[str]
    took_ms: float
    explanation: Explanation | None = None


class RecallAnswer(Answered):
    """Hits, best first."""

    hits: list[HitOut]
