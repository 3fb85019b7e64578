"""Codes of rows that lie on a device, made there: what a host takes minutes for takes seconds.

The reference is `gpu.tiers.codecs.encode` with `gpu.tiers.ranking.corrected`. Here the rotation is one
product with its matrix and products are rounded to float32. So a code may differ from the reference's by a step where a
coordinate lies within rounding of the border between two, and a row may have another of two widths of clipping that are
equally good but for rounding. What a row says of itself stays true: its scale fits its own code, and its error is
measured on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch

from gpu.bank.layouts import BITS, Tier, code_bytes
from gpu.tiers.codecs import LARGEST, SHORTEST, TURNS, WIDTHS
from gpu.tiers.ranking import LEAST_SHRINKAGE
from gpu.tiers.rotation import rotation


@dataclass(frozen=True, slots=True)
class DeviceCodes:
    """Rows of one tier as pages hold them (`gpu.bank.layouts.codes`), on a device.

    Attributes:
        values: uint8 `[n, code_bytes]`, 0 beyond the last dimension.
        scales: float32 `[n]`, corrected.
        errors: float32 `[n]`, squared length of what a corrected code leaves out.
        squares: float32 `[n]`, squared lengths of the rows.
    """

    values: torch.Tensor
    scales: torch.Tensor
    errors: torch.Tensor
    squares: torch.Tensor


@lru_cache(maxsize=16)
def turning(dim: int, device: torch.device) -> torch.Tensor:
    """A matrix on a device that rows are multiplied with to be rotated, to 1e-6: float32 `[dim, dim]`."""
    return torch.from_numpy(rotation(dim).matrix().T.copy()).to(device)


def encode(rows: torch.Tensor, tier: Tier) -> DeviceCodes:
    """Corrected codes of rotated rows; nothing waits for the device.

    Args:
        rows: float32 `[n, dim]`, finite, at most of unit length; below 1e-6 a length counts as zero.
        tier: int8, int4 or bit1.

    Raises:
        ValueError: the tier is fp16, which is no code.
    """
    if tier is Tier.FP16:
        raise ValueError("half precision is no code")
    squares = (rows * rows).sum(dim=1)
    rows = torch.where(squares[:, None] > SHORTEST, rows, 0)
    levels, scales = _signs(rows) if tier is Tier.BIT1 else _least_squares(rows, tier)
    lost = (rows - levels * scales[:, None]).square().sum(dim=1)
    scales, errors = (scales, lost) if tier is Tier.BIT1 else _corrected(scales, lost, squares)
    return DeviceCodes(_packed(levels, tier), scales, errors, squares)


def _signs(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    levels = torch.where(rows >= 0, 1.0, -1.0)
    return levels, _quotient(rows.square().sum(dim=1), rows.abs().sum(dim=1))


def _least_squares(rows: torch.Tensor, tier: Tier) -> tuple[torch.Tensor, torch.Tensor]:
    """Levels float32 `[n, dim]` and scales, looked for as `gpu.tiers.codecs` looks for them."""
    nearest = _NEAREST[tier]
    largest = rows.abs().amax(dim=1) / LARGEST[tier]
    best = torch.full_like(largest, -1, dtype=torch.float64)
    levels, scales = torch.zeros_like(rows), torch.zeros_like(largest)
    for turn in range(len(WIDTHS[tier]) + TURNS):
        steps = largest * WIDTHS[tier][turn] if turn < len(WIDTHS[tier]) else scales
        found = nearest(rows / torch.where(steps > 0, steps, 1)[:, None])
        # Sums at double precision: the cosines of two codes of 8 bits differ in the seventh digit.
        products, lengths = _sum(rows * found), _sum(found.square())
        cosines = _quotient(products, lengths.sqrt())
        better = cosines > best
        best = torch.where(better, cosines, best)
        levels = torch.where(better[:, None], found, levels)
        scales = torch.where(better, _quotient(products, lengths).float(), scales)
    return levels, scales


def _sum(products: torch.Tensor) -> torch.Tensor:
    return products.sum(dim=1, dtype=torch.float64)


def _quotient(above: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
    return torch.where(below > 0, above / torch.where(below > 0, below, 1), 0)


def _corrected(scales: torch.Tensor, lost: torch.Tensor, squares: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """`gpu.tiers.ranking.corrected` of a least-squares code, at double precision: small differences of ones."""
    kept = squares.double().clamp(min=torch.finfo(torch.float32).tiny)
    shrinkages = (1 - lost / kept).clamp(min=LEAST_SHRINKAGE)
    noise = (kept - lost) / shrinkages.square() - 2 * (kept - lost) / shrinkages + kept
    return (scales / shrinkages).float(), noise.clamp(min=0).float()


def _packed(levels: torch.Tensor, tier: Tier) -> torch.Tensor:
    """Bytes of levels float32 `[n, dim]`, in the order of `gpu.tiers.packing`."""
    n, dim = levels.shape
    bits, width = BITS[tier], code_bytes(tier, dim)
    if bits == 8:
        return torch.nn.functional.pad(levels.to(torch.int8), (0, width - dim)).view(torch.uint8)
    # 2u - (2^b - 1) is the level of u, so that what lies beyond the last dimension gets the bits 0.
    odd = torch.nn.functional.pad(levels, (0, width * 8 // bits - dim), value=1.0 - (1 << bits))
    unsigned = ((odd + ((1 << bits) - 1)) / 2).to(torch.int32).reshape(n, width, 8 // bits)
    places = torch.arange(0, 8, bits, dtype=torch.int32, device=levels.device)
    return (unsigned << places).sum(dim=2, dtype=torch.int32).to(torch.uint8)


_NEAREST: dict[Tier, Callable[[torch.Tensor], torch.Tensor]] = {
    Tier.INT8: lambda scaled: scaled.round().clamp(-127, 127),
    Tier.INT4: lambda scaled: (2 * (scaled / 2).floor() + 1).clamp(-15, 15),
}
