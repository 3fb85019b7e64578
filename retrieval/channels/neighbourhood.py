"""The part of a namespace around some memories: mentions, links and neighbours in conversation, as a graph to walk on.

Nodes are memories and entities. Each kind of tie that a memory has (mentions, links, neighbours) takes an equal share
of what it passes on; among its mentions rarer entities take more, and an entity passes on to the memories that
mention it. Everything is cut out of the bank's columns for one question and thrown away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpu.ops.link_scan.op import link_scan
from gpu.ops.spread.op import Graph, graph
from retrieval.channels.incidence import Mentions, surely_common, too_common
from retrieval.channels.keyword import idf

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

Weigh = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""What memories are worth as a way to go on: slots int64 `[m]` -> float64 `[m]`, > 0."""

_Edges = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]
_NONE = np.empty(0, np.int64)


class Neighbourhood:
    """Grows around its first memories, ring by ring, and never beyond a stated size.

    Attributes:
        slots: the memories so far, int64 `[m]`, in the order in which they were reached.
    """

    def __init__(
        self, view: BankView, seeds: NDArray[np.int64], weigh: Weigh, *, hub_share: float, most: int, most_entities: int
    ) -> None:
        """Begins with some memories.

        Args:
            view: the namespace.
            seeds: distinct slots, int64 `[s]`.
            weigh: what memories are worth as a way to go on.
            hub_share: entities that a larger share of the eligible memories mention lead nowhere.
            most: memories at most.
            most_entities: new entities for each ring at most, the rarest.
        """
        self.slots = seeds
        self._view = view
        self._weigh = weigh
        self._hub_share = hub_share
        self._most = most
        self._most_entities = most_entities
        self._node_of = np.full(view.n_slots, -1, np.int64)
        self._node_of[seeds] = np.arange(seeds.size)
        self._entities = np.empty(0, np.uint64)
        self._rarity = np.empty(0, np.float64)
        self._hubs = surely_common(view, hub_share)
        self._mentions: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []  # (slot, entity)
        self._links: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []  # (slot, slot), both ways
        self._follows: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []

    @property
    def is_bare(self) -> bool:
        """Whether nothing ties the memories to anything."""
        return not any(slots.size for ties in (self._mentions, self._links, self._follows) for slots, _ in ties)

    def widen(self, ring: NDArray[np.int64]) -> None:
        """Take in what the memories of a ring (slots, each widened at most once) are tied to."""
        self._links += [self._reached(*self._linked(ring))]
        self._follows += [self._reached(*self._beside(ring))]
        self._widen_by_mentions(ring)

    def graph(self) -> Graph:
        """Memories as nodes in the order of `slots`, then entities."""
        n = self.slots.size
        slots, entities = _joined(self._mentions)
        nodes, at = self._node_of[slots], n + entities
        edges = [
            _shared(nodes, at, self._rarity[entities]),
            _shared(at, nodes, self._weigh(slots)),
        ]
        for ties in (self._links, self._follows):
            here, there = _joined(ties)
            edges.append(_shared(self._node_of[here], self._node_of[there], self._weigh(there)))
        sources, targets, weights = (np.concatenate([edge[part] for edge in edges]) for part in range(3))
        return graph(n + self._entities.size, sources, targets, weights)

    def _widen_by_mentions(self, ring: NDArray[np.int64]) -> None:
        columns, _ = self._view.ranges("entities", ring)
        fresh = np.setdiff1d(np.setdiff1d(columns["ids"], self._entities), self._hubs)
        if not fresh.size:
            return
        eligible = self._view.eligible
        mentions = Mentions(self._view, fresh, np.arange(fresh.size), fresh.size)
        counts = mentions.counts
        useful = np.flatnonzero((counts > 1) & ~too_common(counts, eligible, self._hub_share))
        useful = useful[np.argsort(counts[useful], kind="stable")][: self._most_entities]
        # The rarest first, as long as all the memories that mention them fit in.
        useful = useful[np.cumsum(counts[useful]) <= self._most - self.slots.size]
        if not useful.size:
            return
        slots, which = mentions.of(useful)
        first = self._entities.size
        self._entities = np.concatenate([self._entities, fresh[useful]])
        self._rarity = np.concatenate([self._rarity, idf(counts[useful], eligible).astype(np.float64)])
        self._take_in(slots)
        self._mentions.append((slots, first + which))

    def _linked(self, ring: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ties of a ring by links, outgoing and incoming, each both ways."""
        columns, offsets = self._view.ranges("links", ring)
        out_from = np.repeat(ring, np.diff(offsets))
        out_to = self._view.slots_of(columns["targets"])
        ids = self._view.memory_id(ring)
        known = np.flatnonzero(ids.any(axis=1))
        in_from, in_to = [_NONE], [_NONE]
        for segment, part, mask in self._view.segments():
            slots, which, _ = link_scan(segment, ids[known], mask)
            in_from.append(slots + part.start)
            in_to.append(ring[known[which]])
        here = np.concatenate([out_from, *in_from])
        there = np.concatenate([out_to, *in_to])
        return np.concatenate([here, there]), np.concatenate([there, here])

    def _beside(self, ring: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ties of a ring to what was said just before and after, both ways."""
        order = self._view.sequence_order()
        if not order.size:
            return _NONE, _NONE
        place = np.full(self._view.n_slots, -1, np.int64)
        place[order] = np.arange(order.size)
        at = place[ring]
        here, there = [], []
        for step in (-1, 1):
            other = at + step
            inside = (at >= 0) & (other >= 0) & (other < order.size)
            here.append(ring[inside])
            there.append(order[other[inside]])
        a, b = np.concatenate(here), np.concatenate(there)
        same = self._view.column("sequences", a) == self._view.column("sequences", b)
        a, b = a[same], b[same]
        return np.concatenate([a, b]), np.concatenate([b, a])

    def _reached(
        self, here: NDArray[np.int64], there: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Those of the ties, each once, whose ends are both eligible and fit in; the ends are taken in."""
        inside = (here >= 0) & (there >= 0) & (here != there)
        here, there = here[inside], there[inside]
        mask = self._view.mask()
        inside = (mask[here] > 0) & (mask[there] > 0)
        here, there = _distinct(here[inside], there[inside])
        self._take_in(there)
        fit = (self._node_of[here] >= 0) & (self._node_of[there] >= 0)
        return here[fit], there[fit]

    def _take_in(self, slots: NDArray[np.int64]) -> None:
        fresh = np.unique(slots[self._node_of[slots] < 0])[: max(self._most - self.slots.size, 0)]
        self._node_of[fresh] = self.slots.size + np.arange(fresh.size)
        self.slots = np.concatenate([self.slots, fresh])


def _joined(ties: list[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All ties of a kind, each once, ends end to end."""
    if not ties:
        return _NONE, _NONE
    return _distinct(np.concatenate([here for here, _ in ties]), np.concatenate([there for _, there in ties]))


def _distinct(here: NDArray[np.int64], there: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of small numbers (below 2^31), each once, ascending."""
    keys = np.sort((here << 32) | there)
    if keys.size:
        keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])]
    return keys >> 32, keys & 0xFFFFFFFF


def _shared(sources: NDArray[np.int64], targets: NDArray[np.int64], weights: NDArray[np.float64]) -> _Edges:
    """Edges of one kind, scaled so that those of each node sum to 1."""
    if not sources.size:
        return sources, targets, weights
    sums = np.bincount(sources, weights=weights)
    return sources, targets, weights / sums[sources]
