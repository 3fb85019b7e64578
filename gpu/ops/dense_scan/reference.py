"""The meaning of the dense scan, in plain numpy at double precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def dense_rows(
    vectors: NDArray[np.float16],
    view_offsets: NDArray[np.int64],
    query: NDArray[np.float32],
    eligible: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Largest dot product over the views of each memory, float64 `[n]`; -inf if not eligible or without a view."""
    products = vectors.astype(np.float64) @ query.astype(np.float64)
    out = np.full(view_offsets.shape[0] - 1, -np.inf)
    for i in np.flatnonzero(eligible):
        views = products[view_offsets[i] : view_offsets[i + 1]]
        if views.size:
            out[i] = views.max()
    return out
