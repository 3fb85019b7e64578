"""Lists of near rows that hold no rows: an inverted file whose codes are the bank's own pages.

faiss cuts the rows into lists (k-means); a list holds the positions of its rows, and a search reads these rows where
they are. So no vector is stored twice (a row takes 8 bytes here), a score is exact when it is first computed, and no
copy of an erased vector can be left: its position leaves the lists, and the centroid that it had a part in is made
anew from the rows that stay.

Source: the inverted file of Jegou, Douze and Schmid 2011 (doi:10.1109/TPAMI.2010.57).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.bank import rows
from gpu.bank.segment import SegmentSnapshot
from gpu.large import clusters, lists_kernel
from gpu.large.scans import nearest_in_lists
from gpu.native import plain

_SPARE = 32
"""Rows that are taken beyond those wanted: a memory of several views can be near by one that no list showed."""
_OBJECT_BYTES = 512


@dataclass(frozen=True, slots=True)
class PositionLists:
    """See `gpu.large.index.VectorIndex`. Never changed but for centroids that an erasure touches.

    Attributes:
        library: faiss.
        centroids: float16 `[l, dim]`, the mean direction of each list's rows.
        offsets: int64 `[l + 1]`, where lists begin.
        positions: int32 `[n]`, rows, ascending within a list.
        slots: int32 `[n]`, the memory of each row: looked up once, for a jump into the pages less at each search.
    """

    library: Any
    owner: int
    covered: int
    trained_on: int
    centroids: NDArray[np.float16]
    offsets: NDArray[np.int64]
    positions: NDArray[np.int32]
    slots: NDArray[np.int32]

    @classmethod
    def built(cls, library: Any, segment: SegmentSnapshot, wanted: Callable[[], bool]) -> PositionLists | None:
        """Train on the rows that are alive in a snapshot; None if `wanted` said no on the way."""
        alive = rows.live(segment, 0)
        count = clusters.n_lists(alive.shape[0])
        centroids = clusters.trained(library, segment, alive, count)
        lists = clusters.assigned(library, centroids, segment, alive, wanted)
        if lists is None:
            return None
        order = np.argsort(lists, kind="stable")
        offsets = np.zeros(count + 1, np.int64)
        np.cumsum(np.bincount(lists, minlength=count), out=offsets[1:])
        # From here on a centroid depends on the rows of its own list alone: an erasure knows which to make anew.
        halves = clusters.means(segment, alive, lists, count)
        return cls(
            library,
            segment.codes.owner,
            segment.n_views,
            segment.n_views,
            halves,
            offsets,
            alive[order].astype(np.int32),
            rows.slots_of(segment, alive)[order].astype(np.int32),
        )

    def candidates(
        self,
        query: NDArray[np.float32],
        segment: SegmentSnapshot,
        eligible: NDArray[np.uint8],
        budget: int,
        limit: int,
    ) -> NDArray[np.int64]:
        """See `VectorIndex`. Lists are read in the order of nearness, the last one to its end."""
        nearness = lists_kernel.dots(self.centroids.view(np.uint16), plain(query, np.float32))
        order = np.argsort(-nearness, kind="stable")
        return nearest_in_lists(
            segment, query, eligible, order, self.offsets, self.positions, self.slots, budget, limit + _SPARE
        )

    def extended(self, segment: SegmentSnapshot) -> PositionLists:
        """See `VectorIndex`. A row goes to the list whose centroid is nearest; the centroids stay."""
        new = rows.live(segment, self.covered)
        lists = clusters.assigned(self.library, self.centroids.astype(np.float32), segment, new, lambda: True)
        assert lists is not None  # noqa: S101 - it was always wanted
        order = np.argsort(lists, kind="stable")
        # New positions are larger than all that are there: each goes to the end of its list.
        ends = self.offsets[lists[order] + 1]
        positions = np.insert(self.positions, ends, new[order].astype(np.int32))
        slots = np.insert(self.slots, ends, rows.slots_of(segment, new)[order].astype(np.int32))
        offsets = self.offsets.copy()
        offsets[1:] += np.cumsum(np.bincount(lists, minlength=self.centroids.shape[0]))
        return replace(self, covered=segment.n_views, offsets=offsets, positions=positions, slots=slots)

    def without_erased(self, segment: SegmentSnapshot) -> PositionLists:
        """See `VectorIndex`. The centroids of the lists that lose a row are made anew, in place."""
        gone = np.flatnonzero(rows.erased_slots(segment)[self.slots])
        if not gone.shape[0]:
            return self
        count = self.centroids.shape[0]
        lost = np.bincount(np.searchsorted(self.offsets, gone, side="right") - 1, minlength=count)
        offsets = self.offsets.copy()
        offsets[1:] -= np.cumsum(lost)
        kept = replace(
            self, offsets=offsets, positions=np.delete(self.positions, gone), slots=np.delete(self.slots, gone)
        )
        touched = np.flatnonzero(lost)
        members = [kept.positions[offsets[number] : offsets[number + 1]] for number in touched]
        lists = np.repeat(np.arange(touched.shape[0]), [own.shape[0] for own in members])
        positions = np.concatenate(members).astype(np.int64)
        order = np.argsort(positions)
        # In place: who is searching meanwhile has nothing of an erased row either.
        self.centroids[touched] = clusters.means(segment, positions[order], lists[order], touched.shape[0])
        return kept

    def wipe(self) -> None:
        """See `VectorIndex`."""
        self.centroids.fill(0)

    def memory_bytes(self) -> int:
        """See `VectorIndex`."""
        return self.centroids.nbytes + self.offsets.nbytes + self.positions.nbytes + self.slots.nbytes + _OBJECT_BYTES
