"""The compiled loop of `gpu.device.names`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.bank.pages import HEADER_BYTES
from gpu.native import int32_at, int64_at, jit, owned, uint64_at


@jit
def read(
    tables: NDArray[np.int64],
    table_of: NDArray[np.int64],
    slots: NDArray[np.int64],
    prefixes: NDArray[np.int64],
    ids: NDArray[np.uint64],
    versions: NDArray[np.int32],
) -> bool:
    """Copy ids and versions.

    Args:
        tables: int64 `[t, 3]`: address of the entries of a `PageTable`, their number, and its owner.
        table_of: int64 `[n]`, the table of each row.
        slots: int64 `[n, k]`, -1 for none.
        prefixes: bytes per element before the columns memory_id and versions.
        ids: uint64 `[n, k, 2]`, zeroed.
        versions: int32 `[n, k]`, zeroed.

    Returns:
        False if a page belongs to somebody else.
    """
    for i in range(slots.shape[0]):
        address, n_pages, owner = tables[table_of[i]]
        entries = int64_at(address, n_pages * 4)
        for j in range(slots.shape[1]):
            slot = slots[i, j]
            if slot < 0:
                continue
            low, high = np.int64(0), n_pages
            while high - low > 1:
                middle = (low + high) // 2
                if entries[4 * middle + 1] <= slot:
                    low = middle
                else:
                    high = middle
            page, start, capacity = entries[4 * low], entries[4 * low + 1], entries[4 * low + 2]
            if not owned(page, owner, entries[4 * low + 3]):
                return False
            base = page + HEADER_BYTES
            words = uint64_at(base + capacity * prefixes[0] + 16 * (slot - start), 2)
            ids[i, j, 0], ids[i, j, 1] = words[0], words[1]
            versions[i, j] = int32_at(base + capacity * prefixes[1] + 4 * (slot - start), 1)[0]
    return True
