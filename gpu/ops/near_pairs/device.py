"""Pairs of memories that are nearly the same, over the pages of a device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from gpu.bank.errors import PageOwnershipError
from gpu.ops.near_pairs import triton_kernel
from gpu.ops.near_pairs.checks import check
from gpu.ops.paged_search.op import GROUP, PagedRows

kernel: Any = triton_kernel  # a launch takes more than the function's own arguments
TILE_PAIRS = (triton_kernel.GROUPS * GROUP) ** 2
"""Pairs of rows of one tile: so many must fit, or a tile could never be finished."""
_ROOM = 1 << 22
"""Pairs of rows that are kept at a time: 48 MiB."""
MOST_SIDE = 8
"""Tiles on one side of a square: its 2,048 rows fit the cache that all programs share."""
_BLOCK, _WARPS, _STAGES = 64, 8, 3
_MOST_PROGRAMS = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class DevicePairs:
    """Pairs of memories on the device, ordered by (first, second): slots int64 `[p]` and scores float32 `[p]`."""

    first: torch.Tensor
    second: torch.Tensor
    scores: torch.Tensor


def near_pairs_on_device(
    rows: PagedRows, threshold: float, most: int, mask: torch.Tensor | None = None, *, room: int = _ROOM
) -> DevicePairs:
    """See `gpu.ops.near_pairs.op.near_pairs`; products are float32 sums of products of half-precision numbers.

    Pairs of rows are counted while they are written. Where they do not fit, the tiles are gone through again in parts
    that do; what was found in a part is cut down to the best partners of each memory before the next begins.

    Args:
        rows: the namespace.
        threshold: least score, finite.
        most: partners that a memory keeps, at least 1.
        mask: uint8 by slot, 1 for memories that count; None for all.
        room: pairs of rows that are kept at a time, at least `TILE_PAIRS`.

    Raises:
        PageOwnershipError: a page belongs to somebody else by now.
        ValueError: the threshold is not finite, `most` is less than 1, or the room does not hold a tile.
    """
    check(threshold, most)
    if room < TILE_PAIRS:
        raise ValueError(f"there must be room for {TILE_PAIRS} pairs")
    device = rows.records.device
    kept = _none(device)
    for part in _found(rows, threshold, mask, room):
        kept = _best(torch.cat([kept[0], part[0]]), torch.cat([kept[1], part[1]]), most)
    first, second = kept[0] >> 32, kept[0] & 0xFFFFFFFF
    return DevicePairs(first, second, kept[1])


def _none(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.empty(0, dtype=torch.int64, device=device), torch.empty(0, dtype=torch.float32, device=device)


def _found(
    rows: PagedRows, threshold: float, mask: torch.Tensor | None, room: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """All pairs of rows that reach the threshold, in parts: keys (first slot << 32 | second) and scores.

    Raises:
        PageOwnershipError: a page belongs to somebody else by now.
    """
    n_groups, device = rows.records.shape[0], rows.records.device
    tiles = -(-n_groups // triton_kernel.GROUPS)
    side = max(1, min(MOST_SIDE, tiles))
    squares = -(-tiles // side)
    n_tiles = -(-squares // 2) * (squares + 1) * side**2
    slots = torch.empty((2, room), dtype=torch.int32, device=device)
    scores = torch.empty(room, dtype=torch.float32, device=device)
    broken = torch.zeros(1, dtype=torch.int32, device=device)
    waiting = [(at, min(n_tiles, at + _MOST_PROGRAMS)) for at in range(0, n_tiles, _MOST_PROGRAMS)][::-1]
    while waiting:
        start, end = waiting.pop()
        count = torch.zeros(1, dtype=torch.int64, device=device)
        kernel.compare[(end - start,)](
            rows.pool, rows.records, rows.owner, n_groups, rows.pool if mask is None else mask, start,
            squares, threshold, room, count, slots[0], slots[1], scores, broken, rows.dim,
            MASKED=mask is not None, SIDE=side, BLOCK=_BLOCK, BLOCKS=-(-rows.dim // _BLOCK),
            num_warps=_WARPS, num_stages=_STAGES,
        )  # fmt: skip
        found, is_broken = torch.cat([count, broken.long()]).tolist()
        if is_broken:
            raise PageOwnershipError("a page of the namespace belongs to somebody else")
        if found > room:
            step = max(1, (end - start) // -(-found // room))
            step = min(step, -(-(end - start) // 2))  # always fewer tiles than before
            waiting += [(at, min(end, at + step)) for at in range(start, end, step)][::-1]
        elif found:
            yield (slots[0, :found].long() << 32) | slots[1, :found].long(), scores[:found].clone()


def _best(keys: torch.Tensor, scores: torch.Tensor, most: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Of pairs that may be repeated, the best score of each; those that are among the best of one of their memories."""
    keys, inverse = torch.unique(keys, return_inverse=True)
    best = torch.full(keys.shape, float("-inf"), device=scores.device).scatter_reduce_(0, inverse, scores, "amax")
    first, second = keys >> 32, keys & 0xFFFFFFFF
    memory, partner = torch.cat([first, second]), torch.cat([second, first])
    order = torch.argsort(partner, stable=True)
    order = order[torch.argsort(torch.cat([best, best])[order], descending=True, stable=True)]
    order = order[torch.argsort(memory[order], stable=True)]
    ranked = memory[order]
    rank = torch.arange(ranked.numel(), device=keys.device) - torch.searchsorted(ranked, ranked)
    kept = torch.zeros(keys.shape, dtype=torch.bool, device=keys.device)
    kept[order[rank < most] % keys.numel()] = True
    return keys[kept], best[kept]
