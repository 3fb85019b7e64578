"""The meaning of context scores, in plain Python at double precision."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def context_rows(
    scores: NDArray[np.float32], sequences: Sequence[int], ids: Sequence[bytes], weights: tuple[float, float, float]
) -> NDArray[np.float64]:
    """`x[s] + w1 * x[prev1] + w2 * x[prev2] + w3 * x[next1]`, float64 `[n]`; what is not eligible stays -inf.

    Neighbours are those of the same sequence (0 is none) in the order of the ids; a neighbour that is missing or not
    eligible adds nothing.
    """
    x = scores.astype(np.float64)
    out = x.copy()
    for sequence in set(sequences) - {0}:
        members = sorted((i for i, s in enumerate(sequences) if s == sequence), key=lambda i: ids[i])
        for at, slot in enumerate(members):
            for step, weight in zip((-1, -2, 1), weights, strict=True):
                if 0 <= at + step < len(members) and np.isfinite(x[members[at + step]]):
                    out[slot] += weight * x[members[at + step]]
    return out
