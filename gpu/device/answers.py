"""The answers of a batch, gathered from several devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gpu.bank.namespace import NamespaceBank, Published
from gpu.device.best import Best
from gpu.device.copies import Hits
from gpu.device.names import names_of
from gpu.device.query import ChannelQuery, Query


class Answers:
    """The best slots of each query of a batch, or of one of its lists; given names at the end, for all at once."""

    def __init__(self, queries: Sequence[Query | ChannelQuery]) -> None:
        """Begins without any."""
        width = max((query.limit for query in queries), default=1)
        self._queries = queries
        self._slots = np.full((len(queries), width), -1, np.int64)
        self._scores = np.full((len(queries), width), -np.inf, np.float32)
        self._is_there = np.zeros(len(queries), np.bool_)

    def add(self, hits: Hits) -> None:
        """What a device found; joined with what was found for the same queries in other parts of their namespaces."""
        numbers, width = np.array(hits.numbers), hits.slots.shape[1]
        is_alone = ~self._is_there[numbers] & (np.bincount(numbers)[numbers] == 1)
        alone = numbers[is_alone]
        self._slots[alone, :width], self._scores[alone, :width] = hits.slots[is_alone], hits.scores[is_alone]
        for at in np.flatnonzero(~is_alone).tolist():
            self._join(hits.numbers[at], hits.slots[at], hits.scores[at])
        self._is_there[numbers] = True

    def named(self, seen: Mapping[NamespaceBank, Published]) -> list[Best]:
        """The answers, best first, none longer than its query's limit."""
        rows = [seen[query.namespace].current_rows for query in self._queries]
        ids, versions = names_of([one.attributes for one in rows], self._slots)
        counts = np.minimum((self._slots >= 0).sum(axis=1), [query.limit for query in self._queries]).tolist()
        return [
            Best(ids[i, :n], versions[i, :n], self._scores[i, :n], self._slots[i, :n], rows[i].codes.owner)
            for i, n in enumerate(counts)
        ]

    def _join(self, number: int, slots: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        """Keeps the best of two lists: a memory that is in both counts once, with the better of its scores."""
        slots = np.concatenate([self._slots[number], slots])
        scores = np.concatenate([self._scores[number], scores])
        order = np.lexsort((slots, -scores))
        order = order[slots[order] >= 0]
        order = order[np.sort(np.unique(slots[order], return_index=True)[1])][: self._slots.shape[1]]
        self._slots[number], self._scores[number] = -1, -np.inf
        self._slots[number, : order.size], self._scores[number, : order.size] = slots[order], scores[order]
