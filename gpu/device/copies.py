"""The copies on one device, and searches over them."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from gpu.bank.namespace import NamespaceBank, Published
from gpu.device.kept_plan import KeptPlan
from gpu.device.masks import DeviceMasks
from gpu.device.pinned import PinnedCopies, Place
from gpu.device.pool import DeviceMemoryFullError, DevicePool
from gpu.device.query import ChannelQuery, Query
from gpu.device.rules import CodeRules
from gpu.device.segment_copy import SegmentCopy
from gpu.ops.channel_pass import op as channel_pass
from gpu.ops.channel_pass.questions import Listed
from gpu.ops.coarse_search import op as coarse_search
from gpu.ops.paged_search.op import Found, searched

_FULL = (DeviceMemoryFullError, torch.OutOfMemoryError)
Q = TypeVar("Q", bound=Query | ChannelQuery)


class Task(NamedTuple, Generic[Q]):
    """A query over one part of its namespace.

    Attributes:
        number: of the query in its batch.
        query: what is asked.
        seen: what was pinned of the namespace.
        start, end: the part, see `gpu.device.spread.parts_of`.
    """

    number: int
    query: Q
    seen: Published
    start: int
    end: int | None

    @property
    def place(self) -> Place:
        """The part, as copies are known by."""
        return self.query.namespace, self.start


class Hits(NamedTuple):
    """One list of each of some queries.

    Attributes:
        numbers: of the queries, `[b]`.
        slots: int64 `[b, k]`; -1 where there are fewer.
        scores: float32 `[b, k]`.
        which: the list; None for the nearest memories.
    """

    numbers: list[int]
    slots: NDArray[np.int64]
    scores: NDArray[np.float32]
    which: Listed | None = None


Outcome = tuple[list[Hits], list[Task[Q]]]
"""What a device found, and what it has no room for."""


class DeviceCopies:
    """What is on one device. One caller at a time.

    Attributes:
        pool: its memory.
        is_lost: whether it failed once: after most errors of a kernel nothing works on a device any more.
        evicted: how often a copy made room for another.
        returned: how often one came back from pinned memory.
    """

    def __init__(self, pool: DevicePool, pinned: PinnedCopies | None, codes: CodeRules | None = None) -> None:
        """Begins empty.

        Args:
            pool: memory that nobody else uses.
            pinned: where copies go that make room; None: they are made anew from the host's pages.
            codes: which namespaces are searched by codes; None: none is.
        """
        self.pool = pool
        self.is_lost = False
        self.evicted = 0
        self.returned = 0
        self._pinned = pinned
        self._codes = codes
        self._here: OrderedDict[Place, SegmentCopy] = OrderedDict()  # asked longest ago first
        self._masks = DeviceMasks(pool.device)
        self._plan = KeptPlan()

    def search(self, tasks: Sequence[Task[Query]]) -> Outcome[Query]:
        """The nearest memories in parts of namespaces, in as few launches as their memory and dimensions allow."""
        return self._answered(tasks, self._launch, attributes=False)

    def channels(self, tasks: Sequence[Task[ChannelQuery]]) -> Outcome[ChannelQuery]:
        """Every list that is asked for of whole namespaces, in the same way."""
        return self._answered(tasks, self._launch_channels, attributes=True)

    def has(self, place: Place) -> bool:
        """Whether a part is here."""
        return place in self._here

    def places(self) -> Iterator[Place]:
        """The parts that are here."""
        return iter(self._here)

    def get(self, place: Place) -> SegmentCopy | None:
        """The copy of a part."""
        return self._here.get(place)

    def drop(self, place: Place) -> None:
        """Takes a part off the device; its pages are zeroed."""
        if (copy := self._here.pop(place, None)) is not None:
            self._plan.forget()
            copy.release()

    def forget(self, namespace: NamespaceBank) -> None:
        """Lets go of what is kept of a namespace beside its parts."""
        self._masks.drop(namespace)
        self._plan.forget()

    def lose(self) -> None:
        """Gives the device up, without touching it."""
        self.is_lost = True
        self._here.clear()
        self._plan.forget()
        self._masks = DeviceMasks(torch.device("cpu"))

    def memory_bytes(self) -> int:
        """Bytes of the pages that are in use."""
        return sum(copy.memory_bytes for copy in self._here.values())

    def _answered(
        self, tasks: Sequence[Task[Q]], launch: Callable[[Sequence[Task[Q]]], list[Hits]], *, attributes: bool
    ) -> Outcome[Q]:
        hits: list[Hits] = []
        unfit: list[Task[Q]] = []
        waiting = list(tasks)
        with self.pool.active():
            while waiting:
                fitting, waiting = self._fitting(waiting, attributes=attributes)
                if not fitting:
                    unfit.append(waiting.pop(0))
                together: defaultdict[int | None, list[Task[Q]]] = defaultdict(list)
                for task in fitting:
                    together[None if task.query.vector is None else task.query.vector.size].append(task)
                for part in together.values():
                    hits += _halved(launch, part, unfit)
        return hits, unfit

    def _launch(self, tasks: Sequence[Task[Query]]) -> list[Hits]:
        exact = [task for task in tasks if self._here[task.place].codes is None]
        by_codes = [task for task in tasks if self._here[task.place].codes is not None]
        return [
            Hits([task.number for task in some], *search(some))
            for search, some in ((self._exact, exact), (self._by_codes, by_codes))
            if some
        ]

    def _exact(self, tasks: Sequence[Task[Query]]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        rows = [self._here[task.place].rows.rows for task in tasks]
        batch = self._plan.plan(rows, self._all_masks(tasks))
        vectors = self._sent([task.query.vector for task in tasks])
        return searched(vectors, batch, max(task.query.limit for task in tasks))

    def _by_codes(self, tasks: Sequence[Task[Query]]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """What codes propose, scored exactly."""
        copies = [self._here[task.place] for task in tasks]
        coded = [copy.codes.coded for copy in copies if copy.codes is not None]
        limit = max(task.query.limit for task in tasks)
        batch = coarse_search.plan(coded, [copy.rows.rows for copy in copies], limit, self._all_masks(tasks))
        found = coarse_search.coarse_search(self._sent([task.query.vector for task in tasks]), batch, limit)
        return _read(Found(found.slots, found.scores))

    def _all_masks(self, tasks: Sequence[Task[Query]]) -> list[torch.Tensor | None]:
        return [self._masks.mask(task.query.namespace, task.seen, task.query.scan) for task in tasks]

    def _launch_channels(self, tasks: Sequence[Task[ChannelQuery]]) -> list[Hits]:
        copies = [self._here[task.place] for task in tasks]
        vectors = [task.query.vector for task in tasks if task.query.vector is not None]  # all have one, or none has
        batch = channel_pass.plan(
            [copy.attributes.attributes for copy in copies if copy.attributes is not None],
            [task.query.packed for task in tasks if task.query.packed is not None],
            [copy.rows.rows for copy in copies] if vectors else None,
            [self._set_of(task) for task in tasks],
        )
        limit = max(task.query.limit for task in tasks)
        found = channel_pass.channel_pass(self._sent(vectors) if vectors else None, batch, limit)
        hits = [] if found.dense is None else [Hits([task.number for task in tasks], *_read(found.dense))]
        slots, scores = _read(found.best)
        for which in Listed:
            lists = [at for at, (_, one) in enumerate(found.listed) if one is which]
            if lists:
                numbers = [tasks[found.listed[at][0]].number for at in lists]
                hits.append(Hits(numbers, slots[lists], scores[lists], which))
        return hits

    def _set_of(self, task: Task[ChannelQuery]) -> torch.Tensor | None:
        """A set of memories found elsewhere, which the host looks for: it has their ids. The pass does the rest."""
        if task.query.scan.allowed is None:
            return None
        return self._masks.mask(task.query.namespace, task.seen, task.query.scan)

    def _sent(self, vectors: Sequence[NDArray[np.float32]]) -> torch.Tensor:
        together = np.stack(vectors).astype(np.float32, copy=False)
        there = torch.empty(together.shape, device=self.pool.device)
        self.pool.write_to(there, together)
        return there

    def _fitting(self, waiting: list[Task[Q]], *, attributes: bool) -> tuple[list[Task[Q]], list[Task[Q]]]:
        """The tasks whose parts are all here now, and up to date, and the rest."""
        wanted: set[Place] = set()
        for at, task in enumerate(waiting):
            if task.place not in wanted:
                if not self._follow(task, wanted, attributes=attributes):
                    return waiting[:at], waiting[at:]
                wanted.add(task.place)
        return waiting, []

    def _follow(self, task: Task[Q], wanted: set[Place], *, attributes: bool) -> bool:
        """Brings a part up to date here; False if there is no room beside the wanted ones."""
        place, seen = task.place, task.seen
        copy = self._here.get(place)
        if copy is not None and copy.segment is not seen.current:
            self.drop(place)
            copy = None
        while True:
            try:
                if copy is None:
                    copy = self._here[place] = self._returned(place, seen) or SegmentCopy(
                        self.pool, seen.current, task.start, self._codes
                    )
                self._here.move_to_end(place)
                copy.follow(seen.current_rows, task.end, attributes=attributes)
            except _FULL:
                if self._evict(place, wanted):
                    continue
                if copy is not None and copy.drop_codes():
                    continue
                if copy is None or not copy.drop_attributes():
                    self.drop(place)
                    return False
                if attributes:  # the vectors stay for those who ask for these alone
                    return False
            else:
                return True

    def _returned(self, place: Place, seen: Published) -> SegmentCopy | None:
        """A copy that comes back from pinned memory, if there is one of these rows.

        Raises:
            DeviceMemoryFullError: there is no room for it.
        """
        copy = None if self._pinned is None else self._pinned.returned_to(self.pool, place)
        if copy is None:
            return None
        if copy.segment is not seen.current:
            copy.release()
            return None
        self.returned += 1
        return copy

    def _evict(self, place: Place, wanted: set[Place]) -> bool:
        """Lets the part that was asked longest ago make room, but for this one and the wanted ones."""
        oldest = next((one for one in self._here if one != place and one not in wanted), None)
        if oldest is None:
            return False
        copy = self._here.pop(oldest)
        self._plan.forget()
        if self._pinned is None or not self._pinned.keep(oldest, copy):
            copy.release()
        self.evicted += 1
        return True


def _halved(
    launch: Callable[[Sequence[Task[Q]]], list[Hits]], tasks: Sequence[Task[Q]], unfit: list[Task[Q]]
) -> Iterator[Hits]:
    """Answers to tasks of one dimension; halved where the device lacks memory for so many at once."""
    try:
        yield from launch(tasks)
    except torch.OutOfMemoryError:
        if len(tasks) == 1:
            unfit += tasks
            return
        middle = len(tasks) // 2
        for half in (tasks[:middle], tasks[middle:]):
            yield from _halved(launch, half, unfit)


def _read(found: Found) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Slots and scores on the host; waits for the device, once for both."""
    both = torch.cat([found.slots, found.scores.view(torch.int32)]).cpu()
    slots, scores = both.chunk(2)
    return slots.numpy().astype(np.int64), scores.view(torch.float32).numpy()
