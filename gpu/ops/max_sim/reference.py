"""The meaning of max-sim, in plain numpy at double precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.ops.max_sim.codes import level_table


def max_sim_rows(
    codes: NDArray[np.uint8], offsets: NDArray[np.int64], query: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Mean over the question's tokens of the largest dot product with a token of each memory, float64 `[m]`."""
    dim = query.shape[1]
    tokens = level_table(dim)[codes].reshape(codes.shape[0], 4 * codes.shape[1])[:, :dim].astype(np.float64)
    out = np.full(offsets.shape[0] - 1, np.nan)
    for i in range(out.shape[0]):
        own = tokens[offsets[i] : offsets[i + 1]]
        if own.shape[0]:
            out[i] = (query.astype(np.float64) @ own.T).max(axis=1).mean()
    return out
