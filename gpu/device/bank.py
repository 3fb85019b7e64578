"""The namespaces that are on a device, and searches over them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank, Published
from gpu.bank.segment import gather
from gpu.device.best import Best
from gpu.device.mirror import DeviceRows
from gpu.device.pool import DeviceMemoryFullError, DevicePool
from gpu.ops.paged_search.op import paged_search, plan


@dataclass(slots=True)
class Residency:
    """What the device holds, and what it took to keep it there, since the start.

    Attributes:
        resident: namespaces on the device.
        evicted: how often one made room for another.
        searched_on_host: searches of namespaces that the device has no room for at all.
    """

    resident: int = 0
    evicted: int = 0
    searched_on_host: int = 0


class DeviceBank:
    """Copies of namespaces on one device. Thread-safe; one batch at a time.

    The host's bank has everything: a namespace that is not here is copied when it is asked, and the ones that were
    asked longest ago make room. What does not fit at all is searched by the host. Answers are the same wherever they
    are from.
    """

    def __init__(self, pool: DevicePool) -> None:
        """Begins empty, with memory that nobody else uses."""
        self._pool = pool
        self._here: OrderedDict[NamespaceBank, DeviceRows] = OrderedDict()  # asked longest ago first
        self._lock = threading.RLock()
        self.residency = Residency()

    def search(
        self, queries: NDArray[np.float32], asked: Sequence[tuple[NamespaceBank, ScanFilter]], k: int
    ) -> list[Best]:
        """The k best memories of each query's namespace that its filter lets through, equal scores by slot.

        Args:
            queries: float32 `[b, dim]`.
            asked: the namespace of each query, of dimension `dim`, and its filter.
            k: how many, at least 1.
        """
        found: dict[int, Best] = {}
        with self._lock:
            waiting = list(range(len(asked)))
            while waiting:
                with ExitStack() as pins:
                    part, seen, waiting = self._fitting(pins, asked, waiting)
                    if part:
                        found |= zip(
                            part, self._on_device(queries[part], [asked[i] for i in part], seen, k), strict=True
                        )
                    else:
                        first = waiting.pop(0)
                        found[first] = self._on_host(queries[first], *asked[first], k)
        return [found[i] for i in range(len(asked))]

    def drop(self, namespace: NamespaceBank) -> None:
        """Takes a namespace off the device; its pages are zeroed."""
        with self._lock:
            if (rows := self._here.pop(namespace, None)) is not None:
                namespace.unwatch(self._rows_are_gone)
                rows.release()
                self.residency.resident -= 1

    def memory_bytes(self) -> int:
        """Device bytes of the pages that are in use."""
        with self._lock:
            return sum(rows.memory_bytes for rows in self._here.values())

    def _on_device(
        self,
        queries: NDArray[np.float32],
        asked: Sequence[tuple[NamespaceBank, ScanFilter]],
        seen: dict[NamespaceBank, Published],
        k: int,
    ) -> list[Best]:
        rows = [self._here[namespace].rows for namespace, _ in asked]
        vectors = torch.from_numpy(np.ascontiguousarray(queries, np.float32)).to(self._pool.bytes.device)
        found = paged_search(vectors, plan(rows, self._masks(asked, seen)), k)
        slots, scores = found.slots.cpu().numpy().astype(np.int64), found.scores.cpu().numpy()
        return [
            _best(seen[namespace], own[own >= 0], of[own >= 0])
            for (namespace, _), own, of in zip(asked, slots, scores, strict=True)
        ]

    def _masks(
        self, asked: Sequence[tuple[NamespaceBank, ScanFilter]], seen: dict[NamespaceBank, Published]
    ) -> list[torch.Tensor | None]:
        """Which memories count, for each query, in one copy to the device; None where all do."""
        places: dict[tuple[NamespaceBank, int], slice | None] = {}
        parts: list[NDArray[np.uint8]] = []
        at = 0
        for namespace, scan in asked:
            if (key := (namespace, id(scan))) in places:  # the same filter object is the same filter
                continue
            with namespace.view_of(seen[namespace], scan) as view:
                if view.eligible == view.n_slots:
                    places[key] = None
                else:
                    places[key] = slice(at, at + view.n_slots)
                    parts.append(view.mask())
                    at += view.n_slots
        if not parts:
            return [None] * len(asked)
        packed = torch.from_numpy(np.concatenate(parts)).to(self._pool.bytes.device)
        of = [places[namespace, id(scan)] for namespace, scan in asked]
        return [None if place is None else packed[place] for place in of]

    def _on_host(self, query: NDArray[np.float32], namespace: NamespaceBank, scan: ScanFilter, k: int) -> Best:
        self.residency.searched_on_host += 1
        with namespace.pinned() as seen, namespace.view_of(seen, scan) as view:
            return _best(seen, *view.top(view.dense(query), k))

    def _fitting(
        self, pins: ExitStack, asked: Sequence[tuple[NamespaceBank, ScanFilter]], waiting: list[int]
    ) -> tuple[list[int], dict[NamespaceBank, Published], list[int]]:
        """Of the queries that wait, those whose namespaces are all here now, what was pinned of these, and the rest."""
        part: list[int] = []
        seen: dict[NamespaceBank, Published] = {}
        for at, number in enumerate(waiting):
            namespace = asked[number][0]
            if asked[number][1].as_of_us is not None:  # closed versions are not on the device
                return part, seen, waiting[at:]
            if namespace not in seen:
                published = pins.enter_context(namespace.pinned())
                if not self._follow(namespace, published, seen):
                    return part, seen, waiting[at:]
                seen[namespace] = published
            part.append(number)
        return part, seen, []

    def _follow(self, namespace: NamespaceBank, seen: Published, wanted: dict[NamespaceBank, Published]) -> bool:
        """Brings a namespace up to date here; False if there is no room beside the wanted ones."""
        rows = self._here.get(namespace)
        if rows is not None and rows.segment is not seen.current:
            self.drop(namespace)
            rows = None
        if rows is None:
            rows = self._here[namespace] = DeviceRows(self._pool, seen.current)
            namespace.watch(self._rows_are_gone)
            self.residency.resident += 1
        self._here.move_to_end(namespace)
        while True:
            try:
                rows.follow(seen.current_rows)
            except DeviceMemoryFullError:
                oldest = next((one for one in self._here if one is not namespace and one not in wanted), None)
                if oldest is None:
                    self.drop(namespace)
                    return False
                self.drop(oldest)
                self.residency.evicted += 1
            else:
                return True

    def _rows_are_gone(self, namespace: NamespaceBank) -> None:
        """Overwrites what was erased on the host, or lets go of a copy of rows that were moved there."""
        with self._lock, namespace.pinned() as seen:
            rows = self._here.get(namespace)
            if rows is not None and rows.segment is seen.current:
                rows.bury(seen.current_rows)
            else:
                self.drop(namespace)


def _best(seen: Published, slots: NDArray[np.int64], scores: NDArray[np.float32]) -> Best:
    """Names of slots, best first."""
    order = np.argsort(slots)
    found = gather(seen.current_rows.attributes, ("memory_id", "versions"), slots[order])
    ids, versions = np.empty_like(found["memory_id"]), np.empty_like(found["versions"])
    ids[order], versions[order] = found["memory_id"], found["versions"]
    return Best(ids, versions, scores, slots, seen.current_rows.codes.owner)
