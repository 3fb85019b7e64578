"""The meaning of near pairs, in plain torch: every score at once, at double precision."""

from __future__ import annotations

import torch


def near_pairs_rows(
    vectors: torch.Tensor, slots: torch.Tensor, threshold: float, most: int, mask: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pairs of memories whose best vectors have at least this dot product, among the best partners of one of the two.

    Args:
        vectors: `[n, dim]`.
        slots: the memory of each row, int32 `[n]`; -1 for a row that is dead.
        threshold: the least score.
        most: a pair stays if it is among so many best pairs of one of its memories, equal scores by the other's slot.
        mask: 1 for the memories that count, uint8 by slot, or None for all.

    Returns:
        First and second slots int64 `[p]`, first < second, ordered by them, and scores float64 `[p]`.
    """
    alive = slots >= 0
    if mask is not None:
        alive = alive & (mask[slots.clamp(min=0).long()] != 0)
    rows, own = vectors[alive].double(), slots[alive].long()
    n = int(own.max()) + 1 if own.numel() else 0
    best = torch.full((n * n,), float("-inf"), dtype=torch.float64, device=rows.device)
    best.scatter_reduce_(0, (own[:, None] * n + own[None, :]).flatten(), (rows @ rows.T).flatten(), "amax")
    best = best.reshape(n, n).fill_diagonal_(float("-inf"))
    order = torch.sort(best, dim=1, descending=True, stable=True).indices[:, :most]
    kept = torch.zeros_like(best, dtype=torch.bool).scatter_(1, order, True)
    pairs = torch.nonzero(torch.triu((kept | kept.T) & (best >= threshold), diagonal=1))
    return pairs[:, 0], pairs[:, 1], best[pairs[:, 0], pairs[:, 1]]
