"""What happens to every request before and after its endpoint, as plain ASGI."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from time import perf_counter

import structlog
from opentelemetry.trace import SpanKind, Status, StatusCode
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gpu import tracing
from memsvc.core.errors import HeadersTooLarge, ServiceError, Unavailable, UriTooLong
from memsvc.core.ids import new_id
from memsvc.core.metrics import Metrics
from memsvc.http.problem import problem_response, unexpected
from memsvc.http.routes import route_template
from memsvc.http.work import WorkPool

log = structlog.get_logger("memsvc.access")

MAX_URL_BYTES = 8 * 1024
MAX_HEADER_BYTES = 16 * 1024
MAX_HEADERS = 100
PROBES = frozenset({"/livez", "/readyz"})

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._\-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
)
_CLIENT_GONE = 499


class ObserveRequests:
    """Outermost: names each request, times it, logs and counts it, and answers for what nobody else caught."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        begin = perf_counter()
        answer = _Answer(send, request_id.encode(), scope)
        try:
            with _traced(scope, answer):
                await self._answered(scope, receive, answer)
        finally:
            self._record(scope, answer.status, perf_counter() - begin)

    async def _answered(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        try:
            await self._app(scope, receive, answer.send)
        except ClientDisconnect:
            answer.status = answer.status or _CLIENT_GONE
        except Exception as error:
            log.exception("unexpected_error", route=route_template(scope), error=type(error).__name__)
            if answer.status:
                raise  # half an answer is out: the server must cut the connection
            await problem_response(unexpected(), scope["state"]["request_id"])(scope, receive, answer.send)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = route_template(scope)
        method = _method(scope)
        self._metrics.requests.labels(route, method, str(status)).inc()
        self._metrics.request_seconds.labels(route, method).observe(seconds)
        if scope["path"] not in PROBES:
            log.info("request", method=method, route=route, status=status, took_ms=round(seconds * 1000, 3))


class _Answer:
    """Adds our headers to an answer, with those that somebody left in the request's state, and remembers its status.

    0: none yet.
    """

    def __init__(self, send: Send, request_id: bytes, scope: Scope) -> None:
        self._send = send
        self._request_id = request_id
        self._scope = scope
        self.status = 0
        self.traceparent = ""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            present = {name.lower() for name, _ in headers}
            headers.append((b"x-request-id", self._request_id))
            headers.extend(self._scope["state"].get("headers", ()))
            if self.traceparent:
                headers.append((b"traceparent", self.traceparent.encode()))
            headers.extend(header for header in _SECURITY_HEADERS if header[0] not in present)
            message["headers"] = headers
        await self._send(message)


@contextmanager
def _traced(scope: Scope, answer: _Answer) -> Iterator[None]:
    """A span around a request, named by its route. The answer says to which trace it belongs, if to any."""
    if scope["path"] in PROBES:
        yield
        return
    given = {name: _only(scope, name) for name in ("traceparent", "tracestate")}
    carrier = {name: value for name, value in given.items() if value}
    with tracing.root("request", SpanKind.SERVER, carrier) as span:
        answer.traceparent = tracing.traceparent(span)
        if answer.traceparent:
            structlog.contextvars.bind_contextvars(trace_id=f"{span.get_span_context().trace_id:032x}")
        try:
            yield
        finally:
            if span.is_recording():
                method, route = _method(scope), route_template(scope)
                span.update_name(f"{method} {route}")
                span.set_attributes(
                    {
                        "http.request.method": method,
                        "http.route": route,
                        "http.response.status_code": answer.status,
                        "request_id": scope["state"]["request_id"],
                    }
                )
                if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    span.set_status(Status(StatusCode.ERROR))


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else "other"


def _only(scope: Scope, name: str) -> str:
    """The header of that name, if there is exactly one, else ""."""
    given = [value for key, value in scope["headers"] if key == name.encode()]
    return given[0].decode("latin-1") if len(given) == 1 else ""


def _request_id(scope: Scope) -> str:
    given = [value for name, value in scope["headers"] if name == b"x-request-id"]
    if len(given) == 1 and _REQUEST_ID.fullmatch(given[0]):
        return str(given[0].decode())
    return new_id().hex


class BoundRequests:
    """Refuses URLs and headers that are too large, and requests that would have to wait for too long.

    Args:
        app: what answers the others.
        metrics: told what is refused, and why.
        pool: where requests wait.
        wait_max_s: see `WorkPool.wait_s`.
        in_flight_max: requests at the same time, however quickly they are done.
    """

    def __init__(
        self, app: ASGIApp, metrics: Metrics, pool: WorkPool, *, wait_max_s: float, in_flight_max: int
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._pool = pool
        self._wait_max_s = wait_max_s
        self._in_flight_max = in_flight_max
        self._in_flight = 0
        metrics.in_flight.set_function(lambda: self._in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            reason, error = refusal
            self._metrics.refused.labels(reason).inc()
            await problem_response(error, scope["state"]["request_id"])(scope, receive, send)
            return
        if scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        self._in_flight += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_flight -= 1

    def _refusal(self, scope: Scope) -> tuple[str, ServiceError] | None:
        url_bytes = len(scope.get("raw_path") or scope["path"].encode()) + len(scope["query_string"])
        if url_bytes > MAX_URL_BYTES:
            return "uri", UriTooLong(f"the URL is longer than {MAX_URL_BYTES} bytes")
        headers = scope["headers"]
        if len(headers) > MAX_HEADERS or sum(len(k) + len(v) for k, v in headers) > MAX_HEADER_BYTES:
            return "headers", HeadersTooLarge(f"send at most {MAX_HEADERS} headers of {MAX_HEADER_BYTES} bytes in all")
        if scope["path"] in PROBES:
            return None
        if self._in_flight >= self._in_flight_max:
            return "in_flight", Unavailable("too many requests are in flight; try again", retry_after_s=1)
        if self._pool.wait_s > self._wait_max_s:
            return "wait", Unavailable("those before it would keep this request waiting; try again", retry_after_s=1)
        return None
