"""What the clients of mem0 send: the fields that version 2.2.1 and older ones know, and no others."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from memsvc.compat.mem0.filters import ANY, SCOPE
from memsvc.http.query import QueryInt
from memsvc.http.schemas import ApiModel, Bytes, FiniteFloat, Id, Name
from memsvc.memories.schemas import Content, Metadata

PAGE_MAX = 10_000
_MESSAGES_MAX = 10_000  # whatever `batch_max` is set to


class Sent(ApiModel):
    """What may stand in any body and says nothing here: a key leads to one tenant, and answers have one form."""

    org_id: Any = None
    project_id: Any = None
    org_name: Any = None
    project_name: Any = None
    version: Any = None
    output_format: Any = None
    async_mode: Any = None
    enable_graph: Any = None


class Part(ApiModel):
    """One part of a message. Only text is understood."""

    type: Literal["text"]
    text: Content


class Message(ApiModel):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant", "tool", "function", "developer"]
    content: Content | Annotated[list[Part], Field(min_length=1)] | None = None
    name: Name | None = None
    tool_calls: Any = None
    tool_call_id: Any = None

    @property
    def text(self) -> str:
        """Its words."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class Scoped(Sent):
    """Whose memories."""

    user_id: Name | None = None
    agent_id: Name | None = None
    app_id: Name | None = None
    run_id: Name | None = None

    @property
    def scope(self) -> dict[str, str]:
        """Those that were named, by mem0's names."""
        return {name: value for name in SCOPE if (value := getattr(self, name)) is not None}

    @model_validator(mode="after")
    def _named(self) -> Scoped:
        """Never everybody: what is written for, or taken from, all alike names nobody."""
        if ANY in self.scope.values():
            raise PydanticCustomError("scope_wildcard", "name one user, agent, app or run; '*' is not taken here")
        return self


class ScopeFilters(Scoped):
    """Whose memories, where the client puts them into `filters`."""


class Add(Scoped):
    """Messages to remember. What steers a language model is taken and not followed: there is none."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=_MESSAGES_MAX)]
    filters: ScopeFilters | None = None
    metadata: Metadata | None = None
    infer: bool | None = None
    timestamp: int | FiniteFloat | None = None
    expiration_date: str | None = None
    custom_categories: Any = None
    custom_instructions: Any = None
    agent_custom_instructions: Any = None
    structured_data_schema: Any = None
    includes: Any = None
    excludes: Any = None

    @property
    def whose(self) -> dict[str, str]:
        """The scope, wherever it stands."""
        return (self.filters.scope if self.filters else {}) | self.scope

    @model_validator(mode="after")
    def _belongs(self) -> Add:
        if not self.whose:
            raise PydanticCustomError("scope_missing", "give at least one of user_id, agent_id, app_id and run_id")
        return self


class Question(Sent):
    """What is asked."""

    query: Annotated[str, Bytes("query_max_bytes")]
    metadata: dict[str, Any] | None = None
    top_k: Annotated[int, Field(ge=1)] | None = None
    rerank: bool | None = None
    threshold: FiniteFloat | None = None
    fields: list[str] | None = None
    categories: list[str] | None = None
    show_expired: Literal[False] | None = None
    reference_date: str | int | None = None
    latest_only: bool | None = None
    keyword_search: bool | None = None


class Search(Question):
    """A question, and whose memories answer it."""

    filters: dict[str, Any]


class OlderSearch(Scoped, Question):
    """The same before version 2: whose memories may stand beside the question."""

    filters: dict[str, Any] | None = None
    limit: Annotated[int, Field(ge=1)] | None = None
    filter_memories: Any = None


class Listing(Sent):
    """What narrows a list of memories."""

    start_date: str | None = None
    end_date: str | None = None
    categories: list[str] | None = None
    show_expired: Literal[False] | None = None
    latest_only: bool | None = None


class GetAll(Listing):
    """Which memories to list."""

    filters: dict[str, Any]


class OlderGetAll(Scoped, Listing):
    """The same before version 2: whose memories may stand beside the filters."""

    filters: dict[str, Any] | None = None
    limit: Annotated[int, Field(ge=1)] | None = None


class OlderPageQuery(Sent):
    """Which page of a list; without one the list is no page."""

    page: QueryInt | None = Field(None, ge=1, le=PAGE_MAX)
    page_size: QueryInt | None = Field(None, ge=1)


class OldestGetAll(Scoped, OlderPageQuery):
    """Which memories to list, as the first versions ask for it: in the query string."""

    limit: QueryInt | None = Field(None, ge=1)
    start_date: str | None = None
    end_date: str | None = None
    categories: str | None = None


class PageQuery(Sent):
    """Which page of a list."""

    page: QueryInt = Field(1, ge=1, le=PAGE_MAX)
    page_size: QueryInt = Field(100, ge=1)


class Update(Sent):
    """Changes to a memory."""

    text: Content | None = None
    metadata: Metadata | None = None
    timestamp: int | FiniteFloat | str | None = None
    expiration_date: str | None = None


class BatchItem(ApiModel):
    """Changes to one of several memories."""

    memory_id: Id
    text: Content | None = None
    metadata: Metadata | None = None


class BatchUpdate(ApiModel):
    """Changes to several memories."""

    memories: Annotated[list[BatchItem], Field(min_length=1, max_length=10_000)]


class BatchName(ApiModel):
    """One of several memories."""

    memory_id: Id


class BatchDelete(ApiModel):
    """Several memories to delete."""

    memories: Annotated[list[BatchName], Field(min_length=1, max_length=10_000)]


class DeleteQuery(Sent):
    """How one memory is deleted."""

    delete_linked: Literal["false", "False"] | None = None
