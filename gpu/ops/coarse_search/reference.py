"""Coarse search in plain torch."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from gpu.ops.paged_search.reference import paged_search_rows


def group_bests(
    estimates: torch.Tensor, slots: torch.Tensor, groups: torch.Tensor, mask: torch.Tensor | None = None
) -> torch.Tensor:
    """The best estimate of each group, float32 `[n_groups]`; -inf where no row counts.

    Args:
        estimates: float32 `[n]`, of every row: <q, x> as its code tells it, see `gpu.tiers.ranking.corrected`.
        slots: int32 `[n]`, the memory of each row; -1 for a row that is dead.
        groups: int64 `[n]`, ascending, the group of each row.
        mask: 1 for the memories that count, uint8 by slot, or None for all.
    """
    counts = slots >= 0
    if mask is not None:
        counts = counts & (mask[slots.clamp(min=0).long()] != 0)
    best = torch.full((int(groups[-1]) + 1 if groups.numel() else 0,), float("-inf"), device=estimates.device)
    return best.scatter_reduce_(0, groups[counts], estimates[counts], "amax")


def coarse_search_rows(
    queries: torch.Tensor,
    vectors: Sequence[torch.Tensor],
    slots: Sequence[torch.Tensor],
    groups: Sequence[torch.Tensor],
    estimates: Sequence[torch.Tensor],
    k: int,
    wanted: int,
    masks: Sequence[torch.Tensor | None] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The k best distinct memories of each query among the rows of the `wanted` groups with the best estimates.

    Args:
        queries: float32 `[b, dim]`.
        vectors: for each query its namespace's rows, `[n, dim]`.
        slots, groups, estimates, masks: for each query, as in `group_bests`.
        k: how many.
        wanted: groups that are scored exactly.

    Returns:
        Slots int32 `[b, k]`, -1 where there are fewer; scores float32 `[b, k]`, -inf there.
    """
    looked_at: list[torch.Tensor] = []
    for i, own in enumerate(estimates):
        best = group_bests(own, slots[i], groups[i], None if masks is None else masks[i])
        order = torch.sort(best, descending=True, stable=True).indices[:wanted]
        looked_at.append(torch.where(torch.isin(groups[i], order), slots[i], -1))
    return paged_search_rows(queries, vectors, looked_at, k, masks)
