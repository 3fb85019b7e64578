"""Answers that go on: Server-Sent Events (WHATWG HTML, section 9.2), so many at once, ended when the service stops."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import StreamingResponse

from memsvc.core.errors import TooManyRequests
from memsvc.http.openapi import query_parameters

HEARTBEAT_S = 15.0
"""After so many seconds without an event comes a comment, so that nobody on the way takes the stream for dead."""
_GLANCE_S = 0.25  # between two looks whether the service stops
_RETRY_AFTER_S = 10
_OPENING = b"retry: 2000\n\n"
_HEARTBEAT = b": still here\n\n"
MEDIA_TYPE = "text/event-stream"
LAST_EVENT_ID = "last-event-id"
"""The header with which a client goes on after the last event that it saw."""
LONGEST_S = 600
"""Seconds after which a stream ends by itself at the latest."""


def parameters(model: type[BaseModel], after: str) -> dict[str, Any]:
    """What a stream takes, for OpenAPI: its query and `Last-Event-ID`, of which `after` says what it does."""
    described = query_parameters(model)
    header = {"name": "Last-Event-ID", "in": "header", "required": False, "schema": {"type": "string"}}
    described["parameters"].append({**header, "description": after})
    return described


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        id: where a client goes on that saw this event and nothing after it; no line breaks.
        kind: its name.
        data: one line.
    """

    id: str
    kind: str
    data: bytes

    def encoded(self) -> bytes:
        """As it goes over the wire."""
        return b"id: %b\nevent: %b\ndata: %b\n\n" % (self.id.encode(), self.kind.encode(), self.data)


class Streams:
    """How many streams of this process are open."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open = 0

    def enter(self) -> None:
        """Takes a place.

        Raises:
            TooManyRequests: none is free.
        """
        if self._open >= self._most:
            raise TooManyRequests(
                "too many streams are open; try again, or ask now and then", retry_after_s=_RETRY_AFTER_S
            )
        self._open += 1

    def leave(self) -> None:
        """Gives a place back."""
        self._open -= 1


def answer(
    request: Request, look: Callable[[], Awaitable[Sequence[Event]]], *, every_s: float, for_s: float
) -> StreamingResponse:
    """A stream of what each look finds that none before it found.

    It holds neither a thread nor a connection of the database between two looks. A client that is gone ends it, and so
    does the end of the service: whoever comes back goes on after the last event that it saw.

    Args:
        look: the next events, none twice; asked again at once while it finds some.
        every_s: seconds between two looks.
        for_s: seconds after which it ends by itself: a key that was revoked meanwhile does not come back.

    Raises:
        TooManyRequests: too many streams are open.
    """
    streams: Streams = request.app.state.streams
    streams.enter()
    return _Held(streams, _events(request, look, every_s, for_s))


class _Held(StreamingResponse):
    """An answer that has a place among the streams until it is over, also if its first byte is never asked for."""

    def __init__(self, streams: Streams, content: AsyncIterator[bytes]) -> None:
        super().__init__(content, media_type=MEDIA_TYPE, headers={"x-accel-buffering": "no"})
        self._streams = streams

    async def __call__(self, *given: object) -> None:
        """Sends it."""
        try:
            await super().__call__(*given)  # type: ignore[arg-type]
        finally:
            self._streams.leave()


async def _events(
    request: Request, look: Callable[[], Awaitable[Sequence[Event]]], every_s: float, for_s: float
) -> AsyncIterator[bytes]:
    until = time.monotonic() + for_s
    said_at = time.monotonic()
    yield _OPENING
    while True:
        found = await look()
        for event in found:
            yield event.encoded()
            said_at = time.monotonic()
        if found and not _is_stopping(request):
            continue
        if time.monotonic() >= until or not await _waited(request, min(time.monotonic() + every_s, until)):
            return
        if time.monotonic() - said_at >= HEARTBEAT_S:
            yield _HEARTBEAT
            said_at = time.monotonic()


async def _waited(request: Request, until: float) -> bool:
    """Waits; False if the service stops."""
    while (left := until - time.monotonic()) > 0:
        if _is_stopping(request):
            return False
        await asyncio.sleep(min(left, _GLANCE_S))
    return True


def _is_stopping(request: Request) -> bool:
    return bool(request.app.state.readiness.draining)
