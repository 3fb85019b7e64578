"""What one recall sees of a namespace."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.bank.batches import positions
from gpu.bank.coding import decoded
from gpu.bank.corpus import Corpus
from gpu.bank.errors import SnapshotClosedError
from gpu.bank.filters import ScanFilter
from gpu.bank.layouts import ARENAS, ERASED_EPOCH, TIERS, Arena, row_words
from gpu.bank.lists import Lists
from gpu.bank.nearest import EXACT, DenseBest, Nearest
from gpu.bank.segment import SegmentSnapshot, gather, read_ranges
from gpu.bank.sequences import Ordered, around, by_sequence, ordered, places_of
from gpu.bank.tables import rows_of
from gpu.ops.bm25_scan.op import bm25_of, bm25_scan
from gpu.ops.coded_scan.op import coded_of, coded_scan
from gpu.ops.context_scores.op import context_scores
from gpu.ops.dense_scan.op import dense_of, dense_scan
from gpu.ops.filter_scan.op import filter_scan, plan
from gpu.ops.max_sim.op import max_sim
from gpu.ops.top_memories.op import moments, top_memories


class BankView:
    """A consistent snapshot under a filter, which is evaluated once, when it is first needed. Thread-safe.

    A memory is a slot, its ordinal in the namespace: earlier written, smaller. With `as_of_us` the closed versions
    follow the current memories.

    Attributes:
        scan: the filter.
        n_documents: current memories of the namespace (the corpus of BM25), whatever the filter; without those that
            repeat others if the filter leaves all of them out.
        mean_length: their mean number of term tokens.
        lists: who makes lists of the namespace beside the scans of this view, if anybody does.
    """

    def __init__(
        self,
        segments: tuple[SegmentSnapshot, ...],
        scan: ScanFilter,
        corpus: Corpus,
        document_frequency: Callable[[NDArray[np.uint32]], NDArray[np.int64]],
        nearest: Nearest = EXACT,
        locate: Callable[[NDArray[np.uint8]], NDArray[np.int64]] | None = None,
        lists: Lists | None = None,
    ) -> None:
        self.scan = scan
        self.n_documents = corpus.n_memories
        self.mean_length = corpus.total_length / corpus.n_memories if corpus.n_memories else 0.0
        self._document_frequency = document_frequency
        self._nearest = nearest
        self._locate = locate
        self.lists = lists
        self._parts: list[tuple[SegmentSnapshot, slice]] = []
        at = 0
        for segment in segments:
            self._parts.append((segment, slice(at, at + segment.n_slots)))
            at += segment.n_slots
        self._n_slots = at
        self._lock = threading.Lock()
        self._mask: NDArray[np.uint8] | None = None
        self._eligible = 0
        self._order: Ordered | None = None
        self._scores: dict[tuple[Any, ...], Future[NDArray[np.float32]]] = {}
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

        Of a memory whose vectors are codes it is a cautious estimate (see `gpu.ops.coded_scan`).

        Returns:
            float32 `[n_slots]`; -inf for memories that are not eligible or have no vector. Kept for as long as the view
            and given to everybody who asks the same: not to be written to.

        Raises:
            DimensionError: the vector has another dimension than the namespace.
        """
        mask = self.mask()

        def scan() -> NDArray[np.float32]:
            out = np.empty(self._n_slots, np.float32)
            for segment, part in self._parts:
                dense_scan(segment, vector, mask[part], out[part])
                coded_scan(segment, vector, mask[part], out[part])
            return out

        return self._once(("dense", vector.tobytes()), scan)

    def dense_of(self, vector: NDArray[np.float32], slots: NDArray[np.int64]) -> NDArray[np.float32]:
        """The same score of chosen memories alone, whether or not all have been scored.

        Args:
            vector: float32 `[dim]`.
            slots: int64 `[m]`, in any order, repeated ones too.

        Returns:
            float32 `[m]`; -inf for memories that are not eligible, have no vector or were erased in the meantime.

        Raises:
            DimensionError: the vector has another dimension than the namespace.
        """
        with self._lock:
            all_of_them = self._scores.get(("dense", vector.tobytes()))
        if all_of_them is not None:
            return np.asarray(all_of_them.result()[slots])
        return self._of_slots(
            slots, lambda segment, local: np.maximum(dense_of(segment, vector, local), coded_of(segment, vector, local))
        )

    def nearest(self, vector: NDArray[np.float32], limit: int) -> DenseBest:
        """The memories nearest to a vector, found the way the namespace has: by comparing all, or with an index.

        Args:
            vector: float32 `[dim]`.
            limit: how many at most.

        Raises:
            DimensionError: the vector has another dimension than the namespace.
        """
        found = self._nearest.search(self, vector, limit)
        return found if found.is_exact else self._with_coded(found, vector, limit)

    def _with_coded(self, found: DenseBest, vector: NDArray[np.float32], limit: int) -> DenseBest:
        """The same with the memories whose vectors are codes: indexes and devices know of none of them."""
        mask = self.mask()
        scores = np.full(self._n_slots, -np.inf, np.float32)
        for segment, part in self._parts:
            coded_scan(segment, vector, mask[part], scores[part])
        scores[found.slots] = found.scores
        slots, best = self.top(scores, limit)
        return replace(found, slots=slots, scores=best)

    def bm25(
        self,
        term_ids: NDArray[np.uint32],
        query_weights: NDArray[np.float32],
        k1: float,
        b: float,
    ) -> NDArray[np.float32]:
        """BM25 of each memory.

        Args:
            term_ids: uint32 `[q]`, distinct.
            query_weights: float32 `[q]`, idf times what the query gives the term.
            k1: saturation, >= 0.
            b: length normalisation, 0 to 1.

        Returns:
            float32 `[n_slots]`; 0 where no term matches, -inf for memories that are not eligible. Kept for as long as
            the view: not to be written to.
        """
        mask = self.mask()

        def scan() -> NDArray[np.float32]:
            out = np.empty(self._n_slots, np.float32)
            for segment, part in self._parts:
                bm25_scan(segment, term_ids, query_weights, k1, b, self.mean_length, mask[part], out[part])
            return out

        return self._once(("bm25", term_ids.tobytes(), query_weights.tobytes(), k1, b), scan)

    def bm25_of(
        self,
        term_ids: NDArray[np.uint32],
        query_weights: NDArray[np.float32],
        k1: float,
        b: float,
        slots: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """The same score of chosen memories alone, whether or not all have been scored.

        Args:
            term_ids, query_weights, k1, b: see `bm25`.
            slots: int64 `[m]`, in any order, repeated ones too.

        Returns:
            float32 `[m]`; -inf for memories that are not eligible.
        """
        with self._lock:
            all_of_them = self._scores.get(("bm25", term_ids.tobytes(), query_weights.tobytes(), k1, b))
        if all_of_them is not None:
            return np.asarray(all_of_them.result()[slots])
        return self._of_slots(
            slots,
            lambda segment, local: bm25_of(segment, term_ids, query_weights, k1, b, self.mean_length, local),
        )

    def _of_slots(
        self, slots: NDArray[np.int64], score: Callable[[SegmentSnapshot, NDArray[np.int64]], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """Scores of some slots, segment by segment; -inf for what is not eligible."""
        slots = np.asarray(slots, np.int64)
        wanted = np.asarray(self.mask()[slots] != 0)
        scores = np.full(slots.shape[0], -np.inf, np.float32)
        for segment, part in self._parts:
            own = np.flatnonzero(wanted & (slots >= part.start) & (slots < part.stop))
            if own.shape[0]:
                scores[own] = score(segment, slots[own] - part.start)
        return scores

    def _once(self, key: tuple[Any, ...], scan: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
        """Scores that several channels ask for, scanned once; who asks meanwhile waits for them."""
        with self._lock:
            found = self._scores.get(key)
            mine = found is None
            if found is None:
                found = self._scores[key] = Future()
        if mine:
            try:
                found.set_result(scan())
            except BaseException as error:  # noqa: BLE001 - whoever waits must hear of it
                found.set_exception(error)
        return found.result()

    def max_sim(self, tokens: NDArray[np.float32], slots: NDArray[np.int64]) -> NDArray[np.float32]:
        """Mean over a question's tokens of the largest dot product with a token of each memory.

        Args:
            tokens: float32 `[q, dim]`, in the rotated space of the token codes, q >= 1.
            slots: which memories, int64 `[m]`, whatever the filter says of them.

        Returns:
            float32 `[m]`; NaN for a memory without token codes.

        Raises:
            DimensionError: the question has another dimension than the namespace.
        """
        columns, offsets = self.ranges("tokens", slots)
        return max_sim(columns["codes"], offsets, tokens)

    def document_frequency(self, term_ids: NDArray[np.uint32]) -> NDArray[np.int64]:
        """How many of the corpus, the memories that `n_documents` counts, hold each term; int64 `[q]`."""
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
        slots = np.asarray(slots, np.int64)
        if _is_ascending(slots):
            return self._column(name, slots)
        order = np.argsort(slots, kind="stable")
        values = self._column(name, slots[order])
        out = np.empty_like(values)
        out[order] = values
        return out

    def _column(self, name: str, ascending: NDArray[np.int64]) -> NDArray[np.generic]:
        return _joined([gather(segment.attributes, (name,), own)[name] for segment, own in self._split(ascending)])

    def _split(self, ascending: NDArray[np.int64]) -> Iterator[tuple[SegmentSnapshot, NDArray[np.int64]]]:
        """Each segment that has some of the ascending slots with these, counted from its first; at least one.

        Raises:
            IndexError: there is no such slot.
        """
        self._check_open()
        if ascending.size and not (ascending[0] >= 0 and ascending[-1] < self._n_slots):
            raise IndexError("slot out of range")
        for number, (segment, part) in enumerate(self._parts):
            low, high = np.searchsorted(ascending, (part.start, part.stop)).tolist()
            if high > low or (number == 0 and not ascending.size):  # whoever asks for nothing learns of what kind
                yield segment, ascending[low:high] - part.start

    def ranges(self, name: str, slots: NDArray[np.int64]) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64]]:
        """What an arena holds for slots in any order, repeated ones too, in the order asked; copied.

        Args:
            name: `terms` (`ids` uint32, `freqs` uint16), `pairs`, `entities`, `places` (`ids` uint64), `spans`
                (`bounds` int64 `[k, 2]`), `links` (`targets` uint8 `[k, 16]`, `relations` uint8), `texts` (`bytes`
                uint8), `tokens` (`codes` uint8 `[k, token_bytes]`) or `vectors` (`vectors` float16 `[k, dim]`).
            slots: int64 `[m]`.

        Returns:
            The arena's columns, and the offsets of each slot's part in them, int64 `[m + 1]`. What was erased in the
            meantime is empty.

        Raises:
            IndexError: there is no such slot.
            KeyError: there is no such arena.
        """
        slots = np.asarray(slots, np.int64)
        if _is_ascending(slots):
            return self._ranges(ARENAS[name], slots)
        distinct, places = np.unique(slots, return_inverse=True)
        columns, own = self._ranges(ARENAS[name], distinct)
        at, offsets = positions(own, places.ravel())
        return {column: values[at] for column, values in columns.items()}, offsets

    def _ranges(self, arena: Arena, ascending: NDArray[np.int64]) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64]]:
        """`ranges` of distinct slots."""
        read = _read_vectors if arena.pages == "codes" else read_ranges
        found = [read(segment, arena, own) for segment, own in self._split(ascending)]
        columns = {column: _joined([values[column] for values, _ in found]) for column in arena.columns}
        counts = _joined([np.diff(offsets) for _, offsets in found])
        return columns, np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])

    def slots_of(self, memory_ids: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Where memories are, whatever the filter says of them; int64 `[m]`, -1 for one that is not here.

        With `as_of_us` it is the version of that moment, else the current one.

        Args:
            memory_ids: uint8 `[m, 16]`, repeated ones too.
        """
        self._check_open()
        out = np.full(memory_ids.shape[0], -1, np.int64)
        if self._locate is not None and out.size:
            now = self._locate(memory_ids)
            here = np.flatnonzero((now >= 0) & (now < self._n_slots))
            here = here[self._holds(now[here])]
            out[here] = now[here]
        # What was replaced after the snapshot, or is not here at all, takes a look at every row.
        if (missing := np.flatnonzero(out < 0)).size:
            out[missing] = self._searched(memory_ids[missing])
        return out

    def _searched(self, memory_ids: NDArray[np.uint8]) -> NDArray[np.int64]:
        """`slots_of` by a look at every row."""
        out = np.full(memory_ids.shape[0], -1, np.int64)
        found = np.concatenate(
            [rows_of(segment.attributes, segment.n_slots, memory_ids) + part.start for segment, part in self._parts]
        )
        found = found[self._holds(found)]
        if not found.shape[0]:
            return out
        held = np.ascontiguousarray(self.memory_id(found)).view("V16").ravel()
        wanted = np.ascontiguousarray(memory_ids).view("V16").ravel()
        slot_of = dict(zip(held.tolist(), found.tolist(), strict=True))
        return np.fromiter((slot_of.get(w, -1) for w in wanted.tolist()), np.int64, wanted.shape[0])

    def sequence_order(self) -> NDArray[np.int64]:
        """Slots of the memories that belong to a conversation, by (sequence, memory id); int64, not to be written to.

        Neighbours in it that have the same sequence are neighbours in the conversation, whatever the filter says of
        them. Made once for a snapshot and kept. With `as_of_us` it has the versions of that moment.
        """
        return self._ordered().slots

    def context_scores(self, scores: NDArray[np.float32], weights: tuple[float, float, float]) -> NDArray[np.float32]:
        """Each memory's score with a share of its neighbours' in the conversation, eligible ones alone.

        Args:
            scores: float32 `[n_slots]`; -inf for memories that are not eligible.
            weights: shares of the memory before, of the one before that, and of the one after.

        Returns:
            float32 `[n_slots]`, the scores themselves where there is no conversation; see `gpu.ops.context_scores`.
        """
        order = self._ordered()
        return context_scores(scores, order.slots, order.starts, weights)

    def context_scores_of(
        self,
        score_of: Callable[[NDArray[np.int64]], NDArray[np.float32]],
        slots: NDArray[np.int64],
        weights: tuple[float, float, float],
        places: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float32]:
        """The same of chosen memories, to the last bit.

        Args:
            score_of: scores of any slots, int64 `[k]` -> float32 `[k]`; -inf for memories that are not eligible.
            slots: int64 `[m]`, in any order, repeated ones too.
            weights: see `context_scores`.
            places: where they stand, see `beside`; None: it is looked for.
        """
        order = self._ordered()
        at = self._places(slots) if places is None else places
        near, starts = around(order, at[at >= 0], (-2, -1, 0, 1))
        if not near.size:
            return score_of(slots)
        told = context_scores(score_of(order.slots[near]), np.arange(near.size), starts, weights)
        scores = told[np.minimum(np.searchsorted(near, at), near.size - 1)]
        alone = np.flatnonzero(at < 0)
        scores[alone] = score_of(slots[alone])
        return np.asarray(scores)

    def beside(self, slots: NDArray[np.int64], steps: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Memories with those that are so many steps after them in the order of all conversations.

        Args:
            slots: int64 `[m]`, distinct.
            steps: forward, or backward below 0; a step may lead into the next conversation.

        Returns:
            Slots, int64 `[n]`, distinct, ascending, and where they stand in the order, -1 for what is in none.
        """
        order, at = self._ordered(), self._places(slots)
        near, _ = around(order, at[at >= 0], (0, *steps))
        alone = slots[at < 0]
        found = np.concatenate([order.slots[near], alone])
        places = np.concatenate([near, np.full(alone.size, -1)])
        ascending = np.argsort(found)
        return found[ascending], places[ascending]

    def _places(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where memories stand in `sequence_order`; -1 for what belongs to no conversation."""
        order = self._ordered()
        sequences = self.column("sequences", slots).astype(np.uint64, copy=False)
        (segment, _), *more = self._parts
        return places_of(order, sequences, self.memory_id(slots), slots, None if more else segment)

    def _ordered(self) -> Ordered:
        self._check_open()
        with self._lock:
            if self._order is None:
                self._order = self._make_order()
            return self._order

    def _make_order(self) -> Ordered:
        (segment, _), *more = self._parts
        if not more:
            return segment.sequences.live(segment)
        slots = np.concatenate([part.start + one.sequences.live(one).slots for one, part in self._parts])
        slots = slots[self._holds(slots)]
        sequences = self.column("sequences", slots).astype(np.uint64, copy=False)
        order = by_sequence(sequences, self.memory_id(slots))
        return ordered(slots[order], sequences[order])

    def _holds(self, slots: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the slots are alive in the snapshot; with `as_of_us`, which hold the version of that moment."""
        alive = np.zeros(slots.shape[0], np.bool_)
        died = self.column("died", slots)
        for segment, part in self._parts:
            own = (slots >= part.start) & (slots < part.stop)
            alive[own] = died[own] > segment.epoch
        if self.scan.as_of_us is None:
            return alive
        since = self.column("recorded_from_us", slots).astype(np.int64, copy=False)
        until = self.column("recorded_to_us", slots).astype(np.int64, copy=False)
        return alive & (since <= self.scan.as_of_us) & (self.scan.as_of_us < until)

    def segments(self) -> Iterator[tuple[SegmentSnapshot, slice, NDArray[np.uint8]]]:
        """Each segment, which slots of the view are its own, and their part of the mask: for operations that scan."""
        mask = self.mask()
        for segment, part in self._parts:
            yield segment, part, mask[part]

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


def _is_ascending(slots: NDArray[np.int64]) -> bool:
    """Whether slots are distinct and in order."""
    return bool((slots[1:] > slots[:-1]).all())


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """Arrays one after the other; one alone is not copied."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _read_vectors(
    segment: SegmentSnapshot, arena: Arena, slots: NDArray[np.int64]
) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64]]:
    """`read_ranges` of vectors, the codes among them decoded."""
    values, offsets = read_ranges(segment, arena, slots)
    if not segment.n_words:
        return values, offsets
    words, bounds = read_ranges(segment, ARENAS["coded"], slots)
    tiers = gather(segment.attributes, ("tiers",), slots)["tiers"]
    counts = np.diff(offsets)
    for number in np.unique(tiers[tiers > 0]).tolist():
        own = tiers == number
        counts[own] = np.diff(bounds)[own] // row_words(TIERS[number], segment.dim)
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    rows = np.empty((int(ends[-1]), segment.dim), np.float16)
    rows[positions(ends, np.flatnonzero(tiers == 0))[0]] = values["vectors"]
    for number in np.unique(tiers[tiers > 0]).tolist():
        own_slots = np.flatnonzero(tiers == number)
        taken = words["words"][positions(bounds, own_slots)[0]]
        tier = TIERS[number]
        rows[positions(ends, own_slots)[0]] = decoded(
            taken.reshape(-1, row_words(tier, segment.dim)), tier, segment.dim
        )
    return {"vectors": rows}, ends
