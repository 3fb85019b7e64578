"""Which eligible memories mention which of the asked entities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gpu.bank.errors import PageOwnershipError
from gpu.bank.layouts import ATTRIBUTES, ENTITIES
from gpu.bank.segment import SegmentSnapshot
from gpu.native import plain
from gpu.ops.entity_scan import kernel

_PREFIXES = np.concatenate([ATTRIBUTES.prefixes("first_entity", "n_entities"), ENTITIES.prefixes("ids")])
_NOTHING = np.empty(0, np.int64)


def entity_scan(
    segment: SegmentSnapshot,
    ids: NDArray[np.uint64],
    groups: NDArray[np.int64],
    eligible: NDArray[np.uint8],
    counts: NDArray[np.int64],
    room: int = 0,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the eligible memories that mention each group of ids, and list them.

    Args:
        segment: what to scan.
        ids: uint64 `[q]`, distinct mention ids.
        groups: int64 `[q]`, the group (an entity with its aliases) of each, from 0.
        eligible: uint8 `[n_slots]`, from the filter scan.
        counts: int64 `[g]`, added to: eligible memories that mention the group, each counted once.
        room: list at most this many (memory, group) pairs; with 0 only count.

    Returns:
        Slots of the segment, int64 `[m]`, ascending, and the group that each mentions, int64 `[m]`.

    Raises:
        ValueError: ids and groups differ in number, or a group has no place in `counts`.
        PageOwnershipError: a page does not belong to this segment.
    """
    if ids.shape != groups.shape or ids.ndim != 1:
        raise ValueError("ids and groups must be [q]")
    if groups.size and not 0 <= int(groups.min()) <= int(groups.max()) < counts.shape[0]:
        raise ValueError(f"a group lies outside the {counts.shape[0]} counts")
    if segment.n_slots == 0 or ids.size == 0:
        return _NOTHING, _NOTHING
    asked = np.repeat(plain(ids, np.uint64)[:, None], 2, axis=1)
    slots, which, positions = np.empty((3, room), np.int64)
    found = kernel.scan_pages(
        segment.attributes.entries,
        segment.attributes.owner,
        _PREFIXES,
        segment.entities.entries,
        1,
        asked,
        plain(groups, np.int64),
        eligible,
        counts,
        slots,
        which,
        positions,
    )
    if found < 0:
        raise PageOwnershipError("an attribute or entity page belongs to somebody else")
    return slots[:found], which[:found]


def flat_groups(groups: Sequence[NDArray[np.uint64]]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Groups of ids end to end, uint64 `[q]` distinct, with the group of each, int64 `[q]`.

    An id that stands in several groups stays in the first.
    """
    if not groups:
        return np.empty(0, np.uint64), _NOTHING
    ids = np.concatenate([np.asarray(group, np.uint64) for group in groups])
    of = np.repeat(np.arange(len(groups), dtype=np.int64), [len(group) for group in groups])
    _, first = np.unique(ids, return_index=True)
    first.sort()
    return ids[first], of[first]
