"""Reads Server-Sent Events (WHATWG HTML, section 9.2), as far as the service uses them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import httpx

from memsvc_client.connection import HEARTBEAT_TIMEOUT_S
from memsvc_client.wire import Call, Reply

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Event(Generic[T]):
    """One event of a stream.

    Attributes:
        id: Give it as `after` to go on behind this event, also in another process.
        value: What it tells.
    """

    id: str
    value: T


class Following(Generic[T]):
    """One stream over all its connections: where it goes on, and what stands in the lines."""

    def __init__(self, call: Call[T], after: str | None) -> None:
        self._call = call
        self._after = after
        self._id = ""
        self._data = ""

    def request(self, client: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """The request for what comes after the last whole event."""
        self._id = self._data = ""  # half an event is none: it comes again
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": self._after} if self._after else {})
        timeout = httpx.Timeout(client.timeout.connect, read=HEARTBEAT_TIMEOUT_S)
        return client.build_request(
            self._call.method, self._call.path, params=self._call.params, headers=headers, timeout=timeout
        )

    def refused(self, response: httpx.Response) -> None:
        """Raises what an answer that is no stream says.

        Raises:
            ApiError: The service said no.
        """
        self._call.result(Reply(response.status_code, response.headers, response.content))

    def line(self, line: str) -> Event[T] | None:
        """The event that a line ends, if it does."""
        name, _, value = line.partition(": ")
        if name == "id":
            self._id = value
        elif name == "data":
            self._data = value
        if line or not self._data:
            return None
        reply = Reply(200, httpx.Headers({"content-type": "application/json"}), self._data.encode())
        found = Event(self._id, self._call.read(reply))
        self._after, self._data = self._id, ""
        return found
