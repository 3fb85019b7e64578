"""What routes an application has, included routers flattened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.routing import BaseRoute, Route, compile_path
from starlette.types import Scope


@dataclass(frozen=True, slots=True)
class MountedRoute:
    """A route and the whole path that reaches it."""

    path: str
    route: Route


def mounted_routes(routes: Sequence[BaseRoute], prefix: str = "") -> Iterator[MountedRoute]:
    """All plain routes, with the prefixes under which their routers were included."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from mounted_routes(included.routes, prefix + route.include_context.prefix)  # type: ignore[attr-defined]
        elif isinstance(route, Route):
            yield MountedRoute(prefix + route.path, route)


def route_template(scope: Scope) -> str:
    """The template of the route that answers (`/v1/keys/{key_id}`), never the path itself; `-` when none does."""
    route = scope.get("route")
    path = getattr(route, "path", None)
    if not isinstance(path, str):
        return "-"
    templates: dict[int, str] | None = getattr(scope["app"].state, "templates", None)
    return path if templates is None else templates.get(id(route), path)


def templates_by_route(routes: Sequence[BaseRoute]) -> dict[int, str]:
    """The whole path template of each route object, by its identity."""
    return {id(mounted.route): mounted.path for mounted in mounted_routes(routes)}


def allowed_methods(request: Request) -> list[str]:
    """Methods that some route at the request's path takes."""
    path = request.scope["path"]
    found: set[str] = set()
    for mounted in mounted_routes(request.app.routes):
        if compile_path(mounted.path)[0].match(path):
            found |= mounted.route.methods or set()
    return sorted(found)
