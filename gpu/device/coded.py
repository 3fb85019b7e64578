"""The vectors of one namespace on a device in a coarse tier, for a scan that reads a fraction of the bytes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from gpu.bank.layouts import Tier, code_bytes
from gpu.bank.segment import Segment, SegmentSnapshot, gather
from gpu.device.mirror import VectorMirror, VectorPage
from gpu.device.page_mirror import UNIT
from gpu.device.pool import DevicePool
from gpu.ops.coarse_search.op import RECORD, STRETCHES, CodedPages
from gpu.ops.paged_search.op import GROUP
from gpu.side_by_side import side_by_side
from gpu.tiers.codecs import encode
from gpu.tiers.ranking import corrected
from gpu.tiers.rotation import rotation

_CENTRED_FROM, _SAMPLED = 1_024, 4_096
"""Rows from which their mean is taken off before they are encoded: so many that it tells nothing of any of them, which
may be erased while it stays; and how many rows it is the mean of at most."""
_PART = 512
"""Rows that one core encodes at a time."""


class CodedRows(VectorMirror):
    """The copy of one segment's vectors, or of those in some of its pages, in a tier below fp16.

    Rows are rotated, and less a centre once there are enough of them: the mean of embeddings holds half of their
    squared length, says nothing about which is nearest, and would cost the code half of its accuracy.

    Attributes:
        coded: what a search reads.
    """

    coded: CodedPages
    numbers_of_a_record = RECORD

    def __init__(self, pool: DevicePool, segment: Segment, start: int = 0, *, tier: Tier) -> None:
        """Begins empty; see `PageMirror`.

        Raises:
            ValueError: the tier is fp16, which is no code.
        """
        if tier is Tier.FP16:
            raise ValueError("vectors of half precision are mirrored by DeviceRows")
        self.rows_of_a_record = STRETCHES[tier]
        self._rotation = rotation(segment.dim)
        self._centre = np.zeros(segment.dim, np.float32)
        self._longest = self._left_out = 0.0
        super().__init__(pool, segment, start, tier=tier)

    def follow(self, seen: SegmentSnapshot, end: int | None = None) -> None:
        """See `PageMirror`; rows that were there before there was a centre are encoded anew."""
        until = seen.n_views if end is None else min(end, seen.n_views)
        if not self._centre.any() and until - self._start >= _CENTRED_FROM:
            some = np.unique(np.linspace(self._start, until - 1, _SAMPLED).astype(np.int64))
            rows = self._rotation.turn(gather(seen.codes, ("vectors",), some)["vectors"])
            self._centre = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
            self._longest = self._left_out = 0.0
            self._restart()
        super().follow(seen, end)

    def _columns_of(self, vectors: NDArray[np.float16]) -> dict[str, NDArray[np.generic]]:
        """On all cores, as encoding is what takes the time."""
        n = len(vectors)
        scales, errors, lengths = np.empty((3, n), np.float32)
        packed = np.zeros((n, code_bytes(self.tier, self.segment.dim)), np.uint8)

        def encode_part(i: int, j: int) -> None:
            rows = self._rotation.turn(vectors[i:j]) - self._centre
            squares = np.einsum("ij,ij->i", rows, rows)
            found = corrected(encode(rows, self.tier), squares)
            scales[i:j], errors[i:j], lengths[i:j] = found.scales, found.errors, np.sqrt(squares)
            packed[i:j, : found.values.shape[1]] = found.values.view(np.uint8)

        side_by_side(encode_part, [*range(0, n, _PART), n])
        left_out = np.sqrt(errors)
        self._left_out = max(self._left_out, float(left_out.max()))
        self._longest = max(self._longest, float((lengths + left_out).max()))
        return {"scale": scales, "error": errors, "codes": packed}

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
        self.coded = CodedPages(
            self._records[: self._n_records], self._pool.bytes, self._owner, self.segment.dim, self.tier,
            self._n_groups(), self._centre_there, self._longest, self._left_out,
        )  # fmt: skip

    def _n_groups(self) -> int:
        """Groups of `GROUP` rows that have records; none crosses a page."""
        if not self._n_records:
            return 0
        last = next(page for page in reversed(self._pages) if page.start < self._described)
        return last.first_group + -(-(self._described - last.start) // GROUP)
