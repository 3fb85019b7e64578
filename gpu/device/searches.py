"""Searches of many threads, gathered into one launch.

While the device is at work on some searches, those that arrive wait, and all of them go into the next launch: a busy
device is asked in large batches, and an idle one at once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.device.bank import DeviceBank
from gpu.device.best import Best
from gpu.device.channel_bests import ChannelBests
from gpu.device.errors import DeviceLostError
from gpu.device.query import ChannelQuery, Query
from gpu.ops.channel_pass.questions import Listed, Question

logger = logging.getLogger(__name__)

_MOST = 256
"""Searches in one launch."""


@dataclass(frozen=True, slots=True)
class _Search:
    """One that waits; its answer is a `Best`, or the `ChannelBests` of lists."""

    query: Query | ChannelQuery
    answer: Future[Any] = field(default_factory=Future)


class DeviceSearches:
    """One thread that has the devices to itself. Thread-safe; closed at the end.

    Once no device is left, or something else failed, nothing is asked any more.

    Attributes:
        bank: what is on the devices.
    """

    def __init__(self, bank: DeviceBank) -> None:
        """Starts the thread."""
        self.bank = bank
        self._waiting: list[_Search] = []
        self._changed = threading.Condition()
        self._is_lost = False
        self._thread = threading.Thread(target=self._work, name="device-searches", daemon=True)
        self._thread.start()

    @property
    def is_lost(self) -> bool:
        """Whether the devices are of no use any more."""
        with self._changed:
            return self._is_lost

    def search(self, namespace: NamespaceBank, scan: ScanFilter, vector: NDArray[np.float32], limit: int) -> Best:
        """See `gpu.device.asking.Searches`."""
        search = _Search(Query(namespace, scan, vector, limit))
        self._wait_in_line(search)
        best: Best = search.answer.result()
        return best

    def lists(self, namespace: NamespaceBank, question: Question, limit: int) -> Mapping[Listed, Best]:
        """See `gpu.device.asking.Searches`."""
        search = _Search(ChannelQuery(namespace, question, None, limit))
        self._wait_in_line(search)
        found: ChannelBests = search.answer.result()
        return found.lists

    def drop(self, namespace: NamespaceBank) -> None:
        """See `gpu.device.asking.Searches`; takes it off the device."""
        if not self.is_lost:
            self.bank.drop(namespace)

    def close(self) -> None:
        """Ends the thread; what waits is refused."""
        self._lose()
        self._thread.join()
        self.bank.close()

    def _wait_in_line(self, search: _Search) -> None:
        with self._changed:
            if self._is_lost:
                raise DeviceLostError
            self._waiting.append(search)
            self._changed.notify()

    def _lose(self) -> None:
        with self._changed:
            self._is_lost = True
            waiting, self._waiting = self._waiting, []
            self._changed.notify()
        for search in waiting:
            search.answer.set_exception(DeviceLostError())

    def _work(self) -> None:
        while searches := self._next():
            try:
                self._answer(searches)
            except Exception as error:  # noqa: BLE001 - the outer edge of a thread: whoever waits must not wait for ever
                logger.warning("the devices failed and are not used any more: %s: %s", type(error).__name__, error)
                self._lose()
                for search in searches:
                    if not search.answer.done():
                        search.answer.set_exception(DeviceLostError())

    def _next(self) -> list[_Search]:
        """Waits for searches; none once the devices are lost."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_lost)
            searches, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            return searches

    def _answer(self, searches: list[_Search]) -> None:
        """Answers all: the nearest memories in one launch, then the lists in another."""
        nearest = [one.query for one in searches if isinstance(one.query, Query)]
        lists = [one.query for one in searches if isinstance(one.query, ChannelQuery)]
        if nearest:
            for search, best in zip(_of(searches, Query), self.bank.search(nearest), strict=True):
                search.answer.set_result(best)
        if lists:
            for search, found in zip(_of(searches, ChannelQuery), self.bank.channels(lists), strict=True):
                search.answer.set_result(found)


def _of(searches: list[_Search], kind: type[Query | ChannelQuery]) -> list[_Search]:
    return [one for one in searches if isinstance(one.query, kind)]
