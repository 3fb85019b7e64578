"""Runs channels side by side under one deadline, and says which of them did not make it."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from gpu.bank.bank import BankView
from gpu.bank.filters import ScanFilter
from retrieval.ports import Channel
from retrieval.types import AnalysedQuery, ChannelResult

logger = logging.getLogger(__name__)

_WORKERS_PER_CORE = 2
_FEWEST_WORKERS = 4


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


@dataclass(frozen=True, slots=True)
class _Task:
    """One channel at work; `seconds` is filled in when it ends."""

    channel: Channel
    future: Future[tuple[ChannelResult | None, float]]


class ChannelRunner:
    """Owns the threads in which channels run.

    Without a deadline the calling thread takes part: it runs channels itself that no thread has begun yet, so that a
    busy pool never makes a recall wait in line, and small namespaces pay for no change of thread. With a deadline the
    caller only waits, since it could not leave a channel that it runs itself.
    """

    def __init__(self, channels: Sequence[Channel], *, workers: int | None = None, inline_slots: int = 20_000) -> None:
        """Starts no thread yet.

        Args:
            channels: run in this order where they run one after the other.
            workers: threads (default: two for each core, at least four).
            inline_slots: up to this many slots the caller runs all channels itself, where there is no deadline.
        """
        self._channels = tuple(channels)
        self._inline_slots = inline_slots
        threads = workers or max(_FEWEST_WORKERS, _WORKERS_PER_CORE * (os.cpu_count() or 1))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="channel")

    @contextmanager
    def run(self, query: AnalysedQuery, bank: ViewSource | BankView, limit: int) -> Iterator[tuple[BankView, Outcome]]:
        """Searches all channels.

        Args:
            query: the question.
            bank: the namespace to search: then the view stays open while a late channel still reads it, and nobody
                waits. Or a view that the caller opened and will close: then late channels are waited for at the end.
            limit: how many memories each channel may list.
        """
        with ExitStack() as opened:
            ours = not isinstance(bank, BankView)
            view = bank if isinstance(bank, BankView) else opened.enter_context(bank.view(query.query.scan))
            if query.ends_at_s is None and (view.n_slots <= self._inline_slots or len(self._channels) == 1):
                yield view, self._run_inline(query, view, limit)
                return
            tasks = [
                _Task(channel, self._pool.submit(_timed, channel, query, view, limit)) for channel in self._channels
            ]
            try:
                yield view, self._collect(tasks, query, view, limit)
            finally:
                running = [task.future for task in tasks if not task.future.cancel()]
                if ours:
                    _close_after(opened.pop_all(), running)
                else:
                    wait(running)

    def close(self) -> None:
        """Ends the threads when what they run has ended."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run_inline(self, query: AnalysedQuery, view: BankView, limit: int) -> Outcome:
        outcome = Outcome()
        for channel in self._channels:
            ended: Future[tuple[ChannelResult | None, float]] = Future()
            _run_here(ended, channel, query, view, limit)
            _record(outcome, channel, ended)
        return outcome

    def _collect(self, tasks: list[_Task], query: AnalysedQuery, view: BankView, limit: int) -> Outcome:
        outcome = Outcome()
        if query.ends_at_s is None:
            futures = [_stolen(task, query, view, limit) for task in tasks]
            wait(futures)
        else:
            futures = [task.future for task in tasks]
            wait(futures, timeout=max(0.0, query.ends_at_s - time.monotonic()))
        for task, future in zip(tasks, futures, strict=True):
            _record(outcome, task.channel, future)
        return outcome


def _timed(channel: Channel, query: AnalysedQuery, view: BankView, limit: int) -> tuple[ChannelResult | None, float]:
    begun = time.perf_counter()
    result = channel.search(query, view, limit)
    return result, (time.perf_counter() - begun) * 1e3


def _run_here(
    ended: Future[tuple[ChannelResult | None, float]],
    channel: Channel,
    query: AnalysedQuery,
    view: BankView,
    limit: int,
) -> None:
    try:
        ended.set_result(_timed(channel, query, view, limit))
    except Exception as error:  # noqa: BLE001 - whatever a channel raises must not fail the recall
        ended.set_exception(error)


def _stolen(
    task: _Task, query: AnalysedQuery, view: BankView, limit: int
) -> Future[tuple[ChannelResult | None, float]]:
    """The task's future, or that of a run in this thread if no other thread had begun it."""
    if not task.future.cancel():
        return task.future
    ended: Future[tuple[ChannelResult | None, float]] = Future()
    _run_here(ended, task.channel, query, view, limit)
    return ended


def _record(outcome: Outcome, channel: Channel, future: Future[tuple[ChannelResult | None, float]]) -> None:
    if not future.done():
        logger.warning("channel %s was late and is left out", channel.name)
        outcome.left_out.append(channel.name)
        return
    if (error := future.exception()) is not None:
        logger.warning("channel %s failed and is left out", channel.name, exc_info=error)
        outcome.left_out.append(channel.name)
        return
    result, took_ms = future.result()
    outcome.timings_ms[channel.name] = took_ms
    if result is not None:
        outcome.results[channel.name] = result


def _close_after(opened: ExitStack, futures: list[Future[tuple[ChannelResult | None, float]]]) -> None:
    """Closes the view once nobody reads it: a late channel reads pages that must not go back to the pool meanwhile."""
    running = [future for future in futures if not future.done()]
    if not running:
        opened.close()
        return
    lock = threading.Lock()
    left = len(running)

    def one_ended(_: Future[tuple[ChannelResult | None, float]]) -> None:
        nonlocal left
        with lock:
            left -= 1
            last = left == 0
        if last:
            opened.close()

    for future in running:
        future.add_done_callback(one_ended)
