"""Short codes of token states: two bits for each dimension.

    code(x) = Q(R u),  u = (x - m) / |x - m|

with m the mean state of the model's tokens, R a rotation drawn once for each dimension, and Q the best two-bit
quantiser of a Gaussian (Max 1960), whose levels are scaled by 1 / sqrt(dim). States of a transformer lie in a narrow
cone around m; without it they fill the sphere, and after a random rotation every coordinate of a unit vector is close
to a Gaussian with variance 1 / dim whatever the vector was, so that one quantiser fits all models. A question's tokens
are centred, scaled and rotated in the same way and stay float32.

Error: Q loses 11.75 % of the variance, so a dot product of a code with a unit vector is off by a factor of 0.88 and by
noise of standard deviation 0.32 / sqrt(dim) (0.016 at 384). Size: 96 bytes a token at 384 dimensions, an eighth of
half precision.

The rotation comes from numpy's frozen generator (`RandomState`) and a QR decomposition at double precision with
positive diagonal, which is unique: it is the same on all platforms to within rounding (1e-12), and so are codes, except
for a coordinate that lies within rounding of a threshold; then either level is as good. The seed and the levels are
part of the meaning of stored codes and must not change.

Sources: random rotation before scalar quantisation: Zandieh et al. 2025 (arXiv:2504.19874), Gao and Long 2024
(arXiv:2405.12497); removing the mean: Mu and Viswanath 2018 (arXiv:1702.01417).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gpu.ops.max_sim.codes import PER_BYTE, THRESHOLD, level_table, token_bytes
from retrieval.late.means import mean_state
from retrieval.types import EmbeddingSpace

_SEED = 20_040_713
_SHORTEST = 1e-6
"""A state nearer to the mean than this has no direction of its own."""


class TokenCodec:
    """Codes of the token states of one embedding space. Thread-safe, no state."""

    def __init__(self, dim: int, mean: NDArray[np.float32] | None = None) -> None:
        """Sets the space.

        Args:
            dim: dimension of the states.
            mean: float32 `[dim]`, mean state of the model's tokens as unit vectors (default: zero).

        Raises:
            ValueError: the mean has another shape.
        """
        if mean is not None and mean.shape != (dim,):
            raise ValueError(f"the mean token state must have shape ({dim},), not {mean.shape}")
        self.dim = dim
        self._mean = np.zeros(dim, np.float32) if mean is None else np.asarray(mean, np.float32)
        self._rotation = _rotation(dim)

    @classmethod
    def of(cls, space: EmbeddingSpace) -> TokenCodec:
        """The codec of an embedding space: with the mean of its model if that is known."""
        mean = mean_state(space.model)
        return cls(space.dim, mean if mean is not None and mean.shape == (space.dim,) else None)

    @property
    def token_bytes(self) -> int:
        """Bytes of one token's code."""
        return token_bytes(self.dim)

    def turned(self, tokens: NDArray[np.float32]) -> NDArray[np.float32]:
        """Token states centred, scaled to unit length and rotated: what a question is compared as.

        Args:
            tokens: float32 `[n, dim]`, finite.

        Returns:
            float32 `[n, dim]`, unit rows (zero for a state that equals the mean).

        Raises:
            ValueError: another dimension.
        """
        if tokens.ndim != 2 or tokens.shape[1] != self.dim:
            raise ValueError(f"token states must have shape [n, {self.dim}], not {tokens.shape}")
        centred = tokens - self._mean
        lengths = np.linalg.norm(centred, axis=1, keepdims=True)
        units = np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > _SHORTEST)
        turned: NDArray[np.float32] = units @ self._rotation
        return turned

    def encode(self, tokens: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Codes of token states, uint8 `[n, ceil(dim / 4)]`; arguments and errors as in `turned`."""
        turned = self.turned(tokens)
        outer = np.float32(THRESHOLD / math.sqrt(self.dim))
        levels = (turned > -outer).astype(np.uint8) + (turned >= 0.0) + (turned > outer)
        padded = np.zeros((tokens.shape[0], self.token_bytes * PER_BYTE), np.uint8)
        padded[:, : self.dim] = levels
        shifted = padded.reshape(tokens.shape[0], self.token_bytes, PER_BYTE) << np.arange(0, 8, 2, dtype=np.uint8)
        codes: NDArray[np.uint8] = np.bitwise_or.reduce(shifted, axis=2)
        return codes

    def decode(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What codes stand for in the rotated space, float32 `[n, dim]`; rows are about 0.94 long."""
        rows: NDArray[np.float32] = level_table(self.dim)[codes].reshape(codes.shape[0], self.token_bytes * PER_BYTE)
        return rows[:, : self.dim]


@lru_cache(maxsize=4)
def _rotation(dim: int) -> NDArray[np.float32]:
    """A random orthogonal matrix, float32 `[dim, dim]`, the same for a dimension everywhere and always."""
    gaussian = np.random.RandomState(_SEED).standard_normal((dim, dim))
    q, r = np.linalg.qr(gaussian)
    rotation: NDArray[np.float32] = np.ascontiguousarray(q * np.sign(np.diag(r)), dtype=np.float32)
    rotation.flags.writeable = False
    return rotation
