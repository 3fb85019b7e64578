"""One cross-encoder shared by all requests: a small pool of threads and a fair queue.

Pairs of many recalls wait in one place and are worked off by as many threads as there are cores, so that concurrent
recalls never oversubscribe the machine. Recalls are served in turn, one run of pairs each: a recall that shows fifty
pairs does not hold up one that shows five. A recall waits no longer than its deadline; what it has not got by then it
gives up, and its waiting pairs leave the queue. A scorer that hangs therefore costs a thread, never an answer.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import EmbedderBusyError, EmbedderClosedError
from retrieval.ports import PairScorer

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Call:
    """Pairs of one recall. `next` is the first that no thread has begun, `open` how many have no score yet."""

    query: str
    texts: list[str]
    ends_at_s: float | None
    scores: NDArray[np.float32]
    open: int
    next: int = 0
    error: Exception | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def waits(self) -> bool:
        return self.next < len(self.texts)


class SharedPairScorer:
    """Runs a `PairScorer` in threads of its own for any number of callers. Itself a `PairScorer`. Thread-safe."""

    def __init__(
        self, scorer: PairScorer, *, workers: int, pairs_per_run: int = 1, capacity_pairs: int = 10_000
    ) -> None:
        """Starts the threads.

        Args:
            scorer: scores the pairs; called by several threads at a time.
            workers: threads; as many as there are cores for a model that computes in the calling thread.
            pairs_per_run: most pairs of one recall in one call of the scorer (1: the time is looked at between pairs).
            capacity_pairs: most pairs that may wait.
        """
        self._scorer = scorer
        self._pairs_per_run = pairs_per_run
        self._capacity = capacity_pairs
        self._changed = threading.Condition()
        self._calls: deque[_Call] = deque()
        self._waiting = 0
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"rerank-{number}", daemon=True) for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def name(self) -> str:
        """See `retrieval.ports.PairScorer`."""
        return self._scorer.name

    @property
    def waiting(self) -> int:
        """Pairs that no thread has begun."""
        return self._waiting

    def score(self, query: str, texts: Sequence[str], *, ends_at_s: float | None = None) -> NDArray[np.float32]:
        """See `retrieval.ports.PairScorer`.

        Raises:
            EmbedderBusyError: more pairs would wait than may.
            EmbedderClosedError: after `close()`.
            Exception: whatever the scorer raised for one of these pairs.
        """
        if not texts:
            return np.empty(0, dtype=np.float32)
        call = _Call(query, list(texts), ends_at_s, np.full(len(texts), np.nan, dtype=np.float32), len(texts))
        self._submit(call)
        call.ended.wait(None if ends_at_s is None else max(0.0, ends_at_s - time.monotonic()))
        with self._changed:
            self._withdraw(call)
            if call.error is not None:
                raise call.error
            scores = call.scores.copy()
        return _up_to_first_gap(scores)

    def close(self, timeout_s: float | None = 5.0) -> None:
        """Fails what waits, and joins the threads; one that hangs is left behind after `timeout_s`."""
        with self._changed:
            self._closed = True
            for call in tuple(self._calls):
                self._fail(call, EmbedderClosedError("the cross-encoder was closed"))
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout_s)

    def _submit(self, call: _Call) -> None:
        with self._changed:
            if self._closed:
                raise EmbedderClosedError("the cross-encoder was closed")
            if self._waiting + len(call.texts) > self._capacity:
                raise EmbedderBusyError(f"more than {self._capacity} pairs wait to be scored; try again later")
            self._calls.append(call)
            self._waiting += len(call.texts)
            self._changed.notify(len(call.texts))

    def _work(self) -> None:
        while (task := self._next()) is not None:
            call, start, texts = task
            try:
                scores = self._scorer.score(call.query, texts, ends_at_s=call.ends_at_s)
            except Exception as error:  # noqa: BLE001 - the outer edge of a thread: whoever waits for the pair gets it
                with self._changed:
                    self._fail(call, error)
                continue
            with self._changed:
                call.scores[start : start + len(texts)] = scores
                call.open -= len(texts)
                if not call.open:
                    call.ended.set()

    def _next(self) -> tuple[_Call, int, list[str]] | None:
        """Waits for work: pairs of the call whose turn it is; None means closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._calls or self._closed)
            if not self._calls:
                return None
            call = self._calls.popleft()
            start = call.next
            texts = call.texts[start : start + self._pairs_per_run]
            call.next += len(texts)
            self._waiting -= len(texts)
            if call.waits:
                self._calls.append(call)
            return call, start, texts

    def _withdraw(self, call: _Call) -> None:
        if call.waits:
            self._waiting -= len(call.texts) - call.next
            call.next = len(call.texts)
            if call in self._calls:
                self._calls.remove(call)

    def _fail(self, call: _Call, error: Exception) -> None:
        self._withdraw(call)
        call.error = call.error or error
        call.ended.set()


def _up_to_first_gap(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores before the first missing one: threads may overtake each other, and callers are promised a beginning."""
    missing = np.flatnonzero(np.isnan(scores))
    if missing.size:
        scores[missing[0] :] = np.nan
    return scores
