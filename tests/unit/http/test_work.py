"""How long a request will wait for a thread: what admission decides by."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Semaphore

import pytest

from memsvc.http import work
from memsvc.http.work import WorkPool


class Busy:
    """A pool of calls that end when they are told to, and a clock that stands still."""

    def __init__(self, pool: WorkPool) -> None:
        self.pool = pool
        self.now = 100.0
        self._may_end = Semaphore(0)
        self._calls: list[asyncio.Task[bool]] = []

    async def begin(self, calls: int) -> None:
        """That many more calls."""
        self._calls += [asyncio.create_task(self.pool.run(self._may_end.acquire)) for _ in range(calls)]
        await asyncio.sleep(0)

    async def end(self, *, after_s: float) -> None:
        """One of them ends after that time."""
        left = sum(not call.done() for call in self._calls)
        self.now += after_s
        self._may_end.release()
        while sum(not call.done() for call in self._calls) == left:  # noqa: ASYNC110 - nobody says which one ends
            await asyncio.sleep(0.001)

    async def all_end(self) -> None:
        """None is left."""
        for _ in self._calls:
            self._may_end.release()
        await asyncio.gather(*self._calls)
        self._calls.clear()


@contextmanager
def busy(monkeypatch: pytest.MonkeyPatch, threads: int) -> Iterator[Busy]:
    one = Busy(WorkPool(threads))
    monkeypatch.setattr(work, "monotonic", lambda: one.now)
    try:
        yield one
    finally:
        one.pool.close()


def test_nobody_waits_while_a_thread_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        await one.begin(2)
        one.now += 60.0
        assert one.pool.wait_s == 0.0
        await one.all_end()

    with busy(monkeypatch, threads=2) as one:
        asyncio.run(run())


def test_each_that_waits_takes_the_usual_time_between_two_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        await one.begin(12)
        assert one.pool.wait_s == 0.0  # nothing is known yet
        await one.end(after_s=0.1)
        await one.end(after_s=0.3)
        assert one.pool.waiting == 8
        assert one.pool.wait_s == pytest.approx(8 * 0.2)
        await one.all_end()
        assert one.pool.wait_s == 0.0

    with busy(monkeypatch, threads=2) as one:
        asyncio.run(run())


def test_after_many_ends_the_newest_still_count(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        await one.begin(202)
        for _ in range(100):
            await one.end(after_s=0.01)
        assert one.pool.wait_s == pytest.approx(100 * 0.01)
        for _ in range(90):
            await one.end(after_s=0.1)
        assert one.pool.wait_s == pytest.approx(10 * 0.1, rel=0.05)
        await one.all_end()

    with busy(monkeypatch, threads=2) as one:
        asyncio.run(run())


def test_where_nothing_ends_the_wait_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        await one.begin(1)
        one.now += 60.0  # as long as nobody waited does not count
        await one.begin(1)
        assert one.pool.wait_s == 0.0
        one.now += 5.0
        assert one.pool.wait_s == 5.0
        await one.all_end()

    with busy(monkeypatch, threads=1) as one:
        asyncio.run(run())


def test_what_was_slow_before_does_not_count_when_calls_wait_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        await one.begin(4)
        await one.end(after_s=9.0)
        assert one.pool.wait_s == pytest.approx(2 * 9.0)
        await one.all_end()
        await one.begin(4)
        assert one.pool.wait_s == 0.0
        await one.all_end()

    with busy(monkeypatch, threads=1) as one:
        asyncio.run(run())
