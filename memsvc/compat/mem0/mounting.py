"""Whether mem0's interface is there, and how its problems look."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memsvc.compat.mem0.endpoints import mounted
from memsvc.http.problem import MEDIA_TYPE

PREFIX = "/compat/mem0"


def mem0_routes(namespace: str | None) -> Sequence[BaseRoute]:
    """The routes over a namespace; none without one."""
    return mounted(PREFIX) if namespace is not None else ()


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
