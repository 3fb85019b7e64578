"""Values by tenant and digest: least recently used ones in this process, behind them Redis, if there is one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Literal
from uuid import UUID

from memsvc.core.metrics import Metrics
from memsvc.redis.connection import Redis

Kind = Literal["question", "recall"]


class Layered:
    """Bytes that anybody may lose. Thread-safe; what is written here holds no content of memories.

    Args:
        kind: what is kept, for keys and metrics.
        ttl_s: how long Redis keeps it. What lies here stays until it is pushed out: whoever reads it knows its age.
        most: values kept in this process.
    """

    def __init__(self, kind: Kind, redis: Redis | None, metrics: Metrics, *, ttl_s: float, most: int) -> None:
        self._kind = kind
        self._redis = redis
        self._metrics = metrics
        self._ttl_s = ttl_s
        self._most = most
        self._kept: OrderedDict[tuple[UUID, bytes], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, tenant_id: UUID, digest: bytes) -> bytes | None:
        """What was put, here or by another process."""
        with self._lock:
            value = self._kept.get((tenant_id, digest))
            if value is not None:
                self._kept.move_to_end((tenant_id, digest))
        found = "local"
        if value is None and self._redis is not None:
            value, found = self._redis.get(self._redis.key(tenant_id, self._kind, digest)), "redis"
            if value is not None:
                self._keep(tenant_id, digest, value)
        self._metrics.cache_looks.labels(self._kind, "none" if value is None else found).inc()
        return value

    def put(self, tenant_id: UUID, digest: bytes, value: bytes) -> None:
        """Keep a value, here and for the others."""
        self._keep(tenant_id, digest, value)
        if self._redis is not None:
            self._redis.put(self._redis.key(tenant_id, self._kind, digest), value, self._ttl_s)

    def refresh(self, tenant_id: UUID, digest: bytes) -> bytes | None:
        """What the others have, where what lies here is not good any more."""
        with self._lock:
            self._kept.pop((tenant_id, digest), None)
        return None if self._redis is None else self.get(tenant_id, digest)

    def _keep(self, tenant_id: UUID, digest: bytes, value: bytes) -> None:
        with self._lock:
            self._kept[tenant_id, digest] = value
            self._kept.move_to_end((tenant_id, digest))
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
