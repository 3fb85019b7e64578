"""The namespaces that are on a device, and searches over them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank, Published
from gpu.bank.segment import Segment, gather
from gpu.bank.view import BankView
from gpu.device import host_channels
from gpu.device.attributes import DeviceAttributes
from gpu.device.best import Best
from gpu.device.channel_bests import ChannelBests
from gpu.device.mirror import DeviceRows
from gpu.device.page_mirror import PageMirror
from gpu.device.pool import DeviceMemoryFullError, DevicePool
from gpu.ops.channel_pass import op as channel_pass
from gpu.ops.channel_pass.questions import Question, pack
from gpu.ops.paged_search.op import Found, paged_search, plan

T = TypeVar("T")


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


class _Copy:
    """The copy of one segment: its vectors, and its attributes from the first question on that needs them."""

    def __init__(self, pool: DevicePool, segment: Segment) -> None:
        self.rows = DeviceRows(pool, segment)
        self.attributes: DeviceAttributes | None = None
        self._pool = pool

    @property
    def segment(self) -> Segment:
        """What it copies."""
        return self.rows.segment

    @property
    def mirrors(self) -> list[PageMirror]:
        """The parts that are there."""
        return [self.rows] if self.attributes is None else [self.rows, self.attributes]

    def wanted(self, *, attributes: bool) -> list[PageMirror]:
        """The parts that a question needs; made if need be."""
        if not attributes:
            return [self.rows]
        if self.attributes is None:
            self.attributes = DeviceAttributes(self._pool, self.segment)
        return self.mirrors


class DeviceBank:
    """Copies of namespaces on one device. Thread-safe; one batch at a time.

    The host's bank has everything: a namespace that is not here is copied when it is asked, and the ones that were
    asked longest ago make room. What does not fit at all is searched by the host. Answers are the same wherever they
    are from.
    """

    def __init__(self, pool: DevicePool) -> None:
        """Begins empty, with memory that nobody else uses."""
        self._pool = pool
        self._here: OrderedDict[NamespaceBank, _Copy] = OrderedDict()  # asked longest ago first
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
        return self._answered(
            asked,
            lambda part, seen: self._on_device(queries[part], [asked[i] for i in part], seen, k),
            lambda i: self._on_host(queries[i], *asked[i], k),
            attributes=False,
        )

    def channels(
        self, queries: NDArray[np.float32] | None, asked: Sequence[tuple[NamespaceBank, Question]], k: int
    ) -> list[ChannelBests]:
        """The k best memories of every list that each query asks for, in one pass over its namespace.

        Args:
            queries: float32 `[b, dim]`, for the nearest memories; None if they are not asked for.
            asked: the namespace of each query, of dimension `dim`, and what it asks.
            k: how many, at least 1.

        Raises:
            ValueError: the parts of a question do not fit together.
        """

        def on_device(part: list[int], seen: dict[NamespaceBank, Published]) -> list[ChannelBests]:
            return self._channels_on_device(
                None if queries is None else queries[part], [asked[i] for i in part], seen, k
            )

        def on_host(i: int) -> ChannelBests:
            return self._channels_on_host(None if queries is None else queries[i], *asked[i], k)

        return self._answered(
            [(namespace, question.scan) for namespace, question in asked], on_device, on_host, attributes=True
        )

    def _answered(
        self,
        asked: Sequence[tuple[NamespaceBank, ScanFilter]],
        on_device: Callable[[list[int], dict[NamespaceBank, Published]], Sequence[T]],
        on_host: Callable[[int], T],
        *,
        attributes: bool,
    ) -> list[T]:
        """The answer to each query: of what fits at the same time together, of what never fits by the host."""
        found: dict[int, T] = {}
        with self._lock:
            waiting = list(range(len(asked)))
            while waiting:
                with ExitStack() as pins:
                    part, seen, waiting = self._fitting(pins, asked, waiting, attributes=attributes)
                    if part:
                        found |= zip(part, on_device(part, seen), strict=True)
                    else:
                        first = waiting.pop(0)
                        self.residency.searched_on_host += 1
                        found[first] = on_host(first)
        return [found[i] for i in range(len(asked))]

    def drop(self, namespace: NamespaceBank) -> None:
        """Takes a namespace off the device; its pages are zeroed."""
        with self._lock:
            if (copy := self._here.pop(namespace, None)) is not None:
                namespace.unwatch(self._rows_are_gone)
                for mirror in copy.mirrors:
                    mirror.release()
                self.residency.resident -= 1

    def memory_bytes(self) -> int:
        """Device bytes of the pages that are in use."""
        with self._lock:
            return sum(mirror.memory_bytes for copy in self._here.values() for mirror in copy.mirrors)

    def _on_device(
        self,
        queries: NDArray[np.float32],
        asked: Sequence[tuple[NamespaceBank, ScanFilter]],
        seen: dict[NamespaceBank, Published],
        k: int,
    ) -> list[Best]:
        rows = [self._here[namespace].rows.rows for namespace, _ in asked]
        found = paged_search(self._sent(queries), plan(rows, self._masks(asked, seen)), k)
        return _named([seen[namespace] for namespace, _ in asked], found)

    def _channels_on_device(
        self,
        queries: NDArray[np.float32] | None,
        asked: Sequence[tuple[NamespaceBank, Question]],
        seen: dict[NamespaceBank, Published],
        k: int,
    ) -> list[ChannelBests]:
        copies = [self._here[namespace] for namespace, _ in asked]
        # A set of memories found elsewhere is looked for by the host, which has their ids.
        elsewhere = [i for i, (_, question) in enumerate(asked) if question.scan.allowed is not None]
        masks: list[torch.Tensor | None] = [None] * len(asked)
        for i, mask in zip(
            elsewhere, self._masks([(asked[i][0], asked[i][1].scan) for i in elsewhere], seen), strict=True
        ):
            masks[i] = mask
        batch = channel_pass.plan(
            [copy.attributes.attributes for copy in copies if copy.attributes is not None],
            [pack(question) for _, question in asked],
            None if queries is None else [copy.rows.rows for copy in copies],
            masks,
        )
        found = channel_pass.channel_pass(None if queries is None else self._sent(queries), batch, k)
        published = [seen[namespace] for namespace, _ in asked]
        dense = [None] * len(asked) if found.dense is None else _named(published, found.dense)
        bests = [ChannelBests(one, {}) for one in dense]
        listed = _named([published[query] for query, _ in found.listed], found.best)
        for (query, which), best in zip(found.listed, listed, strict=True):
            bests[query].lists[which] = best
        return bests

    def _sent(self, queries: NDArray[np.float32]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(queries, np.float32)).to(self._pool.bytes.device)

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
        with namespace.pinned() as seen, namespace.view_of(seen, scan) as view:
            return _of_view(view, seen, *view.top(view.dense(query), k))

    def _channels_on_host(
        self, query: NDArray[np.float32] | None, namespace: NamespaceBank, question: Question, k: int
    ) -> ChannelBests:
        with namespace.pinned() as seen, namespace.view_of(seen, question.scan) as view:
            lists = host_channels.channels(view, question, k)
            return ChannelBests(
                None if query is None else _of_view(view, seen, *view.top(view.dense(query), k)),
                {which: _of_view(view, seen, *top) for which, top in lists.items()},
            )

    def _fitting(
        self,
        pins: ExitStack,
        asked: Sequence[tuple[NamespaceBank, ScanFilter]],
        waiting: list[int],
        *,
        attributes: bool,
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
                if not self._follow(namespace, published, seen, attributes=attributes):
                    return part, seen, waiting[at:]
                seen[namespace] = published
            part.append(number)
        return part, seen, []

    def _follow(
        self, namespace: NamespaceBank, seen: Published, wanted: dict[NamespaceBank, Published], *, attributes: bool
    ) -> bool:
        """Brings a namespace up to date here; False if there is no room beside the wanted ones."""
        copy = self._here.get(namespace)
        if copy is not None and copy.segment is not seen.current:
            self.drop(namespace)
            copy = None
        if copy is None:
            copy = self._here[namespace] = _Copy(self._pool, seen.current)
            namespace.watch(self._rows_are_gone)
            self.residency.resident += 1
        self._here.move_to_end(namespace)
        while True:
            try:
                for mirror in copy.wanted(attributes=attributes):
                    mirror.follow(seen.current_rows)
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
            copy = self._here.get(namespace)
            if copy is not None and copy.segment is seen.current:
                for mirror in copy.mirrors:
                    mirror.bury(seen.current_rows)
            else:
                self.drop(namespace)


def _named(of: Sequence[Published], found: Found) -> list[Best]:
    """Names of the slots of each list, of the namespace that it is from; waits for the device."""
    slots, scores = found.slots.cpu().numpy().astype(np.int64), found.scores.cpu().numpy()
    together: dict[int, list[int]] = {}
    for place, seen in enumerate(of):
        together.setdefault(id(seen), []).append(place)
    best: dict[int, Best] = {}
    for places in together.values():
        seen = of[places[0]]
        counts = (slots[places] >= 0).sum(axis=1).tolist()
        found_here = np.concatenate([slots[place, :count] for place, count in zip(places, counts, strict=True)])
        wanted, back = np.unique(found_here, return_inverse=True)
        names = gather(seen.current_rows.attributes, ("memory_id", "versions"), wanted)
        at = 0
        for place, count in zip(places, counts, strict=True):
            own = back[at : at + count]
            best[place] = Best(
                names["memory_id"][own], names["versions"][own], scores[place, :count], slots[place, :count],
                seen.current_rows.codes.owner,
            )  # fmt: skip
            at += count
    return [best[place] for place in range(len(of))]


def _of_view(view: BankView, seen: Published, slots: NDArray[np.int64], scores: NDArray[np.float32]) -> Best:
    """Names of slots of a view, best first."""
    versions = view.column("versions", slots).astype(np.int32, copy=False)
    return Best(view.memory_id(slots), versions, scores, slots, seen.current_rows.codes.owner)
