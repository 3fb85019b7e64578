"""The best memories of many queries, each in its own namespace, in one pass over the namespaces' pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from gpu.bank.errors import PageOwnershipError
from gpu.ops.paged_search import triton_kernel

kernel: Any = triton_kernel  # a launch takes more than the function's own arguments
GROUP = triton_kernel.GROUP
RECORD = triton_kernel.RECORD
_PROGRAMS = 2048
"""So many programs keep a large device busy to the end; more only write more."""
_LARGEST_CHUNK, _SMALLEST_CHUNK = 32, 4
_SPARE = 2
"""Chunks and groups that are looked into beyond k: rounding, and memories with several vectors, cost some."""
_BLOCK = 128


@dataclass(frozen=True, slots=True)
class PagedRows:
    """Vectors of one namespace in pages on a device.

    Attributes:
        records: int64 `[n_groups, RECORD]`, see `triton_kernel.RECORD`; holding the tensor keeps it, not the pages.
        owner: who must be named in the header of every page.
        dim: dimension of the vectors.
    """

    records: torch.Tensor
    owner: int
    dim: int


@dataclass(frozen=True, slots=True)
class Found:
    """The answer of a search, on the device: slots int32 `[b, k]`, -1 where there are fewer, and scores float32."""

    slots: torch.Tensor
    scores: torch.Tensor


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch as the kernels want it: int64 rows `[5, b + 1]` on the device, and sizes that a launch needs.

    The rows are: addresses of the records, numbers of groups, first chunks, owners, addresses of the masks.
    `first_chunks` are those of each query, and the number of all; a chunk has `groups` groups.
    """

    namespaces: tuple[PagedRows, ...]
    rows: torch.Tensor
    first_chunks: list[int]
    most_chunks: int
    groups: int

    @property
    def n_chunks(self) -> int:
        """Chunks of all queries."""
        return self.first_chunks[-1]


def plan(rows: Sequence[PagedRows], masks: Sequence[torch.Tensor | None] | None = None) -> Plan:
    """Cuts the namespaces of a batch into chunks of about equal work.

    Args:
        rows: the namespace of each query, the same one as often as it is asked; at least one.
        masks: for each query uint8 by slot, 1 for memories that count; None for all. Must live as long as the plan.
    """
    n = len(rows)
    n_groups = [of.records.shape[0] for of in rows]
    groups = _LARGEST_CHUNK
    while groups > _SMALLEST_CHUNK and sum(n_groups) < _PROGRAMS * groups:
        groups //= 2
    chunks = [-(-count // groups) for count in n_groups]
    first = [0]
    for count in chunks:
        first.append(first[-1] + count)
    found = [None] * n if masks is None else list(masks)
    table = torch.tensor(
        [
            [of.records.data_ptr() for of in rows] + [0],
            [*n_groups, 0],
            first,
            [of.owner for of in rows] + [0],
            [0 if mask is None else mask.data_ptr() for mask in found] + [0],
        ],
        dtype=torch.int64,
    )
    device = rows[0].records.device
    if device.type == "cuda":
        table = table.pin_memory().to(device, non_blocking=True)
    return Plan(tuple(rows), table, first, max(chunks), groups)


def paged_search(queries: torch.Tensor, batch: Plan, k: int) -> Found:
    """The k best distinct memories of each query, best first, equal scores by slot.

    A memory scores as its best vector; scores are float32 sums of products of the query with half-precision vectors.
    Two launches, one read of every vector. Where the first pass cannot rule out that a memory was overlooked (many
    vectors of one memory, or scores that are equal), all rows of that query are sorted.

    Args:
        queries: float32 `[b, dim]`, contiguous, on the device of the pages.
        batch: their namespaces, see `plan`.
        k: how many, at least 1.

    Raises:
        PageOwnershipError: a page belongs to somebody else by now.
    """
    found, certain, broken, scores = launch(queries, batch, k)
    if int(broken):
        raise PageOwnershipError("a page of the batch belongs to somebody else")
    for query in torch.nonzero(certain == 0).flatten().tolist():
        _sorted(query, batch, scores, found)
    return found


def launch(queries: torch.Tensor, batch: Plan, k: int) -> tuple[Found, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The two launches alone: what was found, for each query whether that is certain, whether pages were lost, scores.

    Nothing waits for the device. Scores are float32 `[n_chunks, groups, GROUP]`, in the order of the records; entries
    behind the last group of a query are not written.
    """
    device, dim, n = queries.device, queries.shape[1], len(batch.namespaces)
    tables, n_groups, first, owners, masks = batch.rows
    scores = torch.empty((max(batch.n_chunks, 1), batch.groups, GROUP), device=device)
    group_best = torch.empty(scores.shape[:2], device=device)
    chunk_best = torch.empty(scores.shape[:1], device=device)
    broken = torch.zeros(1, dtype=torch.int32, device=device)
    slots = torch.empty((n, k), dtype=torch.int32, device=device)
    best = torch.empty((n, k), device=device)
    certain = torch.empty(n, dtype=torch.int32, device=device)
    if batch.n_chunks:
        kernel.scan[(batch.n_chunks,)](
            queries, tables, n_groups, first, owners, masks, n, n.bit_length(),
            scores, group_best, chunk_best, broken, dim,
            GROUPS=batch.groups, BLOCK=_BLOCK, BLOCKS=-(-dim // _BLOCK), num_warps=4,
        )  # fmt: skip
    kernel.select[(n,)](
        tables, n_groups, first, scores, group_best, chunk_best, slots, best, certain, k,
        GROUPS=batch.groups, CHUNKS=_power(batch.most_chunks), WIDTH=_power(k + _SPARE), num_warps=4,
    )  # fmt: skip
    return Found(slots, best), certain, broken, scores


def _sorted(query: int, batch: Plan, scores: torch.Tensor, found: Found) -> None:
    """Writes the answer of one query from the scores of all its rows."""
    k = found.slots.shape[1]
    records = batch.namespaces[query].records
    own = torch.full((records.shape[0], GROUP), -1, dtype=torch.int32, device=records.device)
    kernel.read_slots[(records.shape[0],)](records, own)
    rows = scores[batch.first_chunks[query] :].reshape(-1, GROUP)[: records.shape[0]].flatten()
    own = own.flatten()
    known = rows > float("-inf")
    rows, own = rows[known], own[known].long()
    best = torch.full((int(own.max()) + 1,), float("-inf"), device=rows.device)
    best.scatter_reduce_(0, own, rows, "amax")
    order = torch.sort(best, descending=True, stable=True).indices[:k]
    order = order[best[order] > float("-inf")]
    found.slots[query] = -1
    found.scores[query] = float("-inf")
    found.slots[query, : order.numel()] = order.int()
    found.scores[query, : order.numel()] = best[order]


def _power(count: int) -> int:
    """The least power of two that is no less, at least 2."""
    return max(2, 1 << (count - 1).bit_length())
