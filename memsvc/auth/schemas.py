"""Bodies of the key endpoints."""

from __future__ import annotations

import ipaddress
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from lifecycle.trust import Trust
from memsvc.auth.keys import OVERLAP_S
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


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise PydanticCustomError("network", "give an address or a network: 10.0.0.0/8, 2001:db8::/32") from None


Network = Annotated[str, Bytes(64), AfterValidator(_network)]


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
    expires_at: Instant | None = Field(default=None, description="When the key stops to work; never, if null.")
    networks: Annotated[list[Network], Field(min_length=1, max_length=32)] | None = Field(
        default=None,
        description="Addresses that the key may be used from; anywhere, if null. Only those of the asking key, if it "
        "is bound to some.",
    )
    trust: Trust = Field(
        default=Trust.AGENT,
        strict=False,
        description="The most that what it writes may be trusted, at most that of the asking key; docs/trust.md.",
    )


class KeyRotate(ApiModel):
    """How a key is followed by the next one."""

    overlap_s: int = Field(
        default=OVERLAP_S, ge=0, le=30 * 86_400, description="So long the old key goes on to work, in seconds."
    )
    expires_at: Instant | None = Field(
        default=None, description="When the new key stops to work; if null, after as long as the old one was to live."
    )


class KeyRead(BaseModel):
    """A key without its secret."""

    id: UUID
    name: str
    prefix: str = Field(description="The first characters of the secret.")
    roles: list[str]
    namespaces: list[str]
    networks: list[str] | None
    trust: Trust
    client_id: UUID | None = Field(description="The first of the keys that came out of one another by rotation.")
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    last_used_at: Instant | None = Field(description="To the minute or so.")


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
