"""The Model Context Protocol over HTTP: one POST is one message and one answer, and nothing is kept in between."""

from __future__ import annotations

from urllib.parse import unquote

import httpx
import orjson
from fastapi import APIRouter, Request, Response
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import INVALID_REQUEST, ErrorData, jsonrpc_message_adapter
from pydantic import ValidationError
from starlette.types import Message, Receive, Scope, Send

from memsvc.auth.authenticate import authenticate
from memsvc.core.errors import Forbidden, MalformedRequest, ServiceError
from memsvc.http.json_body import read_document
from memsvc.http.problem import problem_body, problem_response, request_id_of
from memsvc_client import AsyncMemoryClient, RetryPolicy
from memsvc_client.mcp import build_server

NAMESPACE_HEADER = "memsvc-namespace"
_ONCE = RetryPolicy(attempts=1)  # the caller is told at once; to wait and try again is for the agent to decide

router = APIRouter()


@router.post("/mcp", include_in_schema=False)
async def mcp(request: Request) -> Response:
    """Answer one message. Whoever may send one gets no further with it than with the same key elsewhere."""
    await authenticate(request)
    _check_origin(request)
    try:
        return _Exchange(request, await _message(request))
    except ServiceError as refusal:
        return _refused(refusal, request_id_of(request))


async def _message(request: Request) -> bytes:
    """The body, as strict as elsewhere, once it is known to be a message: the SDK would quote what is not."""
    body, document = await read_document(request, request.app.state.container.settings)
    try:
        jsonrpc_message_adapter.validate_python(document, by_name=False)
    except ValidationError:
        raise MalformedRequest("the body is not one message of JSON-RPC 2.0") from None
    return body


def _refused(refusal: ServiceError, request_id: str) -> Response:
    """The problem as an error of the protocol, which its clients show to the agent; the status and headers stay."""
    plain = problem_response(refusal, request_id)
    error = ErrorData(
        code=INVALID_REQUEST, message=f"{refusal.code}: {refusal.detail}", data=problem_body(refusal, request_id)
    )
    body = {"jsonrpc": "2.0", "id": None, "error": error.model_dump()}
    headers = {name: value for name, value in plain.headers.items() if not name.startswith("content-")}
    return Response(orjson.dumps(body), plain.status_code, headers, "application/json")


def _check_origin(request: Request) -> None:
    """Pages of other sites have no business here, whatever the browser that shows them may reach (DNS rebinding).

    Raises:
        Forbidden: a browser sends the request for a page of another origin.
    """
    origins = request.headers.getlist("origin")
    if any(origin.partition("://")[2] != request.headers.get("host") for origin in origins):
        raise Forbidden("this is not open to pages of other sites")


class _AsCaller(httpx.AsyncBaseTransport):
    """Calls the routes of this application as whoever asks: with their key, and under the id of their request."""

    def __init__(self, request: Request) -> None:
        address = ("", 0) if request.client is None else (request.client.host, request.client.port)
        self._routes = httpx.ASGITransport(app=request.app, client=address)  # a key may be bound to where it is used
        self._authorization = request.headers.get("authorization")
        self._request_id = request_id_of(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Whatever key the client has found in the environment of this process is not the caller's."""
        request.headers.pop("authorization", None)
        if self._authorization is not None:
            request.headers["authorization"] = self._authorization
        request.headers["x-request-id"] = self._request_id
        return await self._routes.handle_async_request(request)


class _Exchange(Response):
    """The answer to a message; made when it is sent, by the SDK."""

    def __init__(self, request: Request, body: bytes) -> None:
        super().__init__()
        self._request = request
        self._message = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the message over and send what comes back."""
        is_read = False

        async def replay() -> Message:
            nonlocal is_read
            if is_read:
                return await receive()
            is_read = True
            return {"type": "http.request", "body": self._message, "more_body": False}

        namespace = unquote(self._request.headers.get(NAMESPACE_HEADER, "")) or None
        settings = self._request.app.state.container.settings
        # An address that callers without a key may use: whether this one may has been decided (`authenticate`).
        async with AsyncMemoryClient(
            "http://localhost",
            namespace=namespace,
            timeout_s=None,
            retry=_ONCE,
            http_transport=_AsCaller(self._request),
        ) as client:
            server = build_server(
                client,
                namespace=namespace,
                allow_destructive=settings.mcp_destructive == "on",
                tool_set=settings.mcp_tools,
            )
            manager = StreamableHTTPSessionManager(
                server, json_response=True, stateless=True, max_request_body_size=len(self._message)
            )
            async with manager.run():
                await manager.handle_request(scope, replay, send)
