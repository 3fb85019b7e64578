"""What routes an application has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastapi import APIRouter
from starlette.requests import Request
from starlette.routing import BaseRoute, Route
from starlette.types import Scope

API = "/v1"
"""Where the routes of the service begin: the prefix of each router of its own."""


def routes_of(routers: Sequence[APIRouter]) -> list[BaseRoute]:
    """All of their routes, in one list.

    Not by `include_router`: through routers inside of a router FastAPI looks for a request's route twice.
    """
    return [route for router in routers for route in router.routes]


def plain_routes(routes: Sequence[BaseRoute]) -> Iterator[Route]:
    """Those with a path and methods."""
    return (route for route in routes if isinstance(route, Route))


def route_template(scope: Scope) -> str:
    """The template of the route that answers (`/v1/keys/{key_id}`), never the path itself; `-` when none does."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "-"


def allowed_methods(request: Request) -> list[str]:
    """Methods that some route at the request's path takes."""
    path = request.scope["path"]
    found: set[str] = set()
    for route in plain_routes(request.app.routes):
        if route.path_regex.match(path):
            found |= route.methods or set()
    return sorted(found)
