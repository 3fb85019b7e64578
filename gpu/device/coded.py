"""The vectors of one namespace on a device in a coarse tier, for a scan that reads a fraction of the bytes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from gpu.bank.layouts import Tier
from gpu.bank.segment import Segment, SegmentSnapshot, gather
from gpu.device.mirror import Column, DeviceRows, VectorMirror, VectorPage
from gpu.device.page_mirror import UNIT
from gpu.device.pool import DevicePool
from gpu.ops.coarse_search.op import RECORD, STRETCHES, CodedPages
from gpu.ops.paged_search.op import GROUP
from gpu.tiers.device_codecs import encode, turning
from gpu.tiers.rotation import rotation

_CENTRED_FROM, _SAMPLED = 1_024, 4_096
"""Rows from which their mean is taken off before they are encoded: so many that it tells nothing of any of them, which
may be erased while it stays; and how many rows it is the mean of at most."""


class CodedRows(VectorMirror):
    """The copy of one segment's vectors, or of those in some of its pages, in a tier below fp16.

    Rows are rotated, and less a centre once there are enough of them: the mean of embeddings holds half of their
    squared length, says nothing about which is nearest, and would cost the code half of its accuracy. Codes are made
    on the device.

    Attributes:
        coded: what a search reads.
    """

    coded: CodedPages
    numbers_of_a_record = RECORD

    def __init__(
        self, pool: DevicePool, segment: Segment, start: int = 0, *, tier: Tier, exact: DeviceRows | None = None
    ) -> None:
        """Begins empty; see `PageMirror`.

        Args:
            pool: where its pages go.
            segment: what is copied.
            start: the first position that is.
            tier: how exactly vectors are held.
            exact: the exact rows of the same segment: what it has on the device is not brought there a second time.

        Raises:
            ValueError: the tier is fp16, which is no code.
        """
        if tier is Tier.FP16:
            raise ValueError("vectors of half precision are mirrored by DeviceRows")
        self.rows_of_a_record = STRETCHES[tier]
        self._rotation = rotation(segment.dim)
        self._centre = np.zeros(segment.dim, np.float32)
        self._bounds = torch.zeros(2)
        self._exact = exact
        super().__init__(pool, segment, start, tier=tier)

    def follow(self, seen: SegmentSnapshot, end: int | None = None) -> None:
        """See `PageMirror`; rows that were there before there was a centre are encoded anew."""
        until = seen.n_views if end is None else min(end, seen.n_views)
        if not self._centre.any() and until - self._start >= _CENTRED_FROM:
            some = np.unique(np.linspace(self._start, until - 1, _SAMPLED).astype(np.int64))
            rows = self._rotation.turn(gather(seen.codes, ("vectors",), some)["vectors"])
            self._centre = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
            self._bounds.zero_()
            self._restart()
        super().follow(seen, end)

    def _columns_of(self, vectors: NDArray[np.float16], at: int) -> dict[str, Column]:
        rows = self._on_device(vectors, at).float() @ turning(self.segment.dim, self._pool.device) - self._centre_there
        found = encode(rows, self.tier)
        left_out = found.errors.sqrt()
        lengths = found.squares.sqrt() + left_out
        self._bounds = torch.maximum(self._bounds, torch.stack([lengths.max(), left_out.max()]))
        return {"scale": found.scales, "error": found.errors, "codes": found.values}

    def _on_device(self, vectors: NDArray[np.float16], at: int) -> torch.Tensor:
        """The same vectors on the device, copied only if they are not there."""
        there = None if self._exact is None else self._exact.vectors_at(at, len(vectors))
        if there is None or there.device != self._pool.device:
            there = torch.empty(vectors.shape, dtype=torch.float16, device=self._pool.device)
            self._pool.write_to(there, vectors)
        return there

    def _records_at(self, page: VectorPage, local: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """What the numbers mean: `gpu.ops.coarse_search.triton_kernel.RECORD`."""
        part = np.zeros((local.size, RECORD), np.int64)
        part[:, 0] = page.place("codes", local) // UNIT
        part[:, 1] = page.place("slot", local) // UNIT
        part[:, 2] = page.place("scale", local) // UNIT
        part[:, 3] = page.at // UNIT
        part[:, 4] = page.generation
        part[:, 5] = rows
        part[:, 6] = page.first_group + local // GROUP
        return part

    def _show(self) -> None:
        if not self._n_records:  # begun anew, with another centre or on another device
            self._centre_there = torch.from_numpy(self._centre).to(self._pool.device)
            self._bounds = self._bounds.to(self._pool.device)
        longest, left_out = self._bounds.tolist()  # waits once for all pages
        self.coded = CodedPages(
            self._records[: self._n_records], self._pool.bytes, self._owner, self.segment.dim, self.tier,
            self._n_groups(), self._centre_there, longest, left_out,
        )  # fmt: skip

    def _n_groups(self) -> int:
        """Groups of `GROUP` rows that have records; none crosses a page."""
        if not self._n_records:
            return 0
        last = next(page for page in reversed(self._pages) if page.start < self._described)
        return last.first_group + -(-(self._described - last.start) // GROUP)
