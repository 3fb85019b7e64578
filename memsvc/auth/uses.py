"""When keys were used last: gathered in memory and written now and then, never by a request."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import Connection, or_, update

from memsvc.core.clock import Clock
from memsvc.db.engine import Database
from memsvc.models import ApiKey


class Uses:
    """Gathers uses of the keys of all tenants. Thread-safe. What a process that is killed had gathered is lost."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._used: dict[UUID, dict[UUID, datetime]] = {}

    def used(self, tenant_id: UUID, key_id: UUID) -> None:
        """A key opened a request just now."""
        now = self._clock.now()
        with self._lock:
            self._used.setdefault(tenant_id, {})[key_id] = now

    def flush(self) -> None:
        """Writes what was gathered, one transaction for each tenant."""
        with self._lock:
            used, self._used = self._used, {}
        for tenant_id, keys in used.items():
            self._database.write(tenant_id, partial(_write, tenant_id=tenant_id, keys=keys))


def _write(connection: Connection, tenant_id: UUID, keys: Mapping[UUID, datetime]) -> None:
    for key_id, at in sorted(keys.items()):  # so that two processes take their locks in the same order
        is_later = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < at)
        connection.execute(
            update(ApiKey).where(ApiKey.tenant_id == tenant_id, ApiKey.id == key_id, is_later).values(last_used_at=at)
        )
