"""Where the service is and how to speak to it: address, key, timeouts, and when to try again."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypedDict

import httpx
import tenacity

from memsvc_client._version import __version__
from memsvc_client.errors import ConnectionFailed, InvalidArgument, RateLimited, ServiceUnavailable
from memsvc_client.wire import Call

DEFAULT_URL = "http://127.0.0.1:8000"
CONNECT_TIMEOUT_S = 5.0
HEARTBEAT_TIMEOUT_S = 60.0
"""A stream that says nothing for so long is broken: the service sends a sign of life every 15 seconds."""


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
