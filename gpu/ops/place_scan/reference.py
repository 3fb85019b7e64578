"""The meaning of the place scan, in plain Python."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.bank.records import RecordBatch


def place_rows(batch: RecordBatch, ids: NDArray[np.uint64], eligible: NDArray[np.bool_]) -> set[tuple[int, int]]:
    """Pairs (memory, place in `ids`) of the eligible memories that are of an asked place."""
    place_of = {int(place): q for q, place in enumerate(ids)}
    return {
        (i, place_of[place])
        for i in np.flatnonzero(eligible).tolist()
        for place in batch.place_ids[batch.place_offsets[i] : batch.place_offsets[i + 1]].tolist()
        if place in place_of
    }
