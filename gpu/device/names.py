"""Which memories the slots of a whole batch are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gpu.bank.errors import PageOwnershipError
from gpu.bank.layouts import ATTRIBUTES
from gpu.bank.pages import PageTable
from gpu.device import names_kernel as kernel

_PREFIXES = ATTRIBUTES.prefixes("memory_id", "versions")


def names_of(tables: Sequence[PageTable], slots: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Ids and versions of what the slots of many namespaces hold, in one pass.

    Args:
        tables: the attribute pages of each row of `slots`.
        slots: int64 `[n, k]`; -1 where there is none.

    Returns:
        Ids uint8 `[n, k, 16]` and versions int32 `[n, k]`; zeros where there is none.

    Raises:
        PageOwnershipError: a page of a table belongs to somebody else by now.
    """
    rows: dict[int, int] = {}
    number = np.empty(len(tables), np.int64)
    distinct: list[tuple[int, int, int]] = []
    for at, table in enumerate(tables):
        key = id(table)
        if (row := rows.get(key)) is None:
            row = rows[key] = len(distinct)
            distinct.append((table.entries.ctypes.data, table.entries.shape[0], table.owner))
        number[at] = row
    ids = np.zeros((*slots.shape, 16), np.uint8)
    versions = np.zeros(slots.shape, np.int32)
    known = np.array(distinct, np.int64).reshape(-1, 3)
    if not kernel.read(known, number, slots, _PREFIXES, ids.view(np.uint64), versions):
        raise PageOwnershipError("a page that was read belongs to somebody else")
    return ids, versions
