"""Fisher-Rao distance of Gaussians with independent coordinates: a vector and how far it can be trusted.

The Fisher information of N(mu, sigma^2) makes ds^2 = (dmu^2 + 2 dsigma^2) / sigma^2. With x = mu / sqrt(2) this is
twice the metric of the hyperbolic half-plane (x, sigma), in which two points are arccosh(1 + (dx^2 + dsigma^2) /
(2 sigma_1 sigma_2)) apart. So, for one coordinate,

    d = sqrt(2) arccosh(1 + ((mu_1 - mu_2)^2 / 2 + (sigma_1 - sigma_2)^2) / (2 sigma_1 sigma_2))

and squares add up over coordinates. This is the form that SuperLocalMemory V3.3 gives; the tests hold it against the
integral of ds along numerical geodesics. Source: Costa, Santos and Strapasson 2015 (doi:10.1016/j.dam.2014.10.004).

As a **ranking** it is to be used with care. Where sigma is large against the differences of means, d^2 is close to
(|mu_1 - mu_2|^2 + 2 dim (sigma_1 - sigma_2)^2) / (sigma_1 sigma_2): with the *measured* error as variance the second
term stays small, and the order is that of L2 on decoded rows, no better and no worse. With a variance that is inflated
by the number of bits alone the second term outweighs all similarity (recall falls to a third, the benchmark shows it);
and where sigma is small the denominator shrinks the distance of an inexact row, which is then *preferred*. The service
ranks by `gpu.tiers.ranking`; this is here to be compared with, at the cost of one arccosh a coordinate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def squared_distance(
    mean: ArrayLike, sigma: ArrayLike, other_mean: ArrayLike, other_sigma: ArrayLike
) -> NDArray[np.float64]:
    """Squared Fisher-Rao distance, summed over the last axis.

    Args:
        mean, other_mean: `[..., dim]`.
        sigma, other_sigma: standard deviations above 0, `[..., dim]` or `[..., 1]`; all four are broadcast.

    Returns:
        float64 `[...]`.

    Raises:
        ValueError: a standard deviation is not above 0.
    """
    first, second = np.asarray(sigma, np.float64), np.asarray(other_sigma, np.float64)
    if not ((first > 0).all() and (second > 0).all()):
        raise ValueError("standard deviations must be above 0")
    means = np.square(np.asarray(mean, np.float64) - np.asarray(other_mean, np.float64))
    excess = (means / 2 + np.square(first - second)) / (2 * first * second)
    # arccosh(1 + u) = log1p(u + sqrt(u (u + 2))): the left side loses half of the digits of a small u.
    single: NDArray[np.float64] = 2 * np.square(np.log1p(excess + np.sqrt(excess * (excess + 2))))
    return single.sum(axis=-1)  # type: ignore[no-any-return]


def with_measured_error(
    query: NDArray[np.float32], rows: NDArray[np.float32], errors: NDArray[np.float32], sigma: float = 0.2
) -> NDArray[np.float64]:
    """Squared distance of a query from decoded rows whose variance is their measured error.

    Args:
        query: float32 `[dim]`, rotated.
        rows: float32 `[n, dim]`, decoded.
        errors: float32 `[n]`, as in `gpu.tiers.codecs.Codes`.
        sigma: standard deviation that an exact row has in each coordinate. The rotation evens out the error, so that a
            coordinate of a coarser row has the variance sigma^2 + error / dim.

    Returns:
        float64 `[n]`.

    Raises:
        ValueError: sigma is not above 0.
    """
    if sigma <= 0:
        raise ValueError("standard deviations must be above 0")
    own = np.sqrt(sigma**2 + errors.astype(np.float64) / rows.shape[1])
    return squared_distance(query, sigma, rows, own[:, None])
