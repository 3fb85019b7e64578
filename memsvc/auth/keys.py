"""API keys: made once, shown once, kept as keyed digests, looked up by digest."""

from __future__ import annotations

import re
import secrets as random
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from lifecycle.trust import Trust
from memsvc.auth.principal import EVERYWHERE, ROLES, Principal
from memsvc.core.clock import Clock
from memsvc.core.errors import NotFound, StartupRefused
from memsvc.core.ids import new_id
from memsvc.core.secrets import Secrets
from memsvc.core.settings import Settings
from memsvc.db.engine import Database
from memsvc.db.tenancy import SERVICE
from memsvc.models import ApiKey, Tenant

DEFAULT_TENANT = "default"
PREFIX = "msk_"
SHOWN_CHARS = len(PREFIX) + 6
# A key revoked by another process is refused after at most this time.
REVOCATION_DELAY_S = 2.0

_SECRET_BYTES = 32
_LABEL = "api-key"
_FORM = re.compile(r"msk_[A-Za-z0-9_-]{43}", re.ASCII)
_CACHE_SIZE = 4096


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is known of a key; the secret is not."""

    id: UUID
    tenant_id: UUID
    name: str
    prefix: str
    roles: tuple[str, ...]
    namespaces: tuple[str, ...]
    trust: Trust
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a key to be made may do."""

    tenant_id: UUID
    name: str
    roles: tuple[str, ...] = ("read", "write")
    namespaces: tuple[str, ...] = EVERYWHERE
    expires_at: datetime | None = None
    trust: Trust = Trust.AGENT


@dataclass(frozen=True, slots=True)
class _Seen:
    record: KeyRecord | None
    until: float


class KeyService:
    """Makes, finds and revokes keys. Thread-safe; everything but `recent` may wait for the database."""

    def __init__(self, database: Database, secrets: Secrets, clock: Clock) -> None:
        self._database = database
        self._secrets = secrets
        self._clock = clock
        self._cache: OrderedDict[bytes, _Seen] = OrderedDict()
        self._lock = threading.Lock()
        self._generation = 0
        self.anonymous: Principal | None = None
        """Who asks without a key; None where every request needs one."""

    def prepare(self, settings: Settings) -> None:
        """Get ready to serve: in open mode, requests without a key act for the default tenant with all roles.

        Raises:
            StartupRefused: the server would be reachable from elsewhere and nobody holds a key.
        """
        if settings.auth_mode == "open":
            tenant_id = ensure_default_tenant(self._database, self._clock)
            self.anonymous = Principal(tenant_id, None, "local", ROLES, EVERYWHERE)
        elif not settings.is_loopback and not self.any_key():
            raise StartupRefused(
                f"refusing to serve on {settings.host}: nobody holds a key yet; make one with `memsvc admin-key`"
            )

    def any_key(self) -> bool:
        """Whether some key is in force."""
        in_force = ApiKey.revoked_at.is_(None) & (ApiKey.expires_at.is_(None) | (ApiKey.expires_at > self._clock.now()))
        with self._database.read(SERVICE) as connection:
            return bool(connection.scalar(select(exists().where(in_force))))

    def recent(self, secret: str) -> Principal | None:
        """The principal of a key that was looked up a moment ago; does not wait."""
        if not _FORM.fullmatch(secret):
            return None
        with self._lock:
            seen = self._cache.get(self._digest(secret))
        return self._principal(seen.record) if seen and seen.until > monotonic() else None

    def find(self, secret: str) -> Principal | None:
        """The principal of a key, or None if it is malformed, unknown, expired or revoked."""
        if not _FORM.fullmatch(secret):
            return None
        digest = self._digest(secret)
        begin = monotonic()  # taken before reading: what is read may already be that old
        with self._lock:
            seen, generation = self._cache.get(digest), self._generation
        if seen is None or seen.until <= begin:
            with self._database.read(SERVICE) as connection:
                row = connection.execute(select(*_COLUMNS, ApiKey.digest).where(ApiKey.digest == digest)).one_or_none()
            is_match = row is not None and self._secrets.matches(row.digest, digest)
            seen = _Seen(_record(row) if row is not None and is_match else None, begin + REVOCATION_DELAY_S)
            self._remember(digest, seen, generation)
        return self._principal(seen.record)

    def create(self, key: NewKey) -> tuple[KeyRecord, str]:
        """Make a key. Returns it with its secret, which nobody can read again."""
        secret = PREFIX + random.token_urlsafe(_SECRET_BYTES)
        values = self._values(key, secret)

        def unit(connection: Connection) -> None:
            connection.execute(insert(ApiKey).values(**values))

        self._database.write(key.tenant_id, unit)
        self._forget()
        return _record_of(values), secret

    def page(self, tenant_id: UUID, after: UUID | None, limit: int) -> list[KeyRecord]:
        """Keys of a tenant in the order they were made, revoked ones too."""
        query = select(*_COLUMNS).where(ApiKey.tenant_id == tenant_id).order_by(ApiKey.id).limit(limit)
        if after is not None:
            query = query.where(ApiKey.id > after)
        with self._database.read(tenant_id) as connection:
            return [_record(row) for row in connection.execute(query)]

    def revoke(self, tenant_id: UUID, key_id: UUID) -> None:
        """Revoke a key: at once in this process, in others within two seconds.

        Raises:
            NotFound: the tenant has no such key, or it is revoked already.
        """
        target = (ApiKey.tenant_id == tenant_id) & (ApiKey.id == key_id) & ApiKey.revoked_at.is_(None)
        now = self._clock.now()

        def unit(connection: Connection) -> int:
            return connection.execute(update(ApiKey).where(target).values(revoked_at=now)).rowcount

        if not self._database.write(tenant_id, unit):
            raise NotFound("there is no such key")
        self._forget()

    def _values(self, key: NewKey, secret: str) -> dict[str, Any]:
        return {
            "tenant_id": key.tenant_id,
            "id": new_id(),
            "name": key.name,
            "prefix": secret[:SHOWN_CHARS],
            "digest": self._digest(secret),
            "roles": list(key.roles),
            "namespaces": list(key.namespaces),
            "trust": key.trust.value,
            "created_at": self._clock.now(),
            "expires_at": key.expires_at,
            "revoked_at": None,
        }

    def _digest(self, secret: str) -> bytes:
        return self._secrets.sign(_LABEL, secret.encode())

    def _principal(self, record: KeyRecord | None) -> Principal | None:
        if record is None or record.revoked_at is not None:
            return None
        if record.expires_at is not None and record.expires_at <= self._clock.now():
            return None
        return Principal(
            record.tenant_id, record.id, record.name, frozenset(record.roles), record.namespaces, record.trust
        )

    def _remember(self, digest: bytes, seen: _Seen, generation: int) -> None:
        with self._lock:
            if generation != self._generation:
                return  # a key was revoked while we read: what was read may be older than that
            self._cache[digest] = seen
            self._cache.move_to_end(digest)
            while len(self._cache) > _CACHE_SIZE:
                self._cache.popitem(last=False)

    def _forget(self) -> None:
        with self._lock:
            self._generation += 1
            self._cache.clear()


_COLUMNS = tuple(getattr(ApiKey, name) for name in KeyRecord.__slots__)


def _record(row: Row[*tuple[Any, ...]]) -> KeyRecord:
    return _record_of(row._asdict())


def _record_of(values: dict[str, Any]) -> KeyRecord:
    fields = {name: values[name] for name in KeyRecord.__slots__}
    lists = {name: tuple(values[name]) for name in ("roles", "namespaces")}
    return KeyRecord(**fields | lists | {"trust": Trust(values["trust"])})


def ensure_tenant(database: Database, clock: Clock, name: str) -> UUID:
    """The id of the tenant called `name`, which is made if there is none."""
    by_name = select(Tenant.id).where(Tenant.name == name)

    def unit(connection: Connection) -> UUID:
        found = connection.scalar(by_name)
        if found is not None:
            return found
        made = new_id()
        connection.execute(insert(Tenant).values(id=made, name=name, created_at=clock.now()))
        return made

    try:
        return database.write(SERVICE, unit)
    except IntegrityError:  # another process was faster
        with database.read(SERVICE) as connection:
            return connection.execute(by_name).scalar_one()


def ensure_default_tenant(database: Database, clock: Clock) -> UUID:
    """The id of the tenant for whom requests without a key act in open mode."""
    return ensure_tenant(database, clock, DEFAULT_TENANT)


def create_tenant_with_admin_key(
    database: Database, secrets: Secrets, clock: Clock, tenant: str = DEFAULT_TENANT, key_name: str = "admin"
) -> tuple[KeyRecord, str]:
    """Make a key with every role for a tenant, and the tenant too if there is none of this name.

    Returns:
        The key and its secret.
    """
    tenant_id = ensure_tenant(database, clock, tenant)
    key = NewKey(tenant_id, key_name, roles=tuple(sorted(ROLES)))
    return KeyService(database, secrets, clock).create(key)
