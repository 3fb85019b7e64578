"""Who gets a thread next, and how long somebody new will wait for one: what admission decides by."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from threading import Semaphore
from time import sleep
from typing import Any

import pytest

from memsvc.core.errors import Unavailable
from memsvc.http import work
from memsvc.http.work import WorkPool, look_up, run_blocking


class Busy:
    """A pool of calls that end when they are told to, and a clock that stands still."""

    def __init__(self, threads: int) -> None:
        self.pool = WorkPool(threads)
        self.now = 100.0
        self._may_end = Semaphore(0)
        self._begun = 0
        self._calls: list[asyncio.Task[None]] = []

    async def begin(self, calls: int, *, go_first: bool = False) -> None:
        """That many more calls; returns when all have a thread that will get one."""
        free = max(0, self.pool._threads - self._open)
        begun = self._begun + min(calls, free)
        self._calls += [asyncio.create_task(self.pool.run(self._hold, goes_first=go_first)) for _ in range(calls)]
        await asyncio.sleep(0)  # each comes to where it waits
        await self._until(lambda: self._begun >= begun)

    async def end(self, *, after_s: float) -> None:
        """One of them ends after that time; returns when another has its thread."""
        open_before, begun = self._open, self._begun
        waiting = self.pool.waiting
        self.now += after_s
        self._may_end.release()
        await self._until(lambda: self._open < open_before and self._begun >= begun + bool(waiting))

    async def all_end(self) -> None:
        """None is left."""
        for _ in range(self._open):
            self._may_end.release()
        await asyncio.gather(*self._calls)
        self._calls.clear()

    def close(self) -> None:
        """Whatever a test that failed left behind."""
        self._may_end.release(1000)
        self.pool.close()

    @property
    def _open(self) -> int:
        return sum(not call.done() for call in self._calls)

    def _hold(self) -> None:
        self._begun += 1
        self._may_end.acquire()

    @staticmethod
    async def _until(is_so: Callable[[], bool]) -> None:
        while not is_so():  # noqa: ASYNC110 - threads do not set an event of the loop's
            await asyncio.sleep(0.001)


@contextmanager
def busy(monkeypatch: pytest.MonkeyPatch, threads: int) -> Iterator[Busy]:
    one = Busy(threads)
    monkeypatch.setattr(work, "monotonic", lambda: one.now)
    try:
        yield one
    finally:
        one.close()


def test_nobody_waits_while_a_thread_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        await one.begin(2)
        one.now += 60.0
        assert one.pool.wait_s == 0.0
        await one.all_end()

    with busy(monkeypatch, threads=2) as one:
        asyncio.run(run())


def test_each_that_waits_takes_the_usual_time_between_two_beginnings(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_after_many_the_newest_still_count(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_where_none_begins_the_wait_grows(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_calls_that_go_first_keep_new_ones_and_are_no_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        await one.begin(3)
        await one.begin(2, go_first=True)
        await one.end(after_s=0.5)
        await one.end(after_s=0.5)
        assert one.pool.wait_s == pytest.approx(1.0)  # two wait, and none of them has begun
        await one.end(after_s=0.5)
        assert one.pool.wait_s == pytest.approx(1 * 1.5)
        await one.all_end()

    with busy(monkeypatch, threads=1) as one:
        asyncio.run(run())


def test_where_only_calls_wait_that_go_first_a_new_one_will_wait_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        await one.begin(3, go_first=True)
        one.now += 2.0
        assert one.pool.wait_s == 2.0
        await one.all_end()
        assert one.pool.wait_s == 0.0

    with busy(monkeypatch, threads=1) as one:
        asyncio.run(run())


class _Request:
    """As much of a request as `run_blocking` looks at."""

    def __init__(self, pool: WorkPool) -> None:
        self.scope: dict[str, Any] = {}
        self.app = type("App", (), {"state": type("State", (), {"pool": pool})})


def test_a_request_that_has_begun_goes_on_before_others_begin() -> None:
    pool, may_go, order = WorkPool(1), Semaphore(0), list[str]()

    def work_on(what: str) -> None:
        order.append(what)
        sleep(0.002)

    async def of(name: str, request: Any, calls: int) -> None:
        for number in range(calls):
            await run_blocking(request, work_on, f"{name} {number}")

    async def run() -> None:
        running: list[Awaitable[None]] = [asyncio.ensure_future(run_blocking(_Request(pool), may_go.acquire))]  # type: ignore[arg-type]
        running += [asyncio.ensure_future(of("first", _Request(pool), 3))]
        running += [asyncio.ensure_future(of(f"other {n}", _Request(pool), 1)) for n in range(100)]
        await asyncio.sleep(0.01)
        may_go.release()
        await asyncio.gather(*running)

    asyncio.run(run())
    pool.close()
    assert order.index("first 2") < 50  # the others were all there before its second call
    assert sorted(order) == sorted([f"first {n}" for n in range(3)] + [f"other {n} 0" for n in range(100)])


def test_what_is_looked_up_goes_first_and_begins_nothing() -> None:
    pool, may_go, order = WorkPool(1), Semaphore(0), list[str]()

    async def late(request: Any) -> None:
        await look_up(request, order.append, "looked up")
        await run_blocking(request, order.append, "late")

    async def run() -> None:
        running: list[Awaitable[None]] = [asyncio.ensure_future(run_blocking(_Request(pool), may_go.acquire))]  # type: ignore[arg-type]
        running += [asyncio.ensure_future(run_blocking(_Request(pool), order.append, "early")) for _ in range(3)]  # type: ignore[arg-type]
        await asyncio.sleep(0.01)
        running += [asyncio.ensure_future(late(_Request(pool)))]
        await asyncio.sleep(0.01)
        may_go.release()
        await asyncio.gather(*running)

    asyncio.run(run())
    pool.close()
    assert order == ["looked up", "early", "early", "early", "late"]


def test_a_call_that_fails_says_so_and_one_that_nobody_waits_for_is_not_run() -> None:
    pool, may_go, ran = WorkPool(1), Semaphore(0), list[int]()

    def fail() -> None:
        raise ValueError("no")

    async def run() -> None:
        first = asyncio.ensure_future(pool.run(may_go.acquire))
        gone = asyncio.ensure_future(pool.run(lambda: ran.append(1)))
        failing = asyncio.ensure_future(pool.run(fail))
        await asyncio.sleep(0.01)
        gone.cancel()
        await asyncio.sleep(0.01)
        may_go.release()
        assert await first
        with pytest.raises(ValueError, match="no"):
            await failing
        assert pool.wait_s == 0.0
        assert pool.waiting == 0

    asyncio.run(run())
    pool.close()
    assert not ran


def test_a_pool_that_closes_between_look_and_order_says_that_it_stops() -> None:
    pool = WorkPool(1)
    pool._executor.shutdown()  # what closes it sets its mark before, in another thread

    async def run() -> None:
        with pytest.raises(Unavailable):
            await pool.run(lambda: None)

    asyncio.run(run())
