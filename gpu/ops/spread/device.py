"""How activation spreads from some nodes of a graph over its edges, on a device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from gpu.ops.spread import triton_kernel

kernel: Any = triton_kernel  # a launch takes more than the function's own arguments
PIECE = 256
"""Incoming edges that one program adds up alone."""
_PIECES, _EDGES, _NODES, _BLOCK = 32, 8, 256, 256


@dataclass(frozen=True, slots=True)
class DeviceGraph:
    """`n` nodes with the edges that lead to them; see `device_graph`.

    Attributes:
        n: number of nodes.
        sources, shares: int32 and float32 `[e]`, by target.
        piece_starts, piece_counts: int64 and int32 `[p]`, at most `PIECE` edges that lead to one node.
        first_pieces: int32 `[n + 1]`.
        is_dead_end: uint8 `[n]`, 1 for a node without outgoing edges.
    """

    n: int
    sources: torch.Tensor
    shares: torch.Tensor
    piece_starts: torch.Tensor
    piece_counts: torch.Tensor
    first_pieces: torch.Tensor
    is_dead_end: torch.Tensor


def device_graph(offsets: torch.Tensor, targets: torch.Tensor, shares: torch.Tensor) -> DeviceGraph:
    """Turns edges by source round to edges by target.

    Args:
        offsets: int64 `[n + 1]`, as in `gpu.ops.spread.op.Graph`, on the device; n >= 1.
        targets: int64 `[e]`, each less than n: that is not checked.
        shares: floating `[e]`; the edges of a node sum to 1.

    Raises:
        ValueError: the shapes do not fit.
    """
    if offsets.ndim != 1 or offsets.shape[0] < 2 or targets.shape != shares.shape or targets.ndim != 1:
        raise ValueError("offsets must be [n + 1], n >= 1, targets and shares [e]")
    n, device = offsets.shape[0] - 1, offsets.device
    nodes = torch.arange(n, device=device)
    counts = offsets.diff()
    sources = torch.repeat_interleave(nodes, counts)
    targets, order = torch.sort(targets, stable=True)
    incoming = torch.bincount(targets, minlength=n)
    ends = incoming.cumsum(0)
    pieces = (incoming + PIECE - 1) // PIECE
    first_pieces = torch.nn.functional.pad(pieces.cumsum(0), (1, 0))
    node = torch.repeat_interleave(nodes, pieces)
    starts = (ends - incoming)[node] + (torch.arange(node.shape[0], device=device) - first_pieces[node]) * PIECE
    return DeviceGraph(
        n,
        sources[order].int(),
        shares[order].float(),
        starts,
        torch.minimum(ends[node] - starts, torch.tensor(PIECE, device=device)).int(),
        first_pieces.int(),
        (counts == 0).to(torch.uint8),
    )


def spread_on_device(
    over: DeviceGraph, seeds: torch.Tensor, damping: float, *, tolerance: float = 1e-4, most: int = 20
) -> tuple[torch.Tensor, torch.Tensor]:
    """See `gpu.ops.spread.op.spread`, for several questions over one graph; sums are float32.

    Args:
        over: the graph.
        seeds: floating `[b, n]`, >= 0, what is put in with every step; each row is scaled to sum 1.
        damping: share that goes back to the seeds with every step, in (0, 1].
        tolerance: a question is settled when its activation changes by less than this in sum.
        most: stop after so many steps in any case.

    Returns:
        float32 `[b, n]`, each row sums to 1, and the steps that each took, int32 `[b]`.

    Raises:
        ValueError: the seeds have another shape, are negative or all zero, or the damping is out of range.
    """
    if seeds.ndim != 2 or seeds.shape[1] != over.n:
        raise ValueError(f"seeds must be [b, {over.n}], not {tuple(seeds.shape)}")
    if not 0 < damping <= 1:
        raise ValueError("damping must be in (0, 1]")
    totals = seeds.sum(dim=1, keepdim=True)
    if seeds.shape[0] and not bool(((totals > 0) & totals.isfinite() & (seeds.amin(dim=1, keepdim=True) >= 0)).all()):
        raise ValueError("seeds must be finite, not negative, and not all zero")
    return launch(over, (seeds / totals).float().contiguous(), damping, tolerance, most)


def launch(
    over: DeviceGraph, scaled: torch.Tensor, damping: float, tolerance: float, most: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The launches alone, for seeds float32 `[b, n]` of which each row sums to 1. Nothing waits for the device."""
    b, device = scaled.shape[0], scaled.device
    activation = scaled.clone()
    steps, settled = (torch.zeros(b, dtype=torch.int32, device=device) for _ in range(2))
    if not b:
        return activation, steps
    lost = (scaled * over.is_dead_end).sum(dim=1)
    n_pieces, n_blocks = over.piece_starts.shape[0], -(-over.n // _NODES)
    sums = torch.empty((b, n_pieces), device=device)
    block_lost, block_change = torch.empty((2, b, n_blocks), device=device)
    for _ in range(most):
        if n_pieces:
            kernel.pull[(-(-n_pieces // _PIECES), b)](
                activation, over.sources, over.shares, over.piece_starts, over.piece_counts, over.n, n_pieces, sums,
                settled, PIECES=_PIECES, EDGES=_EDGES, num_warps=4,
            )  # fmt: skip
        kernel.settle[(n_blocks, b)](
            activation, scaled, sums, over.first_pieces, over.is_dead_end, lost, damping, over.n, n_pieces, n_blocks,
            block_lost, block_change, settled, NODES=_NODES, num_warps=4,
        )  # fmt: skip
        kernel.finish[(b,)](
            block_lost, block_change, n_blocks, tolerance, lost, steps, settled, BLOCK=_BLOCK, num_warps=4
        )
    return activation, steps
