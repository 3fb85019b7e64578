"""What is known of a key, and what one to be made may do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from lifecycle.trust import Trust
from memsvc.auth.principal import EVERYWHERE, Principal
from memsvc.models import ApiKey


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is known of a key; the secret is not.

    Attributes:
        networks: where it may be used from; None: anywhere.
        client_id: the first of the keys that came out of one another by rotation; None: it is that one itself.
        last_used_at: to the minute or so; None: never.
    """

    id: UUID
    tenant_id: UUID
    name: str
    prefix: str
    roles: tuple[str, ...]
    namespaces: tuple[str, ...]
    networks: tuple[str, ...] | None
    trust: Trust
    client_id: UUID | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def is_live(self, now: datetime) -> bool:
        """Whether it opens anything."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)

    @property
    def client(self) -> UUID:
        """What the keys of one client share."""
        return self.client_id or self.id

    def principal(self) -> Principal:
        """Whoever holds it."""
        roles = frozenset(self.roles)
        return Principal(self.tenant_id, self.id, self.name, roles, self.namespaces, self.trust, self.networks)


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a key to be made may do."""

    tenant_id: UUID
    name: str
    roles: tuple[str, ...] = ("read", "write")
    namespaces: tuple[str, ...] = EVERYWHERE
    expires_at: datetime | None = None
    networks: tuple[str, ...] | None = None
    trust: Trust = Trust.AGENT


COLUMNS = tuple(getattr(ApiKey, name) for name in KeyRecord.__slots__)
_TUPLES = ("roles", "namespaces", "networks")


def record(row: Row[*tuple[Any, ...]]) -> KeyRecord:
    """The key of a row with `COLUMNS`."""
    return record_of(row._asdict())


def record_of(values: dict[str, Any]) -> KeyRecord:
    """The key of such values by column."""
    fields = {name: values[name] for name in KeyRecord.__slots__}
    lists = {name: None if fields[name] is None else tuple(fields[name]) for name in _TUPLES}
    return KeyRecord(**fields | lists | {"trust": Trust(values["trust"])})
