"""One step of damped propagation over a sparse graph, in Triton.

Activation is pulled along incoming edges, not pushed along outgoing ones: no two programs add to the same number, so
that the sums have one order and the same question gives the same answer. The incoming edges of a node are cut into
pieces, so that a node that everything leads to does not keep one program busy for the whole step.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def pull(
    activation,
    sources,
    shares,
    piece_starts,
    piece_counts,
    n,
    n_pieces,
    sums,
    settled,
    PIECES: tl.constexpr,
    EDGES: tl.constexpr,
):
    """What comes in along each piece.

    Args:
        activation: float32 `[b, n]`.
        sources, shares: int32 and float32 `[e]`, by the node that the edge leads to.
        piece_starts, piece_counts: int64 and int32 `[n_pieces]`, which edges.
        sums: float32 `[b, n_pieces]`, overwritten.
        settled: int32 `[b]`; where it is 1 nothing is done.
        PIECES, EDGES: pieces, and edges of each, that are looked at at a time.
    """
    of = tl.program_id(1).to(tl.int64)
    if tl.load(settled + of) != 0:
        return
    piece = tl.program_id(0) * PIECES + tl.arange(0, PIECES)
    is_piece = piece < n_pieces
    start = tl.load(piece_starts + piece, is_piece, 0)
    count = tl.load(piece_counts + piece, is_piece, 0)
    edge = tl.arange(0, EDGES)
    total = tl.zeros([PIECES, EDGES], tl.float32)
    for at in range(0, tl.max(count), EDGES):
        here = at + edge[None, :] < count[:, None]
        place = start[:, None] + at + edge[None, :]
        source = tl.load(sources + place, here, 0)
        share = tl.load(shares + place, here, 0.0)
        total += share * tl.load(activation + of * n + source, here, 0.0)
    tl.store(sums + of * n_pieces + piece, tl.sum(total, axis=1), is_piece)


@triton.jit
def settle(
    activation,
    seeds,
    sums,
    first_pieces,
    is_dead_end,
    lost,
    damping,
    n,
    n_pieces,
    n_blocks,
    block_lost,
    block_change,
    settled,
    NODES: tl.constexpr,
):
    """The new activation of some nodes.

    Args:
        activation: float32 `[b, n]`, overwritten.
        seeds: float32 `[b, n]`.
        sums: see `pull`.
        first_pieces: int32 `[n + 1]`, which pieces lead to each node.
        is_dead_end: uint8 `[n]`, 1 for a node without outgoing edges.
        lost: float32 `[b]`, what is at dead ends now.
        damping: float32.
        block_lost, block_change: float32 `[b, n_blocks]`, what is at dead ends then, and by how much it all changed.
        settled: see `pull`.
    """
    of = tl.program_id(1).to(tl.int64)
    if tl.load(settled + of) != 0:
        return
    block = tl.program_id(0)
    node = block * NODES + tl.arange(0, NODES)
    is_node = node < n
    first = tl.load(first_pieces + node, is_node, 0)
    count = tl.load(first_pieces + node + 1, is_node, 0) - first
    total = tl.zeros([NODES], tl.float32)
    for i in range(tl.max(count)):
        total += tl.load(sums + of * n_pieces + first + i, is_node & (i < count), 0.0)
    back = damping + (1.0 - damping) * tl.load(lost + of)
    before = tl.load(activation + of * n + node, is_node, 0.0)
    value = back * tl.load(seeds + of * n + node, is_node, 0.0) + (1.0 - damping) * total
    tl.store(activation + of * n + node, value, is_node)
    dead = tl.load(is_dead_end + node, is_node, 0) != 0
    tl.store(block_lost + of * n_blocks + block, tl.sum(tl.where(dead, value, 0.0)))
    tl.store(block_change + of * n_blocks + block, tl.sum(tl.abs(value - before)))


@triton.jit
def finish(block_lost, block_change, n_blocks, tolerance, lost, steps, settled, BLOCK: tl.constexpr):
    """Add up what the blocks say, count the step, and mark what has settled.

    Args:
        lost: float32 `[b]`, overwritten; steps: int32 `[b]`, raised; settled: int32 `[b]`, set.
        tolerance: float32, settled is what changes by less in sum.
    """
    of = tl.program_id(0)
    if tl.load(settled + of) != 0:
        return
    block = tl.arange(0, BLOCK)
    at_dead_ends = tl.zeros([BLOCK], tl.float32)
    change = tl.zeros([BLOCK], tl.float32)
    for at in range(0, n_blocks, BLOCK):
        here = at + block < n_blocks
        at_dead_ends += tl.load(block_lost + of * n_blocks + at + block, here, 0.0)
        change += tl.load(block_change + of * n_blocks + at + block, here, 0.0)
    tl.store(lost + of, tl.sum(at_dead_ends))
    tl.store(steps + of, tl.load(steps + of) + 1)
    tl.store(settled + of, (tl.sum(change) < tolerance).to(tl.int32))
