"""The copies on one device, and searches over them."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from gpu.bank.namespace import NamespaceBank, Published
from gpu.device.masks import DeviceMasks
from gpu.device.mirror import DeviceRows
from gpu.device.pinned import PinnedCopies, Place
from gpu.device.pool import DeviceMemoryFullError, DevicePool
from gpu.device.query import Query
from gpu.ops.paged_search.op import paged_search, plan

_FULL = (DeviceMemoryFullError, torch.OutOfMemoryError)


class Task(NamedTuple):
    """A query over one part of its namespace.

    Attributes:
        number: of the query in its batch.
        query: what is asked.
        seen: what was pinned of the namespace.
        start, end: the part, see `gpu.device.spread.parts_of`.
    """

    number: int
    query: Query
    seen: Published
    start: int
    end: int | None

    @property
    def place(self) -> Place:
        """The part, as copies are known by."""
        return self.query.namespace, self.start


class Hits(NamedTuple):
    """Answers of a launch: numbers of the queries `[b]`, slots int64 `[b, k]` (-1: fewer), scores float32 `[b, k]`."""

    numbers: list[int]
    slots: NDArray[np.int64]
    scores: NDArray[np.float32]


class DeviceCopies:
    """What is on one device. One caller at a time.

    Attributes:
        pool: its memory.
        is_lost: whether it failed once: after most errors of a kernel nothing works on a device any more.
        evicted: how often a copy made room for another.
        returned: how often one came back from pinned memory.
    """

    def __init__(self, pool: DevicePool, pinned: PinnedCopies | None) -> None:
        """Begins empty.

        Args:
            pool: memory that nobody else uses.
            pinned: where copies go that make room; None: they are made anew from the host's pages.
        """
        self.pool = pool
        self.is_lost = False
        self.evicted = 0
        self.returned = 0
        self._pinned = pinned
        self._here: OrderedDict[Place, DeviceRows] = OrderedDict()  # asked longest ago first
        self._masks = DeviceMasks(pool.bytes.device)

    def search(self, tasks: Sequence[Task]) -> tuple[list[Hits], list[Task]]:
        """Searches parts of namespaces, in as few launches as their memory and dimensions allow.

        Returns:
            Answers, and the tasks that the device has no room for.
        """
        hits: list[Hits] = []
        unfit: list[Task] = []
        waiting = list(tasks)
        with self.pool.active():
            while waiting:
                fitting, waiting = self._fitting(waiting)
                if not fitting:
                    unfit.append(waiting.pop(0))
                by_dim: defaultdict[int, list[Task]] = defaultdict(list)
                for task in fitting:
                    by_dim[task.query.namespace.dim].append(task)
                for part in by_dim.values():
                    hits += self._launched(part, unfit)
        return hits, unfit

    def has(self, place: Place) -> bool:
        """Whether a part is here."""
        return place in self._here

    def places(self) -> Iterator[Place]:
        """The parts that are here."""
        return iter(self._here)

    def get(self, place: Place) -> DeviceRows | None:
        """The copy of a part."""
        return self._here.get(place)

    def drop(self, place: Place) -> None:
        """Takes a part off the device; its pages are zeroed."""
        if (rows := self._here.pop(place, None)) is not None:
            rows.release()

    def forget(self, namespace: NamespaceBank) -> None:
        """Lets go of what is kept of a namespace beside its parts."""
        self._masks.drop(namespace)

    def lose(self) -> None:
        """Gives the device up, without touching it."""
        self.is_lost = True
        self._here.clear()
        self._masks = DeviceMasks(torch.device("cpu"))

    def memory_bytes(self) -> int:
        """Bytes of the pages that are in use."""
        return sum(rows.memory_bytes for rows in self._here.values())

    def _launched(self, tasks: list[Task], unfit: list[Task]) -> Iterator[Hits]:
        """Answers to tasks of one dimension; halved where the device lacks memory for so many at once."""
        try:
            yield self._launch(tasks)
        except torch.OutOfMemoryError:
            if len(tasks) == 1:
                unfit += tasks
                return
            middle = len(tasks) // 2
            for half in (tasks[:middle], tasks[middle:]):
                yield from self._launched(half, unfit)

    def _launch(self, tasks: Sequence[Task]) -> Hits:
        masks = [self._masks.mask(task.query.namespace, task.seen, task.query.scan) for task in tasks]
        rows = [self._here[task.place].rows for task in tasks]
        vectors = np.stack([task.query.vector for task in tasks]).astype(np.float32, copy=False)
        queries = torch.from_numpy(vectors).to(self.pool.bytes.device)
        found = paged_search(queries, plan(rows, masks), max(task.query.limit for task in tasks))
        slots, scores = found.slots.cpu().numpy().astype(np.int64), found.scores.cpu().numpy()
        return Hits([task.number for task in tasks], slots, scores)

    def _fitting(self, waiting: list[Task]) -> tuple[list[Task], list[Task]]:
        """The tasks whose parts are all here now, and up to date, and the rest."""
        wanted: set[Place] = set()
        for at, task in enumerate(waiting):
            if task.place not in wanted:
                if not self._follow(task, wanted):
                    return waiting[:at], waiting[at:]
                wanted.add(task.place)
        return waiting, []

    def _follow(self, task: Task, wanted: set[Place]) -> bool:
        """Brings a part up to date here; False if there is no room beside the wanted ones."""
        place, seen = task.place, task.seen
        rows = self._here.get(place)
        if rows is not None and rows.segment is not seen.current:
            self.drop(place)
            rows = None
        while True:
            try:
                if rows is None:
                    rows = self._here[place] = self._returned(place, seen) or DeviceRows(
                        self.pool, seen.current, task.start
                    )
                self._here.move_to_end(place)
                rows.follow(seen.current_rows, task.end)
            except _FULL:
                if not self._evict(place, wanted):
                    self.drop(place)
                    return False
            else:
                return True

    def _returned(self, place: Place, seen: Published) -> DeviceRows | None:
        """A copy that comes back from pinned memory, if there is one of these rows.

        Raises:
            DeviceMemoryFullError: there is no room for it.
        """
        rows = None if self._pinned is None else self._pinned.returned_to(self.pool, place)
        if rows is None:
            return None
        if rows.segment is not seen.current:
            rows.release()
            return None
        self.returned += 1
        return rows

    def _evict(self, place: Place, wanted: set[Place]) -> bool:
        """Lets the part that was asked longest ago make room, but for this one and the wanted ones."""
        oldest = next((one for one in self._here if one != place and one not in wanted), None)
        if oldest is None:
            return False
        rows = self._here.pop(oldest)
        if self._pinned is None or not self._pinned.keep(oldest, rows):
            rows.release()
        self.evicted += 1
        return True
