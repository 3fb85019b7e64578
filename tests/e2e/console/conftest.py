"""A world, a browser, and a page that must be without troubles in the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import httpx
import pytest

from benchmarks._browser import MODES, Watched, browsing, missing
from tests.fixtures.console_world import World, fill
from tests.fixtures.listening import listening
from tests.fixtures.service import Caller, Service, serving


@dataclass(frozen=True)
class Remote:
    """The service over the network: where a browser is driven, an event loop runs that would not have another one."""

    url: str

    def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        """One request."""
        return httpx.request(method, self.url + path, timeout=30, **given)


@dataclass(frozen=True)
class Open:
    """What opens watched pages."""

    browser: Any
    world: World
    url: str

    def page(self, mode: str = "light") -> Watched:
        """A page of a context of its own, without a key."""
        page = self.browser.new_context(**MODES[mode]).new_page()
        page.set_default_timeout(20_000)
        return Watched(page, self.url)


@pytest.fixture(scope="module")  # while a browser is driven no other test can have an event loop
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    lacks = missing()
    if lacks is not None:
        pytest.skip(lacks)
    with serving(tmp_path_factory.mktemp("console")) as service:
        world = fill(service)
        with listening(service.app) as port, browsing() as browser:
            url = f"http://127.0.0.1:{port}"
            caller = Caller(cast(Service, Remote(url)), world.caller.secret, world.caller.namespace)
            yield Open(browser, replace(world, caller=caller), url)


@pytest.fixture
def world(console: Open) -> World:
    return console.world


@pytest.fixture
def bare(console: Open) -> Iterator[Watched]:
    """A page before anybody opened the console."""
    watched = console.page()
    yield watched
    watched.page.context.close()
    assert watched.troubles == []


@pytest.fixture
def seen(bare: Watched, world: World) -> Watched:
    """The console with a key that may do everything."""
    bare.open(world.caller.secret)
    return bare
