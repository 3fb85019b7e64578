"""The vectors of one namespace on a device in a coarse tier, for a scan that reads a fraction of the bytes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from gpu.bank.layouts import Tier, code_bytes
from gpu.bank.segment import Segment, SegmentSnapshot, gather
from gpu.device.mirror import UNIT, DevicePage, Mirror
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


class CodedRows(Mirror):
    """The device's copy of one segment's vectors in a tier below fp16. One caller at a time.

    Rows are rotated, and less a centre once there are enough of them: the mean of embeddings holds half of their
    squared length, says nothing about which is nearest, and would cost the code half of its accuracy.
    """

    numbers_of_a_record = RECORD

    def __init__(self, pool: DevicePool, segment: Segment, tier: Tier) -> None:
        """Begins empty.

        Raises:
            ValueError: the tier is fp16, which is no code.
        """
        if tier is Tier.FP16:
            raise ValueError("vectors of half precision are mirrored by DeviceRows")
        super().__init__(pool, segment, tier)
        self.rows_of_a_record = STRETCHES[tier]
        self._rotation = rotation(segment.dim)
        self._begin(np.zeros(segment.dim, np.float32))

    def _begin(self, centre: NDArray[np.float32]) -> None:
        self._centre = centre
        self._centre_there = torch.from_numpy(centre).to(self.pool.device)
        self._longest = 0.0
        self._left_out = 0.0

    def follow(self, seen: SegmentSnapshot) -> None:
        """See `Mirror`; rows that were there before there was a centre are encoded anew."""
        if not self._centre.any() and seen.n_views >= _CENTRED_FROM:
            some = np.unique(np.linspace(0, seen.n_views - 1, _SAMPLED).astype(np.int64))
            rows = self._rotation.turn(gather(seen.codes, ("vectors",), some)["vectors"])
            self._restart()
            self._begin(rows.mean(axis=0, dtype=np.float64).astype(np.float32))
        super().follow(seen)

    def columns_of(self, vectors: NDArray[np.float16]) -> dict[str, NDArray[np.generic]]:
        """See `Mirror`; on all cores, as encoding is what takes the time."""
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

    def records_of(self, page: DevicePage, local: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Mirror`; what the numbers mean: `gpu.ops.coarse_search.triton_kernel.RECORD`."""
        part = np.zeros((local.size, RECORD), np.int64)
        part[:, 0] = page.place("codes", local) // UNIT
        part[:, 1] = page.place("slot", local) // UNIT
        part[:, 2] = page.place("scale", local) // UNIT
        part[:, 3] = page.at // UNIT
        part[:, 4] = page.generation
        part[:, 5] = rows
        part[:, 6] = page.first_group + local // GROUP
        return part

    @property
    def coded(self) -> CodedPages:
        """What a search reads."""
        return CodedPages(
            self.records, self.pool.bytes, self.owner, self.segment.dim, self.tier, self.n_groups,
            self._centre_there, self._longest, self._left_out,
        )  # fmt: skip
