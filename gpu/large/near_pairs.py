"""Near pairs of a large namespace: near rows mostly lie in near lists of its index."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gpu.bank import rows
from gpu.bank.segment import SegmentSnapshot
from gpu.large.position_lists import PositionLists
from gpu.ops.near_pairs.checks import check
from gpu.ops.near_pairs.op import compare_all, eligible_rows
from gpu.ops.near_pairs.partners import NearPairs, Partners, joined

NEAR_LISTS = 16
"""Lists that the rows of a list are compared with, its own among them, and those that have it among theirs."""


def near_pairs_in_lists(
    index: PositionLists,
    segment: SegmentSnapshot,
    threshold: float,
    most: int,
    eligible: NDArray[np.uint8] | None = None,
    near_lists: int = NEAR_LISTS,
) -> NearPairs:
    """See `gpu.ops.near_pairs.op.near_pairs`; a pair whose rows lie in lists that are not near is not found.

    Scores are exact, and rows that are newer than the index are compared with all. The work is that of comparing each
    row with those of `near_lists` lists: it grows with the rows times the square root of their number.

    Args:
        index: of the segment.
        segment, threshold, most, eligible: see there.
        near_lists: lists that each list is compared with, at least 1; with all of them nothing is missed.

    Raises:
        PageOwnershipError: a page does not belong to this segment.
        ValueError: the index is another segment's, or see there.
    """
    check(threshold, most)
    if index.owner != segment.codes.owner:
        raise ValueError("the index belongs to another segment")
    positions, slots = eligible_rows(segment, eligible)
    found = Partners(segment.n_slots, threshold, most)
    listed = int(np.searchsorted(positions, index.covered))
    lists = _members(index, positions[:listed])
    for own, others in _near(index, near_lists):
        beside = np.sort(np.concatenate([np.empty(0, np.int64), *(lists[number] for number in others)]))
        compare_all(found, segment, positions, slots, lists[own], beside)
    newer = np.arange(listed, positions.shape[0])
    compare_all(found, segment, positions, slots, newer, np.arange(listed))
    return joined([found], most, is_exact=False).without(rows.erased_slots(segment))


def _members(index: PositionLists, positions: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """For each list which of ascending positions are in it."""
    at = np.searchsorted(positions, index.positions)
    known = positions[np.minimum(at, positions.shape[0] - 1)] == index.positions if positions.size else at < 0
    counts = np.add.reduceat(np.append(known, False), index.offsets[:-1]) * (np.diff(index.offsets) > 0)
    return np.split(at[known], np.cumsum(counts)[:-1])


def _near(index: PositionLists, near_lists: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Each list, and the later ones that it is compared with: every pair of near lists once."""
    centroids = index.centroids.astype(np.float32)
    count = centroids.shape[0]
    near = min(near_lists, count)
    best = np.argpartition(-(centroids @ centroids.T), near - 1, axis=1)[:, :near]
    are_near = np.zeros((count, count), np.bool_)
    np.put_along_axis(are_near, best, True, axis=1)
    are_near |= are_near.T
    for number in range(count):
        yield number, number + 1 + np.flatnonzero(are_near[number, number + 1 :])
