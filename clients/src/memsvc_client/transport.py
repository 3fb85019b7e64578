"""Sends calls with httpx: addresses, keys, timeouts and retries. The two transports differ only in how they wait."""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypedDict, TypeVar

import httpx
import tenacity

from memsvc_client._version import __version__
from memsvc_client.errors import (
    ConnectionFailed,
    InvalidArgument,
    MemsvcError,
    NotFound,
    RateLimited,
    ServiceUnavailable,
    TimedOut,
)
from memsvc_client.wire import Call, Reply

T = TypeVar("T")

DEFAULT_URL = "http://127.0.0.1:8000"
CONNECT_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long to try again after a lost connection, 429, 502, 503 or 504.

    Attributes:
        attempts: Tries in all; 1 switches retries off.
        backoff_s: Longest wait before the second try; doubles with each further one, and is jittered down to zero.
        backoff_max_s: Longest such wait.
        retry_after_max_s: A Retry-After longer than this is not waited for: the error is raised at once.
    """

    attempts: int = 4
    backoff_s: float = 0.25
    backoff_max_s: float = 8.0
    retry_after_max_s: float = 60.0

    def worth_retrying(self, error: BaseException) -> bool:
        """True when the same call may work a little later."""
        if isinstance(error, RateLimited | ServiceUnavailable):
            return (error.retry_after_s or 0.0) <= self.retry_after_max_s
        return isinstance(error, ConnectionFailed)

    def wait_s(self, state: tenacity.RetryCallState) -> float:
        """Seconds until the next try: what the service asked for, plus jitter, so that clients do not return as one."""
        error = state.outcome.exception() if state.outcome else None
        asked = getattr(error, "retry_after_s", None) or 0.0
        ceiling = min(self.backoff_max_s, self.backoff_s * 2 ** (state.attempt_number - 1))
        return float(asked) + random.uniform(0.0, ceiling)  # noqa: S311 - jitter, not a secret


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the service is and how to speak to it.

    Attributes:
        base_url: Scheme, host and port, without a trailing slash.
        api_key: Bearer key, or None for an open service.
        timeout_s: Longest wait for an answer to one try, in seconds; None waits for ever.
        retry: When to try again.
    """

    base_url: str
    api_key: str | None = field(default=None, repr=False)
    timeout_s: float | None = 30.0
    retry: RetryPolicy = RetryPolicy()

    @classmethod
    def resolve(
        cls, base_url: str | None, api_key: str | None, timeout_s: float | None, retry: RetryPolicy | None
    ) -> Connection:
        """From arguments first, then MEMSVC_URL and MEMSVC_API_KEY.

        Raises:
            InvalidArgument: The URL is not http or https, or the key cannot stand in a header.
        """
        url = (base_url or os.environ.get("MEMSVC_URL") or DEFAULT_URL).strip().rstrip("/")
        key = (api_key or os.environ.get("MEMSVC_API_KEY") or "").strip() or None
        if not url.startswith(("http://", "https://")) or not _has_host(url):
            raise InvalidArgument("the service's URL must look like http://host:port or https://host")
        if key and not (key.isascii() and key.isprintable() and " " not in key):
            raise InvalidArgument("the API key holds characters that no key has")
        return cls(url, key, timeout_s, retry or RetryPolicy())

    def options(self) -> ClientOptions:
        """Arguments for an httpx client. Redirects are not followed: they would carry the key elsewhere."""
        headers = {"User-Agent": f"memsvc-client/{__version__}", "Accept": "application/json"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        connect_s = min(CONNECT_TIMEOUT_S, self.timeout_s or CONNECT_TIMEOUT_S)
        timeout = httpx.Timeout(self.timeout_s, connect=connect_s)
        return {"base_url": self.base_url, "headers": headers, "timeout": timeout, "follow_redirects": False}

    def retrying(self, call: Call[Any]) -> RetryOptions:
        """Arguments for tenacity."""
        policy = self.retry
        return {
            "stop": tenacity.stop_after_attempt(policy.attempts if call.retry else 1),
            "wait": policy.wait_s,
            "retry": tenacity.retry_if_exception(policy.worth_retrying),
            "reraise": True,
        }


def _has_host(url: str) -> bool:
    try:
        return bool(httpx.URL(url).host)
    except httpx.InvalidURL:
        return False


class ClientOptions(TypedDict):
    """Arguments that both httpx clients take."""

    base_url: str
    headers: dict[str, str]
    timeout: httpx.Timeout
    follow_redirects: bool


class RetryOptions(TypedDict):
    """Arguments that both of tenacity's controllers take."""

    stop: tenacity.stop_after_attempt
    wait: Callable[[tenacity.RetryCallState], float]
    retry: tenacity.retry_if_exception
    reraise: bool


class Exchange(Generic[T]):
    """All tries of one call: one request, one idempotency key, and what is known of the tries so far."""

    def __init__(self, call: Call[T]) -> None:
        self._call = call
        self._key = (call.idempotency_key or str(uuid.uuid4())) if call.keyed else None
        self._may_have_worked = False

    def request(self, client: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """The request, the same for every try."""
        call = self._call
        headers = dict(call.headers) | ({"Idempotency-Key": self._key} if self._key else {})
        return client.build_request(call.method, call.path, params=call.params, content=call.body, headers=headers)

    def settle(self, response: httpx.Response) -> T:
        """The result of an answer.

        Raises:
            MemsvcError: The service said no, or the answer cannot be read.
        """
        reply = Reply(response.status_code, response.headers, response.content)
        try:
            return self._call.result(reply)
        except NotFound:
            if self._may_have_worked and self._call.gone_is_done:
                return self._call.read(reply)
            raise
        except ServiceUnavailable:
            self._may_have_worked = True
            raise

    def failed(self, error: httpx.RequestError) -> MemsvcError:
        """The error for a try without an answer."""
        never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
        self._may_have_worked |= not never_sent
        if isinstance(error, httpx.TimeoutException) and not never_sent:
            return TimedOut("the service did not answer in time", idempotency_key=self._key)
        reason = str(error) or type(error).__name__
        return ConnectionFailed(f"cannot reach the service: {reason}", idempotency_key=self._key)


class Transport:
    """Sends calls, blocking.

    Args:
        connection: Where to and how.
        http: A transport of httpx to use in place of the network (tests, proxies).
    """

    def __init__(self, connection: Connection, http: httpx.BaseTransport | None = None) -> None:
        self._connection = connection
        self._client = httpx.Client(**connection.options(), transport=http)

    def send(self, call: Call[T]) -> T:
        """Sends a call, trying again where that helps.

        Raises:
            MemsvcError: See `memsvc_client.errors`.
        """
        exchange = Exchange(call)

        def attempt() -> T:
            try:
                response = self._client.send(exchange.request(self._client))
            except httpx.RequestError as error:
                raise exchange.failed(error) from error
            return exchange.settle(response)

        return tenacity.Retrying(**self._connection.retrying(call))(attempt)

    def close(self) -> None:
        """Closes all connections."""
        self._client.close()


class AsyncTransport:
    """Sends calls from an event loop.

    Args:
        connection: Where to and how.
        http: A transport of httpx to use in place of the network (tests, proxies).
    """

    def __init__(self, connection: Connection, http: httpx.AsyncBaseTransport | None = None) -> None:
        self._connection = connection
        self._client = httpx.AsyncClient(**connection.options(), transport=http)

    async def send(self, call: Call[T]) -> T:
        """Sends a call, trying again where that helps.

        Raises:
            MemsvcError: See `memsvc_client.errors`.
        """
        exchange = Exchange(call)

        async def attempt() -> T:
            try:
                response = await self._client.send(exchange.request(self._client))
            except httpx.RequestError as error:
                raise exchange.failed(error) from error
            return exchange.settle(response)

        return await tenacity.AsyncRetrying(**self._connection.retrying(call))(attempt)

    async def close(self) -> None:
        """Closes all connections."""
        await self._client.aclose()
