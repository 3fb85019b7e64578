"""The meaning of the link scan, in plain Python."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gpu.bank.records import RecordBatch


def link_rows(batch: RecordBatch, targets: Sequence[bytes], eligible: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """(memory, place of the target, relation of the first such link), sorted."""
    found: dict[tuple[int, int], int] = {}
    for i in np.flatnonzero(eligible).tolist():
        for j in range(int(batch.link_offsets[i]), int(batch.link_offsets[i + 1])):
            target = batch.link_targets[j].tobytes()
            if target in targets:
                found.setdefault((i, targets.index(target)), int(batch.link_relations[j]))
    return sorted((i, t, relation) for (i, t), relation in found.items())
