"""What the codes of each tier mean.

A row x is a vector after its rotation (`gpu.tiers.rotation`), of unit length or zero; or what is left of it when the
rotated mean of its model is taken off, in which case <q, mean> is added to every dot product (worth it at one bit: see
docs/decisions/0013-precision-tiers.md). Its code stands for

    x̂ = scale * value(code)

| tier | bytes of a row | value of a code u            | scale                                |
|------|----------------|------------------------------|--------------------------------------|
| fp16 | 2 dim          | u itself, half precision     | 1                                    |
| int8 | dim            | u, from -127 to 127          | <x, u> / <u, u>: least squares       |
| int4 | ceil(dim / 2)  | 2u - 15: odd, from -15 to 15 | <x, v> / <v, v>: least squares       |
| bit1 | ceil(dim / 8)  | 2u - 1: the sign             | <x, x> / <x, v>: no bias             |

For int8 and int4 the step is looked for: some widths of clipping are tried, the best is refined by turns (the scale
that is best for the codes, then the codes that are nearest at that scale), and the least squared error is kept.
The residual of a least-squares scale is orthogonal to x̂, so that <x, x̂> = |x̂|^2 = |x|^2 - error: a dot product with x̂
is too small by the factor 1 - error / |x|^2.

For bit1 the scale is that of RaBitQ (Gao and Long 2024, arXiv:2405.12497, theorem 3.2): <x, x̂> = |x|^2 exactly, so that
<q, x̂> estimates <q, x> without bias over random rotations, with an error that is the part of q across x times the
part of x̂ across x. The price is a longer x̂ (|x̂|^2 = 1 + error, about pi / 2) than that of least squares.

`error` is in every tier the squared length of the residual, |x - x̂|^2, measured on the row itself at double precision,
not a bound and not an expectation. In units of |x|^2 it is about 4e-8 (fp16), 5e-5 (int8), 0.011 (int4) and 0.57 (bit1)
at 384 dimensions. The exception is a row that has stepped down: see `step_down`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.bank.errors import DimensionError
from gpu.bank.layouts import BITS, Tier
from gpu.tiers import packing

WIDTHS = {Tier.INT8: (1.0, 0.95, 0.9), Tier.INT4: (1.0, 0.93, 0.86, 0.8, 0.74, 0.68, 0.62, 0.56)}
"""Widths of clipping that are tried, as parts of the largest coordinate. Sixty widths in place of these lower the
error by 1 % at 384 dimensions."""
LARGEST = {Tier.INT8: 127, Tier.INT4: 15}
TURNS = 3
"""Refinements by turns; ten in place of three lower the error by 1 % (int8) and 0.1 % (int4) at 384 dimensions."""
_BLOCK = 1024
"""Rows that are encoded at a time: some megabytes of scratch, whatever the number of rows."""
SHORTEST = 1e-12
"""A row with a smaller squared length is kept as zero."""


@dataclass(frozen=True, slots=True)
class Codes:
    """Rows of one tier.

    Attributes:
        tier: how exactly they are kept.
        dim: dimensions of a row.
        values: C-contiguous `[n, dim]` float16 or int8, `[n, ceil(dim / 2)]` or `[n, ceil(dim / 8)]` uint8.
        scales: float32 `[n]`, not negative.
        errors: float32 `[n]`, squared length of the residual.
    """

    tier: Tier
    dim: int
    values: NDArray[Any]
    scales: NDArray[np.float32]
    errors: NDArray[np.float32]

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def __getitem__(self, rows: NDArray[Any] | slice) -> Codes:
        """Some of the rows."""
        return Codes(self.tier, self.dim, self.values[rows], self.scales[rows], self.errors[rows])


def row_bytes(tier: Tier, dim: int) -> int:
    """Bytes of the code of one row, without its scale and error (four each)."""
    return packing.packed_bytes(BITS[tier], dim)


def encode(rows: NDArray[np.floating], tier: Tier) -> Codes:
    """Codes of rotated rows.

    Args:
        rows: float32 or float16 `[n, dim]`, finite, at most of unit length; below 1e-6 a length counts as zero.
        tier: how exactly to keep them.

    Raises:
        ValueError: not two-dimensional, no dimension, or a value that is not finite (for fp16: as a half).
    """
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ValueError(f"rows must have shape [n, dim] with dim >= 1, not {rows.shape}")
    floats = np.ascontiguousarray(rows, np.float32)
    parts = [_encode_block(floats[start : start + _BLOCK], tier) for start in range(0, max(len(floats), 1), _BLOCK)]
    values, scales, errors = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Codes(tier, rows.shape[1], values, scales, errors)


def decode(codes: Codes) -> NDArray[np.float32]:
    """What codes stand for in the rotated space, float32 `[n, dim]`: x̂ of the module's text."""
    rows: NDArray[np.float32] = _levels(codes).astype(np.float32) * codes.scales[:, None]
    return rows


def dot(query: NDArray[np.float32], codes: Codes) -> NDArray[np.float64]:
    """The meaning of every kernel here: <q, x̂> at double precision.

    Args:
        query: float32 `[dim]` or `[b, dim]`, rotated.
        codes: n rows.

    Returns:
        float64 `[n]` or `[b, n]`.

    Raises:
        DimensionError: the query has another dimension than the codes.
    """
    if query.ndim not in (1, 2) or query.shape[-1] != codes.dim:
        raise DimensionError(f"the query has shape {query.shape}, the codes have dimension {codes.dim}")
    products: NDArray[np.float64] = query.astype(np.float64) @ _levels(codes).astype(np.float64).T
    return products * codes.scales.astype(np.float64)


def step_down(codes: Codes, tier: Tier, squares: float | NDArray[np.float32] = 1.0) -> Codes:
    """The same rows in a coarser tier, from their codes alone: neither texts nor first vectors are needed.

    Rows are decoded and brought back to the squared length that was theirs (one, or float32 `[n]`). The error that a
    coarser row then carries is a bound instead of a measurement: (sqrt(e) + sqrt(e'))^2, with e what the row had lost
    before and e' what this step loses. A row never claims to be more exact than it is.

    Raises:
        ValueError: the tier is not coarser.
    """
    if BITS[tier] >= BITS[codes.tier]:
        raise ValueError(f"{tier} is not coarser than {codes.tier}")
    lengths = np.sqrt(np.broadcast_to(np.asarray(squares, np.float32), len(codes)))
    lower = encode(unit(decode(codes)) * lengths[:, None], tier)
    errors = np.square(np.sqrt(codes.errors) + np.sqrt(lower.errors)).astype(np.float32)
    return Codes(tier, codes.dim, lower.values, lower.scales, errors)


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows float32 `[n, dim]` at unit length; those that are nearly zero become zero."""
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    out = np.divide(rows, lengths, out=np.zeros(rows.shape, np.float64), where=lengths > np.sqrt(SHORTEST))
    return np.asarray(out, np.float32)


def _encode_block(
    rows: NDArray[np.float32], tier: Tier
) -> tuple[NDArray[Any], NDArray[np.float32], NDArray[np.float32]]:
    if not np.isfinite(rows).all():
        raise ValueError("rows must be finite")
    squares = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    rows = np.where(squares[:, None] > SHORTEST, rows, np.float32(0))
    values, scales = _ENCODERS[tier](rows)
    codes = Codes(tier, rows.shape[1], values, scales, scales)
    return values, scales, _squared_residuals(rows, _levels(codes), scales).astype(np.float32)


def _squared_residuals(
    rows: NDArray[np.float32], levels: NDArray[Any], scales: NDArray[np.float32]
) -> NDArray[np.float64]:
    residual = rows - scales.astype(np.float64)[:, None] * levels
    squares: NDArray[np.float64] = np.einsum("ij,ij->i", residual, residual)
    return squares


def _encode_halves(rows: NDArray[np.float32]) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    with np.errstate(over="ignore"):  # told below
        halves = rows.astype(np.float16)
    if not np.isfinite(halves).all():
        raise ValueError("a value is too large for half precision")
    return halves, np.ones(len(rows), np.float32)


def _encode_bytes(rows: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    def nearest(scaled: NDArray[np.float32]) -> NDArray[np.float32]:
        levels: NDArray[np.float32] = np.clip(np.rint(scaled), -127, 127)
        return levels

    levels, scales = _least_squares(rows, Tier.INT8, nearest)
    return levels.astype(np.int8), scales


def _encode_nibbles(rows: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    def nearest(scaled: NDArray[np.float32]) -> NDArray[np.float32]:
        levels: NDArray[np.float32] = np.clip(2 * np.floor(scaled / 2) + 1, -15, 15)
        return levels

    levels, scales = _least_squares(rows, Tier.INT4, nearest)
    return packing.pack_nibbles(((levels + 15) / 2).astype(np.uint8)), scales


def _encode_signs(rows: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    wide = rows.astype(np.float64)
    sums = np.abs(wide).sum(axis=1)
    squares = np.einsum("ij,ij->i", wide, wide)
    scales = np.divide(squares, sums, out=np.zeros_like(sums), where=sums > 0)
    return packing.pack_bits(rows >= 0), scales.astype(np.float32)


def _least_squares(
    rows: NDArray[np.float32], tier: Tier, nearest: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Levels float32 `[n, dim]` and scales with the least squared error that was found.

    The best scale of given levels leaves |x|^2 - <x, v>^2 / |v|^2, so that the largest <x, v> / |v| wins.
    """
    largest = np.abs(rows).max(axis=1) / np.float32(LARGEST[tier])
    best = np.full(len(rows), -1.0)
    levels, scales = np.zeros_like(rows), np.zeros(len(rows), np.float32)

    def offer(steps: NDArray[np.float32]) -> None:
        safe = np.where(steps > 0, steps, np.float32(1))
        found = nearest(np.asarray(rows / safe[:, None], np.float32))
        products = np.einsum("ij,ij->i", rows, found, dtype=np.float64)
        squares = np.einsum("ij,ij->i", found, found, dtype=np.float64)
        cosines = np.divide(products, np.sqrt(squares), out=np.zeros_like(products), where=squares > 0)
        better = cosines > best
        best[better] = cosines[better]
        levels[better] = found[better]
        fitted = np.divide(products, squares, out=np.zeros_like(products), where=squares > 0)
        scales[better] = fitted[better]

    for width in WIDTHS[tier]:
        offer((largest * width).astype(np.float32))
    for _ in range(TURNS):
        offer(scales.copy())
    return levels, scales


def _levels(codes: Codes) -> NDArray[Any]:
    """The values of codes before their scale, `[n, dim]`."""
    if codes.tier is Tier.INT4:
        return packing.unpack_nibbles(codes.values, codes.dim).astype(np.int8) * np.int8(2) - np.int8(15)
    if codes.tier is Tier.BIT1:
        return packing.unpack_bits(codes.values, codes.dim).astype(np.int8) * np.int8(2) - np.int8(1)
    return codes.values


_ENCODERS: dict[Tier, Callable[[NDArray[np.float32]], tuple[NDArray[Any], NDArray[np.float32]]]] = {
    Tier.FP16: _encode_halves,
    Tier.INT8: _encode_bytes,
    Tier.INT4: _encode_nibbles,
    Tier.BIT1: _encode_signs,
}
