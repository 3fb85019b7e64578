"""Whether mem0's interface is there, and how its problems look."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memsvc.compat.mem0 import older, reads, writes
from memsvc.compat.mem0.place import PREFIX, Reader
from memsvc.core.errors import NotFound
from memsvc.http.problem import MEDIA_TYPE
from memsvc.http.routes import routes_of

router = APIRouter(prefix=PREFIX, include_in_schema=False)


def mem0_routes(namespace: str | None) -> Sequence[BaseRoute]:
    """The routes over a namespace; none without one."""
    if namespace is None:
        return ()
    return routes_of((reads.router, writes.router, older.router, router))


@router.api_route("/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
async def elsewhere(request: Request, principal: Reader, rest: str) -> Response:
    """The rest of mem0's platform."""
    del request, principal, rest
    raise NotFound("this call of mem0 is not offered here; docs/compat.md lists those that are")


class PlainProblems:
    """Problems under the prefix as `application/json`: the client looks for their `detail` in nothing else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX + "/"):
            await self._app(scope, receive, send)
            return

        async def plain(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type") == MEDIA_TYPE:
                    headers["content-type"] = "application/json"
            await send(message)

        await self._app(scope, receive, plain)
