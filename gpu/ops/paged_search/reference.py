"""Paged search in plain torch."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def paged_search_rows(
    queries: torch.Tensor,
    vectors: Sequence[torch.Tensor],
    slots: Sequence[torch.Tensor],
    k: int,
    masks: Sequence[torch.Tensor | None] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The k best distinct memories of each query, best first, equal scores by slot.

    Args:
        queries: float32 `[b, dim]`.
        vectors: for each query its namespace's rows, `[n, dim]`.
        slots: for each query the memory of each row, int32 `[n]`; -1 for a row that is dead.
        k: how many.
        masks: for each query 1 for the memories that count, uint8 by slot, or None for all.

    Returns:
        Slots int32 `[b, k]`, -1 where there are fewer; scores float32 `[b, k]`, -inf there.
    """
    out_slots = torch.full((len(vectors), k), -1, dtype=torch.int32, device=queries.device)
    out_scores = torch.full((len(vectors), k), float("-inf"), device=queries.device)
    for i, (rows, of) in enumerate(zip(vectors, slots, strict=True)):
        mask = None if masks is None else masks[i]
        alive = of >= 0
        if mask is not None:
            alive = alive & (mask[of.clamp(min=0).long()] != 0)
        scores, own = (rows[alive].float() @ queries[i].float()), of[alive].long()
        best = torch.full((int(own.max()) + 1 if own.numel() else 0,), float("-inf"), device=queries.device)
        best.scatter_reduce_(0, own, scores, "amax")
        order = torch.sort(best, descending=True, stable=True).indices[:k]
        order = order[best[order] > float("-inf")]
        out_slots[i, : order.numel()] = order.int()
        out_scores[i, : order.numel()] = best[order]
    return out_slots, out_scores
