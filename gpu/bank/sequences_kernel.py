"""Compiled loop of `gpu.bank.sequences`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.native import jit


@jit
def _before(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> bool:
    """Whether the key `a` comes before `b`: by its first word that differs."""
    for word in range(a.shape[0]):
        if a[word] != b[word]:
            return bool(a[word] < b[word])
    return False


@jit
def merge(
    old: NDArray[np.int64],
    old_keys: NDArray[np.uint64],
    new: NDArray[np.int64],
    new_keys: NDArray[np.uint64],
    out: NDArray[np.int64],
) -> None:
    """Merge two runs of slots, each ascending by its keys (uint64 `[n, 3]`), into `out`.

    A key of zeros (a row erased meanwhile) may stand anywhere in the old run.
    """
    i, j = 0, 0
    for at in range(out.shape[0]):
        if i == old.shape[0] or (j < new.shape[0] and _before(new_keys[j], old_keys[i])):
            out[at] = new[j]
            j += 1
        else:
            out[at] = old[i]
            i += 1
