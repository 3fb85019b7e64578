"""The best partners of every memory, from blocks of rows that are compared with each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu.ops.near_pairs import kernel


@dataclass(frozen=True, slots=True)
class Block:
    """Rows that are compared together: vectors float32 `[n, dim]`, and the memory of each, int32 `[n]`."""

    vectors: NDArray[np.float32]
    slots: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class NearPairs:
    """Pairs of memories, each once, ordered by (first, second).

    A memory that stands in fewer than `most` pairs stands in all that it has.

    Attributes:
        first, second: slots int64 `[p]`, first < second.
        scores: float32 `[p]`, the largest dot product of a vector of the one with a vector of the other.
        is_exact: whether all memories were compared with each other. If not, a pair may be missing.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    scores: NDArray[np.float32]
    is_exact: bool

    def __len__(self) -> int:
        """Number of pairs."""
        return int(self.first.shape[0])

    def without(self, gone: NDArray[np.bool_]) -> NearPairs:
        """The pairs of which neither memory is gone; bool by slot."""
        kept = ~(gone[self.first] | gone[self.second])
        return NearPairs(self.first[kept], self.second[kept], self.scores[kept], self.is_exact)


class Partners:
    """Up to `most` best partners of each memory among what was compared so far. For one thread.

    Memory: 8 bytes for each memory and partner, and the products of one comparison.
    """

    def __init__(self, n_slots: int, threshold: float, most: int) -> None:
        self._threshold = np.float32(threshold)
        self._partners = np.full((n_slots, most), -1, np.int32)
        self._scores = np.full((n_slots, most), -np.inf, np.float32)
        self._room = np.empty(0, np.float32)

    def compare(self, one: Block, other: Block | None = None) -> None:
        """Enter all near pairs of rows of two blocks, or of one block among themselves. No row may be in both."""
        second = one if other is None else other
        n, m = one.slots.shape[0], second.slots.shape[0]
        if self._room.shape[0] < n * m:
            self._room = np.empty(n * m, np.float32)
        products = self._room[: n * m].reshape(n, m)
        np.matmul(one.vectors, second.vectors.T, out=products)
        kernel.collect(products, one.slots, second.slots, other is None, self._threshold, self._partners, self._scores)

    def entries(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """What each memory has: memories, their partners (int64 `[e]`) and scores (float32 `[e]`)."""
        memories, places = np.nonzero(self._partners >= 0)
        return memories, self._partners[memories, places].astype(np.int64), self._scores[memories, places]


def joined(parts: Sequence[Partners], most: int, *, is_exact: bool) -> NearPairs:
    """The pairs of several threads, of which each compared other rows.

    A pair stays if it is among the `most` best of one of its memories, equal scores by the other's slot. What is among
    the best of all is among the best of the part that found it: nothing is lost.
    """
    found = [part.entries() for part in parts]
    memories, partners, scores = (np.concatenate([entry[i] for entry in found]) for i in range(3))
    if len(parts) > 1:
        order = np.lexsort((-scores, partners, memories))  # of one and the same pair the best score comes first
        memories, partners, scores = memories[order], partners[order], scores[order]
        fresh = np.ones(memories.shape[0], np.bool_)
        fresh[1:] = (memories[1:] != memories[:-1]) | (partners[1:] != partners[:-1])
        memories, partners, scores = memories[fresh], partners[fresh], scores[fresh]
        order = np.lexsort((partners, -scores, memories))
        memories, partners, scores = memories[order], partners[order], scores[order]
        rank = np.arange(memories.shape[0]) - np.searchsorted(memories, memories)
        memories, partners, scores = (of[rank < most] for of in (memories, partners, scores))
    first, second = np.minimum(memories, partners), np.maximum(memories, partners)
    order = np.lexsort((second, first))
    first, second, scores = first[order], second[order], scores[order]
    fresh = np.ones(first.shape[0], np.bool_)
    fresh[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    return NearPairs(first[fresh], second[fresh], scores[fresh], is_exact)
