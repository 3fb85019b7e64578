"""What a search on a device finds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NOWHERE = -1
"""The owner of nothing: slots are not known, memories go by their ids."""


class Best(NamedTuple):
    """The best memories of one query.

    Attributes:
        memory_ids: uint8 `[m, 16]`, best first.
        versions: int32 `[m]`.
        scores: float32 `[m]`.
        slots: int64 `[m]`, where they are in the segment of current memories whose code pages belong to `owner`.
        owner: see there.
    """

    memory_ids: NDArray[np.uint8]
    versions: NDArray[np.int32]
    scores: NDArray[np.float32]
    slots: NDArray[np.int64]
    owner: int
