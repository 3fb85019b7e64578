"""The HTTP/1.1 protocol of the server, with bounds on what comes before a request reaches the application.

The parser collects a request line and headers of any size and waits for them as long as the client likes. Here they
have a size and a deadline, and what cannot be parsed gets a problem like every other refusal.
"""

from __future__ import annotations

import asyncio

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from memsvc.core.errors import HeadersTooLarge, MalformedRequest, ServiceError
from memsvc.core.ids import new_id
from memsvc.http.errors import RequestTimeout
from memsvc.http.problem import MEDIA_TYPE, problem_body

HEAD_TIMEOUT_S = 10.0
# Well above what the application accepts, so that nearly all refusals come from there with a request id in the log.
HEAD_MAX_BYTES = 64 * 1024
_REASONS = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large"}


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection."""

    _head_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock of the first request."""
        super().connection_made(transport)
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless the head of the request has become too large."""
        if self._in_head:
            self._head_bytes += len(data)
            self._start_head_timer()
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_MAX_BYTES and not self.transport.is_closing():
            self._refuse(HeadersTooLarge(f"send a request line and headers of at most {HEAD_MAX_BYTES} bytes"))

    def on_headers_complete(self) -> None:
        """The head is whole: stop its clock and hand over."""
        self._in_head = False
        self._stop_head_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The next bytes are the head of another request."""
        super().on_message_complete()
        self._in_head = True
        self._head_bytes = 0

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be parsed."""
        self._refuse(MalformedRequest("this is not a valid HTTP/1.1 request"))

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing: an upgrade is only an offer, and a client must not be able to fill the log with it."""

    def _start_head_timer(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._on_head_timeout)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _on_head_timeout(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self._refuse(RequestTimeout(f"the request line and headers did not arrive within {HEAD_TIMEOUT_S:.0f} s"))

    def _refuse(self, error: ServiceError) -> None:
        self._stop_head_timer()
        is_answering = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        if not is_answering:  # else our answer would land in the middle of another
            self.transport.write(_answer(error))
        self.transport.close()


def _answer(error: ServiceError) -> bytes:
    body = orjson.dumps(problem_body(error, new_id().hex))
    head = (
        f"HTTP/1.1 {error.status} {_REASONS[error.status]}\r\ncontent-type: {MEDIA_TYPE}\r\n"
        f"content-length: {len(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
