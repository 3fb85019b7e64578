"""Feedback on the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from memsvc.http.schemas import ApiModel, Id
from memsvc.memories.schemas import NamespacePath

VerdictName = Literal["used", "useful", "wrong"]


class JudgedMemory(ApiModel):
    """A hit, and what became of it: it went into an answer, it helped, or it was wrong for the question."""

    id: Id
    verdict: VerdictName


class FeedbackRequest(ApiModel):
    """What a caller says about the hits of a recall; hits that are not named are left unjudged."""

    memories: Annotated[list[JudgedMemory], Field(max_length=1000)]

    @model_validator(mode="after")
    def _each_once(self) -> FeedbackRequest:
        if len({memory.id for memory in self.memories}) != len(self.memories):
            raise PydanticCustomError("repeated", "a memory is judged twice")
        return self


class FeedbackAnswer(ApiModel):
    """On how many memories that are still there the verdict was kept."""

    recorded: int


class FusionQuery(ApiModel):
    """Whose weights."""

    namespace: NamespacePath


class FusionReset(ApiModel):
    """Whose weights begin again."""

    namespace: NamespacePath


class FusionAnswer(ApiModel):
    """How the fusion of a namespace has adapted to feedback."""

    namespace: str
    adaptive: bool = Field(description="Whether recalls use the factors (`MEMSVC_ADAPTIVE_FUSION`).")
    factors: dict[str, float] = Field(
        description="By channel, what its weight is multiplied with: 0.5 to 2; 1 for a channel that is not named."
    )
    rounds: int = Field(description="Judged recalls that the factors follow from.")
    regret: float = Field(description="How much more the best fixed factors would have gained in these rounds.")
    regret_bound: float = Field(description="The regret cannot be larger than this.")
