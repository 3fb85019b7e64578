"""The API page names every route."""

from pathlib import Path

from memsvc.http.routes import mounted_routes
from memsvc.main import ROUTES

PAGE = Path(__file__).parents[3] / "docs" / "api.md"


def test_every_route_stands_on_the_page() -> None:
    text = PAGE.read_text()
    routes = list(mounted_routes(ROUTES))
    missing = [
        f"{method} {mounted.path}"
        for mounted in routes
        for method in sorted((mounted.route.methods or set()) - {"HEAD"})
        if f"{method} {mounted.path}`" not in text
    ]
    assert not missing
    assert len(routes) > 15
