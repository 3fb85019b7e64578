"""Limits on the wire."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from memsvc.http.schemas import ApiModel, FiniteFloat
from memsvc.memories.schemas import NamespacePath

Count = Annotated[int, Field(ge=0, le=10**15)]


class RatesIn(ApiModel):
    """Limits over time. A field that is not named is as the settings have it; null: no limit."""

    requests_per_s: Annotated[FiniteFloat, Field(gt=0.0, le=1e6)] | None = Field(
        None, description="Requests in a second."
    )
    requests_burst: Annotated[int, Field(ge=1, le=10**7)] | None = Field(
        None, description="Requests at once; by default those of one second."
    )
    tokens_per_day: Annotated[int, Field(ge=1, le=10**15)] | None = Field(
        None, description="Tokens (bytes / 4) of what is written and asked that are embedded in a day."
    )


class TenantLimitsIn(RatesIn):
    """Limits of a tenant, over time and of what it keeps. Only the operator sets them: `memsvc tenant-limits`."""

    memories: Count | None = Field(None, description="Memories in all namespaces, in whatever state.")
    bytes: Count | None = Field(None, description="Bytes of their contents, all versions.")
    namespace_memories: Count | None = Field(None, description="Memories in each namespace.")
    namespace_bytes: Count | None = Field(None, description="Bytes of their contents.")


class LimitsQuery(ApiModel):
    """Of which namespace to show what it uses, too."""

    namespace: NamespacePath | None = None


class RatesOut(ApiModel):
    """Limits over time that are in force; null: none."""

    requests_per_s: float | None
    requests_burst: int | None
    tokens_per_day: int | None


class TenantLimitsOut(RatesOut):
    """Limits of a tenant that are in force; null: none."""

    memories: int | None
    bytes: int | None
    namespace_memories: int | None
    namespace_bytes: int | None


class UsedOut(ApiModel):
    """What is kept: memories in whatever state, and bytes of their contents in all versions."""

    memories: int
    bytes: int


class LimitsOut(ApiModel):
    """The limits of a tenant and of the key that asks, and what the tenant uses."""

    tenant: TenantLimitsOut
    key: RatesOut
    used: UsedOut
    namespace_used: UsedOut | None = Field(description="The same of the namespace, if one was named.")


class KeyLimitsOut(ApiModel):
    """The limits of a key that are in force."""

    key_id: UUID
    limits: RatesOut
