"""What one recall sees of a namespace."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gpu.bank.errors import SnapshotClosedError
from gpu.bank.filters import ScanFilter
from gpu.bank.layouts import ERASED_EPOCH
from gpu.bank.segment import SegmentSnapshot, gather
from gpu.ops.bm25_scan.op import bm25_scan
from gpu.ops.dense_scan.op import dense_scan
from gpu.ops.filter_scan.op import filter_scan, plan
from gpu.ops.top_memories.op import moments, top_memories


class BankView:
    """A consistent snapshot under a filter, which is evaluated once, when it is first needed. Thread-safe.

    A memory is a slot, its ordinal in the namespace: earlier written, smaller. With `as_of_us` the closed versions
    follow the current memories.

    Attributes:
        scan: the filter.
        n_documents: current memories of the namespace, whatever the filter (the corpus of BM25).
        mean_length: their mean number of term tokens.
    """

    def __init__(
        self,
        segments: tuple[SegmentSnapshot, ...],
        scan: ScanFilter,
        n_documents: int,
        total_length: int,
        document_frequency: Callable[[NDArray[np.uint32]], NDArray[np.int64]],
    ) -> None:
        self.scan = scan
        self.n_documents = n_documents
        self.mean_length = total_length / n_documents if n_documents else 0.0
        self._document_frequency = document_frequency
        self._parts: list[tuple[SegmentSnapshot, slice]] = []
        at = 0
        for segment in segments:
            self._parts.append((segment, slice(at, at + segment.n_slots)))
            at += segment.n_slots
        self._n_slots = at
        self._lock = threading.Lock()
        self._mask: NDArray[np.uint8] | None = None
        self._eligible = 0
        self._open = True

    @property
    def n_slots(self) -> int:
        """Length of every score array: slots of the snapshot, eligible or not."""
        return self._n_slots

    @property
    def eligible(self) -> int:
        """How many memories the filter lets through."""
        self.mask()
        return self._eligible

    def mask(self) -> NDArray[np.uint8]:
        """1 for each slot that the filter lets through, else 0; uint8 `[n_slots]`, not to be written to."""
        self._check_open()
        with self._lock:
            if self._mask is None:
                wanted = plan(self.scan)
                mask = np.empty(self._n_slots, np.uint8)
                self._eligible = sum(filter_scan(segment, wanted, mask[part]) for segment, part in self._parts)
                self._mask = mask
            return self._mask

    def dense(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Largest dot product of `vector` (float32 `[dim]`) with the views of each memory.

        Returns:
            float32 `[n_slots]`; -inf for memories that are not eligible or have no vector.

        Raises:
            DimensionError: the vector has another dimension than the namespace.
        """
        mask = self.mask()
        out = np.empty(self._n_slots, np.float32)
        for segment, part in self._parts:
            dense_scan(segment, vector, mask[part], out[part])
        return out

    def bm25(
        self,
        term_ids: NDArray[np.uint32],
        query_weights: NDArray[np.float32],
        k1: float,
        b: float,
        among: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float32]:
        """BM25 of each memory.

        Args:
            term_ids: uint32 `[q]`, distinct.
            query_weights: float32 `[q]`, idf times what the query gives the term.
            k1: saturation, >= 0.
            b: length normalisation, 0 to 1.
            among: score these slots alone, int64 `[m]`.

        Returns:
            float32 `[n_slots]`; 0 where no term matches, -inf for memories that are not eligible or not asked for.
        """
        mask = self.mask()
        if among is not None:
            asked = np.zeros_like(mask)
            asked[among] = mask[among]
            mask = asked
        out = np.empty(self._n_slots, np.float32)
        for segment, part in self._parts:
            bm25_scan(segment, term_ids, query_weights, k1, b, self.mean_length, mask[part], out[part])
        return out

    def document_frequency(self, term_ids: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Number of current memories that hold each term, whatever their state and the filter; int64 `[q]`."""
        counts = self._document_frequency(term_ids)
        # A write after this snapshot may have counted already.
        return np.minimum(counts, self.n_documents)

    def top(self, scores: NDArray[np.float32], limit: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Best `limit` distinct memories by score, equal scores by slot (earlier written first).

        Args:
            scores: float32 `[n_slots]`; -inf and NaN are never taken.
            limit: how many at most.

        Returns:
            Slots int64 `[k]` and scores float32 `[k]`. What was erased in the meantime is left out.
        """
        while True:
            slots, best = top_memories(scores, limit)
            erased = slots[self.column("died", slots) == ERASED_EPOCH]
            if not erased.size:
                return slots, best
            scores = scores.copy()
            scores[erased] = -np.inf

    def moments(self, scores: NDArray[np.float32]) -> tuple[float, float]:
        """Mean and standard deviation of scores over the eligible memories (those that have a score)."""
        return moments(scores)

    def column(self, name: str, slots: NDArray[np.int64]) -> NDArray[np.generic]:
        """Values of an attribute column (see `gpu.bank.layouts.ATTRIBUTES`) at slots in any order, copied."""
        self._check_open()
        slots = np.asarray(slots, np.int64)
        order = np.argsort(slots, kind="stable")
        ascending = slots[order]
        if slots.size and not (ascending[0] >= 0 and ascending[-1] < self._n_slots):
            raise IndexError("slot out of range")
        found = [
            gather(segment.attributes, (name,), ascending[low:high] - part.start)[name]
            for segment, part in self._parts
            for low, high in [np.searchsorted(ascending, (part.start, part.stop)).tolist()]
        ]
        values = np.concatenate(found)
        out = np.empty_like(values)
        out[order] = values
        return out

    def memory_id(self, slots: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Ids of memories, uint8 `[m, 16]` (zeros if erased in the meantime)."""
        return self.column("memory_id", slots).astype(np.uint8, copy=False)

    def version(self, slot: int) -> int:
        """Version that a slot holds."""
        return int(self.column("versions", np.array([slot]))[0])

    def close(self) -> None:
        """End the view: its pages may go from here on."""
        self._open = False

    def _check_open(self) -> None:
        if not self._open:
            raise SnapshotClosedError("the view has been closed")
