"""The meaning of the entity scan, in plain Python."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gpu.bank.records import RecordBatch


def entity_rows(
    batch: RecordBatch, groups: Sequence[Sequence[int]], eligible: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
    """How many eligible memories mention an id of each group, and which: pairs (memory, group), each once, sorted."""
    pairs = []
    for i in np.flatnonzero(eligible).tolist():
        held = set(batch.entity_ids[int(batch.entity_offsets[i]) : int(batch.entity_offsets[i + 1])].tolist())
        pairs += [(i, g) for g, group in enumerate(groups) if held.intersection(group)]
    counts = np.bincount([g for _, g in pairs], minlength=len(groups)).astype(np.int64)
    return counts, sorted(pairs)
