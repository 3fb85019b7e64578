"""The rotation that vectors pass through before they are quantised: one for each dimension, the same everywhere.

    R = U_3 U_2 U_1,   U_r = H_tail D'_r H_head D_r P_r

P_r permutes the coordinates, D_r and D'_r flip signs, H_head is the orthonormal Hadamard transform of the first w
coordinates and H_tail that of the last w, with w the largest power of two that is not above the dimension. The two
windows cover every coordinate, so that no dimension is padded and R is a square orthogonal matrix for all of them.
Permutations and signs are drawn from a counter-based hash that is written here (splitmix64, Steele et al. 2014), never
from a library's generator.

Why not a dense random matrix, as the token codes have one (`retrieval.late.codec`): a product with a matrix is summed
in another order by every BLAS, so that codes differ in the last bit from machine to machine, and it costs dim products
for each coordinate. Here a coordinate is only ever added to, subtracted from or scaled by a constant, in a fixed order:
IEEE arithmetic gives **the same bits on every machine and with every version of numpy**, at 6 log2(dim) additions.

Why three rounds: after one, the energy of a vector along an axis lies unevenly over the windows; after two it is even
to within the luck of the permutation; the third evens out what luck left. A row that is a unit vector then has
coordinates near to a Gaussian of variance 1 / dim, whatever it was before, so that one quantiser fits all models. (A
rotation of fewer than some ten dimensions cannot do that: there is too little to spread over.)

The seed, the rounds and the hash are part of the meaning of stored codes and must not change.

Sources: fast random rotations: Ailon and Chazelle 2009 (doi:10.1137/060673096); before quantising: Ashkboos et al. 2024
(arXiv:2404.00456), Gao and Long 2024 (arXiv:2405.12497); transforms of the head and the tail where the dimension is no
power of two: the `FhtKacRotator` of the RaBitQ library (butterflies of both halves instead of permutations).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gpu.native import plain
from gpu.tiers import rotation_kernel as kernel

LARGEST_DIM = 4096
_ROUNDS = 3
_SEED = 0x6D656D737663
_GOLDEN = 0x9E3779B97F4A7C15
_WORD = (1 << 64) - 1


class Rotation:
    """The rotation of one dimension. Thread-safe, no state."""

    def __init__(self, dim: int) -> None:
        """Draws the permutations and signs.

        Args:
            dim: from 1 to 4096.

        Raises:
            ValueError: another dimension.
        """
        if not 1 <= dim <= LARGEST_DIM:
            raise ValueError(f"vectors have from 1 to {LARGEST_DIM} dimensions, not {dim}")
        self.dim = dim
        self._window = 1 << (dim.bit_length() - 1)
        self._scale = np.float32(self._window**-0.5)
        self._orders = np.stack([np.argsort(_draw(dim, r, 0), kind="stable") for r in range(_ROUNDS)]).astype(np.int64)
        self._heads = np.stack([_signs(dim, r, 1) for r in range(_ROUNDS)])
        self._tails = np.stack([_signs(dim, r, 2) for r in range(_ROUNDS)])

    def turn(self, rows: NDArray[np.floating]) -> NDArray[np.float32]:
        """R x for each row: float32 `[..., dim]` of any float `[..., dim]`. Dot products stay what they were.

        Raises:
            ValueError: another dimension.
        """
        return self._run(kernel.turn, rows)

    def turn_back(self, rows: NDArray[np.floating]) -> NDArray[np.float32]:
        """The inverse, which is the transpose; arguments and errors as in `turn`."""
        return self._run(kernel.turn_back, rows)

    def matrix(self) -> NDArray[np.float32]:
        """R as float32 `[dim, dim]`, for devices where one product is faster: `x @ R.T` is `turn(x)` to 1e-6."""
        return np.ascontiguousarray(self.turn(np.eye(self.dim, dtype=np.float32)).T)

    def turn_reference(self, rows: NDArray[np.floating]) -> NDArray[np.float32]:
        """The meaning of `turn`, in plain numpy: the same bits."""
        out = self._flat(rows).copy()
        for order, head, tail in zip(self._orders, self._heads, self._tails, strict=True):
            out = np.take(out, order, axis=1) * head
            out[:, : self._window] = _hadamard(out[:, : self._window]) * self._scale
            out *= tail
            out[:, self.dim - self._window :] = _hadamard(out[:, self.dim - self._window :]) * self._scale
        return out.reshape(rows.shape)

    def _run(self, work: Callable[..., None], rows: NDArray[np.floating]) -> NDArray[np.float32]:
        flat = self._flat(rows)
        out = np.empty_like(flat)
        work(flat, self._orders, self._heads, self._tails, self._window, self._scale, out)
        return out.reshape(rows.shape)

    def _flat(self, rows: NDArray[np.floating]) -> NDArray[np.float32]:
        if rows.ndim == 0 or rows.shape[-1] != self.dim:
            raise ValueError(f"vectors must have shape [..., {self.dim}], not {rows.shape}")
        return plain(rows, np.float32).reshape(-1, self.dim)


@lru_cache(maxsize=16)
def rotation(dim: int) -> Rotation:
    """The rotation of a dimension, drawn once; errors as in `Rotation`."""
    return Rotation(dim)


def _hadamard(part: NDArray[np.float32]) -> NDArray[np.float32]:
    """Hadamard transform of float32 `[n, w]`, w a power of two, not yet scaled."""
    n, width = part.shape
    half = 1
    while half < width:
        pairs = part.reshape(n, width // (2 * half), 2, half)
        part = np.stack([pairs[:, :, 0] + pairs[:, :, 1], pairs[:, :, 0] - pairs[:, :, 1]], axis=2)
        half *= 2
    return part.reshape(n, width)


def _signs(dim: int, turn: int, use: int) -> NDArray[np.float32]:
    return np.where(_draw(dim, turn, use) >> np.uint64(63), np.float32(-1), np.float32(1))


def _draw(dim: int, turn: int, use: int) -> NDArray[np.uint64]:
    """uint64 `[dim]`: hashes of the counters 0 to dim - 1 in a stream of its own for each dimension, round and use."""
    stream = _mixed(np.array([(_SEED + dim * 16 + turn * 4 + use) * _GOLDEN & _WORD], np.uint64))
    with np.errstate(over="ignore"):  # arithmetic modulo 2^64 is meant
        return _mixed(stream + np.arange(1, dim + 1, dtype=np.uint64) * np.uint64(_GOLDEN))


def _mixed(counters: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64."""
    with np.errstate(over="ignore"):
        bits = (counters ^ (counters >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return bits ^ (bits >> np.uint64(31))
