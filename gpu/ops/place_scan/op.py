"""Which eligible memories are of which of the asked places."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.bank.errors import PageOwnershipError
from gpu.bank.layouts import ATTRIBUTES, PLACES
from gpu.bank.segment import SegmentSnapshot
from gpu.native import plain
from gpu.ops.entity_scan import kernel

_PREFIXES = np.concatenate([ATTRIBUTES.prefixes("first_place", "n_places"), PLACES.prefixes("ids")])
_NOTHING = np.empty(0, np.int64)


def place_scan(
    segment: SegmentSnapshot, ids: NDArray[np.uint64], eligible: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The eligible memories that hold some of the asked places.

    Args:
        segment: what to scan.
        ids: uint64 `[q]`, distinct hashed places.
        eligible: uint8 `[n_slots]`, from the filter scan.

    Returns:
        Slots of the segment, int64 `[m]`, ascending, and which of the asked places each holds, int64 `[m]`. A memory
        that holds several is there once for each.

    Raises:
        ValueError: `ids` is not a row of ids.
        PageOwnershipError: a page does not belong to this segment.
    """
    if ids.ndim != 1:
        raise ValueError("ids must be [q]")
    if segment.n_slots == 0 or ids.size == 0 or not segment.places.pages:
        return _NOTHING, _NOTHING
    asked = np.repeat(plain(ids, np.uint64)[:, None], 2, axis=1)
    room = 0
    while True:  # the first pass counts, the second one has room for all
        counts = np.zeros(ids.size, np.int64)
        slots, which, positions = np.empty((3, room), np.int64)
        found = kernel.scan_pages(
            segment.attributes.entries,
            segment.attributes.owner,
            _PREFIXES,
            segment.places.entries,
            1,
            asked,
            np.arange(ids.size, dtype=np.int64),
            eligible,
            counts,
            slots,
            which,
            positions,
        )
        if found < 0:
            raise PageOwnershipError("an attribute or place page belongs to somebody else")
        room = int(counts.sum())
        if room <= slots.shape[0]:
            return slots[:found], which[:found]
