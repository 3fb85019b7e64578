"""Says of every request whether it is within the limits of its tenant and its key.

Each process counts for itself, and with Redis for all together: what is allowed has passed both, so that without
Redis no process ever allows more than the limit. A process that finds Redis lost goes on with its own count.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic
from uuid import UUID

from memsvc.auth.principal import Principal
from memsvc.core.errors import RateLimited
from memsvc.core.metrics import Metrics
from memsvc.core.settings import Settings
from memsvc.db.engine import Database
from memsvc.limits import repository
from memsvc.limits.buckets import LocalBuckets, SharedBuckets, Take, Verdict
from memsvc.limits.limits import Bucket, Rates, TenantLimits, of_key, of_tenant
from memsvc.limits.quota import Quota
from memsvc.redis.connection import Redis

DELAY_S = 2.0
"""Limits that another process stored hold here after at most this time."""
BYTES_PER_TOKEN = 4

_KEPT = 4_096
_THREADS = 4


@dataclass(frozen=True, slots=True)
class InForce:
    """The limits of a tenant and of one of its keys."""

    tenant: TenantLimits
    key: Rates


class Limiter:
    """Counts what tenants and keys ask for. Thread-safe."""

    def __init__(self, database: Database, settings: Settings, metrics: Metrics, redis: Redis | None) -> None:
        self._database = database
        self._settings = settings
        self._metrics = metrics
        self._local = LocalBuckets()
        self._shared = None if redis is None else SharedBuckets(redis)
        self._kept: OrderedDict[tuple[UUID, UUID | None], tuple[InForce, float]] = OrderedDict()
        self._lock = threading.Lock()
        # Of its own: whoever asks too much must hear so even while all request threads are at work.
        self.threads = None if redis is None else ThreadPoolExecutor(_THREADS, thread_name_prefix="memsvc-limits")

    def recent(self, tenant_id: UUID, key_id: UUID | None) -> InForce | None:
        """The limits in force if they were looked up a moment ago; does not wait."""
        with self._lock:
            kept = self._kept.get((tenant_id, key_id))
        return kept[0] if kept is not None and kept[1] > monotonic() else None

    def in_force(self, tenant_id: UUID, key_id: UUID | None) -> InForce:
        """The limits in force, at most two seconds old."""
        if (recent := self.recent(tenant_id, key_id)) is not None:
            return recent
        until = monotonic() + DELAY_S
        with self._database.read(tenant_id) as connection:
            tenant, key = repository.stored(connection, tenant_id, key_id)
        # Requests without a key are the operator's own, from this machine: they are the tenant's.
        rates = Rates() if key_id is None else of_key(self._settings, key)
        found = InForce(of_tenant(self._settings, tenant), rates)
        with self._lock:
            self._kept[tenant_id, key_id] = found, until
            self._kept.move_to_end((tenant_id, key_id))
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found

    def forget(self) -> None:
        """Limits were stored: look them up again."""
        with self._lock:
            self._kept.clear()

    def quota(self, tenant_id: UUID) -> Quota:
        """What a tenant may keep."""
        return Quota(self.in_force(tenant_id, None).tenant)

    def request(self, principal: Principal, limits: InForce) -> Sequence[Take]:
        """What a request takes; nothing where nothing is limited."""
        return _takes(principal.tenant_id, principal.key_id, (limits.tenant.requests, limits.key.requests), 1.0)

    def counts_tokens(self, tenant_id: UUID, key_id: UUID | None) -> bool:
        """Whether `embed` has to be asked, as far as that is known without waiting."""
        limits = self.recent(tenant_id, key_id)
        return limits is None or limits.tenant.tokens is not None or limits.key.tokens is not None

    def embed(self, tenant_id: UUID, key_id: UUID | None, texts: Sequence[str]) -> None:
        """Count texts that are to be embedded.

        Raises:
            RateLimited: they are too many for now.
        """
        limits = self.in_force(tenant_id, key_id)
        if limits.tenant.tokens is None and limits.key.tokens is None:
            return
        tokens = sum(math.ceil(len(text.encode("utf-8", "surrogatepass")) / BYTES_PER_TOKEN) for text in texts)
        takes = _takes(tenant_id, key_id, (limits.tenant.tokens, limits.key.tokens), tokens)
        self.check(self.finish(takes, self.begin(takes)))

    def begin(self, takes: Sequence[Take]) -> Verdict:
        """This process's own verdict; does not wait."""
        return self._local.take(takes)

    def needs_finish(self, own: Verdict) -> bool:
        """Whether Redis has a say, too."""
        return self._shared is not None and own.is_allowed and not self._shared.is_lost

    def finish(self, takes: Sequence[Take], own: Verdict) -> Verdict:
        """The verdict of all processes together, where they can be asked; may wait for Redis."""
        if self._shared is None or not own.is_allowed:
            return own
        shared = self._shared.take(takes)
        if shared is None:
            return own
        if not shared.is_allowed:
            self._local.give_back(takes)
        return shared

    def check(self, verdict: Verdict) -> None:
        """Refuse what was not allowed.

        Raises:
            RateLimited: with when to try again.
        """
        if verdict.is_allowed:
            return
        name = verdict.bucket.name
        self._metrics.limited.labels(name).inc()
        if verdict.retry_s is None:
            raise RateLimited(f"this is more than the limit of {name} allows at all; send less at once")
        raise RateLimited(f"the limit of {name} is used up; try again later", retry_after_s=math.ceil(verdict.retry_s))

    def close(self) -> None:
        """End the threads."""
        if self.threads is not None:
            self.threads.shutdown()


def _takes(
    tenant_id: UUID, key_id: UUID | None, buckets: tuple[Bucket | None, Bucket | None], cost: float
) -> list[Take]:
    """What is taken of the bucket of the tenant and of that of the key."""
    tenant, key = buckets
    takes = [] if tenant is None else [Take(tenant_id, (tenant.name.encode(),), tenant, cost)]
    if key is not None and key_id is not None:
        takes.append(Take(tenant_id, (key.name.encode(), key_id.bytes), key, cost))
    return takes
