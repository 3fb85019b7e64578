"""Codes of four bits and of one in bytes.

Dimension j of a four-bit code has bits 4 (j mod 2) and up of byte j // 2; dimension j of a one-bit code has bit j mod 8
of byte j // 8. Bits beyond the last dimension are 0.

A code u of b bits stands for the odd whole number 2u - (2^b - 1): the levels lie evenly on both sides of zero, and a
dot product with a query is `2 sum_j u_j q_j - (2^b - 1) sum_j q_j`: no kernel has to shift a code to its value.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def packed_bytes(bits: int, dim: int) -> int:
    """Bytes of one row at 1, 4, 8 or 16 bits a dimension."""
    return -(-dim * bits // 8)


def pack_nibbles(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Levels uint8 `[n, dim]` from 0 to 15 -> uint8 `[n, ceil(dim / 2)]`."""
    n, dim = levels.shape
    even = np.zeros((n, packed_bytes(4, dim) * 2), np.uint8)
    even[:, :dim] = levels
    return even[:, 0::2] | even[:, 1::2] << np.uint8(4)


def unpack_nibbles(codes: NDArray[np.uint8], dim: int) -> NDArray[np.uint8]:
    """The inverse of `pack_nibbles`."""
    levels = np.empty((codes.shape[0], codes.shape[1] * 2), np.uint8)
    levels[:, 0::2] = codes & 15
    levels[:, 1::2] = codes >> 4
    return levels[:, :dim]


def pack_bits(levels: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Levels bool `[n, dim]` -> uint8 `[n, ceil(dim / 8)]`."""
    return np.packbits(levels, axis=1, bitorder="little")


def unpack_bits(codes: NDArray[np.uint8], dim: int) -> NDArray[np.uint8]:
    """The inverse of `pack_bits`, as uint8 `[n, dim]` of 0 and 1."""
    return np.unpackbits(codes, axis=1, count=dim, bitorder="little")


def spread(query: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """A query in the order in which codes hold dimensions: plane i meets bits `i * bits` and up of every byte.

    Args:
        query: float32 `[..., dim]`.
        bits: 1 or 4.

    Returns:
        float32 `[..., 8 / bits, bytes]`, 0 beyond the last dimension.
    """
    per_byte = 8 // bits
    dim = query.shape[-1]
    padded = np.zeros((*query.shape[:-1], packed_bytes(bits, dim) * per_byte), np.float32)
    padded[..., :dim] = query
    planes = padded.reshape(*query.shape[:-1], -1, per_byte)
    return np.ascontiguousarray(np.swapaxes(planes, -1, -2))
