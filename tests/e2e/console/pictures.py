"""The pictures of docs/console.md, of the world that the tests look at.

python -m tests.e2e.console.pictures
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from benchmarks._browser import MODES, Watched, browsing, missing
from tests.fixtures.console_world import TEAM, World, fill
from tests.fixtures.listening import listening
from tests.fixtures.service import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FOLDER = Path(__file__).parents[3] / "docs" / "console"
QUESTION = "Who fixed the deploy of Atlas?"
_COLOURS = 128


def main() -> None:
    """Take them all."""
    lacks = missing()
    if lacks is not None:
        raise SystemExit(lacks)
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as service:
        world = fill(service)
        with listening(service.app) as port, browsing() as browser:
            for name, mode, view, params in _wanted(world):
                _save(name, _taken(browser, f"http://127.0.0.1:{port}", world, mode, view, params))


def _wanted(world: World) -> list[tuple[str, str, str, dict[str, str]]]:
    return [
        ("namespaces", "light", "namespaces", {}),
        ("memory", "light", "memory", {"id": world.derived}),
        ("recall", "light", "recall", {"ns": TEAM}),
        ("entities", "dark", "entities", {"ns": TEAM}),
        ("run", "light", "run", {"id": world.run}),
        ("phone", "phone", "recall", {"ns": TEAM}),
    ]


def _taken(browser: Browser, url: str, world: World, mode: str, view: str, params: dict[str, Any]) -> bytes:
    watched = Watched(browser.new_context(**MODES[mode]).new_page(), url)
    watched.open(world.caller.secret)
    watched.go(view, **params)
    if view == "recall":
        watched.page.fill("#query", QUESTION)
        watched.page.press("#query", "Enter")
        watched.page.wait_for_selector("[data-answer]")
    if view == "memory":
        watched.page.wait_for_selector(".chart canvas")
    watched.settle()
    picture: bytes = watched.page.screenshot()
    watched.page.context.close()
    return picture


def _save(name: str, picture: bytes) -> None:
    """With few colours: it is a page, not a photograph."""
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").quantize(_COLOURS).save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
