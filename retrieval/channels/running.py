"""Runs channels side by side under one deadline, and says which of them did not make it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from gpu import tracing
from gpu.bank.bank import BankView
from gpu.bank.filters import ScanFilter
from gpu.cores import usable_cores
from retrieval.channels.lanes import Lanes
from retrieval.ports import Channel, SeededChannel
from retrieval.types import AnalysedQuery, ChannelResult

logger = logging.getLogger(__name__)

_FEWEST_WORKERS = 2
_FIRST_SHARE = 0.7
"""Share of the time that is left which channels may use up that others go on from."""
_NEXT_SHARE = 0.8
"""The same for each channel that goes on: fusion and rerank come after it."""


class ViewSource(Protocol):
    """Opens consistent views of one namespace; `gpu.bank.namespace.NamespaceBank` is one."""

    def view(self, scan: ScanFilter) -> AbstractContextManager[BankView]:
        """A view of what the filter lets through, good until the context ends."""
        ...


@dataclass(slots=True)
class Outcome:
    """What channels found: results of those that had something to go on, names of those that failed or were late."""

    results: dict[str, ChannelResult] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    timings_ms: dict[str, float] = field(default_factory=dict)


Search = Callable[[], ChannelResult | None]
_Timed = tuple[ChannelResult | None, float]


@dataclass(frozen=True, slots=True)
class _Task:
    """One channel at work; what it found comes with the milliseconds it took."""

    name: str
    search: Search
    future: Future[_Timed]


class Searching:
    """One recall's channels at work on an open view.

    Attributes:
        query: the question; channels that begin later see what is known by then.
        view: the namespace as the recall sees it.
        outcome: what was found so far; `finish` and `go_on` add to it.
    """

    def __init__(
        self, runner: ChannelRunner, query: AnalysedQuery, view: BankView, limit: int, *, inline: bool
    ) -> None:
        self.query = query
        self.view = view
        self.outcome = Outcome()
        self.running: list[Future[_Timed]] = []
        self._runner = runner
        self._limit = limit
        self._inline = inline
        self._begun: list[_Task] = []

    def begin(self, channels: Sequence[Channel]) -> None:
        """Begins to search channels that need nothing but the question, side by side."""
        self._begin([(c.name, partial(c.search, self.query, self.view, self._limit)) for c in channels])

    def finish(self) -> None:
        """Waits for what was begun."""
        self._finish(_FIRST_SHARE)

    def go_on(self, channels: Sequence[SeededChannel]) -> None:
        """Searches channels that go on from what was found so far, side by side."""
        seeds = dict(self.outcome.results)
        self._begin([(c.name, partial(c.search, self.query, self.view, self._limit, seeds)) for c in channels])
        self._finish(_NEXT_SHARE)

    def give_up(self) -> None:
        """Waits no more for what was begun: what still runs is among `running` then."""
        tasks, self._begun = self._begun, []
        self.running += [task.future for task in tasks if self._runner.lanes.abandon(task.name, task.future)]

    def _begin(self, searches: Sequence[tuple[str, Search]]) -> None:
        if self._inline:
            for name, search in searches:
                self._record(name, _here(name, search))
            return
        lanes = self._runner.lanes
        self._begun += [
            _Task(name, search, lanes.submit(name, tracing.bound(partial(_timed, name, search))))
            for name, search in searches
        ]

    def _finish(self, share: float) -> None:
        tasks, self._begun = self._begun, []
        if self.query.ends_at_s is None:
            futures = [_stolen(task) for task in tasks]
            wait(futures)
        else:
            futures = [task.future for task in tasks]
            left_s = self.query.ends_at_s - time.monotonic()
            wait(futures, timeout=max(0.0, left_s * share))
        for task, future in zip(tasks, futures, strict=True):
            self._record(task.name, future)
            if self._runner.lanes.abandon(task.name, task.future):
                self.running.append(task.future)

    def _record(self, name: str, future: Future[_Timed]) -> None:
        if not future.done():
            logger.warning("channel %s was late and is left out", name)
            self.outcome.left_out.append(name)
            return
        if (error := future.exception()) is not None:
            logger.warning("channel %s failed and is left out", name, exc_info=error)
            self.outcome.left_out.append(name)
            return
        result, took_ms = future.result()
        self.outcome.timings_ms[name] = took_ms
        if result is not None:
            self.outcome.results[name] = result


class ChannelRunner:
    """Owns the threads in which channels run, a few for each (`lanes`).

    Without a deadline the calling thread takes part: it runs channels itself that no thread has begun yet, so that a
    busy pool never makes a recall wait in line, and small namespaces pay for no change of thread. With a deadline the
    caller only waits, since it could not leave a channel that it runs itself.
    """

    def __init__(self, *, workers: int | None = None, inline_slots: int = 20_000) -> None:
        """Starts no thread yet.

        Args:
            workers: threads of each channel (default: one for each core, at least two).
            inline_slots: up to this many slots the caller runs all channels itself, where there is no deadline.
        """
        self._inline_slots = inline_slots
        self.lanes = Lanes(workers or max(_FEWEST_WORKERS, usable_cores()))

    @contextmanager
    def open(self, query: AnalysedQuery, bank: ViewSource | BankView, limit: int) -> Iterator[Searching]:
        """Opens a namespace for the channels of one recall.

        Args:
            query: the question.
            bank: the namespace to search: then the view stays open while a late channel still reads it, and nobody
                waits. Or a view that the caller opened and will close: then late channels are waited for at the end.
            limit: how many memories each channel may list.
        """
        with ExitStack() as opened:
            ours = not isinstance(bank, BankView)
            view = bank if isinstance(bank, BankView) else opened.enter_context(bank.view(query.query.scan))
            inline = query.ends_at_s is None and view.n_slots <= self._inline_slots
            searching = Searching(self, query, view, limit, inline=inline)
            try:
                yield searching
            finally:
                searching.give_up()
                if ours:
                    _close_after(opened.pop_all(), searching.running)
                else:
                    wait(searching.running)

    def close(self) -> None:
        """Ends the threads when what they run has ended."""
        self.lanes.close()


def _timed(name: str, search: Search) -> _Timed:
    begun = time.perf_counter()
    with tracing.step(f"channel {name}"):
        result = search()
    return result, (time.perf_counter() - begun) * 1e3


def _here(name: str, search: Search) -> Future[_Timed]:
    """Searches in this thread."""
    ended: Future[_Timed] = Future()
    try:
        ended.set_result(_timed(name, search))
    except Exception as error:  # noqa: BLE001 - whatever a channel raises must not fail the recall
        ended.set_exception(error)
    return ended


def _stolen(task: _Task) -> Future[_Timed]:
    """The task's future, or that of a run in this thread if no other thread had begun it."""
    return _here(task.name, task.search) if task.future.cancel() else task.future


def _close_after(opened: ExitStack, futures: list[Future[_Timed]]) -> None:
    """Closes the view once nobody reads it: a late channel reads pages that must not go back to the pool meanwhile."""
    running = [future for future in futures if not future.done()]
    if not running:
        opened.close()
        return
    lock = threading.Lock()
    left = len(running)

    def one_ended(_: Future[_Timed]) -> None:
        nonlocal left
        with lock:
            left -= 1
            last = left == 0
        if last:
            opened.close()

    for future in running:
        future.add_done_callback(one_ended)
