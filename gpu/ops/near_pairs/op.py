"""Pairs of memories that are nearly the same, by comparing all with all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.bank import rows
from gpu.bank.segment import SegmentSnapshot
from gpu.ops.near_pairs.checks import check
from gpu.ops.near_pairs.partners import Block, NearPairs, Partners, joined
from gpu.side_by_side import parts_for, side_by_side

BLOCK_ROWS = 1024
"""Rows of a block: their products with another block (4 MiB) still lie in a cache when they are looked at."""
_LEAST = 2e9
"""Multiplications from which a part is worth a thread: some tens of milliseconds."""


def near_pairs(
    segment: SegmentSnapshot, threshold: float, most: int, eligible: NDArray[np.uint8] | None = None
) -> NearPairs:
    """All pairs of memories whose best vectors have a dot product of at least the threshold.

    A pair stays if it is among the `most` best pairs of one of its two memories, equal scores by the other's slot: at
    most `most` pairs for each memory, and each memory that has a near one keeps its nearest. Among memories that are
    equal all pairs with the first `most` of them stay, so that they are still connected.

    Args:
        segment: what to compare.
        threshold: least score, finite.
        most: partners that a memory keeps, at least 1.
        eligible: uint8 `[n_slots]`, from the filter scan; None for all that are alive.

    Raises:
        PageOwnershipError: a page does not belong to this segment.
        ValueError: the threshold is not finite, or `most` is less than 1.
    """
    check(threshold, most)
    positions, slots = eligible_rows(segment, eligible)
    n = positions.shape[0]
    starts = range(0, n, BLOCK_ROWS)
    workers = parts_for(float(n) ** 2 / 2 * segment.dim, _LEAST)
    found = [Partners(segment.n_slots, threshold, most) for _ in range(workers)]

    def compare(start: int, end: int) -> None:
        for worker in range(start, end):
            for at in starts[worker::workers]:  # early blocks have the most rows behind them
                own, behind = np.arange(at, min(n, at + BLOCK_ROWS)), np.arange(min(n, at + BLOCK_ROWS), n)
                compare_all(found[worker], segment, positions, slots, own, behind)

    side_by_side(compare, list(range(workers + 1)))
    return joined(found, most, is_exact=True).without(rows.erased_slots(segment))


def compare_all(
    found: Partners,
    segment: SegmentSnapshot,
    positions: NDArray[np.int64],
    slots: NDArray[np.int32],
    own: NDArray[np.int64],
    others: NDArray[np.int64],
) -> None:
    """Compares rows with each other and with other rows, in blocks.

    Args:
        found: gets the pairs.
        segment: where the rows are.
        positions, slots: see `eligible_rows`.
        own, others: which of these, int64, ascending; none in both.
    """
    for at in range(0, own.shape[0], BLOCK_ROWS):
        block = _read(segment, positions, slots, own[at : at + BLOCK_ROWS])
        found.compare(block)
        rest = np.concatenate([own[at + BLOCK_ROWS :], others]) if own.shape[0] > at + BLOCK_ROWS else others
        for start in range(0, rest.shape[0], BLOCK_ROWS):
            other = _read(segment, positions, slots, np.sort(rest[start : start + BLOCK_ROWS]))
            found.compare(block, other)
            other.vectors.fill(0)
        block.vectors.fill(0)  # a copy of vectors must not outlive an erasure by chance


def _read(
    segment: SegmentSnapshot, positions: NDArray[np.int64], slots: NDArray[np.int32], which: NDArray[np.int64]
) -> Block:
    return Block(rows.vectors(segment, positions[which]), slots[which])


def eligible_rows(
    segment: SegmentSnapshot, eligible: NDArray[np.uint8] | None
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Positions of the rows that count, int64 `[n]`, ascending, and the memory of each, int32 `[n]`."""
    positions = rows.live(segment, 0)
    slots = rows.slots_of(segment, positions).astype(np.int32)
    if eligible is None:
        return positions, slots
    wanted = eligible[slots] != 0
    return positions[wanted], slots[wanted]
