"""What proposes candidates in a large namespace, and which of its forms this machine gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gpu.bank.segment import SegmentSnapshot
from gpu.faiss_library import graphics_cards


class VectorIndex(Protocol):
    """An index over the rows of one segment, known by their positions in its code pages. Searched by many threads.

    Attributes:
        owner: of the segment's pages. No two segments have the same.
        covered: rows of the segment before this position are in the index (those that were alive).
        trained_on: how many rows the segment had when it was trained.
    """

    @property
    def owner(self) -> int:
        """See the class."""
        ...

    @property
    def covered(self) -> int:
        """See the class."""
        ...

    @property
    def trained_on(self) -> int:
        """See the class."""
        ...

    def candidates(
        self,
        query: NDArray[np.float32],
        segment: SegmentSnapshot,
        eligible: NDArray[np.uint8],
        budget: int,
        limit: int,
    ) -> NDArray[np.int64]:
        """Memories that may be the nearest to a query; no other ones than the mask lets through.

        Args:
            query: float32 `[dim]`.
            segment: a snapshot of the segment that it was built from, earlier or later.
            eligible: uint8 `[n_slots]`, the snapshot's mask.
            budget: how many eligible rows are to be compared at least, if there are so many.
            limit: how many memories are wanted; more may come.

        Returns:
            Slots of the segment, int64 `[k]`, distinct, ascending.

        Raises:
            PageOwnershipError: a page does not belong to this segment.
        """
        ...

    def extended(self, segment: SegmentSnapshot) -> VectorIndex:
        """One that covers the rows that were appended up to the snapshot as well."""
        ...

    def without_erased(self, segment: SegmentSnapshot) -> VectorIndex | None:
        """One that holds nothing of what has been erased, now that this returns; None if only dropping it helps."""
        ...

    def wipe(self) -> None:
        """Overwrite what was made of vectors: nobody gets this index any more. Who is still searching finds less."""
        ...

    def memory_bytes(self) -> int:
        """Bytes allocated."""
        ...


def build(library: Any, segment: SegmentSnapshot, wanted: Callable[[], bool]) -> VectorIndex | None:
    """Train an index on the rows of a snapshot, in the form that is best on this machine.

    Args:
        library: faiss.
        segment: pinned by the caller.
        wanted: asked from time to time whether the index is still of use.

    Returns:
        None if it was not wanted any more.
    """
    if graphics_cards(library):  # pragma: no cover - needs a device
        from gpu.large.faiss_ivf import FaissIvf

        return FaissIvf.built(library, segment, wanted)
    from gpu.large.position_lists import PositionLists

    return PositionLists.built(library, segment, wanted)
