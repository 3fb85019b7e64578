"""The namespaces that are on devices, and searches over them."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gpu.bank.namespace import NamespaceBank, Published
from gpu.bank.view import BankView
from gpu.device import host_channels
from gpu.device.answers import Answers
from gpu.device.best import NOWHERE, Best
from gpu.device.channel_bests import ChannelBests
from gpu.device.copies import DeviceCopies, Outcome, Task
from gpu.device.errors import DeviceLostError
from gpu.device.pinned import PinnedCopies
from gpu.device.pool import DevicePool
from gpu.device.query import ChannelQuery, Query
from gpu.device.residency import Residency
from gpu.device.rules import CodeRules
from gpu.device.segment_copy import SegmentCopy
from gpu.device.spread import Spread, parts_of
from gpu.device.warm_up import warm_up
from gpu.ops.channel_pass.questions import Listed

logger = logging.getLogger(__name__)

Q = TypeVar("Q", bound=Query | ChannelQuery)
Work = Callable[[DeviceCopies, Sequence[Task[Q]]], Outcome[Q]]
"""How a device answers tasks."""


class DeviceBank:
    """Copies of namespaces on one device or several. Thread-safe; one batch at a time.

    The host's bank has everything: a namespace that is not here is copied when it is asked, to the device with the most
    free memory, and those that were asked longest ago make room, to come back from pinned memory of the host if there
    is some. What does not fit at all is searched by the host. A huge namespace lies in parts on several devices, which
    are searched at the same time. Answers are the same wherever they are from.
    """

    def __init__(self, *pools: DevicePool, pinned: DevicePool | None = None, codes: CodeRules | None = None) -> None:
        """Begins empty.

        Args:
            pools: memory that nobody else uses, of one device each; at least one.
            pinned: pinned memory of the host for what makes room on a device, or none.
            codes: which namespaces are searched by codes, of whose best one may be missing; None: none is.
        """
        self._pinned = None if pinned is None else PinnedCopies(pinned)
        self._devices = [DeviceCopies(pool, self._pinned, codes) for pool in pools]
        self._spread = Spread(self._devices)
        self._threads = ThreadPoolExecutor(max(1, len(pools) - 1), thread_name_prefix="device")
        self._lock = threading.RLock()
        self._searched_on_host = 0

    @property
    def residency(self) -> Residency:
        """Figures of now."""
        with self._lock:
            return Residency(
                resident=len({namespace for device in self._devices for namespace, _ in device.places()}),
                device_bytes=sum(device.memory_bytes() for device in self._devices),
                evicted=sum(device.evicted for device in self._devices),
                returned=sum(device.returned for device in self._devices),
                pinned=0 if self._pinned is None else len(self._pinned),
                pinned_bytes=0 if self._pinned is None else self._pinned.bytes,
                searched_on_host=self._searched_on_host,
                lost=sum(device.is_lost for device in self._devices),
            )

    def warm_up(self, dims: Iterable[int], limits: Sequence[int]) -> None:
        """Compiles the kernels of searches, so that none waits for them; takes seconds the first time.

        Args:
            dims: of the vectors that will be searched.
            limits: how many memories will be asked for.
        """
        with self._lock:
            for device, dim in product(self._devices, dims):
                warm_up(device.pool.device, dim, limits)

    def search(self, queries: Sequence[Query]) -> list[Best]:
        """The best memories of each query's namespace that its filter lets through, equal scores by slot.

        A device that fails is given up, and the others answer for it.

        Raises:
            DeviceLostError: no device is left.
        """
        with self._lock, _pinned(queries) as seen:
            tasks = [task for number, query in enumerate(queries) for task in self._tasks(number, query, seen)]
            found, on_host = self._answered(queries, tasks, DeviceCopies.search)
            best = found[None].named(seen)
            for number in on_host:
                best[number] = self._on_host(queries[number], seen[queries[number].namespace])
            return best

    def channels(self, queries: Sequence[ChannelQuery]) -> list[ChannelBests]:
        """The best memories of every list that each query asks for, in one pass over its namespace.

        Attributes are copied to a device the first time that they are asked for. A namespace that lies in parts has
        none there: the host answers for it.

        Raises:
            DeviceLostError: no device is left.
        """
        with self._lock, _pinned(queries) as seen:
            parts = [self._tasks(number, query, seen) for number, query in enumerate(queries)]
            found, on_host = self._answered(queries, [own[0] for own in parts if len(own) == 1], DeviceCopies.channels)
            lists = {which: answers.named(seen) for which, answers in found.items()}
            return [
                self._channels_on_host(query, seen[query.namespace])
                if number in on_host
                else ChannelBests(
                    None if query.vector is None else lists[None][number],
                    {which: lists[which][number] for which in query.question.listed},
                )
                for number, query in enumerate(queries)
            ]

    def drop(self, namespace: NamespaceBank) -> None:
        """Takes a namespace off the devices; its pages are zeroed."""
        with self._lock:
            namespace.unwatch(self._rows_are_gone)
            for start in self._spread.starts(namespace):
                self._drop_part(namespace, start)
            for device in self._devices:
                device.forget(namespace)
            self._spread.forget(namespace)

    def close(self) -> None:
        """Ends the threads; nobody may search any more."""
        self._threads.shutdown()

    def _answered(
        self, queries: Sequence[Q], tasks: Sequence[Task[Q]], work: Work[Q]
    ) -> tuple[Mapping[Listed | None, Answers], set[int]]:
        """What the devices find, by list, and the numbers of the queries that are left to the host."""
        found: defaultdict[Listed | None, Answers] = defaultdict(lambda: Answers(queries))
        on_host = set(range(len(queries))) - {task.number for task in tasks}
        waiting = list(tasks)
        while waiting:
            waiting, unfit = self._on_devices(waiting, work, found)
            on_host.update(task.number for task in unfit)
            waiting = [task for task in waiting if task.number not in on_host]
        self._searched_on_host += len(on_host)
        return found, on_host

    def _tasks(self, number: int, query: Q, seen: Mapping[NamespaceBank, Published]) -> list[Task[Q]]:
        """A task for each part of a query's namespace; none for closed versions, which are not on devices."""
        if query.scan.as_of_us is not None:
            return []
        rows = seen[query.namespace].current_rows
        parts = parts_of(rows.codes, rows.n_views, self._spread.most_bytes)
        return [Task(number, query, seen[query.namespace], start, end) for start, end in parts]

    def _on_devices(
        self, tasks: Sequence[Task[Q]], work: Work[Q], found: Mapping[Listed | None, Answers]
    ) -> tuple[list[Task[Q]], list[Task[Q]]]:
        """Has every device work on what it holds, all at the same time.

        Returns:
            Tasks of devices that failed, and tasks that a device has no room for.
        """
        self._spread.begin()
        by_device: dict[DeviceCopies, list[Task[Q]]] = {}
        for task in tasks:
            namespace = task.query.namespace
            device = self._spread.device_for(namespace, task.start, _bytes_of(task))
            if device is None:
                raise DeviceLostError
            namespace.watch(self._rows_are_gone)
            by_device.setdefault(device, []).append(task)
        (here, own), *others = by_device.items()
        coming = [(part, self._threads.submit(_worked, work, device, part)) for device, part in others]
        failed: list[Task[Q]] = []
        unfit: list[Task[Q]] = []
        for part, done in [(own, _worked(work, here, own)), *((part, one.result()) for part, one in coming)]:
            if done is None:
                failed += part
            else:
                for hits in done[0]:
                    found[hits.which].add(hits)
                unfit += done[1]
        return failed, unfit

    def _on_host(self, query: Query, seen: Published) -> Best:
        with query.namespace.view_of(seen, query.scan) as view:
            return _named(view, seen, *view.top(view.dense(query.vector), query.limit))

    def _channels_on_host(self, query: ChannelQuery, seen: Published) -> ChannelBests:
        with query.namespace.view_of(seen, query.scan) as view:
            lists = host_channels.channels(view, query.question, query.limit)
            nearest = None if query.vector is None else view.top(view.dense(query.vector), query.limit)
            return ChannelBests(
                None if nearest is None else _named(view, seen, *nearest),
                {which: _named(view, seen, *top) for which, top in lists.items()},
            )

    def _rows_are_gone(self, namespace: NamespaceBank) -> None:
        """Overwrites what was erased on the host, or lets go of copies of rows that were moved there."""
        with self._lock, namespace.pinned() as seen:
            for start in self._spread.starts(namespace):
                for copy in self._copies(namespace, start):
                    if copy.segment is seen.current:
                        copy.bury(seen.current_rows)
                    else:
                        self._drop_part(namespace, start)

    def _copies(self, namespace: NamespaceBank, start: int) -> list[SegmentCopy]:
        holders: list[Callable[[tuple[NamespaceBank, int]], SegmentCopy | None]] = [one.get for one in self._devices]
        if self._pinned is not None:
            holders.append(self._pinned.get)
        return [copy for get in holders if (copy := get((namespace, start))) is not None]

    def _drop_part(self, namespace: NamespaceBank, start: int) -> None:
        for device in self._devices:
            device.drop((namespace, start))
        if self._pinned is not None:
            self._pinned.drop((namespace, start))


@contextmanager
def _pinned(queries: Sequence[Q]) -> Iterator[dict[NamespaceBank, Published]]:
    """What is there now of each namespace of a batch, once for all its queries."""
    seen: dict[NamespaceBank, Published] = {}
    try:
        for query in queries:
            if query.namespace not in seen:
                seen[query.namespace] = query.namespace.pin()
        yield seen
    finally:
        for namespace, pinned in seen.items():
            namespace.unpin(pinned)


def _worked(work: Work[Q], device: DeviceCopies, tasks: Sequence[Task[Q]]) -> Outcome[Q] | None:
    """What a device found; None if it failed, and is given up."""
    try:
        return work(device, tasks)
    except Exception as error:  # noqa: BLE001 - whatever a driver raises, the other devices and the host go on
        logger.warning("a device failed and is not used any more: %s: %s", type(error).__name__, error)
        device.lose()
        return None


def _named(view: BankView, seen: Published, slots: NDArray[np.int64], scores: NDArray[np.float32]) -> Best:
    """Names of slots of a view, best first."""
    versions = view.column("versions", slots).astype(np.int32, copy=False)
    owner = seen.current_rows.codes.owner if view.scan.as_of_us is None else NOWHERE
    return Best(view.memory_id(slots), versions, scores, slots, owner)


def _bytes_of(task: Task[Q]) -> int:
    """What the vectors of a part take on a device, about."""
    rows = task.seen.current_rows
    end = rows.n_views if task.end is None else task.end
    return (end - task.start) * rows.codes.layout.element_bytes
