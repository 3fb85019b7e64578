"""What a token code means: two bits for each dimension."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

LEVELS = (-1.5104, -0.4528, 0.4528, 1.5104)
"""The four values of the best two-bit quantiser of a Gaussian, in standard deviations (Max 1960, table I)."""
THRESHOLD = 0.9816
"""Where the outer levels begin; the inner ones part at 0."""
PER_BYTE = 4
"""Dimensions in a byte: dimension j has the bits 2(j mod 4) and 2(j mod 4) + 1 of byte j // 4."""


def token_bytes(dim: int) -> int:
    """Bytes of one token's code."""
    return -(-dim // PER_BYTE)


def level_table(dim: int) -> NDArray[np.float32]:
    """What each byte stands for, float32 `[256, 4]`: levels of a coordinate of a unit vector of `dim` dimensions."""
    codes = np.arange(256)[:, None] >> (2 * np.arange(PER_BYTE)) & 3
    table: NDArray[np.float32] = (np.array(LEVELS) / math.sqrt(dim)).astype(np.float32)[codes]
    return table
