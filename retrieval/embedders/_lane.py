"""A lane of texts waiting to be embedded: each once, callers served in turn, worked off by threads in batches."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from retrieval.errors import EmbedderAnswerError, EmbedderBusyError, EmbedderClosedError, EmbedderRefusedError

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Lane(Generic[K, T]):
    """Runs `embed` over the waiting texts (of type K). A text that already waits or runs is not queued again.

    Callers are served in turn, one text each, so that a single write does not wait behind a batch of a thousand.
    """

    def __init__(
        self,
        name: str,
        embed: Callable[[list[K]], Sequence[T]],
        *,
        workers: int,
        batch_texts: int,
        linger_s: float,
        capacity_texts: int,
        on_run: Callable[[int, float], None] = lambda texts, seconds: None,
    ) -> None:
        """Starts the worker threads.

        Args:
            name: for the threads' names.
            embed: texts to results, one each, in order.
            workers: number of threads.
            batch_texts: most texts in one call of `embed`.
            linger_s: how long a worker waits for its batch to fill; only while another worker is busy.
            capacity_texts: most texts that may wait.
            on_run: called after each call of `embed` with its texts and seconds.
        """
        self._embed = embed
        self._on_run = on_run
        self._batch_texts = batch_texts
        self._linger_s = linger_s
        self._capacity_texts = capacity_texts
        self._changed = threading.Condition()
        self._calls: deque[deque[K]] = deque()
        self._open: dict[K, Future[T]] = {}
        self._waiting = 0
        self._busy_workers = 0
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True) for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Texts that no worker has begun."""
        return self._waiting

    def submit(self, texts: Sequence[K]) -> list[Future[T]]:
        """Queues texts; equal texts share one future.

        Raises:
            EmbedderBusyError: more texts would wait than may; none of them was queued.
            EmbedderClosedError: after `close()`.
        """
        with self._changed:
            if self._closed:
                raise EmbedderClosedError("the embedder was closed")
            fresh = [text for text in dict.fromkeys(texts) if text not in self._open]
            if self._waiting + len(fresh) > self._capacity_texts:
                raise EmbedderBusyError(f"more than {self._capacity_texts} texts wait to be embedded; try again later")
            self._open.update((text, _uncancellable()) for text in fresh)
            futures = [self._open[text] for text in texts]
            if fresh:
                self._calls.append(deque(fresh))
                self._waiting += len(fresh)
                self._changed.notify(len(fresh))
        return futures

    def close(self) -> None:
        """Fails what still waits, lets running batches end, and joins the threads."""
        with self._changed:
            self._closed = True
            waiting = [self._open.pop(text) for call in self._calls for text in call]
            self._calls.clear()
            self._waiting = 0
            self._changed.notify_all()
        for future in waiting:
            future.set_exception(EmbedderClosedError("the embedder was closed"))
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while texts := self._next_batch():
            begun = time.perf_counter()
            self._run(texts)
            self._on_run(len(texts), time.perf_counter() - begun)
            with self._changed:
                self._busy_workers -= 1

    def _next_batch(self) -> list[K]:
        """Waits for work; empty means closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._calls or self._closed)
            if self._busy_workers and self._waiting < self._batch_texts and self._linger_s > 0:
                self._linger()
            texts = self._take()
            self._busy_workers += bool(texts)
            return texts

    def _linger(self) -> None:
        until = time.monotonic() + self._linger_s
        while self._waiting < self._batch_texts and not self._closed:
            left = until - time.monotonic()
            if left <= 0 or not self._changed.wait(left):
                return

    def _take(self) -> list[K]:
        texts: list[K] = []
        while self._calls and len(texts) < self._batch_texts:
            call = self._calls.popleft()
            texts.append(call.popleft())
            if call:
                self._calls.append(call)
        self._waiting -= len(texts)
        return texts

    def _run(self, texts: list[K]) -> None:
        try:
            results = self._embed(texts)
        except (EmbedderAnswerError, EmbedderRefusedError) as error:
            if len(texts) == 1:
                self._settle(texts[0], error)
                return
            for text in texts:  # one text that cannot be embedded must not fail those that came along
                self._run([text])
        except Exception as error:  # noqa: BLE001 - the outer edge of a thread: whoever waits for the text gets it
            for text in texts:
                self._settle(text, error)
        else:
            for text, result in zip(texts, results, strict=True):
                self._settle(text, result)

    def _settle(self, text: K, outcome: T | Exception) -> None:
        with self._changed:
            future = self._open.pop(text)
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def _uncancellable() -> Future[Any]:
    """A future that nobody can cancel: others may wait for the same text."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future
