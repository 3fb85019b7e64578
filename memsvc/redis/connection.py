"""The one way to Redis (or Valkey): quick or not at all, and never an error for whoever asks.

Every call ends within the time-outs or says that nothing was there; the first failure opens a breaker, so that the
next requests do not wait. All keys begin with the prefix and the tenant; values that others could read something out
of, or that could be mistaken, are sealed (`memsvc.redis.seal`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import structlog

from memsvc.core.errors import StartupRefused
from memsvc.core.metrics import Metrics
from memsvc.core.secrets import Secrets
from memsvc.core.settings import Settings
from memsvc.redis.breaker import FIRST_S, Breaker
from memsvc.redis.seal import opened, sealed

if TYPE_CHECKING:
    from redis import Redis as Client
    from redis.client import PubSub

log = structlog.get_logger("memsvc.redis")

T = TypeVar("T")

TIMEOUT_S = 0.05
_PROBE_MS = 1_000


class Redis:
    """A Redis that may be lost at any time. Thread-safe.

    Args:
        url: `redis://`, `rediss://` or `unix://`, with password if it needs one.
        prefix: of every key: services that share a Redis have one each.
        secrets: seal values.
        first_s: how long the breaker leaves it alone at first.

    Raises:
        StartupRefused: the extra `redis` is not installed, or the URL is none. A Redis that does not answer is no
            reason: it may come back.
    """

    def __init__(self, url: str, prefix: str, secrets: Secrets, metrics: Metrics, *, first_s: float = FIRST_S) -> None:
        self._client = _client(url)
        self._prefix = prefix.encode()
        self._secrets = secrets
        self._metrics = metrics
        self._scripts: dict[str, Callable[..., Any]] = {}
        self.breaker = Breaker(self._is_well, self._changed, first_s=first_s)
        metrics.redis_lost.set_function(lambda: float(self.is_lost))

    @property
    def is_lost(self) -> bool:
        """Whether it failed and is left alone."""
        return self.breaker.is_open

    def key(self, tenant_id: UUID, kind: str, *parts: bytes) -> bytes:
        """The key of something of a tenant. The braces keep a tenant's keys on one node of a cluster."""
        name = b"%b:{%b}:%b" % (self._prefix, tenant_id.hex.encode(), kind.encode())
        return b":".join((name, *(part.hex().encode() for part in parts)))

    def channel(self, kind: str) -> bytes:
        """The name of a channel, which belongs to no tenant."""
        return b"%b:%b" % (self._prefix, kind.encode())

    def get(self, key: bytes) -> bytes | None:
        """What `put` left under a key. Anything else there counts as nothing, and is deleted."""
        value = self._call(lambda client: self._value(client, key), None)
        if value is None:
            return None
        payload = opened(self._secrets, key, value)
        if payload is None:
            self._metrics.redis_foreign.inc()
            self.drop(key)
        return payload

    def put(self, key: bytes, payload: bytes, ttl_s: float) -> None:
        """Leave something under a key for a while."""
        value = sealed(self._secrets, key, payload)
        self._call(lambda client: client.set(key, value, px=max(1, int(ttl_s * 1e3))), None)

    def drop(self, key: bytes) -> None:
        """Delete what is under a key."""
        self._call(lambda client: client.unlink(key), None)

    def run(self, script: str, keys: Sequence[bytes], arguments: Sequence[Any]) -> Any | None:
        """What a script answers, carried out whole or not at all; None if Redis is lost."""
        return self._call(lambda client: self._script(client, script)(keys=keys, args=arguments), None)

    def publish(self, channel: bytes, messages: Sequence[bytes]) -> None:
        """Tell everybody who listens now."""

        def tell(client: Client) -> None:
            pipeline = client.pipeline(transaction=False)
            for message in messages:
                pipeline.publish(channel, message)
            pipeline.execute()

        self._call(tell, None)

    def listener(self) -> PubSub:
        """A connection of its own to listen on. What it raises is the caller's."""
        listener: PubSub = self._client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        return listener

    def close(self) -> None:
        """Let go of every connection."""
        self.breaker.close()
        self._client.close()

    def _call(self, work: Callable[[Client], T], otherwise: T) -> T:
        if self.is_lost:
            return otherwise
        try:
            return work(self._client)
        except Exception as error:  # noqa: BLE001 - nobody may fail because of a cache: time-outs, refusals, nonsense
            self._metrics.redis_failures.labels(type(error).__name__).inc()
            if not self.is_lost:
                log.warning("redis_lost", error=type(error).__name__)
            self.breaker.failed()
            return otherwise

    @staticmethod
    def _value(client: Client, key: bytes) -> object:
        from redis.exceptions import ResponseError

        try:
            return client.get(key)
        except ResponseError as error:
            if not str(error).startswith("WRONGTYPE"):
                raise
            return ""  # a list or a hash that somebody else put there opens as nothing, too

    def _script(self, client: Client, script: str) -> Callable[..., Any]:
        if script not in self._scripts:
            self._scripts[script] = client.register_script(script)
        return self._scripts[script]

    def _is_well(self) -> bool:
        """Whether it takes a value and gives it back: one that is full or a replica answers a ping, too."""
        key, value = self.channel("probe"), str(time.time_ns()).encode()
        self._client.set(key, value, px=_PROBE_MS)
        return self._client.get(key) is not None

    @staticmethod
    def _changed(is_open: bool) -> None:
        if not is_open:
            log.info("redis_back")


def build_redis(settings: Settings, secrets: Secrets, metrics: Metrics) -> Redis | None:
    """The Redis that the settings name, or None.

    Raises:
        StartupRefused: see `Redis`.
    """
    if settings.redis_url is None:
        return None
    return Redis(settings.redis_url.get_secret_value(), settings.redis_prefix, secrets, metrics)


def _client(url: str) -> Client:
    try:
        from redis import Redis as Library
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError:
        raise StartupRefused("MEMSVC_REDIS_URL needs the extra `redis`: pip install 'memsvc[redis]'") from None
    try:
        return Library.from_url(
            url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
            protocol=2,  # version 3 greets first: one more round trip for each connection
            driver_info=None,  # as would telling it the name of the library
        )
    except ValueError:  # which would show the URL, and with it the password
        raise StartupRefused("MEMSVC_REDIS_URL must be a redis://, rediss:// or unix:// URL") from None
