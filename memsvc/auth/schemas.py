"""Bodies of the key endpoints."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from lifecycle.trust import Trust
from memsvc.auth.principal import Role, is_pattern
from memsvc.http.query import QueryInt
from memsvc.http.schemas import ApiModel, Bytes, Instant
from memsvc.memories.lineage import BY_JOBS


def _check_pattern(text: str) -> str:
    if not is_pattern(text):
        raise PydanticCustomError(
            "namespace_pattern", "give path segments; `*` stands for one segment, a last `**` for any rest"
        )
    return text


Pattern = Annotated[str, Bytes(512), AfterValidator(_check_pattern)]


def _of_no_job(name: str) -> str:
    if name.casefold().startswith(BY_JOBS):
        raise PydanticCustomError(
            "name_of_a_job", "must not begin with 'job ': so are the writers called that are jobs"
        )
    return name


class KeyCreate(ApiModel):
    """A key to be made."""

    name: Annotated[str, Bytes(200), AfterValidator(_of_no_job)] = Field(description="For people, to tell keys apart.")
    roles: list[Role] = Field(
        default=["read", "write"], min_length=1, max_length=16, description="Only roles that the asking key has."
    )
    namespaces: list[Pattern] = Field(
        default=["**"],
        min_length=1,
        max_length=64,
        description="Namespaces that the key reaches; only those that the asking key reaches.",
    )
    trust: Trust = Field(
        default=Trust.AGENT, strict=False, description="The most that what it writes may be trusted; docs/trust.md."
    )
    expires_at: Instant | None = Field(default=None, description="When the key stops to work; never, if null.")


class KeyRead(BaseModel):
    """A key without its secret."""

    id: UUID
    name: str
    prefix: str = Field(description="The first characters of the secret.")
    roles: list[str]
    namespaces: list[str]
    trust: Trust
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None


class KeyCreated(KeyRead):
    """A new key with its secret, which is shown this once."""

    secret: str


class KeyPage(BaseModel):
    """A page of keys."""

    items: list[KeyRead]
    next_cursor: str | None


class KeyQuery(ApiModel):
    """Which page of keys."""

    limit: QueryInt = Field(default=50, ge=1, le=200, description="Most keys of the page.")
    cursor: str | None = Field(default=None, description="`next_cursor` of the page before.")
