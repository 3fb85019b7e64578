"""What may be limited: settings are the defaults, what is stored for a tenant or a key goes before them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar

from memsvc.core.settings import Settings

L = TypeVar("L", bound="Rates")

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """A limit over time: `capacity` at once, filled again evenly within `period_s`."""

    name: Literal["requests", "tokens"]
    capacity: float
    period_s: float


@dataclass(frozen=True, slots=True)
class Rates:
    """Limits over time, of a tenant or a key; None: no limit. Tokens are bytes of text over 4."""

    requests_per_s: float | None = None
    requests_burst: int | None = None
    tokens_per_day: int | None = None

    @property
    def requests(self) -> Bucket | None:
        """The limit of requests."""
        if self.requests_per_s is None:
            return None
        burst = self.requests_burst or max(1, math.ceil(self.requests_per_s))
        return Bucket("requests", burst, burst / self.requests_per_s)

    @property
    def tokens(self) -> Bucket | None:
        """The limit of tokens that are embedded."""
        return None if self.tokens_per_day is None else Bucket("tokens", self.tokens_per_day, _DAY_S)


@dataclass(frozen=True, slots=True)
class TenantLimits(Rates):
    """Limits of a tenant. `memories` and `bytes` (of content, all versions) are of all its namespaces together."""

    memories: int | None = None
    bytes: int | None = None
    namespace_memories: int | None = None
    namespace_bytes: int | None = None

    @property
    def is_quota(self) -> bool:
        """Whether it bounds what is stored."""
        return any(
            one is not None for one in (self.memories, self.bytes, self.namespace_memories, self.namespace_bytes)
        )

    @property
    def bounds_tenant(self) -> bool:
        """Whether it bounds what the tenant has in all its namespaces."""
        return self.memories is not None or self.bytes is not None


def told(wanted: Mapping[str, Any]) -> dict[str, str | None]:
    """Limits as the audit trail tells them: as text, since not everybody writes a number with the same digits."""
    return {name: None if value is None else str(value) for name, value in wanted.items()}


def of_tenant(settings: Settings, stored: Mapping[str, Any] | None) -> TenantLimits:
    """The limits in force for a tenant; what is stored as None is without a limit."""
    namespace = {
        "namespace_memories": settings.limit_namespace_memories,
        "namespace_bytes": settings.limit_namespace_bytes,
    }
    return _over(TenantLimits(**_defaults(settings, "tenant", TenantLimits) | namespace), stored)


def of_key(settings: Settings, stored: Mapping[str, Any] | None) -> Rates:
    """The limits in force for a key."""
    return _over(Rates(**_defaults(settings, "key", Rates)), stored)


def names(kind: type[Rates]) -> tuple[str, ...]:
    """What such limits are called."""
    return tuple(field.name for field in fields(kind))


def _defaults(settings: Settings, who: str, kind: type[Rates]) -> dict[str, Any]:
    return {name: getattr(settings, f"limit_{who}_{name}", None) for name in names(kind)}


def _over(default: L, stored: Mapping[str, Any] | None) -> L:
    kind = type(default)
    known = {name: value for name, value in (stored or {}).items() if name in names(kind)}
    return kind(**{name: getattr(default, name) for name in names(kind)} | known)
