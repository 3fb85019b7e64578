"""The API page names every route."""

from pathlib import Path

from memsvc.http.routes import plain_routes
from memsvc.main import ROUTES

PAGE = Path(__file__).parents[3] / "docs" / "api.md"


def test_every_route_stands_on_the_page() -> None:
    text = PAGE.read_text()
    routes = list(plain_routes(ROUTES))
    missing = [
        f"{method} {route.path}"
        for route in routes
        for method in sorted((route.methods or set()) - {"HEAD"})
        if f"{method} {route.path}`" not in text
    ]
    assert not missing
    assert len(routes) > 15
