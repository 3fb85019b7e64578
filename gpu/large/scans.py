"""Comparing chosen rows of a segment with a query, where they lie, and picking memories by their best row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.bank import rows
from gpu.bank.errors import PageOwnershipError
from gpu.bank.pages import PageTable
from gpu.bank.segment import SegmentSnapshot
from gpu.large import lists_kernel
from gpu.native import all_owned, plain
from gpu.ops.dense_scan.op import dense_scan
from gpu.ops.top_memories.op import top_memories


def nearest_in_lists(
    segment: SegmentSnapshot,
    query: NDArray[np.float32],
    eligible: NDArray[np.uint8],
    order: NDArray[np.int64],
    offsets: NDArray[np.int64],
    positions: NDArray[np.int32],
    slots: NDArray[np.int32],
    budget: int,
    limit: int,
) -> NDArray[np.int64]:
    """Eligible memories with the best rows of some lists.

    Args:
        segment: where the rows are.
        query: float32 `[dim]`.
        eligible: uint8 `[n_slots]`.
        order: int64 `[l]`, which lists are read, one after the other.
        offsets: int64 `[n_lists + 1]`, where lists begin.
        positions: int32 `[n]`, rows, ascending within a list; those that the snapshot does not have are passed over.
        slots: int32 `[n]`, the memory of each.
        budget: no further list is begun once so many eligible rows are compared.
        limit: how many memories.

    Returns:
        Slots int64 `[k]`, see `distinct_best`.

    Raises:
        PageOwnershipError: a page does not belong to this segment.
    """
    _check(segment.codes)
    room = min(positions.shape[0], budget + int(np.diff(offsets).max(initial=0)))
    found, scores = np.empty(room + 1, np.int64), np.empty(room, np.float32)
    count = lists_kernel.scan_lists(
        segment.codes.entries,
        segment.codes.layout.prefix("vectors"),
        segment.n_views,
        plain(query, np.float32),
        eligible,
        order,
        offsets,
        positions,
        slots,
        budget,
        found,
        scores,
    )
    return distinct_best(found[:count], scores[:count], limit)


def nearest_of_newest(
    segment: SegmentSnapshot, query: NDArray[np.float32], eligible: NDArray[np.uint8], first: int, limit: int
) -> NDArray[np.int64]:
    """Eligible memories with the best of the rows from position `first` on, all of which are compared.

    Raises:
        PageOwnershipError: a page does not belong to this segment.
    """
    positions = np.arange(first, max(first, segment.n_views))
    slots = rows.slots_of(segment, positions).astype(np.int32)
    one, offsets = np.zeros(1, np.int64), np.array([0, positions.shape[0]])
    return nearest_in_lists(
        segment, query, eligible, one, offsets, positions.astype(np.int32), slots, positions.shape[0] + 1, limit
    )


def nearest_of_all(
    segment: SegmentSnapshot, query: NDArray[np.float32], eligible: NDArray[np.uint8], limit: int
) -> NDArray[np.int64]:
    """The nearest eligible memories of a whole segment, slots int64 `[k]`.

    Raises:
        PageOwnershipError: a page does not belong to this segment.
    """
    scores = np.empty(segment.n_slots, np.float32)
    dense_scan(segment, query, eligible, scores)
    return top_memories(scores, limit)[0]


def _check(table: PageTable) -> None:
    if not all_owned(table.entries, table.owner):
        raise PageOwnershipError("a page that was to be read belongs to somebody else")


def distinct_best(slots: NDArray[np.int64], scores: NDArray[np.float32], limit: int) -> NDArray[np.int64]:
    """At least `limit` distinct memories by the score of their best row, if there are so many.

    Args:
        slots: int64 `[n]`, the memory of each row, repeated ones too.
        scores: float32 `[n]`, one for each row.
        limit: how many memories.

    Returns:
        Slots int64 `[k]`, ascending; all that tie with the last one are among them.
    """
    wanted = limit
    while True:
        at, best = top_memories(scores, wanted)
        found = np.unique(slots[at])
        if found.shape[0] >= limit or at.shape[0] < wanted:
            break
        wanted *= 2
    if 0 < at.shape[0] < scores.shape[0]:
        found = np.unique(slots[scores >= best[-1]])
    return found
