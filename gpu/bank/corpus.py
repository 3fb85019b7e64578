"""What a namespace's current memories amount to: how many there are, and which terms they hold."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu.bank import batches
from gpu.bank.filters import ScanFilter
from gpu.bank.records import RecordBatch
from gpu.bank.tables import TermCounts

_CHUNK = 8192
"""Terms that are counted at a time, so that readers never wait long."""
_NO_TERMS = np.empty(0, np.uint32)

Frequency = Callable[[NDArray[np.uint32]], NDArray[np.int64]]
"""How many memories of a corpus hold each term: uint32 `[q]` to int64 `[q]`."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """How many current memories there are, and how many term tokens they have together."""

    n_memories: int = 0
    total_length: int = 0

    def __add__(self, more: Corpus) -> Corpus:
        """Both together."""
        return Corpus(self.n_memories + more.n_memories, self.total_length + more.total_length)

    def __sub__(self, fewer: Corpus) -> Corpus:
        """What is left without some of it."""
        return Corpus(self.n_memories - fewer.n_memories, self.total_length - fewer.total_length)


class CorpusCounts:
    """Counts of a namespace's current memories, and apart from them those of what repeats others.

    One writer at a time; terms can be looked up meanwhile.

    Args:
        repeating: hashes of (field, value) pairs; a memory that carries one of them repeats others.

    Attributes:
        every: all current memories.
        repeats: those of them that repeat others.
    """

    __slots__ = ("_lock", "_repeated_terms", "_repeating", "_terms", "every", "repeats")

    def __init__(self, repeating: Sequence[int] = ()) -> None:
        self._repeating = np.array(repeating, np.uint64)
        self._lock = threading.Lock()
        self._terms = TermCounts()
        self._repeated_terms = TermCounts()
        self.clear()

    def add(self, batch: RecordBatch) -> None:
        """Count new current rows."""
        terms, repeats = self._repeated(batch)
        self._in_portions(self._terms.add, batch.term_ids)
        self._in_portions(self._repeated_terms.add, terms)
        self.every += _corpus(batch)
        self.repeats += repeats

    def subtract(self, batch: RecordBatch) -> None:
        """Take rows that are current no more out of the counts."""
        terms, repeats = self._repeated(batch)
        self._in_portions(self._terms.subtract, batch.term_ids)
        self._in_portions(self._repeated_terms.subtract, terms)
        self.every -= _corpus(batch)
        self.repeats -= repeats

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._terms.clear()
            self._repeated_terms.clear()
        self.every = self.repeats = Corpus()

    def without_repeats(self, scan: ScanFilter) -> bool:
        """Whether a filter leaves out all that repeats others."""
        return bool(self._repeating.size) and set(self._repeating.tolist()) <= set(scan.no_pairs)

    def frequency(self, term_ids: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Number of current memories that hold each term, int64 `[q]`."""
        with self._lock:
            return self._terms.get(term_ids)

    def frequency_without_repeats(self, term_ids: NDArray[np.uint32]) -> NDArray[np.int64]:
        """The same without what repeats others."""
        with self._lock:
            held = self._terms.get(term_ids) - self._repeated_terms.get(term_ids)
        return np.asarray(np.maximum(held, 0))  # a write under way may have been counted in one table alone

    def arrays(self) -> list[NDArray[np.uint32]]:
        """Terms and counts as they lie in memory."""
        return [*self._terms.arrays(), *self._repeated_terms.arrays()]

    def memory_bytes(self) -> int:
        """Bytes allocated."""
        return self._terms.memory_bytes() + self._repeated_terms.memory_bytes()

    def _in_portions(self, change: Callable[[NDArray[np.uint32]], None], terms: NDArray[np.uint32]) -> None:
        for at in range(0, terms.shape[0], _CHUNK):
            with self._lock:
                change(terms[at : at + _CHUNK])

    def _repeated(self, batch: RecordBatch) -> tuple[NDArray[np.uint32], Corpus]:
        """The terms of a batch's memories that repeat others, and how many these are."""
        if not self._repeating.size:
            return _NO_TERMS, Corpus()
        marks = np.flatnonzero(np.isin(batch.pairs, self._repeating))
        if not marks.size:
            return _NO_TERMS, Corpus()
        repeats = batches.take(batch, np.unique(np.searchsorted(batch.pair_offsets, marks, side="right") - 1))
        return repeats.term_ids, _corpus(repeats)


def _corpus(batch: RecordBatch) -> Corpus:
    return Corpus(len(batch), int(batch.lengths.sum(dtype=np.int64)))
