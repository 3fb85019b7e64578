"""Checks and scaling that every embedder shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retrieval.errors import EmbedderAnswerError


def unit_rows(rows: ArrayLike, dim: int) -> NDArray[np.float32]:
    """Checks vectors and scales them to unit length.

    Args:
        rows: `[n, dim]`, any float type.
        dim: what the embedding space promises.

    Returns:
        float32 `[n, dim]`, C-contiguous, unit rows.

    Raises:
        EmbedderAnswerError: another dimension, a value that is not finite, or a zero vector.
    """
    matrix = np.asarray(rows, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] != dim:
        raise EmbedderAnswerError(f"expected vectors of dimension {dim}, got an array of shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise EmbedderAnswerError("a vector holds values that are not finite")
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    if (norms <= 0.0).any():
        raise EmbedderAnswerError("a vector is zero")
    return np.ascontiguousarray(matrix / norms, dtype=np.float32)
