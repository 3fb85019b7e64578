"""A service to speak to, and one face for both clients: every test that takes `connect` runs on each."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from memsvc_client import AsyncMemoryClient, AsyncPager, MemoryClient, RetryPolicy
from tests.unit.client.recorder import Recorder, plausible, recording

Connect = Callable[..., Any]

QUICK = RetryPolicy(attempts=4, backoff_s=0.001, backoff_max_s=0.001)


class Awaited:
    """The asyncio client (or a part of it) as if it were the blocking one."""

    def __init__(self, target: Any, runner: asyncio.Runner) -> None:
        self._target, self._runner = target, runner

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if name in ("audit", "keys", "jobs", "erasures", "embedding"):
            return Awaited(value, self._runner)

        def call(*args: Any, **kwargs: Any) -> Any:
            made = value(*args, **kwargs)
            return self._runner.run(_finished(made)) if inspect.isawaitable(made) else self._plain(made)

        return call

    def _plain(self, made: Any) -> Any:
        if isinstance(made, AsyncPager):
            return AwaitedPager(made, self._runner)
        return made


class AwaitedPager:
    def __init__(self, pager: AsyncPager[Any], runner: asyncio.Runner) -> None:
        self._pager, self._runner = pager, runner

    def __iter__(self) -> Iterator[Any]:
        async def collect() -> list[Any]:
            return [item async for item in self._pager]

        return iter(self._runner.run(collect()))

    def pages(self) -> Iterator[Any]:
        walk = self._pager.pages()

        async def step() -> Any:
            return await anext(walk, None)

        while (page := self._runner.run(step())) is not None:
            yield page


async def _finished(awaitable: Any) -> Any:
    return await awaitable


@pytest.fixture
def service() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


@pytest.fixture
def plausible_service(service: Recorder) -> Recorder:
    service.default = plausible
    return service


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Makes clients of one of the two kinds and closes them."""
    for name in ("MEMSVC_URL", "MEMSVC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    made: list[Any] = []
    with asyncio.Runner() as runner:

        def make(url: str | None = None, key: str | None = None, **options: Any) -> Any:
            options = dict[str, Any](retry=QUICK, namespace="user/ada") | options
            if request.param == "sync":
                client: Any = MemoryClient(url, key, **options)
            else:
                client = Awaited(AsyncMemoryClient(url, key, **options), runner)
            made.append(client)
            return client

        yield make
        for client in made:
            client.close()
