"""What each tool takes. Types and names are checked here; limits, formats and rights by the service."""

from __future__ import annotations

import re
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from memsvc_client.errors import ApiError, api_error
from memsvc_client.inputs import BlockOrder, Kind, Order, Outcome, Profile
from memsvc_client.types import FieldProblem, Problem

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_ERRORS_MAX = 50

_NAMESPACE = Field(None, description="The memory bank, a path such as user/ada. Left out: the configured one.")
_MEMORY_ID = Field(description="Id of the memory, as other tools give it.")
_FILTER = Field(
    None,
    description='Only memories that match, such as {"kind": "semantic"}, {"tags": {"contains": "tea"}}, '
    '{"metadata.city": {"in": ["Rome", "Oslo"]}}, {"and": [...]}, {"or": [...]}, {"not": {...}}. '
    "Operators: eq ne in nin gt gte lt lte contains exists.",
)
_CURSOR = Field(None, description="The next_cursor of the page before.")
_LIMIT = Field(None, ge=1, description="Most memories of one page.")


def _time(meaning: str) -> Any:
    text = f"{meaning} RFC 3339 with a zone, such as 2026-01-31T09:00:00Z."
    return Field(None, description=text, json_schema_extra={"format": "date-time"})


class Arguments(BaseModel):
    """Base of all: unknown names are refused, nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @classmethod
    def read(cls, arguments: dict[str, Any]) -> Self:
        """Arguments as a client sent them.

        Raises:
            InvalidRequest: They do not fit; in the form of the service's own refusals, and without any value.
        """
        try:
            return cls.model_validate(arguments)
        except ValidationError as error:
            raise _refusal(error) from None

    def given(self) -> dict[str, Any]:
        """What was said, by name. What was left out, or is null, is left to the service's defaults."""
        return self.model_dump(exclude_none=True)


class InNamespace(Arguments):
    """What happens in one namespace."""

    namespace: str | None = _NAMESPACE


class Remembering(InNamespace):
    """A memory to write."""

    content: str = Field(description="What to remember: one thing, in words that make sense on their own.")
    kind: Kind | None = Field(
        None, description="episodic: it happened; semantic: it is true; procedural: it is how something is done."
    )
    external_id: str | None = Field(
        None, description="Your own id for it. Writing the same id again changes that memory; the history keeps both."
    )
    occurred_at: str | None = _time("When it happened.")
    valid_from: str | None = _time("Since when it is true.")
    valid_to: str | None = _time("Until when it is true.")
    user_id: str | None = Field(None, description="User that it belongs to.")
    agent_id: str | None = Field(None, description="Agent that it belongs to.")
    session_id: str | None = Field(None, description="Conversation that it belongs to.")
    speaker: str | None = Field(None, description="Who said it.")
    place: str | None = Field(None, description="Where it happened.")
    tags: list[str] | None = None
    outcome: Outcome | None = Field(None, description="How it went (procedural).")
    importance: float | None = Field(None, ge=0, le=1, description="0 to 1; default 0.5.")
    ttl_s: int | None = Field(None, ge=1, description="Seconds after which it is not found any more.")
    metadata: dict[str, Any] | None = Field(None, description="Any JSON object; filters reach into it.")


class Asking(InNamespace):
    """What every question may say."""

    query: str = Field(description="The question, in plain language.")
    namespaces: list[str] | None = Field(None, description="Several memory banks, in place of `namespace`.")
    namespace_prefix: str | None = Field(
        None, description="All memory banks whose path begins so, in place of `namespace`."
    )
    top_k: int | None = Field(None, ge=1, description="Most memories to find.")
    kinds: list[Kind] | None = Field(None, description="Only these kinds.")
    filter: dict[str, Any] | None = _FILTER
    as_of: str | None = _time("Answer from what was known then.")
    valid_at: str | None = _time("Only what was true then.")
    asked_at: str | None = _time('The "now" of the question, for words such as "last week"; default: the clock.')
    profile: Profile | None = Field(None, description="How much work: fast, balanced (the default) or thorough.")
    token_budget: int | None = Field(None, ge=1, description="Most tokens of the contents in the answer.")
    min_confidence: float | None = Field(
        None, ge=0, le=1, description="How sure the answer must be; below it, it is empty."
    )


class Recalling(Asking):
    """A question."""

    descend: bool | None = Field(None, description="Also find archived memories that the hits were made of.")
    explain: bool | None = Field(None, description="Say which ways of finding led to each hit.")


class Packing(Asking):
    """A question whose answer goes into a prompt."""

    order: BlockOrder | None = Field(None, description="Of the memories: by time (the default) or by relevance.")
    previous: list[str] | None = Field(
        None, description="Ids of memories that the prompt holds already; they stay unless others are clearly better."
    )


class OfMemory(Arguments):
    """One memory."""

    memory_id: str = _MEMORY_ID


class Listing(InNamespace):
    """A page of a list."""

    filter: dict[str, Any] | None = _FILTER
    order: Order | None = Field(None, description="By the time of recording; default newest.")
    limit: int | None = _LIMIT
    cursor: str | None = _CURSOR


class Judging(Arguments):
    """What became of the memories of an answer."""

    recall_id: str = Field(description="The `id` of the answer of recall or context.")
    used: list[str] = Field(default=[], description="Ids of memories that went into what was done.")
    useful: list[str] = Field(default=[], description="Ids of memories that helped.")
    wrong: list[str] = Field(default=[], description="Ids of memories that were wrong for the question.")


class LookingAhead(InNamespace):
    """Whose memories, and how far ahead."""

    horizon_s: int | None = Field(None, ge=0, description="Also those that will be due within so many seconds.")
    limit: int | None = _LIMIT
    cursor: str | None = _CURSOR


class Untitled(GenerateJsonSchema):
    """JSON Schema without a title for every field, which only repeats its name to the model that reads it."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        del schema
        return False


def schema_of(model: type[BaseModel], mode: Literal["validation", "serialization"] = "validation") -> dict[str, Any]:
    """The JSON Schema of a model."""
    return model.model_json_schema(schema_generator=Untitled, mode=mode)


def _refusal(error: ValidationError) -> ApiError:
    """As the service words it (docs/errors.md), so that a model meets one form of refusal."""
    found = error.errors(include_url=False, include_input=False, include_context=False)[:_ERRORS_MAX]
    fields = tuple(
        FieldProblem(pointer="".join(map(_step, item["loc"])), code=item["type"], message=item["msg"]) for item in found
    )
    return api_error(
        Problem(
            type="urn:memsvc:problem:invalid_input",
            title="The input is not valid",
            status=422,
            code="invalid_input",
            detail=f"{fields[0].pointer or '/'}: {fields[0].message}",
            errors=fields,
        )
    )


def _step(part: str | int) -> str:
    """A step of a pointer; a name that a caller made up is shown only when nothing can hide in it."""
    name = str(part)
    return f"/{name if _PLAIN_KEY.fullmatch(name) else '*'}"
