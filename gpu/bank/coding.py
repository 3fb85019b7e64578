"""Vectors below half precision, as they lie in a bank: encoded when they come in, decoded when somebody reads them.

A row in the arena of codes is a run of 8-byte words: the scale and the error (float32 each), then the code of
`gpu.tiers.codecs` in the bytes that follow, zeros behind it up to a multiple of 16. Rows are rotated before they are
encoded, and scale and error hold the correction of `gpu.tiers.ranking.corrected`: the dot product of a rotated query
with `scale * value(code)` is the estimate without bias, and the error the squared length of what the code leaves out.
No mean is taken off: a code then depends on its own vector alone, so that a bank that was fed row by row and one that
was loaded whole hold the same bytes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gpu.bank.batches import positions
from gpu.bank.layouts import TIERS, Tier, code_bytes, row_words
from gpu.bank.records import RecordBatch
from gpu.tiers.codecs import Codes, decode, encode, row_bytes, unit
from gpu.tiers.ranking import corrected
from gpu.tiers.rotation import rotation

_HEAD_BYTES = 8
"""Scale and error."""


def coded(batch: RecordBatch, tiers: NDArray[np.uint8]) -> RecordBatch:
    """The same memories, their vectors kept as exactly as their tiers say.

    Args:
        batch: with all vectors in half precision.
        tiers: uint8 `[n]`, places in `TIERS`.

    Raises:
        ValueError: some of the batch are encoded already: a code is made from the vector, never from another code.
    """
    if batch.tiers.any():
        raise ValueError("a batch is encoded once")
    if not tiers.any():
        return batch
    counts = np.diff(batch.view_offsets)
    words = np.zeros(len(batch), np.int64)
    dim = batch.vectors.shape[1]
    for number in np.unique(tiers[tiers > 0]).tolist():
        own = tiers == number
        words[own] = counts[own] * row_words(TIERS[number], dim)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(words)])
    codes = np.zeros(int(offsets[-1]), np.uint64)
    for number in np.unique(tiers[tiers > 0]).tolist():
        own = np.flatnonzero(tiers == number)
        at, _ = positions(batch.view_offsets, own)
        into, _ = positions(offsets, own)
        codes[into] = encoded(batch.vectors[at], TIERS[number]).ravel()
    kept, view_offsets = _kept(batch.view_offsets, tiers == 0)
    return replace(
        batch,
        vectors=batch.vectors[kept],
        view_offsets=view_offsets,
        tiers=tiers.astype(np.uint8, copy=False),
        codes=codes,
        code_offsets=offsets,
    )


def encoded(vectors: NDArray[np.floating], tier: Tier) -> NDArray[np.uint64]:
    """Rows of the arena: uint64 `[n, row_words]` of float `[n, dim]`."""
    n, dim = vectors.shape
    raw = np.zeros((n, _HEAD_BYTES + code_bytes(tier, dim)), np.uint8)
    if n:
        rows = rotation(dim).turn(vectors)
        found = corrected(encode(rows, tier), np.einsum("ij,ij->i", rows, rows))
        raw[:, :_HEAD_BYTES] = np.stack([found.scales, found.errors], axis=1).view(np.uint8)
        raw[:, _HEAD_BYTES : _HEAD_BYTES + row_bytes(tier, dim)] = found.values.view(np.uint8)
    return raw.view(np.uint64)


def codes_of(words: NDArray[np.uint64], tier: Tier, dim: int) -> Codes:
    """What rows of the arena hold, uint64 `[n, row_words]`; scales and errors are the corrected ones."""
    raw = np.ascontiguousarray(words).view(np.uint8).reshape(-1, 8 * row_words(tier, dim))
    heads = np.ascontiguousarray(raw[:, :_HEAD_BYTES]).view(np.float32)
    values = np.ascontiguousarray(raw[:, _HEAD_BYTES : _HEAD_BYTES + row_bytes(tier, dim)])
    kept = values.view(np.int8) if tier is Tier.INT8 else values
    return Codes(tier, dim, kept, heads[:, 0].copy(), heads[:, 1].copy())


def decoded(words: NDArray[np.uint64], tier: Tier, dim: int) -> NDArray[np.float16]:
    """The unit vectors that codes stand for, in the space of the vectors: float16 `[n, dim]`."""
    if not words.shape[0]:
        return np.empty((0, dim), np.float16)
    return rotation(dim).turn_back(unit(decode(codes_of(words, tier, dim)))).astype(np.float16)


def _kept(offsets: NDArray[np.int64], rows: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Elements of the ranges of some rows, and the offsets of all ranges once those of the others are empty."""
    counts = np.where(rows, np.diff(offsets), 0)
    at, _ = positions(offsets, np.flatnonzero(rows))
    return at, np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
