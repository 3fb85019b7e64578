"""An inverted file that faiss keeps by itself, with a half-precision copy of the rows: what a device searches.

On a device the rows must be there anyway. On the CPU this is slower to fill and 200 times as large as the lists of
positions and finds the same (`benchmarks/bank_large.py`): it serves tests and comparison there.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.bank import rows
from gpu.bank.segment import SegmentSnapshot
from gpu.faiss_library import graphics_cards, one_thread
from gpu.large import clusters

_AT_FIRST = 4
"""Rows that are asked for, for each memory that is wanted: some are not eligible, some memories have several."""
_MOST = 2048
"""Rows that faiss gives from a device, at most."""
_ROW_BYTES = 8
"""Id of a row."""


class FaissIvf:
    """See `gpu.large.index.VectorIndex`. Growing and searching wait for each other.

    Attributes:
        owner, covered, trained_on: see there.
    """

    def __init__(self, index: Any, library: Any, resources: Any, segment: SegmentSnapshot) -> None:
        self.owner = segment.codes.owner
        self.covered = 0
        self.trained_on = segment.n_views
        self._index = index
        self._library = library
        self._resources = resources  # must outlive an index on a device
        self._dim = segment.dim
        self._lock = threading.Lock()

    @classmethod
    def built(cls, library: Any, segment: SegmentSnapshot, wanted: Callable[[], bool]) -> FaissIvf | None:
        """Train on the rows that are alive in a snapshot and add them; None if `wanted` said no on the way."""
        alive = rows.live(segment, 0)
        count = clusters.n_lists(alive.shape[0])
        quantizer = library.IndexFlatIP(segment.dim)
        index = library.IndexIVFScalarQuantizer(
            quantizer, segment.dim, count, library.ScalarQuantizer.QT_fp16, library.METRIC_INNER_PRODUCT, False
        )
        # A quantizer that has its centroids is not trained again; half precision needs no training either.
        quantizer.add(clusters.trained(library, segment, alive, count))
        with one_thread(library):
            index.train(np.zeros((1, segment.dim), np.float32))
        resources = None
        if graphics_cards(library):  # pragma: no cover - needs a device
            resources = library.StandardGpuResources()
            index = library.index_cpu_to_gpu(resources, 0, index)
        made = cls(index, library, resources, segment)
        return made if made._add(segment, alive, wanted) else None

    def _add(self, segment: SegmentSnapshot, positions: NDArray[np.int64], wanted: Callable[[], bool]) -> bool:
        for part in rows.chunks(positions):
            if not wanted():
                return False
            vectors = rows.vectors(segment, part)
            with self._lock, one_thread(self._library):
                self._index.add_with_ids(vectors, part)
        self.covered = segment.n_views
        return True

    def candidates(
        self,
        query: NDArray[np.float32],
        segment: SegmentSnapshot,
        eligible: NDArray[np.uint8],
        budget: int,
        limit: int,
    ) -> NDArray[np.int64]:
        """See `VectorIndex`. More lists and more rows of them are asked for until there are enough memories."""
        total = self._index.ntotal
        share = float(eligible.mean()) if eligible.shape[0] else 0.0
        probed = max(1, math.ceil(budget / max(share, 1e-9) * self._index.nlist / max(total, 1)))
        asked = min(_AT_FIRST * limit, total)
        while True:
            found = self._search(query, min(asked, self._most), min(probed, self._index.nlist))
            found = np.sort(found[(found >= 0) & (found < segment.n_views)])
            slots = np.unique(rows.slots_of(segment, found))
            slots = slots[eligible[slots] != 0]
            if slots.shape[0] >= limit or (asked >= min(total, self._most) and probed >= self._index.nlist):
                return np.asarray(slots)
            asked, probed = min(asked * 4, total), probed * 2

    @property
    def _most(self) -> int:
        return int(self._index.ntotal) if self._resources is None else _MOST

    def _search(self, query: NDArray[np.float32], asked: int, probed: int) -> NDArray[np.int64]:
        with self._lock, one_thread(self._library):
            self._index.nprobe = probed
            return np.asarray(self._index.search(query[None], max(1, asked))[1][0])

    def extended(self, segment: SegmentSnapshot) -> FaissIvf:
        """See `VectorIndex`; grows in place."""
        self._add(segment, rows.live(segment, self.covered), lambda: True)
        return self

    def without_erased(self, segment: SegmentSnapshot) -> FaissIvf | None:
        """See `VectorIndex`. Only dropping it helps: faiss gives buffers back as they are, so they are zeroed first."""
        if not rows.erased_slots(segment)[rows.slots_of(segment, np.arange(self.covered))].any():
            return self
        self.wipe()
        return None

    def wipe(self) -> None:
        """See `VectorIndex`. Codes on the host are overwritten, those on a device given back."""
        with self._lock:
            if self._resources is None:
                lists = self._index.invlists
                for number in range(self._index.nlist):
                    size = lists.list_size(number) * self._index.code_size
                    if size:
                        self._library.rev_swig_ptr(lists.get_codes(number), size).fill(0)
                centroids = self._library.downcast_index(self._index.quantizer)
                self._library.rev_swig_ptr(centroids.get_xb(), centroids.ntotal * self._dim).fill(0)
            self._index.reset()

    def memory_bytes(self) -> int:
        """See `VectorIndex`."""
        row = self._dim * 2 + _ROW_BYTES
        return int(self._index.ntotal) * row + int(self._index.nlist) * self._dim * 4
