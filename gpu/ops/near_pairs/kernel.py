"""Picking the products that reach a threshold, and keeping the best partners of each memory, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.native import jit

_STEP = 64
"""Products that are counted at a time, with vector registers; hardly any of them reaches the threshold."""


@jit
def _insert(memory: Any, partner: Any, score: Any, partners: NDArray[np.int32], scores: NDArray[np.float32]) -> None:
    """Give a memory a partner, if it is better than its worst one so far; the same partner again counts once."""
    own, best = partners[memory], scores[memory]
    last = own.shape[0] - 1
    if score < best[last] or (score == best[last] and partner >= own[last]):
        return
    at = last
    for i in range(last + 1):
        if own[i] == partner:
            if best[i] >= score:
                return
            at = i
            break
    while at > 0 and (score > best[at - 1] or (score == best[at - 1] and partner < own[at - 1])):
        own[at], best[at] = own[at - 1], best[at - 1]
        at -= 1
    own[at], best[at] = partner, score


@jit
def collect(
    products: NDArray[np.float32],
    first: NDArray[np.int32],
    second: NDArray[np.int32],
    is_same: bool,
    threshold: np.float32,
    partners: NDArray[np.int32],
    scores: NDArray[np.float32],
) -> None:
    """Enter every product of rows of two memories that reaches the threshold, for both of them.

    Args:
        products: float32 `[n, m]`, of rows with rows.
        first, second: the memories of the rows, int32 `[n]` and `[m]`.
        is_same: the rows of both are the same ones: each pair of them is looked at once.
        threshold: least product.
        partners: int32 `[n_slots, most]`, best first, equal scores by slot; -1 where there are fewer.
        scores: float32 `[n_slots, most]`; -inf where there are fewer.
    """
    for i in range(products.shape[0]):
        row = products[i]
        for start in range(i + 1 if is_same else 0, row.shape[0], _STEP):
            end = min(start + _STEP, row.shape[0])
            count = np.int32(0)
            for j in range(start, end):
                count += np.int32(row[j] >= threshold)
            if count == 0:
                continue
            for j in range(start, end):
                if row[j] >= threshold and first[i] != second[j]:
                    _insert(first[i], second[j], row[j], partners, scores)
                    _insert(second[j], first[i], row[j], partners, scores)
