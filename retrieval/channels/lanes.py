"""A few threads for each channel, so that one that hangs takes no thread of another.

A run that its recall no longer waits for is abandoned: nothing can end it, and it holds its thread until it comes back
by itself. When all threads of a channel are held so, the channel hangs, and further runs are refused at once: nothing
piles up behind it, and recalls lose no time on it. With the first run that comes back it is in again.

This is a bulkhead with a circuit breaker (Nygard 2007, Release It!, ISBN 978-0978739218) whose breaker needs no clock.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


class ChannelHangsError(RuntimeError):
    """Every thread of a channel is held by a run that nobody waits for any more."""


class Lanes:
    """Owns the threads. Thread-safe; at most `threads_each` for each name, started when they are first needed."""

    def __init__(self, threads_each: int) -> None:
        """Starts no thread yet.

        Args:
            threads_each: runs of one channel side by side; more wait for their turn.

        Raises:
            ValueError: it is not positive.
        """
        if threads_each < 1:
            raise ValueError("a lane needs a thread")
        self._threads_each = threads_each
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._abandoned: Counter[str] = Counter()
        self._lock = threading.Lock()

    def submit(self, name: str, work: Callable[[], Result]) -> Future[Result]:
        """Has a thread of a channel do something.

        Returns:
            What becomes of it; ended already with `ChannelHangsError` if the channel hangs.

        Raises:
            RuntimeError: after `close`.
        """
        with self._lock:
            hangs = self._abandoned[name] >= self._threads_each
            pool = self._pools.get(name)
            if pool is None and not hangs:
                pool = ThreadPoolExecutor(self._threads_each, thread_name_prefix=f"channel-{name}")
                self._pools[name] = pool
        if hangs or pool is None:
            refused: Future[Result] = Future()
            refused.set_exception(ChannelHangsError(f"channel {name} hangs"))
            return refused
        return pool.submit(work)

    def abandon(self, name: str, future: Future[Result]) -> bool:
        """Gives up waiting for a run: takes it out of the line, or counts it until it comes back.

        Returns:
            Whether it is still running.
        """
        if future.cancel() or future.done():
            return False
        with self._lock:
            self._abandoned[name] += 1
        future.add_done_callback(lambda _: self._came_back(name))  # at once, if it ended meanwhile
        return True

    def close(self) -> None:
        """Ends the threads when what they run has ended."""
        with self._lock:
            pools = list(self._pools.values())
        for pool in pools:
            pool.shutdown(wait=True, cancel_futures=True)

    def _came_back(self, name: str) -> None:
        with self._lock:
            self._abandoned[name] -= 1
