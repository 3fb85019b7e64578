"""Ranking rows of different tiers together, by what their measured error says.

For a row x of squared length s whose code stands for x̂ with squared residual e, and a query q:

    estimate        t = <q, x̂> / c,   c = <x, x̂> / s     (c = 1 - e / s for int8 and int4, 1 for fp16 and bit1)
    noise           w = |x̂ / c - x|^2                    (e / c for int8 and int4, e for fp16 and bit1)
    standard error  sqrt(w (|q|^2 - t^2 / s) / (dim - 1))
    score           t - caution * standard error

Why: x̂ / c is x and something across x. What q and that something have in common lies in the dim - 1 directions
across x; after a random rotation any of them is as likely as another, so that over rotations t has no bias and the
variance above (Gao and Long 2024, arXiv:2405.12497). On real embeddings and the one rotation there is, the error of t
measured in this unit has a standard deviation between 0.99 and 1.01 for int8, int4 and bit1; its mean is 0.21 for bit1
and 0.07 for int4, and 0 for both where rows are centred (`python -m benchmarks.models_tiers`).

Why caution: of many rows, those whose estimate came out too high stand in front, and an inexact row has more of that
luck. One standard error less takes it away. L2 on decoded rows has no such correction; it also adds e to the distance
of a bit1 row and takes e from that of an int4 row, for reasons of the codec alone.

Between copies of one memory at different tiers a cautious score prefers the exact one with the probability of a normal
deviate below `caution`; `exact_first` makes that certain among the candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu.bank.layouts import Tier
from gpu.tiers.codecs import Codes

CAUTION = 1.0
"""Standard errors that are taken off. On mixed tiers recall@10 rises up to 1, is as good at 1.5 and falls beyond;
chosen among six values on the rows and questions that it is reported on, none held out."""
_UNBIASED = frozenset({Tier.FP16, Tier.BIT1})
LEAST_SHRINKAGE = 0.05
"""Below this a row has next to nothing in common with its code, and a quotient would be noise."""
_DEVIATES = 4.0
"""Copies are told apart at this many standard deviations: one true pair in 30,000 is missed."""
_CLEARLY = 4.0
"""A copy is preferred if its error is this many times smaller."""


@dataclass(frozen=True, slots=True)
class Estimates:
    """Dot products with the exact rows, as well as codes can tell.

    Attributes:
        values: float32 `[n]`, without bias.
        standard_errors: float32 `[n]`.
    """

    values: NDArray[np.float32]
    standard_errors: NDArray[np.float32]

    def scores(self, caution: float = CAUTION) -> NDArray[np.float32]:
        """What to rank by, float32 `[n]`; caution in standard errors, 0 for the values themselves."""
        return self.values - np.float32(caution) * self.standard_errors


def estimates(
    dots: NDArray[np.floating],
    errors: NDArray[np.float32],
    tier: Tier,
    dim: int,
    *,
    query_square: float = 1.0,
    squares: float | NDArray[np.float32] = 1.0,
) -> Estimates:
    """Corrects the dot products of one tier; rows of several tiers are corrected apart and then ranked together.

    Args:
        dots: float `[n]`, <q, x̂> from `tier_scores`.
        errors: float32 `[n]`, as in `gpu.tiers.codecs.Codes`.
        tier: of all these rows.
        dim: dimensions.
        query_square: squared length of the query.
        squares: squared length of the rows, one or float32 `[n]`: 1 unless a centre was taken off before encoding.
    """
    wide, lost = np.asarray(dots, np.float64), errors.astype(np.float64)
    kept = np.maximum(np.asarray(squares, np.float64), np.finfo(np.float32).tiny)
    shrinkages = _shrinkages(lost, tier, kept)
    values = wide / shrinkages
    across = np.maximum(query_square - np.square(values) / kept, 0.0) / max(dim - 1, 1)
    noise = lost / shrinkages if dim > 1 else np.zeros_like(lost)
    return Estimates(values.astype(np.float32), np.sqrt(noise * across).astype(np.float32))


def corrected(codes: Codes, squares: float | NDArray[np.float32] = 1.0) -> Codes:
    """The same codes with the correction in their scale: what pages on a device hold.

    The dot product of a query with them is the estimate itself, and their error is the noise w of the module's text:
    the squared length of the part of the row that they leave out. By Cauchy and Schwarz no estimate is further from the
    exact dot product than |q| sqrt(w).

    Args:
        codes: as they were encoded.
        squares: as in `estimates`.
    """
    kept = np.maximum(np.asarray(squares, np.float64), np.finfo(np.float32).tiny)
    lost = codes.errors.astype(np.float64)
    shrinkages = _shrinkages(lost, codes.tier, kept)
    # |x̂ / c - x|^2 with <x, x̂> = |x|^2 - e = |x̂|^2 where the scale is that of least squares; c is clipped from below.
    noise = lost if codes.tier in _UNBIASED else (kept - lost) / shrinkages**2 - 2 * (kept - lost) / shrinkages + kept
    scales = (codes.scales / shrinkages).astype(np.float32)
    return Codes(codes.tier, codes.dim, codes.values, scales, np.maximum(noise, 0).astype(np.float32))


def _shrinkages(lost: NDArray[np.float64], tier: Tier, kept: np.float64 | NDArray[np.float64]) -> NDArray[np.float64]:
    """The module's c: how much shorter an estimate is before it is corrected."""
    return np.ones_like(lost) if tier in _UNBIASED else np.maximum(1 - lost / kept, LEAST_SHRINKAGE)


def exact_first(rows: NDArray[np.float32], errors: NDArray[np.float32]) -> NDArray[np.int64]:
    """A new order of ranked candidates in which a coarse copy never stands before an exact one of the same memory.

    Two rows count as copies if their decoded vectors are no further apart than their errors explain: residuals of
    different codes are nearly orthogonal, so that |x̂_a - x̂_b|^2 is e_a + e_b, with a standard deviation of
    2 sqrt(e_a e_b / dim). The most exact of the copies takes the place of the first, if its error is clearly smaller,
    and those between move down by one; everything else keeps its order. Vectors nearer to each other than that are
    alike in any case.

    Args:
        rows: float32 `[k, dim]`, decoded, best first. The cost is that of k^2 dot products.
        errors: float32 `[k]`.

    Returns:
        int64 `[k]`, positions in the given order.
    """
    k, dim = rows.shape
    wide, lost = rows.astype(np.float64), errors.astype(np.float64)
    squares = np.einsum("ij,ij->i", wide, wide)
    apart = squares[:, None] + squares - 2 * wide @ wide.T
    explained = lost[:, None] + lost + 2 * _DEVIATES * np.sqrt(lost[:, None] * lost / max(dim, 1))
    # Decoded rows carry the rounding of float32 and of the stored errors.
    copies = apart <= explained * (1 + 1e-5) + 1e-6
    order = list(range(k))
    for i in range(k):
        better = np.flatnonzero(copies[i] & (lost * _CLEARLY < lost[i]))
        if better.size == 0:
            continue
        best = int(better[np.argmin(lost[better])])
        here, there = order.index(i), order.index(best)
        if there > here:
            order.insert(here, order.pop(there))
    return np.array(order, np.int64)
