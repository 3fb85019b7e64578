"""How activation spreads from some nodes of a graph over its edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu.native import plain
from gpu.ops.spread import kernel


@dataclass(frozen=True, slots=True)
class Graph:
    """`n` nodes with weighted edges in rows.

    Attributes:
        offsets: int64 `[n + 1]`.
        targets: int64 `[e]`, where each edge leads.
        shares: float64 `[e]`, what it takes of its node's activation: the edges of a node sum to 1.
    """

    offsets: NDArray[np.int64]
    targets: NDArray[np.int64]
    shares: NDArray[np.float64]

    def __len__(self) -> int:
        """Number of nodes."""
        return int(self.offsets.shape[0]) - 1


def graph(n: int, sources: NDArray[np.int64], targets: NDArray[np.int64], weights: NDArray[np.float64]) -> Graph:
    """A graph whose edges share out what their node has in proportion to their weights (row-stochastic).

    Args:
        n: number of nodes.
        sources: int64 `[e]`, in any order; edges may repeat, then they add up.
        targets: int64 `[e]`.
        weights: float64 `[e]`, >= 0; edges of weight 0 are left out.

    Raises:
        ValueError: the columns differ in length, a weight is negative or not a number, or a node does not exist.
    """
    if not sources.shape == targets.shape == weights.shape or sources.ndim != 1:
        raise ValueError("sources, targets and weights must be [e]")
    if weights.size and not (np.isfinite(weights).all() and weights.min() >= 0):
        raise ValueError("weights must be finite and not negative")
    if sources.size and not 0 <= min(sources.min(), targets.min()) <= max(sources.max(), targets.max()) < n:
        raise ValueError(f"an edge leads out of the {n} nodes")
    kept = np.flatnonzero(weights > 0)
    kept = kept[np.argsort(sources[kept], kind="stable")]
    sources, weights = sources[kept], weights[kept]
    offsets = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(sources, minlength=n), out=offsets[1:])
    sums = np.bincount(sources, weights=weights, minlength=n)
    return Graph(offsets, targets[kept], weights / sums[sources])


def spread(
    over: Graph, seeds: NDArray[np.float64], damping: float, *, tolerance: float = 1e-4, most: int = 20
) -> tuple[NDArray[np.float64], int]:
    """Activation of every node once it has settled.

    Args:
        over: the graph.
        seeds: float64 `[n]`, >= 0, what is put in with every step; scaled to sum 1.
        damping: share that goes back to the seeds with every step, in (0, 1].
        tolerance: stop when the activation changes by less than this in sum.
        most: stop after so many steps in any case.

    Returns:
        float64 `[n]`, sums to 1, and the number of steps made.

    Raises:
        ValueError: the seeds have another shape, are negative or all zero, or the damping is out of range.
    """
    if seeds.shape != (len(over),):
        raise ValueError(f"seeds must be [{len(over)}], not {seeds.shape}")
    if not 0 < damping <= 1:
        raise ValueError("damping must be in (0, 1]")
    total = float(seeds.sum())
    if not (total > 0 and np.isfinite(total)) or seeds.min() < 0:
        raise ValueError("seeds must be finite, not negative, and not all zero")
    out = np.empty(len(over), np.float64)
    steps = kernel.propagate(
        plain(over.offsets, np.int64),
        plain(over.targets, np.int64),
        plain(over.shares, np.float64),
        plain(seeds / total, np.float64),
        float(damping),
        float(tolerance),
        int(most),
        out,
    )
    return out, int(steps)
