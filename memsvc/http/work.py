"""Where blocking work runs: a bounded set of threads, so that the event loop always turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from queue import PriorityQueue
from threading import Lock
from time import monotonic
from typing import Any, ParamSpec, TypeVar

from starlette.requests import HTTPConnection

from memsvc.core.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")

_NEWEST_SHARE = 0.05
"""How much the newest time between two beginnings decides of the usual one, when there were many."""
_HAS_BEGUN = "has_begun"
_STOPPING = Unavailable("the service is shutting down; try again", retry_after_s=2)


class WorkPool:
    """Threads for the blocking part of requests. How many may wait is bounded before, by admission."""

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="memsvc-request")
        self._calls: PriorityQueue[_Call] = PriorityQueue()
        self._numbers = count()
        self._closed = False
        self._threads = threads
        self._taken = 0  # calls that have not ended; counted in the event loop alone
        self._pace = _Pace()

    @property
    def waiting(self) -> int:
        """Calls for which no thread is free."""
        return max(0, self._taken - self._threads)

    @property
    def wait_s(self) -> float:
        """How long the first call of a request that comes now will probably wait for a thread, in seconds."""
        return self._pace.wait_s

    async def run(self, function: Callable[[], T], *, goes_first: bool = False) -> T:
        """Result of a blocking function; it keeps the caller's context (request id in logs).

        Args:
            function: to be run in one of the threads.
            goes_first: before all that do not: somebody's work is half done, and waits for this to be whole.

        Raises:
            Unavailable: the service is stopping.
        """
        self._taken += 1
        try:
            call = self._ordered(partial(copy_context().run, function), is_new=not goes_first)
            result: T = await asyncio.wrap_future(call.ended)
            return result
        finally:
            self._taken -= 1

    def close(self) -> None:
        """Wait for what runs and end the threads."""
        self._closed = True
        self._executor.shutdown()

    def _ordered(self, function: Callable[[], Any], *, is_new: bool) -> _Call:
        if self._closed:
            raise _STOPPING
        call = _Call(is_new, next(self._numbers), function, has_to_wait=bool(self.waiting))
        if call.has_to_wait:
            self._pace.comes(is_new=is_new)
        self._calls.put(call)
        try:
            self._executor.submit(self._next)
        except RuntimeError as error:  # it was closed since that look
            raise _STOPPING from error
        return call

    def _next(self) -> None:
        """Run whichever call is due: there are as many of them as there were orders to run one."""
        call = self._calls.get_nowait()
        if call.has_to_wait:
            self._pace.begins(is_new=call.is_new)
        if not call.ended.set_running_or_notify_cancel():
            return
        try:
            call.ended.set_result(call.function())
        except BaseException as error:  # noqa: BLE001 - the outer edge of a thread: whoever waits for the call gets it
            call.ended.set_exception(error)


@dataclass(order=True, slots=True)
class _Call:
    """What is to be run. The first in order is due.

    Attributes:
        is_new: it does not go first.
        number: in order of coming.
        function: what to run.
        has_to_wait: no thread was free when it came.
        ended: gets the result.
    """

    is_new: bool
    number: int
    function: Callable[[], Any] = field(compare=False)
    has_to_wait: bool = field(compare=False)
    ended: Future[Any] = field(default_factory=Future, compare=False)


class _Pace:
    """How quickly new calls get their turn while calls have to wait. Thread-safe.

    Each new one that waits already takes the usual time from one's beginning to the next one's, of what began since
    calls have been waiting; and if none began for longer than all that, then that long. What calls take themselves says
    less: one may take seconds while others pass it, and a request makes several.
    """

    def __init__(self) -> None:
        self._guard = Lock()
        self._waiting = 0
        self._new = 0
        self._begun = 0
        self._between_s = 0.0
        self._begun_at = 0.0

    @property
    def wait_s(self) -> float:
        """How long one more new one would probably wait, in seconds."""
        with self._guard:
            return max(self._new * self._between_s, monotonic() - self._begun_at) if self._waiting else 0.0

    def comes(self, *, is_new: bool) -> None:
        """One more waits."""
        with self._guard:
            self._waiting += 1
            self._new += is_new
            if self._waiting == 1:  # what was when calls waited before says nothing about now
                self._begun, self._between_s, self._begun_at = 0, 0.0, monotonic()

    def begins(self, *, is_new: bool) -> None:
        """One of them got its turn."""
        with self._guard:
            self._waiting -= 1
            if not is_new:
                return
            now = monotonic()
            self._new -= 1
            self._begun += 1
            share = max(_NEWEST_SHARE, 1 / self._begun)
            self._between_s += share * (now - self._begun_at - self._between_s)
            self._begun_at = now


async def run_blocking(request: HTTPConnection, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking service call for a request. Its second call and the others go before what nobody has begun."""
    pool: WorkPool = request.app.state.pool
    state = request.scope.setdefault("state", {})
    has_begun, state[_HAS_BEGUN] = state.get(_HAS_BEGUN, False), True
    return await pool.run(partial(function, *args, **kwargs), goes_first=has_begun)


async def look_up(request: HTTPConnection, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a short call that decides whether a request is worked on. It goes first, and nothing has begun by it.

    Many requests want the same to be looked up at the same moment, when what was known has become too old. In the
    queue, all that stand in it would do so, one by one, and their work would begin at once thereafter.
    """
    pool: WorkPool = request.app.state.pool
    return await pool.run(partial(function, *args, **kwargs), goes_first=True)
