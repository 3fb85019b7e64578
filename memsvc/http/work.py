"""Where blocking work runs: a bounded set of threads, so that the event loop always turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from time import monotonic
from typing import ParamSpec, TypeVar

from starlette.requests import HTTPConnection

from memsvc.core.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")


_NEWEST_SHARE = 0.05
"""How much the newest time between two ends decides of the usual one, when there were many."""


class WorkPool:
    """Threads for the blocking part of requests. How many may wait is bounded before, by admission."""

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="memsvc-request")
        self._closed = False
        self._threads = threads
        self._begun = 0  # this and what follows is touched in the event loop alone
        self._ends = 0
        self._between_s = 0.0
        self._ended_at = 0.0

    @property
    def waiting(self) -> int:
        """Calls for which no thread is free."""
        return max(0, self._begun - self._threads)

    @property
    def wait_s(self) -> float:
        """How long a call that comes now will probably wait for a thread, in seconds.

        Each call that waits already takes the usual time from one end to the next, of what ended since calls have been
        waiting; and if nothing ended for longer than all that, then that long. What calls take themselves says less:
        one may take seconds while others pass it.
        """
        if not self.waiting:
            return 0.0
        return max(self.waiting * self._between_s, monotonic() - self._ended_at)

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Result of a blocking function; it keeps the caller's context (request id in logs).

        Raises:
            Unavailable: the service is stopping.
        """
        if self._closed:
            raise Unavailable("the service is shutting down; try again", retry_after_s=2)
        call = partial(copy_context().run, function, *args, **kwargs)
        self._begun += 1
        if self.waiting == 1:  # what was when calls waited before says nothing about now
            self._ends, self._between_s, self._ended_at = 0, 0.0, monotonic()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, call)
        finally:
            if self.waiting:
                self._count_end()
            self._begun -= 1

    def _count_end(self) -> None:
        """One ended, and another began for it: so long was a thread waited for."""
        now = monotonic()
        self._ends += 1
        share = max(_NEWEST_SHARE, 1 / self._ends)
        self._between_s += share * (now - self._ended_at - self._between_s)
        self._ended_at = now

    def close(self) -> None:
        """Wait for what runs and end the threads."""
        self._closed = True
        self._executor.shutdown()


async def run_blocking(request: HTTPConnection, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking service call for a request."""
    pool: WorkPool = request.app.state.pool
    return await pool.run(function, *args, **kwargs)
