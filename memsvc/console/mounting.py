"""The routes of the console, and the headers that hold a browser to what it is meant to do."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from memsvc.console.files import File, Site, site
from memsvc.core.errors import NotFound
from memsvc.core.settings import Settings

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Nothing from anywhere else, nothing inline, and no text of a memory can become part of the page but as text."""

_HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_ASK_AGAIN = "no-cache"
_FOR_EVER = "public, max-age=31536000, immutable"


def console_routes(settings: Settings) -> Sequence[BaseRoute]:
    """The routes of the console; none where it is off. They need no key: they hold nothing of anybody."""
    if settings.console == "off":
        return ()
    held = site()
    first = held.page(is_open=settings.auth_mode == "open")

    async def page(request: Request) -> Response:
        return _response(first, _ASK_AGAIN)

    async def slashed(request: Request) -> Response:
        return RedirectResponse("../console", 308, _HEADERS)  # relative: a proxy may have put a prefix before it

    async def file(request: Request) -> Response:
        return _response(_asked(held, **request.path_params), _FOR_EVER)

    return (
        Route("/console", page),
        Route("/console/", slashed),
        Route("/console/{digest}/{name:path}", file),
    )


def _asked(held: Site, digest: str, name: str) -> File:
    found = held.files.get(name) if digest == held.digest else None
    if found is None:
        raise NotFound("there is no such file")
    return found


def _response(file: File, caching: str) -> Response:
    return Response(file.body, headers={**_HEADERS, "cache-control": caching}, media_type=file.media_type)
