"""Dot products of coded rows with queries on a device. Needs triton and torch; nothing else here imports this module.

The tile functions `dot_int8` and `dot_packed` are the part that other kernels reuse: they are given where
each row of a tile begins (so that rows may lie in pages), and return dot products before the scale. What they say is
`gpu.tiers.codecs.dot`, summed in float32: below 1e-6 apart for unit queries and rows.

Bound by memory by design: a byte of a code is read once for up to eight queries, in a tile whose rows are contiguous,
so that neighbouring threads read neighbouring 16 bytes wherever a row has a multiple of 16 of them (384 dimensions:
384, 192 and 48); the queries come from the caches. A row of another length is read in smaller pieces, no less right.
More than eight queries read the codes again for each eight.

Annotations inside kernels are names of `tl` because the compiler of triton reads them and knows no others.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from gpu.bank.errors import DimensionError
from gpu.bank.layouts import BITS, Tier
from gpu.tiers.packing import packed_bytes

_QUERIES = 8
"""Queries that share one reading of the codes: their products must fit the registers."""
_TILE = 8192
"""Products of a tile: 64 float32 in each of 128 threads."""


@triton.jit
def dot_int8(
    codes: tl.tensor,
    at: tl.tensor,
    inside: tl.tensor,
    queries: tl.tensor,
    few: tl.tensor,
    n_bytes: tl.tensor,
    QUERIES: tl.constexpr,
    BLOCK: tl.constexpr,
) -> tl.tensor:
    """Dot products of a tile of int8 rows with a few queries.

    Args:
        codes: pointer to int8.
        at: int64 `[ROWS]`, where each row begins, in bytes from the pointer.
        inside: bool `[ROWS]`, which rows there are; the others are not read and give 0.
        queries: pointer to float16 or float32 `[few, n_bytes]`.
        few: how many queries there are, at most QUERIES.
        n_bytes: bytes of a row.
        QUERIES: 1, 2, 4 or 8.
        BLOCK: bytes that are looked at in one step, a power of two.

    Returns:
        float32 `[QUERIES, ROWS]`.
    """
    which = tl.arange(0, QUERIES)
    total = tl.zeros([QUERIES, at.shape[0]], tl.float32)
    for start in range(0, n_bytes, BLOCK):
        columns = start + tl.arange(0, BLOCK)
        there = columns < n_bytes
        values = tl.load(codes + at[:, None] + columns[None, :], mask=inside[:, None] & there[None, :], other=0)
        query = tl.load(
            queries + which[:, None] * n_bytes + columns[None, :], mask=(which < few)[:, None] & there[None, :], other=0
        ).to(tl.float32)
        total += tl.sum(values.to(tl.float32)[None, :, :] * query[:, None, :], axis=2)
    return total


@triton.jit
def dot_packed(
    codes: tl.tensor,
    at: tl.tensor,
    inside: tl.tensor,
    queries: tl.tensor,
    few: tl.tensor,
    n_bytes: tl.tensor,
    BITS: tl.constexpr,
    QUERIES: tl.constexpr,
    BLOCK: tl.constexpr,
) -> tl.tensor:
    """As `dot_int8`, for levels of 4 bits or 1 in a uint8.

    Queries are `[few, 8 / BITS, n_bytes]`, as `packing.spread` orders them.
    """
    which = tl.arange(0, QUERIES)
    total = tl.zeros([QUERIES, at.shape[0]], tl.float32)
    shift = tl.zeros([QUERIES], tl.float32)
    for start in range(0, n_bytes, BLOCK):
        columns = start + tl.arange(0, BLOCK)
        there = columns < n_bytes
        values = tl.load(codes + at[:, None] + columns[None, :], mask=inside[:, None] & there[None, :], other=0)
        first = queries + which[:, None] * (8 // BITS * n_bytes) + columns[None, :]
        asked = (which < few)[:, None] & there[None, :]
        products = tl.zeros([QUERIES, at.shape[0], BLOCK], tl.float32)
        planes = tl.zeros([QUERIES, BLOCK], tl.float32)
        for p in tl.static_range(8 // BITS):
            plane = tl.load(first + p * n_bytes, mask=asked, other=0).to(tl.float32)
            levels = ((values >> (p * BITS)) & ((1 << BITS) - 1)).to(tl.float32)
            products += levels[None, :, :] * plane[:, None, :]
            planes += plane
        total += tl.sum(products, axis=2)
        shift += tl.sum(planes, axis=1)
    return 2.0 * total - ((1 << BITS) - 1) * shift[:, None]


@triton.jit
def _score(
    codes: tl.tensor,
    scales: tl.tensor,
    queries: tl.tensor,
    out: tl.tensor,
    n_rows: tl.tensor,
    n_queries: tl.tensor,
    n_bytes: tl.tensor,
    query_size: tl.tensor,
    BITS: tl.constexpr,
    QUERIES: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    rows = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    first = tl.program_id(1) * QUERIES
    inside = rows < n_rows
    few = n_queries - first
    own = queries + first.to(tl.int64) * query_size
    at = rows * n_bytes
    if BITS == 8:
        products = dot_int8(codes, at, inside, own, few, n_bytes, QUERIES, BLOCK)
    else:
        products = dot_packed(codes, at, inside, own, few, n_bytes, BITS, QUERIES, BLOCK)
    scaled = products * tl.load(scales + rows, mask=inside, other=0)[None, :]
    which = tl.arange(0, QUERIES)
    places = out + (first + which)[:, None].to(tl.int64) * n_rows + rows[None, :]
    tl.store(places, scaled, mask=(which < few)[:, None] & inside[None, :])


def device_scores(codes: torch.Tensor, scales: torch.Tensor, queries: torch.Tensor, tier: Tier) -> torch.Tensor:
    """<query, x̂> for each query and row, on the device where all three lie.

    Args:
        codes: int8 `[n, dim]`, or uint8 `[n, ceil(dim / 2)]` or `[n, ceil(dim / 8)]`; contiguous.
        scales: float32 `[n]`, contiguous.
        queries: float16 or float32 `[b, dim]`, rotated, finite.
        tier: int8, int4 or bit1.

    Returns:
        float32 `[b, n]`.

    Raises:
        DimensionError: codes and queries do not fit.
        ValueError: another tier, a wrong dtype, or not contiguous.
    """
    if tier is Tier.FP16:
        raise ValueError(f"no device codes of tier {tier}")
    bits = BITS[tier]
    if codes.dtype != (torch.int8 if bits == 8 else torch.uint8) or scales.dtype != torch.float32:
        raise ValueError(f"codes of tier {tier} cannot be {codes.dtype} with scales {scales.dtype}")
    if not (codes.is_contiguous() and scales.is_contiguous()):
        raise ValueError("codes and scales must be contiguous")
    if queries.ndim != 2 or codes.ndim != 2 or codes.shape[1] != packed_bytes(bits, queries.shape[1]):
        raise DimensionError(f"codes have shape {tuple(codes.shape)}, queries have shape {tuple(queries.shape)}")
    n, n_bytes = codes.shape
    if scales.shape != (n,):
        raise DimensionError(f"{n} rows have scales of shape {tuple(scales.shape)}")
    b = queries.shape[0]
    out = torch.empty((b, n), dtype=torch.float32, device=codes.device)
    if n == 0 or b == 0:
        return out
    planes = queries.contiguous() if bits == 8 else spread(queries, bits)
    few = min(_QUERIES, triton.next_power_of_2(b))
    block = min(128, max(16, triton.next_power_of_2(n_bytes)))
    rows = max(16, _TILE // (block * few))
    grid = (triton.cdiv(n, rows), triton.cdiv(b, few))
    _score[grid](codes, scales, planes, out, n, b, n_bytes, n_bytes * (8 // bits), bits, few, rows, block)
    return out


def spread(queries: torch.Tensor, bits: int) -> torch.Tensor:
    """`gpu.tiers.packing.spread` of `[b, dim]` on a device: `[b, 8 / bits, bytes]`, the dtype stays."""
    per_byte = 8 // bits
    n_bytes = packed_bytes(bits, queries.shape[1])
    padded = torch.nn.functional.pad(queries, (0, n_bytes * per_byte - queries.shape[1]))
    return padded.reshape(queries.shape[0], n_bytes, per_byte).transpose(1, 2).contiguous()
