"""The best memories of many queries, each in its own namespace, in one pass over the namespaces' pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gpu.bank.errors import DimensionError, PageOwnershipError
from gpu.ops.paged_search import triton_kernel

kernel: Any = triton_kernel  # a launch takes more than the function's own arguments
GROUP = triton_kernel.GROUP
RECORD = triton_kernel.RECORD
_SHARED_PROGRAMS = 8192
"""So many programs keep a large device busy to the end; more only write more."""
_LARGEST_SHARED_CHUNK = 32
_LARGEST_CHUNK, _SMALLEST_CHUNK = 128, 4
_AT_ONCE, _MOST_TURNS = 3, 8
"""Programs that a multiprocessor holds at a time, and how often it is filled, at most."""
_PROCESSORS = 132
"""Multiprocessors of a device that is not there to be asked."""
_START = 2
"""What it takes a program to begin and to end, in groups."""
_SPARE = 2
"""Chunks and groups that are looked into beyond k: rounding, and memories with several vectors, cost some."""
_BLOCK, _WARPS, _REGISTERS = 128, 8, 80
"""Numbers of a row at a time, warps of a program, and registers of a thread at most: `_AT_ONCE` comes of these."""
SHARED_FROM = 4
"""Queries of one namespace from which its rows are read once for all of them."""
_FEWEST_QUERIES, _MOST_QUERIES = 16, 64
"""Queries that one program takes: the matrix units want 16 at least."""
_DOT_BLOCK, _DOT_WARPS = 64, 4
_MOST_CHUNKS_COMPILED = 4096
"""Of one query, that kernels are compiled for before anybody asks: a million rows alone."""


@dataclass(frozen=True, slots=True)
class PagedRows:
    """Vectors of one namespace in pages on a device.

    Attributes:
        records: int64 `[n_groups, RECORD]`, see `triton_kernel.RECORD`; holding the tensor keeps it, not the pages.
        pool: uint8, the memory that the pages lie in, from its start, which is a multiple of 16 bytes.
        owner: who must be named in the header of every page.
        dim: dimension of the vectors.
    """

    records: torch.Tensor
    pool: torch.Tensor
    owner: int
    dim: int


@dataclass(frozen=True, slots=True)
class Found:
    """The answer of a search, on the device: slots int32 `[b, k]`, -1 where there are fewer, and scores float32."""

    slots: torch.Tensor
    scores: torch.Tensor


@dataclass(frozen=True, slots=True)
class Launched:
    """What the launches leave on the device, in the plan's order; `settle` makes the answer of it.

    Attributes:
        found: the best of what was looked into.
        flags: int32 `[1 + b]`, `broken` and `certain` in one piece: waiting for the device once is enough. Those of the
            plan, unless others were given.
        scores: float32 `[n_chunks, groups, GROUP]`, in the order of the records; entries behind the last group of a
            query are not written.
    """

    found: Found
    flags: torch.Tensor
    scores: torch.Tensor

    @property
    def certain(self) -> torch.Tensor:
        """Int32 `[b]`, 1 where what was found is the answer."""
        return self.flags[1:]

    @property
    def broken(self) -> torch.Tensor:
        """Int32 `[1]`, 1 if a page belonged to somebody else."""
        return self.flags[:1]


@dataclass(frozen=True, slots=True)
class Scored:
    """What `score` leaves on the device, in the plan's order, see `triton_kernel.scan`.

    Attributes:
        scores: float32 `[n_chunks, groups, GROUP]`.
        group_best, chunk_best: float32 `[n_chunks, groups]` and `[n_chunks]`, the best of them.
        flags: those of `Launched`; the first is written.
    """

    scores: torch.Tensor
    group_best: torch.Tensor
    chunk_best: torch.Tensor
    flags: torch.Tensor

    @property
    def best(self) -> tuple[torch.Tensor, ...]:
        """Scores and the best of them, as the choice takes them."""
        return self.scores, self.group_best, self.chunk_best


@dataclass(frozen=True, slots=True)
class Run:
    """Queries of a batch that ask the same namespace: the first of them in the plan's order, and how many."""

    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch as the kernels want it, for one launch at a time.

    The queries are put in an order in which those of one namespace stand together, where they are many.

    Attributes:
        namespaces: of each query, in the plan's order.
        order: place in the plan -> place in the batch; None where they are the same.
        rows: int64 `[5, width_of(b)]` on the device: addresses of the records, numbers of groups, first chunks, owners,
            addresses of the masks.
        first_chunks: those of each query, and the number of all.
        most_chunks: of one query.
        per_chunk: groups of a chunk.
        groups: a power of two, no less: groups that a chunk has room for.
        part: rows of a record at most: those of a group, or fewer where a group is put together of several records.
        shared: runs of queries, behind all the others.
        masks: held as long as the plan.
        flags: those of `Launched`; that a page belongs to somebody else stays true of a plan.
    """

    namespaces: tuple[PagedRows, ...]
    order: torch.Tensor | None
    rows: torch.Tensor
    first_chunks: list[int]
    most_chunks: int
    per_chunk: int
    groups: int
    part: int
    shared: tuple[Run, ...]
    masks: tuple[torch.Tensor | None, ...]
    flags: torch.Tensor


def plan(rows: Sequence[PagedRows], masks: Sequence[torch.Tensor | None] | None = None) -> Plan:
    """Cuts the namespaces of a batch into chunks of about equal work.

    Args:
        rows: the namespace of each query, the same one as often as it is asked; at least one; all in one pool.
        masks: for each query uint8 by slot, 1 for memories that count; None for all.

    Raises:
        ValueError: they lie in several pools.
    """
    if any(of.pool is not rows[0].pool for of in rows):
        raise ValueError("the namespaces of a batch must lie in one pool")
    order, shared = ordered(rows)
    rows = [rows[i] for i in order]
    masks = [None if masks is None else masks[i] for i in order]
    n_groups = np.array([of.records.shape[0] for of in rows], np.int64)
    device = rows[0].records.device
    per_chunk = _of_shared(n_groups, shared) if shared else balanced(n_groups, device)
    b = len(rows)
    width = width_of(b)
    table = np.zeros((7, width), np.int64)  # the last line stays zeros: flags
    table[0, :b] = [of.records.data_ptr() for of in rows]
    table[1, :b] = n_groups
    np.cumsum(-(-n_groups // per_chunk), out=table[2, 1 : b + 1])
    table[3, :b] = [of.owner for of in rows]
    table[4, :b] = [0 if mask is None else mask.data_ptr() for mask in masks]
    table[5, :b] = order
    there = sent(device, table)
    return Plan(
        tuple(rows),
        None if order == sorted(order) else there[5, :b],
        there[:5],
        table[2, : b + 1].tolist(),
        -(-int(n_groups.max()) // per_chunk),
        per_chunk,
        max(_SMALLEST_CHUNK, _power(per_chunk)),
        GROUP,
        shared,
        tuple(masks),
        there[6].view(torch.int32)[: 1 + b],
    )


def _of_shared(n_groups: NDArray[np.int64], shared: Sequence[Run]) -> int:
    """Groups of a chunk where some queries share the rows of a namespace: a power of two."""
    groups = _LARGEST_SHARED_CHUNK
    work = _work(n_groups.tolist(), shared)
    while groups > _SMALLEST_CHUNK and work < _SHARED_PROGRAMS * groups:
        groups //= 2
    return groups


def balanced(n_groups: NDArray[np.int64], device: torch.device, least: int = _SMALLEST_CHUNK) -> int:
    """Groups of a chunk with which the programs of a batch end at about the same time.

    Args:
        n_groups: of each query.
        device: that will work.
        least: groups of a chunk.
    """
    total, most = int(n_groups.sum()), max(int(n_groups.max()), 1)
    at_once = _at_once(device)
    turns = np.arange(1, _MOST_TURNS + 1)  # programs take turns; the last turn should be as full as the others
    even = -(-total // (turns * at_once))
    pieces = np.maximum(most // np.maximum(even, 1), 1)  # of the largest namespace: a last one as long as the others
    sizes = np.clip(np.concatenate([even, -(-most // pieces), -(-most // (pieces + 1))]), least, _LARGEST_CHUNK)
    programs = (-(-n_groups[:, None] // sizes)).sum(axis=0)
    return int(sizes[np.argmin(-(-programs // at_once) * (sizes + _START))])


@cache
def _at_once(device: torch.device) -> int:
    """Programs of `scan` that run at the same time."""
    if device.type != "cuda":
        return _AT_ONCE * _PROCESSORS
    properties: Any = torch.cuda.get_device_properties(device)
    processors: int = properties.multi_processor_count
    return _AT_ONCE * processors


def width_of(b: int) -> int:
    """Numbers of a line of a table for b queries: one more than they are, and an even count.

    So each line begins at a multiple of 16 bytes; Triton would compile a kernel for those that do not.
    """
    return b + 1 + (b + 1) % 2


def sent(device: torch.device, numbers: NDArray[np.int64]) -> torch.Tensor:
    """A copy on the device, which nobody waits for."""
    here = torch.from_numpy(numbers)
    return here.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else here


def ordered(rows: Sequence[PagedRows]) -> tuple[list[int], tuple[Run, ...]]:
    """An order in which queries of one namespace that are many stand together at the end, and their runs.

    Args:
        rows: the namespace of each query.
    """
    asked: dict[int, list[int]] = {}
    for place, of in enumerate(rows):
        asked.setdefault(of.owner, []).append(place)
    runs: list[list[int]] = []
    order: list[int] = []
    for places in asked.values():
        if len(places) >= SHARED_FROM:
            runs.append(places)
        else:
            order += places
    order.sort()
    shared = []
    for places in runs:
        if rows[places[0]].records.shape[0]:
            shared.append(Run(len(order), len(places)))
            order += places
    return order + sorted(set(range(len(rows))).difference(order)), tuple(shared)


def _work(n_groups: Sequence[int], shared: Sequence[Run]) -> int:
    """Groups that are read: those of shared namespaces once for as many queries as one program takes."""
    saved = sum(n_groups[run.first] * (run.count - -(-run.count // _MOST_QUERIES)) for run in shared)
    return sum(n_groups) - saved


def paged_search(queries: torch.Tensor, batch: Plan, k: int) -> Found:
    """The k best distinct memories of each query, best first, equal scores by slot.

    A memory scores as its best vector; scores are float32 sums of products of the query with half-precision vectors.
    One read of every vector, also for many queries of one namespace (up to 64 at a time). Where the first pass cannot
    rule out that a memory was overlooked (many vectors of one memory, or scores that are equal), all rows of that query
    are sorted.

    Args:
        queries: float32 `[b, dim]`, contiguous, on the device of the pages.
        batch: their namespaces, see `plan`.
        k: how many, at least 1.

    Raises:
        PageOwnershipError: a page belongs to somebody else by now.
        ValueError: the queries are no float32, or k is less than 1.
        DimensionError: they have another dimension than a namespace.
    """
    check(queries, batch, k)
    return answer(launch(queries, batch, k), batch)


def check(queries: torch.Tensor, batch: Plan, k: int) -> None:
    """Looks whether a batch can be asked.

    Raises:
        ValueError: the queries are no float32 in one piece, or k is less than 1.
        DimensionError: they have another dimension than a namespace.
    """
    if queries.dtype != torch.float32 or not queries.is_contiguous() or k < 1:
        raise ValueError("queries must be float32 in one piece, and k at least 1")
    if any(of.dim != queries.shape[1] for of in batch.namespaces):
        raise DimensionError(f"the queries have dimension {queries.shape[1]}, a namespace has another")


def answer(launched: Launched, batch: Plan) -> Found:
    """The answer, in the order of the batch; see `settle`."""
    found = settle(launched, batch)
    if batch.order is None:
        return found
    back = torch.argsort(batch.order)
    return Found(found.slots[back], found.scores[back])


def searched(queries: torch.Tensor, batch: Plan, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The same as `paged_search`, slots and scores on the host.

    One copy brings the answer and what says whether it is one.
    """
    check(queries, batch, k)
    launched = launch(queries, batch, k)
    found = launched.found
    together = torch.cat([launched.flags, found.slots.flatten(), found.scores.view(torch.int32).flatten()]).cpu()
    n_flags = launched.flags.shape[0]
    flags = together[:n_flags].tolist()
    if flags[0] or not all(flags[1:]):
        found = settle(launched, batch)
        slots, scores = found.slots.cpu().numpy(), found.scores.cpu().numpy()
    else:
        numbers = together[n_flags:].numpy().reshape(2, *found.slots.shape)
        slots, scores = numbers[0], numbers[1].view(np.float32)
    if batch.order is not None:
        back = np.argsort(batch.order.cpu().numpy())
        slots, scores = slots[back], scores[back]
    return slots.astype(np.int64), scores


def settle(launched: Launched, batch: Plan) -> Found:
    """The answer, in the plan's order; waits for the device. The rows of queries that are not certain are sorted.

    Raises:
        PageOwnershipError: a page belonged to somebody else.
    """
    broken, *certain = launched.flags.tolist()
    if broken:
        raise PageOwnershipError("a page of the batch belongs to somebody else")
    for query in (at for at, is_certain in enumerate(certain) if not is_certain):
        _sorted(query, batch, launched.scores, launched.found)
    return launched.found


def launch(queries: torch.Tensor, batch: Plan, k: int, flags: torch.Tensor | None = None) -> Launched:
    """The launches alone: nothing waits for the device.

    Args:
        queries, batch, k: see `paged_search`.
        flags: see `score`.
    """
    return choose(score(queries, batch, flags), batch, k)


def score(
    queries: torch.Tensor, batch: Plan, flags: torch.Tensor | None = None, masks: torch.Tensor | None = None
) -> Scored:
    """Launches the scan of all rows, of which those count that are alive and that a mask of the plan lets through.

    Args:
        queries: float32 `[b, dim]`, in the order of the batch.
        batch: their namespaces.
        flags: those of `Launched`, zeros unless an earlier launch found a page that belongs to somebody else; None for
            the plan's own.
        masks: int64 `[b]`, addresses of other masks, 0 for none, which the device has made meanwhile; None for the
            plan's own.
    """
    tables, n_records, first, owners, own_masks = batch.rows
    masks = own_masks if masks is None else masks
    if batch.order is not None:
        queries = queries[batch.order]
        masks = masks if masks is own_masks else masks[batch.order]
    device, n = queries.device, len(batch.namespaces)
    scores = torch.empty((max(batch.first_chunks[-1], 1), batch.groups, GROUP), device=device)
    group_best = torch.empty(scores.shape[:2], device=device)
    chunk_best = torch.empty(scores.shape[:1], device=device)
    scored = Scored(scores, group_best, chunk_best, batch.flags if flags is None else flags)
    if alone := batch.first_chunks[batch.shared[0].first if batch.shared else n]:
        kernel.scan[(alone,)](
            batch.namespaces[0].pool, queries, tables, n_records, first, owners, masks, n, n.bit_length(),
            batch.per_chunk, *scored.best, scored.flags[:1], queries.shape[1],
            **_sizes(batch.groups, queries.shape[1], batch.part),
        )  # fmt: skip
    if batch.shared:
        high = queries.half()
        low = ((queries - high.float()) * 2048).half()
        for run in batch.shared:
            _launch_shared(run, batch, masks, (high, low), scored)
    return scored


def _sizes(groups: int, dim: int, part: int) -> dict[str, int]:
    """The constants that `scan` is compiled for."""
    return {
        "GROUPS": groups, "BLOCK": _BLOCK, "BLOCKS": -(-dim // _BLOCK), "PART": part,
        "num_warps": _WARPS, "maxnreg": _REGISTERS,
    }  # fmt: skip


def choose(scored: Scored, batch: Plan, k: int) -> Launched:
    """Launches the choice of the k best memories of each query."""
    tables, n_records, first, _, _ = batch.rows
    device, n = scored.scores.device, len(batch.namespaces)
    found = Found(torch.empty((n, k), dtype=torch.int32, device=device), torch.empty((n, k), device=device))
    launched = Launched(found, scored.flags, scored.scores)
    cut = Cut((tables, n_records, first), batch.per_chunk, batch.most_chunks, batch.part)
    select(batch.namespaces[0].pool, cut, scored.best, found, launched.certain)
    return launched


def compiled(device: torch.device, dim: int, k: int) -> None:
    """Compiles the kernels for every way in which a batch is cut, and launches none.

    Args:
        device: the current one.
        dim: of the queries.
        k: how many are asked for.
    """
    pool = torch.zeros(64, dtype=torch.uint8, device=device)
    numbers = torch.zeros((8, 8), dtype=torch.int64, device=device)
    queries = torch.zeros((1, dim), device=device)
    half = queries.half()
    found = Found(torch.empty((1, k), dtype=torch.int32, device=device), torch.empty((1, k), device=device))
    flags = torch.zeros(2, dtype=torch.int32, device=device)
    broken, certain = flags[:1], flags[1:]
    groups = _LARGEST_CHUNK
    while groups >= _SMALLEST_CHUNK:
        scored = torch.empty((1, groups, GROUP), device=device), queries[0], queries[0]
        kernel.scan.warmup(
            pool, queries, *numbers[:5], 0, 0, 0, *scored, broken, dim, **_sizes(groups, dim, GROUP), grid=(1,)
        )
        at_once = _FEWEST_QUERIES
        while groups <= _LARGEST_SHARED_CHUNK and at_once <= _MOST_QUERIES:
            kernel.scan_shared.warmup(
                pool, half, half, numbers, 0, 0, numbers[0], 0, 0, 0, 0, *scored, broken, dim,
                GROUPS=groups, QUERIES=at_once, BLOCK=_DOT_BLOCK, BLOCKS=-(-dim // _DOT_BLOCK), num_warps=_DOT_WARPS,
                grid=(1,),
            )  # fmt: skip
            at_once *= 2
        chunks = _power_of_four(1)
        while chunks <= _MOST_CHUNKS_COMPILED:
            kernel.select.warmup(
                pool, *numbers[:3], 0, *scored, found.slots, found.scores, certain, k,
                GROUPS=groups, CHUNKS=chunks, WIDTH=_power(k + _SPARE), IN_ORDER=False, PART=GROUP,
                num_warps=4, grid=(1,),
            )  # fmt: skip
            chunks *= 4
        groups //= 2


@dataclass(frozen=True, slots=True)
class Cut:
    """How lists of scores by row are cut.

    Attributes:
        tables: int64: addresses of the records of each list, `[n]` at least, how many it has, and first chunks
            `[n + 1]`.
        per_chunk: groups of a chunk.
        most_chunks: of one list.
        part: rows of a record at most, see `Plan`.
    """

    tables: tuple[torch.Tensor, ...]
    per_chunk: int
    most_chunks: int
    part: int = GROUP


def select(
    pool: torch.Tensor,
    cut: Cut,
    scored: tuple[torch.Tensor, ...],
    found: Found,
    certain: torch.Tensor,
    *,
    in_order: bool = False,
) -> None:
    """Launches the choice of the best memories of each query, or of each of any other lists of scores by row.

    Args:
        pool: the memory that all pages lie in.
        cut: the lists.
        scored: scores `[chunks, groups, GROUP]`, the best of each group and of each chunk; what lies in groups and
            chunks whose best is -inf is not read.
        found: written.
        certain: int32 `[n]`, written: 1 where nothing was overlooked.
        in_order: whether a row is a memory, and its slot its place; then no slots are read.
    """
    n, k = found.slots.shape
    kernel.select[(n,)](
        pool, *cut.tables, cut.per_chunk, *scored, found.slots, found.scores, certain, k,
        GROUPS=scored[0].shape[1], CHUNKS=_power_of_four(cut.most_chunks), WIDTH=_power(k + _SPARE), IN_ORDER=in_order,
        PART=cut.part, num_warps=4,
    )  # fmt: skip


def _launch_shared(
    run: Run, batch: Plan, masks: torch.Tensor, halves: tuple[torch.Tensor, torch.Tensor], scored: Scored
) -> None:
    rows, dim = batch.namespaces[run.first], halves[0].shape[1]
    at_once = min(_MOST_QUERIES, max(_FEWEST_QUERIES, _power(run.count)))
    first = batch.first_chunks[run.first]
    chunks = batch.first_chunks[run.first + 1] - first
    kernel.scan_shared[(chunks, -(-run.count // at_once))](
        rows.pool, *halves, rows.records, rows.owner, rows.records.shape[0], masks, run.first, run.count,
        first, chunks, *scored.best, scored.flags[:1], dim,
        GROUPS=batch.groups, QUERIES=at_once, BLOCK=_DOT_BLOCK, BLOCKS=-(-dim // _DOT_BLOCK), num_warps=_DOT_WARPS,
    )  # fmt: skip


def _sorted(query: int, batch: Plan, scores: torch.Tensor, found: Found) -> None:
    """Writes the answer of one query from the scores of all its rows."""
    k = found.slots.shape[1]
    records = batch.namespaces[query].records[: int(batch.rows[1, query])]
    own = torch.full((records.shape[0], batch.part), -1, dtype=torch.int32, device=records.device).flatten()
    kernel.read_slots[(records.shape[0],)](batch.namespaces[query].pool, records, own, PART=batch.part)
    chunks = scores[batch.first_chunks[query] : batch.first_chunks[query + 1], : batch.per_chunk]
    rows = chunks.reshape(-1)[: own.numel()]
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


def _power_of_four(count: int) -> int:
    """The least power of four that is no less, at least 16: fewer kernels to compile than with powers of two."""
    return max(16, 1 << 2 * -(-(count - 1).bit_length() // 2))
