"""API keys: made once, shown once, kept as keyed digests, looked up by digest."""

from __future__ import annotations

import re
import secrets as random
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, exists, func, insert, or_, select, update

from lifecycle.trust import Trust
from memsvc.audit import trail
from memsvc.auth.form import KEY, PREFIX, SECRET_BYTES
from memsvc.auth.principal import EVERYWHERE, ROLES, Principal
from memsvc.auth.record import COLUMNS, KeyRecord, NewKey, record, record_of
from memsvc.auth.tenants import DEFAULT_TENANT, ensure_default_tenant, ensure_tenant
from memsvc.auth.uses import Uses
from memsvc.core.clock import Clock
from memsvc.core.errors import Conflict, NotFound, StartupRefused
from memsvc.core.ids import new_id
from memsvc.core.secrets import Secrets
from memsvc.core.settings import Settings
from memsvc.db.engine import Database
from memsvc.db.tenancy import SERVICE
from memsvc.models import ApiKey

SHOWN_CHARS = len(PREFIX) + 6
# A key revoked by another process is refused after at most this time.
REVOCATION_DELAY_S = 2.0

_LABEL = "api-key"
_FORM = re.compile(KEY, re.ASCII)
_CACHE_SIZE = 4096
OVERLAP_S = 86_400
"""So long both keys of a rotation open, unless told otherwise."""
_BY_DIGEST = select(*COLUMNS, ApiKey.digest).where(ApiKey.digest == bindparam("sought"))
OPERATOR = "the operator"
"""Who acts by a command on the machine, as the audit trail says it."""


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
        self.uses = Uses(database, clock)
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
        with self._database.read(SERVICE) as connection:
            return bool(connection.scalar(select(exists().where(_opens(self._clock.now())))))

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
                row = connection.execute(_BY_DIGEST, {"sought": digest}).one_or_none()
            is_match = row is not None and self._secrets.matches(row.digest, digest)
            seen = _Seen(record(row) if row is not None and is_match else None, begin + REVOCATION_DELAY_S)
            self._remember(digest, seen, generation)
        return self._principal(seen.record)

    def create(self, key: NewKey, by: Principal | None = None) -> tuple[KeyRecord, str]:
        """Make a key. Returns it with its secret, which nobody can read again.

        Args:
            by: who asked; None: the operator, at the machine.
        """
        secret, values = self._values(key, None, self._clock.now())

        def unit(connection: Connection) -> None:
            connection.execute(insert(ApiKey).values(**values))
            self._tell(connection, "key.create", record_of(values), by, roles=sorted(key.roles), trust=key.trust.value)

        self._database.write(key.tenant_id, unit)
        self._forget()
        return record_of(values), secret

    def rotate(
        self,
        tenant_id: UUID,
        key_id: UUID,
        by: Principal,
        may_give: Callable[[KeyRecord], None],
        *,
        overlap_s: int = OVERLAP_S,
        expires_at: datetime | None = None,
    ) -> tuple[KeyRecord, str]:
        """Make the key that follows a key and may do the same; the old one opens for `overlap_s` seconds more.

        Args:
            may_give: raises `Forbidden` where the asker may not make such a key.
            expires_at: of the new key; None: it lives as long as the old one was to live.

        Returns:
            The new key and its secret.

        Raises:
            NotFound: the tenant has no such key, or it opens nothing any more.
            Conflict: two keys of this client open already.
        """
        now = self._clock.now()

        def unit(connection: Connection) -> tuple[KeyRecord, str]:
            old = self._live(connection, tenant_id, key_id, now)
            may_give(old)
            is_of_client = (ApiKey.tenant_id == tenant_id) & (
                (ApiKey.client_id == old.client) | (ApiKey.id == old.client)
            )
            if connection.scalar(select(func.count()).where(is_of_client, _opens(now))) != 1:
                raise Conflict("two keys of this client open already; revoke the older one, or wait for its end")
            ends = expires_at
            if ends is None and old.expires_at is not None:
                ends = now + (old.expires_at - old.created_at)
            new = NewKey(tenant_id, old.name, old.roles, old.namespaces, ends, old.networks, old.trust)
            secret, values = self._values(new, old.client, now)
            connection.execute(insert(ApiKey).values(**values))
            last = now + timedelta(seconds=overlap_s)
            last = last if old.expires_at is None else min(last, old.expires_at)
            connection.execute(update(ApiKey).where(_is(tenant_id, key_id)).values(expires_at=last))
            self._tell(connection, "key.rotate", record_of(values), by, follows=str(key_id), overlap_s=overlap_s)
            return record_of(values), secret

        made = self._database.write(tenant_id, unit)
        self._forget()
        return made

    def page(self, tenant_id: UUID, after: UUID | None, limit: int) -> list[KeyRecord]:
        """Keys of a tenant in the order they were made, revoked ones too."""
        query = select(*COLUMNS).where(ApiKey.tenant_id == tenant_id).order_by(ApiKey.id).limit(limit)
        if after is not None:
            query = query.where(ApiKey.id > after)
        with self._database.read(tenant_id) as connection:
            return [record(row) for row in connection.execute(query)]

    def revoke(self, tenant_id: UUID, key_id: UUID, by: Principal | None = None) -> None:
        """Revoke a key: at once in this process, in others within two seconds.

        Raises:
            NotFound: the tenant has no such key, or it is revoked already.
        """
        target = _is(tenant_id, key_id) & ApiKey.revoked_at.is_(None)
        now = self._clock.now()

        def unit(connection: Connection) -> None:
            if not connection.execute(update(ApiKey).where(target).values(revoked_at=now)).rowcount:
                raise NotFound("there is no such key")
            actor, own = _asker(by)
            trail.append(connection, tenant_id, "key.revoke", actor, now, key_id=own, subject=key_id)

        self._database.write(tenant_id, unit)
        self._forget()

    def _live(self, connection: Connection, tenant_id: UUID, key_id: UUID, now: datetime) -> KeyRecord:
        row = connection.execute(select(*COLUMNS).where(_is(tenant_id, key_id)).with_for_update()).one_or_none()
        found = None if row is None else record(row)
        if found is None or not found.is_live(now):
            raise NotFound("there is no such key, or it opens nothing any more; make a new one")
        return found

    def _tell(self, connection: Connection, kind: str, key: KeyRecord, by: Principal | None, **facts: Any) -> None:
        actor, key_id = _asker(by)
        facts["expires_at"] = None if key.expires_at is None else key.expires_at.isoformat()
        trail.append(connection, key.tenant_id, kind, actor, key.created_at, key_id=key_id, subject=key.id, facts=facts)

    def _values(self, key: NewKey, client_id: UUID | None, now: datetime) -> tuple[str, dict[str, Any]]:
        """A new secret, and the row of its key."""
        secret = PREFIX + random.token_urlsafe(SECRET_BYTES)
        return secret, {
            "tenant_id": key.tenant_id,
            "id": new_id(),
            "name": key.name,
            "prefix": secret[:SHOWN_CHARS],
            "digest": self._digest(secret),
            "roles": list(key.roles),
            "namespaces": list(key.namespaces),
            "networks": None if key.networks is None else list(key.networks),
            "trust": key.trust.value,
            "client_id": client_id,
            "created_at": now,
            "expires_at": key.expires_at,
            "revoked_at": None,
            "last_used_at": None,
        }

    def _digest(self, secret: str) -> bytes:
        return self._secrets.sign(_LABEL, secret.encode())

    def _principal(self, found: KeyRecord | None) -> Principal | None:
        if found is None or not found.is_live(self._clock.now()):
            return None
        return found.principal()

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


def _asker(by: Principal | None) -> tuple[str, UUID | None]:
    """Who asked, as the audit trail says it: a name, and the id of a key."""
    return (OPERATOR, None) if by is None else (by.name, by.key_id)


def _is(tenant_id: UUID, key_id: UUID) -> Any:
    return (ApiKey.tenant_id == tenant_id) & (ApiKey.id == key_id)


def _opens(now: datetime) -> Any:
    return ApiKey.revoked_at.is_(None) & or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now)


def create_tenant_with_admin_key(
    database: Database, secrets: Secrets, clock: Clock, tenant: str = DEFAULT_TENANT, key_name: str = "admin"
) -> tuple[KeyRecord, str]:
    """Make a key with every role for a tenant, and the tenant too if there is none of this name.

    Returns:
        The key and its secret.
    """
    tenant_id = ensure_tenant(database, clock, tenant)
    key = NewKey(tenant_id, key_name, roles=tuple(sorted(ROLES)), trust=Trust.TRUSTED)
    return KeyService(database, secrets, clock).create(key)
