"""Which eligible memories link to some memories: links, followed backwards."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.bank.errors import PageOwnershipError
from gpu.bank.layouts import ATTRIBUTES, LINKS
from gpu.bank.segment import SegmentSnapshot, gather
from gpu.native import plain
from gpu.ops.entity_scan import kernel

_PREFIXES = np.concatenate([ATTRIBUTES.prefixes("first_link", "n_links"), LINKS.prefixes("targets")])
_NOTHING = np.empty(0, np.int64)
_ROOM = 1024
"""Links that one pass lists; only where there are more does it take a second one."""


def link_scan(
    segment: SegmentSnapshot, targets: NDArray[np.uint8], eligible: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """The eligible memories that link to some of `targets`.

    Args:
        segment: what to scan.
        targets: uint8 `[t, 16]`, distinct memory ids.
        eligible: uint8 `[n_slots]`, from the filter scan.

    Returns:
        Slots of the segment, int64 `[m]`, ascending; the place of the target in `targets`, int64 `[m]`; the relation
        (see `gpu.bank.records.Relation`), uint8 `[m]`. Of several links between the same two the first counts.

    Raises:
        ValueError: `targets` has another shape.
        PageOwnershipError: a page does not belong to this segment.
    """
    if targets.ndim != 2 or targets.shape[1] != 16:
        raise ValueError(f"targets must be [t, 16], not {targets.shape}")
    n = targets.shape[0]
    if segment.n_slots == 0 or n == 0 or not segment.links.pages:
        return _NOTHING, _NOTHING, np.empty(0, np.uint8)
    asked = plain(targets, np.uint8).view(np.uint64)
    groups = np.arange(n, dtype=np.int64)
    room = _ROOM
    while True:
        counts = np.zeros(n, np.int64)
        slots, which, positions = np.empty((3, room), np.int64)
        found = kernel.scan_pages(
            segment.attributes.entries,
            segment.attributes.owner,
            _PREFIXES,
            segment.links.entries,
            2,
            asked,
            groups,
            eligible,
            counts,
            slots,
            which,
            positions,
        )
        if found < 0:
            raise PageOwnershipError("an attribute or link page belongs to somebody else")
        if (wanted := int(counts.sum())) <= room:
            break
        room = wanted
    relations = np.asarray(gather(segment.links, ("relations",), positions[:found])["relations"], np.uint8)
    return slots[:found], which[:found], relations
