"""The namespaces that are on devices, and searches over them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np

from gpu.bank.namespace import NamespaceBank, Published
from gpu.device.answers import Answers
from gpu.device.best import NOWHERE, Best
from gpu.device.copies import DeviceCopies, Hits, Task
from gpu.device.errors import DeviceLostError
from gpu.device.mirror import DeviceRows
from gpu.device.pinned import PinnedCopies
from gpu.device.pool import DevicePool
from gpu.device.query import Query
from gpu.device.residency import Residency
from gpu.device.spread import Spread, parts_of

logger = logging.getLogger(__name__)

Outcome = tuple[list[Hits], list[Task]]
"""What a device found, and what it has no room for."""


class DeviceBank:
    """Copies of namespaces on one device or several. Thread-safe; one batch at a time.

    The host's bank has everything: a namespace that is not here is copied when it is asked, to the device with the most
    free memory, and those that were asked longest ago make room, to come back from pinned memory of the host if there
    is some. What does not fit at all is searched by the host. A huge namespace lies in parts on several devices, which
    are searched at the same time. Answers are the same wherever they are from.
    """

    def __init__(self, *pools: DevicePool, pinned: DevicePool | None = None) -> None:
        """Begins empty.

        Args:
            pools: memory that nobody else uses, of one device each; at least one.
            pinned: pinned memory of the host for what makes room on a device, or none.
        """
        self._pinned = None if pinned is None else PinnedCopies(pinned)
        self._devices = [DeviceCopies(pool, self._pinned) for pool in pools]
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

    def search(self, queries: Sequence[Query]) -> list[Best]:
        """The best memories of each query's namespace that its filter lets through, equal scores by slot.

        A device that fails is given up, and the others answer for it.

        Raises:
            DeviceLostError: no device is left.
        """
        with self._lock, ExitStack() as pins:
            seen: dict[NamespaceBank, Published] = {}
            for query in queries:
                if query.namespace not in seen:
                    seen[query.namespace] = pins.enter_context(query.namespace.pinned())
            return self._searched(queries, seen)

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

    def _searched(self, queries: Sequence[Query], seen: dict[NamespaceBank, Published]) -> list[Best]:
        found = Answers(queries)
        on_host = {number for number, query in enumerate(queries) if query.scan.as_of_us is not None}  # closed versions
        waiting = [
            task
            for number, query in enumerate(queries)
            if number not in on_host
            for task in self._tasks(number, query, seen[query.namespace])
        ]
        while waiting:
            waiting, unfit = self._on_devices(waiting, found)
            on_host.update(task.number for task in unfit)
            waiting = [task for task in waiting if task.number not in on_host]
        best = found.named(seen)
        for number in on_host:
            best[number] = self._on_host(queries[number], seen[queries[number].namespace])
        return best

    def _tasks(self, number: int, query: Query, seen: Published) -> list[Task]:
        rows = seen.current_rows
        parts = parts_of(rows.codes, rows.n_views, self._spread.most_bytes)
        return [Task(number, query, seen, start, end) for start, end in parts]

    def _on_devices(self, tasks: Sequence[Task], found: Answers) -> tuple[list[Task], list[Task]]:
        """Has every device work on what it holds, all at the same time.

        Returns:
            Tasks of devices that failed, and tasks that a device has no room for.
        """
        self._spread.begin()
        by_device: dict[DeviceCopies, list[Task]] = {}
        for task in tasks:
            namespace = task.query.namespace
            device = self._spread.device_for(namespace, task.start, _bytes_of(task))
            if device is None:
                raise DeviceLostError
            namespace.watch(self._rows_are_gone)
            by_device.setdefault(device, []).append(task)
        (here, own), *others = by_device.items()
        coming = [(part, self._threads.submit(_worked, device, part)) for device, part in others]
        failed: list[Task] = []
        unfit: list[Task] = []
        for part, done in [(own, _worked(here, own)), *((part, one.result()) for part, one in coming)]:
            if done is None:
                failed += part
            else:
                for hits in done[0]:
                    found.add(hits)
                unfit += done[1]
        return failed, unfit

    def _on_host(self, query: Query, seen: Published) -> Best:
        self._searched_on_host += 1
        with query.namespace.view_of(seen, query.scan) as view:
            slots, scores = view.top(view.dense(query.vector), query.limit)
            versions = view.column("versions", slots).astype(np.int32, copy=False)
            owner = seen.current_rows.codes.owner if query.scan.as_of_us is None else NOWHERE
            return Best(view.memory_id(slots), versions, scores, slots, owner)

    def _rows_are_gone(self, namespace: NamespaceBank) -> None:
        """Overwrites what was erased on the host, or lets go of copies of rows that were moved there."""
        with self._lock, namespace.pinned() as seen:
            for start in self._spread.starts(namespace):
                for rows in self._copies(namespace, start):
                    if rows.segment is seen.current:
                        rows.bury(seen.current_rows.epoch)
                    else:
                        self._drop_part(namespace, start)

    def _copies(self, namespace: NamespaceBank, start: int) -> list[DeviceRows]:
        holders: list[Callable[[tuple[NamespaceBank, int]], DeviceRows | None]] = [one.get for one in self._devices]
        if self._pinned is not None:
            holders.append(self._pinned.get)
        return [rows for get in holders if (rows := get((namespace, start))) is not None]

    def _drop_part(self, namespace: NamespaceBank, start: int) -> None:
        for device in self._devices:
            device.drop((namespace, start))
        if self._pinned is not None:
            self._pinned.drop((namespace, start))


def _worked(device: DeviceCopies, tasks: Sequence[Task]) -> Outcome | None:
    """What a device found; None if it failed, and is given up."""
    try:
        return device.search(tasks)
    except Exception as error:  # noqa: BLE001 - whatever a driver raises, the other devices and the host go on
        logger.warning("a device failed and is not used any more: %s: %s", type(error).__name__, error)
        device.lose()
        return None


def _bytes_of(task: Task) -> int:
    """What a part takes on a device, about."""
    rows = task.seen.current_rows
    end = rows.n_views if task.end is None else task.end
    return (end - task.start) * rows.codes.layout.element_bytes
