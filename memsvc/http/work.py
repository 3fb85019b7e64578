"""Where blocking work runs: a bounded set of threads, so that the event loop always turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

from starlette.requests import HTTPConnection

from memsvc.core.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")


class WorkPool:
    """Threads for the blocking part of requests. How many may wait is bounded before, by admission."""

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="memsvc-request")
        self._closed = False
        self._threads = threads
        self._begun = 0

    @property
    def waiting(self) -> int:
        """Calls for which no thread is free."""
        return max(0, self._begun - self._threads)

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Result of a blocking function; it keeps the caller's context (request id in logs).

        Raises:
            Unavailable: the service is stopping.
        """
        if self._closed:
            raise Unavailable("the service is shutting down; try again", retry_after_s=2)
        call = partial(copy_context().run, function, *args, **kwargs)
        self._begun += 1  # counted in the event loop alone
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, call)
        finally:
            self._begun -= 1

    def close(self) -> None:
        """Wait for what runs and end the threads."""
        self._closed = True
        self._executor.shutdown()


async def run_blocking(request: HTTPConnection, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking service call for a request."""
    pool: WorkPool = request.app.state.pool
    return await pool.run(function, *args, **kwargs)
