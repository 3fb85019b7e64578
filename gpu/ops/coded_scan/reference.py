"""The meaning of the scan of codes, in plain numpy at double precision."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gpu.bank.coding import codes_of
from gpu.bank.layouts import TIERS, row_words
from gpu.tiers.codecs import dot
from gpu.tiers.ranking import CAUTION
from gpu.tiers.rotation import rotation


def coded_rows(
    words: Sequence[NDArray[np.uint64]], tiers: Sequence[int], query: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Largest cautious estimate over the views of each memory, float64 `[n]`; -inf without a code.

    Args:
        words: what the arena of codes holds of each memory.
        tiers: of each, places in `TIERS`.
        query: float32 `[dim]`, not rotated.
    """
    dim = query.shape[0]
    turned = rotation(dim).turn(query)
    square = float(np.square(turned.astype(np.float64)).sum())
    out = np.full(len(words), -np.inf)
    for i, (own, number) in enumerate(zip(words, tiers, strict=True)):
        if own.size:
            tier = TIERS[number]
            rows = codes_of(own.reshape(-1, row_words(tier, dim)), tier, dim)
            estimates = dot(turned, rows)
            across = np.maximum(square - np.square(estimates), 0) / max(dim - 1, 1)
            out[i] = (estimates - CAUTION * np.sqrt(rows.errors.astype(np.float64) * across)).max()
    return out
