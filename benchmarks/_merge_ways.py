"""Ways of saving memories: which vectors a memory has that others are merged into, and what is left out instead.

Each way gets the vectors of a pivot (the first) and its members, unit rows `[k, dim]`, and gives the rows that stand
for them. What is coded has the numbers of one vector in half precision, two at int8 or four at int4, in the codes that
the bank keeps (`gpu.bank.coding`): with scales and errors these take 2 % and 4 % more bytes at 384 dimensions.

- kernel: Gaussian weights around a pivot, sigma the mean distance to it (KVMerger, Wang et al. 2024, arXiv:2407.08454).
- direction and magnitude apart (MiniCache, Liu et al. 2024, arXiv:2405.14366): what is not of unit length keeps the
  length of the average, so that its score is the average of its members' scores.
- two centroids: 2-means on the sphere (Dhillon and Modha 2001, Concept decompositions), begun with the farthest pair.
- members: the medoid and then always the farthest from all before (Gonzalez 1985, Clustering to minimize the maximum
  intercluster distance), as they are or each the kernel-weighted mean around itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpu.bank.coding import codes_of, encoded
from gpu.bank.layouts import Tier
from gpu.tiers.codecs import decode
from gpu.tiers.rotation import rotation
from lifecycle.merging import merged_vector

Rows = NDArray[np.float64]
_SAME, _ROUNDS = 1.0 - 1e-6, 10


@dataclass(frozen=True, slots=True)
class Way:
    """A way of saving memories.

    Attributes:
        rows: the vectors of a memory that others are merged into.
        tier: how these are coded; half precision where it is None.
        merges: otherwise what is too much is left out, at random.
        first_crowded: what takes the places of most others is merged first; otherwise in a random order.
        all_coded: all memories are coded, at int8, and twice as many are kept.
    """

    rows: Callable[[Rows], Rows]
    tier: Tier | None = None
    merges: bool = True
    first_crowded: bool = False
    all_coded: bool = False


def as_coded(rows: NDArray[np.floating], tier: Tier) -> NDArray[np.float32]:
    """What codes of rows say, float32 `[n, dim]`: a dot product with it is the score that the bank gives."""
    dim = rows.shape[1]
    codes = codes_of(encoded(rows.astype(np.float16), tier), tier, dim)
    return rotation(dim).turn_back(decode(codes))


def _unit(rows: Rows) -> Rows:
    unit: Rows = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return unit


def _mean(rows: Rows) -> Rows:
    middle: Rows = rows.mean(axis=0)
    return middle


def _medoid(rows: Rows) -> int:
    return int(np.argmax(rows @ rows.sum(axis=0)))


def _around(rows: Rows, pivot: int) -> Rows:
    """The kernel-weighted mean around one of them."""
    squared = np.sum((rows - rows[pivot]) ** 2, axis=1)
    twice = 2.0 * float(np.mean(np.sqrt(np.delete(squared, pivot)))) ** 2 if len(rows) > 1 else 0.0
    weights = np.exp(-squared / twice) if twice > 0.0 else np.ones(len(rows))
    middle: Rows = weights @ rows / weights.sum()
    return middle


def _around_medoid(rows: Rows) -> Rows:
    return _around(rows, _medoid(rows))


def _iterated(rows: Rows) -> Rows:
    """The kernel around what it gave before, from the mean on."""
    centre = _unit(_mean(rows))
    for _ in range(_ROUNDS):
        squared = np.sum((rows - centre) ** 2, axis=1)
        twice = 2.0 * float(np.mean(np.sqrt(squared))) ** 2
        if twice <= 0.0:
            break
        centre = _unit(np.exp(-squared / twice) @ rows)
    return centre


def _geometric_median(rows: Rows) -> Rows:
    """By Weiszfeld's steps, on the sphere."""
    centre = _unit(_mean(rows))
    for _ in range(_ROUNDS):
        centre = _unit((1.0 / np.maximum(1e-3, np.linalg.norm(rows - centre, axis=1))) @ rows)
    return centre


def _two(middle: Callable[[Rows], Rows]) -> Callable[[Rows], Rows]:
    """Two centroids, or one if all are the same."""

    def centroids(rows: Rows) -> Rows:
        near = rows @ rows.T
        one, other = np.unravel_index(int(near.argmin()), near.shape)
        if near[one, other] > _SAME:
            return middle(rows)[None]
        centres = rows[[one, other]]
        side = rows @ centres[0] >= rows @ centres[1]
        for _ in range(_ROUNDS):
            centres = _unit(np.stack([rows[side].sum(axis=0), rows[~side].sum(axis=0)]))
            moved = rows @ centres[0] >= rows @ centres[1]
            if moved.all() or not moved.any() or (moved == side).all():
                break
            side = moved
        return np.stack([middle(rows[side]), middle(rows[~side])])

    return centroids


def _farthest(rows: Rows, begun: Rows, most: int) -> list[int]:
    """Up to `most` members, each the farthest from what is there already."""
    near, found = rows @ begun, list[int]()
    while len(found) < most and near.min() <= _SAME:
        found.append(int(near.argmin()))
        near = np.maximum(near, rows @ rows[found[-1]])
    return found


def _members(rows: Rows) -> list[int]:
    first = _medoid(rows)
    return [first, *_farthest(rows, rows[first], 3)]


def _with_farthest(most: int) -> Callable[[Rows], Rows]:
    def beside(rows: Rows) -> Rows:
        centre = _unit(_mean(rows))
        return np.concatenate([centre[None], rows[_farthest(rows, centre, most)]])

    return beside


def _at_unit(middle: Callable[[Rows], Rows]) -> Callable[[Rows], Rows]:
    return lambda rows: _unit(middle(rows))


def _one(middle: Callable[[Rows], Rows]) -> Callable[[Rows], Rows]:
    return lambda rows: middle(rows)[None]


_MEAN = Way(_one(_at_unit(_mean)))
_PIVOT = Way(lambda rows: rows[:1])
WAYS = {
    "dropped": replace(_PIVOT, merges=False),
    "dropped, all int8": replace(_PIVOT, merges=False, all_coded=True),
    "pivot": _PIVOT,
    "mean": _MEAN,
    "mean, all int8": replace(_MEAN, all_coded=True),
    "mean, not at unit length": Way(_one(_mean)),
    "kernel": Way(_one(_at_unit(lambda rows: _around(rows, 0)))),
    "kernel, not at unit length": Way(_one(lambda rows: _around(rows, 0))),
    "kernel around the medoid": Way(_one(_at_unit(_around_medoid))),
    "kernel, iterated": Way(_one(_iterated)),
    "geometric median": Way(_one(_geometric_median)),
    "merged": Way(_one(merged_vector)),
    "two means, int8": Way(_at_unit(_two(_mean)), Tier.INT8),
    "two kernels, int8": Way(_at_unit(_two(_around_medoid)), Tier.INT8),
    "two means, int8, not at unit length": Way(_two(_mean), Tier.INT8),
    "two kernels, int8, not at unit length": Way(_two(_around_medoid), Tier.INT8),
    "mean and farthest, int8": Way(_with_farthest(1), Tier.INT8),
    "mean and three farthest, int4": Way(_with_farthest(3), Tier.INT4),
    "four members, int4": Way(lambda rows: rows[_members(rows)], Tier.INT4),
    "four kernels, int4": Way(
        _at_unit(lambda rows: np.stack([_around(rows, one) for one in _members(rows)])), Tier.INT4
    ),
    "mean, first what crowds": replace(_MEAN, first_crowded=True),
    "all as views": Way(lambda rows: rows),
}
"""By name; `all as views` alone takes more bytes than the budget."""
