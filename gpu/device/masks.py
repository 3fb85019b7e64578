"""Which memories count, on a device, kept from one search to the next.

Rows of a segment never change but by dying, and the dead are marked in the copy of the rows itself. So a mask stays
right for the rows that it was made for, and a namespace that was written to costs a look at its new rows alone. Where
time passes for a filter (`now_us`), a mask is right until the next row expires.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank, Published
from gpu.bank.records import State
from gpu.bank.segment import SegmentSnapshot, gather
from gpu.ops.filter_scan.op import filter_scan, plan

_FILTERS = 8
"""Masks that are kept of one namespace."""
_ALIVE = plan(ScanFilter(states=frozenset(State)))
_BEGINNING, _END = -(1 << 63), (1 << 63) - 1


@dataclass(slots=True)
class _Mask:
    """A mask: which rows it was made for, and at which times it is right.

    `bits` is uint8 `[at least n_rows]` on the device, or None while every row that lives lets itself be found.
    """

    n_rows: int = 0
    since_us: int = _BEGINNING
    until_us: int = _END
    bits: torch.Tensor | None = None


@dataclass(slots=True)
class _OfNamespace:
    """Masks over one segment, by filter, the one that was asked longest ago first."""

    owner: int
    masks: OrderedDict[Hashable, _Mask] = field(default_factory=OrderedDict)


class DeviceMasks:
    """Masks of the namespaces on one device. One caller at a time."""

    def __init__(self, device: torch.device) -> None:
        """Begins empty."""
        self._device = device
        self._of: dict[NamespaceBank, _OfNamespace] = {}

    def mask(self, namespace: NamespaceBank, seen: Published, scan: ScanFilter) -> torch.Tensor | None:
        """Which of a namespace's current memories a filter lets through.

        Args:
            namespace: where.
            seen: what is there.
            scan: the filter; not of an earlier time (`as_of_us`).

        Returns:
            uint8 by slot on the device, 1 for those that count (and anything for the dead); None if all do.
        """
        rows = seen.current_rows
        if scan.allowed is not None:  # sets from elsewhere rarely come twice, and are as large as a mask
            return self._extended(_Mask(), rows, scan).bits
        of = self._of.get(namespace)
        if of is None or of.owner != rows.codes.owner:
            of = self._of[namespace] = _OfNamespace(rows.codes.owner)
        key = (
            scan.kinds,
            scan.states,
            scan.any_pairs,
            scan.no_pairs,
            scan.ranges,
            scan.valid_at_us,
            scan.now_us is None,
        )
        found = of.masks.get(key)
        if found is None or not (scan.now_us is None or found.since_us <= scan.now_us < found.until_us):
            found = of.masks[key] = _Mask()
            if len(of.masks) > _FILTERS:
                of.masks.popitem(last=False)
        if found.n_rows < rows.n_slots:
            self._extended(found, rows, scan)
        of.masks.move_to_end(key)
        return found.bits

    def drop(self, namespace: NamespaceBank) -> None:
        """Forgets a namespace."""
        self._of.pop(namespace, None)

    def memory_bytes(self) -> int:
        """Device bytes of the masks."""
        kept = (mask.bits for of in self._of.values() for mask in of.masks.values())
        return sum(bits.numel() for bits in kept if bits is not None)

    def _extended(self, mask: _Mask, rows: SegmentSnapshot, scan: ScanFilter) -> _Mask:
        """A mask brought up to the rows of a snapshot, in place."""
        starts = rows.attributes.entries[:, 1]
        page = max(0, int(starts.searchsorted(mask.n_rows, side="right")) - 1)  # holds the first unknown row
        first = int(starts[page]) if page else 0
        bits = np.empty(rows.n_slots - first, np.uint8)
        eligible = filter_scan(rows, plan(scan), bits, page)
        if scan.now_us is not None:
            self._set_times(mask, rows, scan.now_us)
        is_full = eligible == bits.size or eligible == filter_scan(rows, _ALIVE, np.empty_like(bits), page)
        if mask.bits is not None or not is_full:
            mask.bits = self._written(mask.bits, first, bits)
        mask.n_rows = rows.n_slots
        return mask

    def _set_times(self, mask: _Mask, rows: SegmentSnapshot, now_us: int) -> None:
        """Narrows the time in which a mask is right by the expiry of the rows that are new to it."""
        ends = gather(rows.attributes, ("expires_us",), np.arange(mask.n_rows, rows.n_slots))["expires_us"]
        past = ends <= now_us
        mask.since_us = max(mask.since_us, int(ends.max(where=past, initial=_BEGINNING)))
        mask.until_us = min(mask.until_us, int(ends.min(where=~past, initial=_END)))

    def _written(self, old: torch.Tensor | None, first: int, bits: NDArray[np.uint8]) -> torch.Tensor:
        """Bits with those of the rows from `first` on; before them all count where there were none."""
        size = first + bits.size
        if old is None or old.numel() < size:
            grown = torch.ones(max(size, 0 if old is None else size * 5 // 4), dtype=torch.uint8, device=self._device)
            if old is not None:
                grown[:first] = old[:first]
            old = grown
        old[first:size] = torch.from_numpy(bits).to(self._device)
        return old
