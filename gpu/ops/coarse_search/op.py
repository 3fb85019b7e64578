"""The best memories of many queries, each in its own namespace: coarse codes first, then exact scores of the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from math import ceil
from typing import Any

import numpy as np
import torch

from gpu.bank.errors import DimensionError
from gpu.bank.layouts import BITS, Tier, code_bytes
from gpu.ops.coarse_search import triton_finish, triton_kernel
from gpu.ops.paged_search import op as exact
from gpu.ops.paged_search.op import GROUP, PagedRows, Run
from gpu.tiers.device_codecs import turning

kernel: Any = triton_kernel  # a launch takes more than the function's own arguments
finishing: Any = triton_finish
RECORD = triton_kernel.RECORD
STRETCHES = {Tier.INT8: 512, Tier.INT4: 512, Tier.BIT1: 1024}
"""Rows of a stretch, which one program scans: about enough bytes for the memory to be busy, few enough to even out."""
_TILES = {Tier.INT8: 128, Tier.INT4: 64, Tier.BIT1: 256}
"""Rows that a program has in its registers at a time. At one bit a row is whole in one thread."""
_RAISED_EVERY = {Tier.INT8: 0, Tier.INT4: 0, Tier.BIT1: 64}
"""Stretches after which a scan looks which levels need not be counted any more; 0 where parts are few."""
_REGISTERS = {Tier.INT8: 168, Tier.INT4: None, Tier.BIT1: 80}
"""Of a thread, at most; None where the compiler finds how many by itself."""
_LEAST_WORDS, _MOST_WORDS, _WARPS = 16, 32, 4
"""Words of a row that neighbouring threads read at a time: 64 bytes at the least, 128 if that divides the row."""
_SHARED_TILE, _SHARED_BLOCK, _SHARED_STAGES = 128, 128, 2
"""Rows and bytes that the matrix units take at a time, and tiles that are on their way where there is room for them."""
_SHARED_SPARE = 8 << 10
"""Bytes of a multiprocessor's own memory that a program needs beside these tiles, at most."""
_FEWEST_QUERIES, _MOST_QUERIES = 16, {Tier.INT8: 64, Tier.INT4: 64, Tier.BIT1: 32}
"""Queries that one program takes: the matrix units want 16 at least; what a program unpacks shares its registers."""
_SMALLEST_BLOCK = 32
"""Bytes of a code that the matrix units take at a time at the least."""
_WHOLE = 127
_PARTS = {Tier.INT8: GROUP, Tier.INT4: GROUP, Tier.BIT1: 8}
"""Rows that are candidates together. Where many parts must be looked at smaller ones are read for the same bytes in
greater number, which finds more; few are read fastest as whole groups."""
_PART_OF_HOST_ROWS = 4
"""The same where the exact rows lie in host memory, which is slow to read."""
_FEWEST_CANDIDATES = 3.2
_CANDIDATES = {Tier.INT8: 0.0, Tier.INT4: 0.02, Tier.BIT1: 0.4}
"""Parts that are scored exactly for each memory that is asked for: at the least, and times all groups to the power
of two thirds. README.md says what recall they were chosen for, and on what rows."""
_STEP = 16
_FEW_ROWS = 2048
"""Rows of all candidates of a query up to which one launch chooses, scores and selects: their scores fit in the
registers of one program."""
_FINISHING, _SHARES = 132, (256, 1024)
"""Programs of that launch, of all queries together, but one for each at the least; and parts that one looks at in a
step, at the least and at most."""
_FINISH_BLOCK, _FINISH_WARPS = 128, 8
_BEGINS_EARLY = True
"""Whether kernels begin while those before them end, where a device can: it saves the wait between them."""


@dataclass(frozen=True, slots=True)
class CodedPages:
    """Coded vectors of one namespace in pages on a device.

    Attributes:
        records: int64 `[n_stretches, RECORD]`, see `triton_kernel.RECORD`; holding the tensor keeps it, not the pages.
        pool: uint8, the memory that the pages lie in, from its start, which is a multiple of 16 bytes.
        owner: who must be named in the header of every page.
        dim: dimension of the vectors.
        tier: int8, int4 or bit1.
        n_groups: groups of 32 rows, none of which crosses a page.
        centre: float32 `[dim]` on the device, rotated; what was taken off every row before it was encoded.
        longest: the most that a corrected code is long.
        left_out: the most that is left out of a row: the square root of the largest error.
    """

    records: torch.Tensor
    pool: torch.Tensor
    owner: int
    dim: int
    tier: Tier
    n_groups: int
    centre: torch.Tensor
    longest: float
    left_out: float


@dataclass(frozen=True, slots=True)
class Found:
    """The answer of a search, on the device.

    Attributes:
        slots: int32 `[b, k]`, -1 where there are fewer.
        scores: float32 `[b, k]`, exact, -inf where there are fewer.
        complete: bool `[b]`: proved to be the answer of an exact search. False says only that there is no proof.
    """

    slots: torch.Tensor
    scores: torch.Tensor
    complete: torch.Tensor


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch as the kernels want it, for one launch at a time.

    Attributes:
        coded: of each query, in the plan's order.
        order: place in the plan -> place in the batch.
        first_stretches: those of each query, and the number of all.
        table: int64 `[5, exact.width_of(b)]` on the device: addresses of the records of codes, first stretches, owners,
            addresses of the records of exact rows, addresses of the centres.
        bounds: float32 `[2, b]`: `longest` and `left_out`.
        part: rows that are candidates together.
        candidates: parts that are scored exactly for a query, at most.
        chosen: int64 `[b, candidates, gpu.ops.paged_search.op.RECORD]`: filled by a launch.
        rescored: a search over `chosen`; the numbers of parts in it are filled by a launch.
        counters: int32, zeros between launches, see `_Counters`; None where candidates are too many for `_finish`.
        shared: runs of queries of one namespace, behind all the others.
    """

    coded: tuple[CodedPages, ...]
    order: torch.Tensor | None
    first_stretches: list[int]
    table: torch.Tensor
    bounds: torch.Tensor
    part: int
    candidates: int
    chosen: torch.Tensor
    rescored: exact.Plan
    counters: torch.Tensor | None
    shared: tuple[Run, ...]


def candidates_of(tier: Tier, k: int, n_groups: int) -> int:
    """How many parts are scored exactly, of so many groups of 32 rows: what the recall in README.md belongs to."""
    each: float = max(_FEWEST_CANDIDATES, _CANDIDATES[tier] * n_groups ** (2 / 3))
    return ceil(k * each / _STEP) * _STEP


def plan(
    coded: Sequence[CodedPages],
    rows: Sequence[PagedRows],
    k: int,
    masks: Sequence[torch.Tensor | None] | None = None,
    candidates: int | None = None,
    part: int | None = None,
) -> Plan:
    """Arranges a batch.

    Args:
        coded: the namespace of each query, the same one as often as it is asked; at least one; all of one tier in one
            pool.
        rows: the exact rows of each, which have followed the segment as far; all in one pool, which may be host memory.
        k: how many memories will be asked for.
        masks: for each query uint8 by slot, 1 for memories that count; None for all.
        candidates: parts to score exactly for each query, at least 1; None for the rule.
        part: rows that are candidates together, 4, 8, 16 or 32, or 8 at the least if the dimension is odd; None for 32,
            8 at one bit, or the fewest where the exact rows lie in host memory.

    Raises:
        ValueError: they lie in several pools or tiers, the exact rows are not those of the codes, or no such parts.
        DimensionError: they have several dimensions.
    """
    _check(coded, rows)
    order, shared = exact.ordered(rows)
    coded = [coded[i] for i in order]
    rows = [rows[i] for i in order]
    masks = [None if masks is None else masks[i] for i in order]
    most = max(of.n_groups for of in coded)
    part = part or _rows_of_a_part(coded[0], rows[0])
    if part * rows[0].dim % 8 or part not in (4, 8, 16, 32):
        raise ValueError(f"parts of {part} rows of dimension {rows[0].dim} do not begin at multiples of 16 bytes")
    wanted = candidates_of(coded[0].tier, k, most) if candidates is None else candidates
    wanted = max(1, min(wanted, most * GROUP // part))
    first = list(accumulate((of.records.shape[0] for of in coded), initial=0))
    device, b = coded[0].records.device, len(coded)
    chosen = torch.empty((b, wanted, exact.RECORD), dtype=torch.int64, device=device)
    groups = -(-wanted * part // GROUP)
    per_chunk = exact.balanced(np.full(b, groups), device, 1)
    per_query = -(-groups // per_chunk)
    first_chunks = [i * per_query for i in range(b + 1)]
    table = np.zeros((11, exact.width_of(b)), np.int64)  # the last line stays zeros, see `exact.Plan`
    table[[1, 7], : b + 1] = first, first_chunks
    table[[0, 2, 3, 4, 5, 8, 9], :b] = [
        [of.records.data_ptr() for of in coded],
        [of.owner for of in coded],
        [of.records.data_ptr() for of in rows],
        [of.centre.data_ptr() for of in coded],
        [chosen[i].data_ptr() for i in range(b)],
        [of.owner for of in rows],
        [0 if mask is None else mask.data_ptr() for mask in masks],
    ]
    there = exact.sent(device, np.concatenate([table.ravel(), np.array(order)]))
    tables = there[: table.size].view(table.shape)
    bounds = torch.tensor([[of.longest for of in coded], [of.left_out for of in coded]], dtype=torch.float32)
    if device.type == "cuda":
        bounds = bounds.pin_memory().to(device, non_blocking=True)
    of_chosen = [replace(of, records=chosen[i]) for i, of in enumerate(rows)]
    return Plan(
        tuple(coded),
        None if order == sorted(order) else there[-b:],
        first,
        tables[:5],
        bounds,
        part,
        wanted,
        chosen,
        exact.Plan(
            tuple(of_chosen),
            None,
            tables[5:10],
            first_chunks,
            per_query,
            per_chunk,
            _power(per_chunk),
            part,
            (),
            tuple(masks),
            tables[10].view(torch.int32)[: 1 + b],
        ),
        _counters(b, device) if wanted * part <= _FEW_ROWS else None,
        shared,
    )


def _rows_of_a_part(coded: CodedPages, rows: PagedRows) -> int:
    """Rows that are candidates together."""
    if rows.pool.device == coded.records.device:
        return _PARTS[coded.tier]
    return _PART_OF_HOST_ROWS if rows.dim % 2 == 0 else 2 * _PART_OF_HOST_ROWS


def _check(coded: Sequence[CodedPages], rows: Sequence[PagedRows]) -> None:
    first = coded[0]
    if any(of.pool is not first.pool for of in coded) or any(of.pool is not rows[0].pool for of in rows):
        raise ValueError("the namespaces of a batch must lie in one pool")
    if any(of.tier is not first.tier for of in coded):
        raise ValueError("the codes of a batch must be of one tier")
    if {of.dim for of in coded} | {of.dim for of in rows} != {first.dim}:
        raise DimensionError("the namespaces of a batch must have one dimension")
    if [of.n_groups for of in coded] != [of.records.shape[0] for of in rows]:
        raise ValueError("the exact rows are not those that the codes were made from")


def coarse_search(queries: torch.Tensor, batch: Plan, k: int) -> Found:
    """The k best distinct memories of each query among its candidates, best first, equal scores by slot.

    Codes give an estimate of every dot product; the parts with the best estimates are candidates (32 rows each, 8 at
    one bit, 4 where the exact rows are in host memory), as many as `candidates_of` says, and all their rows are scored
    as `paged_search` scores them. So scores are exact, and what can be missing is a memory none of whose vectors lies
    in a candidate part.

    Args:
        queries: float32 `[b, dim]`, contiguous, on the device of the pages.
        batch: their namespaces, see `plan`.
        k: how many, at least 1.

    Raises:
        PageOwnershipError: a page belongs to somebody else by now.
        ValueError: the queries are no float32, or k is less than 1.
        DimensionError: they have another dimension than the namespaces.
    """
    if queries.dtype != torch.float32 or not queries.is_contiguous() or k < 1:
        raise ValueError("queries must be float32 in one piece, and k at least 1")
    if queries.shape != (len(batch.coded), batch.coded[0].dim):
        raise DimensionError(f"queries of shape {tuple(queries.shape)} do not fit {len(batch.coded)} namespaces")
    launched, complete = launch(queries, batch, k)
    found = exact.settle(launched, batch.rescored)
    if batch.order is None:
        return Found(found.slots, found.scores, complete != 0)
    back = torch.argsort(batch.order)
    return Found(found.slots[back], found.scores[back], complete[back] != 0)


def launch(queries: torch.Tensor, batch: Plan, k: int) -> tuple[exact.Launched, torch.Tensor]:
    """The launches alone: what the exact search leaves, and for each query whether it is complete, int32 `[b]`.

    Everything is in the plan's order, and nothing waits for the device.
    """
    device, dim, b = queries.device, queries.shape[1], len(batch.coded)
    if batch.order is not None:
        queries = queries[batch.order]
    tier, stretches = batch.coded[0].tier, batch.first_stretches[-1]
    levels = torch.empty((max(stretches, 1), STRETCHES[tier] // batch.part), dtype=torch.int16, device=device)
    asked = _Asked(batch.bounds[0], *torch.empty((4, b), device=device))
    counters = _Counters(_counters(b, device) if batch.counters is None else batch.counters, b)
    complete = torch.empty(b, dtype=torch.int32, device=device)
    turned = queries @ turning(dim, device)
    finish = _look_again if batch.counters is None else _finish
    _scan(turned, batch, asked, (levels, counters.histogram), counters.floors, batch.rescored.flags[:1])
    return finish((queries, turned), batch, k, asked, levels, counters, complete), complete


def _look_again(
    questions: tuple[torch.Tensor, torch.Tensor],
    batch: Plan,
    k: int,
    asked: _Asked,
    levels: torch.Tensor,
    counters: _Counters,
    complete: torch.Tensor,
) -> exact.Launched:
    """Chooses candidates and searches them, however many they are: `_finish` does the same for few."""
    queries, turned = questions
    (b, dim), device = queries.shape, queries.device
    tables, first, _, exact_tables, centres = batch.table
    last = torch.empty(b, dtype=torch.int32, device=device)
    unseen = torch.empty(b, device=device)
    kernel.choose[(b,)](counters.histogram, last, unseen, batch.rescored.rows[1], batch.candidates, num_warps=4)
    if stretches := batch.first_stretches[-1]:
        kernel.collect[(stretches,)](
            tables, first, b, b.bit_length(), levels, last, exact_tables, batch.chosen, counters.taken,
            batch.candidates, dim, PARTS=levels.shape[1], PART=batch.part, num_warps=1 if levels.shape[1] <= 32 else 4,
        )  # fmt: skip
    launched = exact.launch(queries, batch.rescored, k)
    kernel.judge[(b,)](
        turned, centres, *batch.bounds, asked.steps, asked.lost, unseen, launched.found.scores, launched.certain,
        complete, k, dim, COLUMNS=_power(dim), num_warps=1,
    )  # fmt: skip
    return launched


def _finish(
    questions: tuple[torch.Tensor, torch.Tensor],
    batch: Plan,
    k: int,
    asked: _Asked,
    levels: torch.Tensor,
    counters: _Counters,
    complete: torch.Tensor,
) -> exact.Launched:
    """The same in one launch."""
    queries, turned = questions
    (b, dim), device = queries.shape, queries.device
    tables, first, _, exact_tables, centres = batch.table
    _, counts, _, owners, masks = batch.rescored.rows
    keys = torch.empty((b, batch.candidates, batch.part), dtype=torch.int64, device=device)
    found = exact.Found(torch.empty((b, k), dtype=torch.int32, device=device), torch.empty((b, k), device=device))
    launched = exact.Launched(found, batch.rescored.flags, keys)
    programs = max(1, _FINISHING // b)
    parts = max(np.diff(batch.first_stretches).tolist()) * levels.shape[1]
    least, most = _SHARES
    finishing.finish[(programs, b)](
        batch.rescored.namespaces[0].pool, queries, turned, tables, first, levels, *counters.parts(), exact_tables,
        owners, masks, centres, *batch.bounds, asked.steps, asked.lost, batch.chosen, counts, keys,
        found.slots, found.scores, launched.broken, launched.certain, complete, batch.candidates, k, dim,
        PARTS=levels.shape[1], PART=batch.part, SHARE=min(most, max(least, _power(-(-parts // programs)))),
        BLOCK=_FINISH_BLOCK, BLOCKS=-(-dim // _FINISH_BLOCK), KEYS=_power(batch.candidates * batch.part),
        COLUMNS=_power(dim), num_warps=_FINISH_WARPS, **_dependent(device),
    )  # fmt: skip
    return launched


def _counters(b: int, device: torch.device) -> torch.Tensor:
    """What a launch counts in, all zeros, see `_Counters`."""
    return torch.zeros(b * (triton_kernel.LEVELS + 3), dtype=torch.int32, device=device)


class _Counters:
    """What the kernels of one launch count, int32 `[b, LEVELS]` and `[b]`.

    Attributes:
        histogram: parts of each level.
        taken: parts that have a place among the candidates.
        ended: programs that have ended.
        floors: levels below are not counted.
    """

    def __init__(self, numbers: torch.Tensor, b: int) -> None:
        """Parts of one tensor, all zeros at first, see `_counters`."""
        size = b * triton_kernel.LEVELS
        self.histogram = numbers[:size]
        self.taken, self.ended, self.floors = numbers[size:].view(3, b)

    def parts(self) -> tuple[torch.Tensor, ...]:
        """In the order in which `finish` takes them."""
        return self.histogram, self.taken, self.ended


def _dependent(device: torch.device) -> dict[str, bool]:
    """How a kernel is launched that may begin before those ahead of it have ended, see `wait_for_launch`."""
    if _BEGINS_EARLY and _takes_early(device):
        return {"DEPENDENT": True, "launch_pdl": True}
    return {"DEPENDENT": False}


@cache
def _takes_early(device: torch.device) -> bool:
    """Whether a device knows programmatic dependent launches: from Hopper on."""
    return device.type == "cuda" and torch.version.hip is None and torch.cuda.get_device_capability(device) >= (9, 0)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Numbers of each query, float32 `[b]`, that `prepare` writes and a scan reads; see there."""

    longest: torch.Tensor
    factors: torch.Tensor
    shifts: torch.Tensor
    steps: torch.Tensor
    lost: torch.Tensor

    def parts(self) -> tuple[torch.Tensor, ...]:
        """In the order in which the kernels take them."""
        return self.longest, self.factors, self.shifts, self.steps, self.lost

    def of(self, first: int, count: int) -> _Asked:
        """Those of some queries."""
        some = slice(first, first + count)
        return _Asked(*(part[some] for part in self.parts()))


def _scan(
    turned: torch.Tensor,
    batch: Plan,
    asked: _Asked,
    out: tuple[torch.Tensor, ...],
    floors: torch.Tensor,
    broken: torch.Tensor,
) -> None:
    """Levels of all groups: queries that are alone in their namespace, then the runs of the others."""
    tables, first, owners, _, _ = batch.table
    masks = batch.rescored.rows[4]
    one, (b, dim) = batch.coded[0], turned.shape
    tier, width = one.tier, code_bytes(one.tier, dim)
    n_alone = batch.shared[0].first if batch.shared else b
    sizes = {"BITS": BITS[tier], "PARTS": STRETCHES[tier] // batch.part, "PART": batch.part}
    if batch.first_stretches[n_alone]:
        planes = _planes(turned[:n_alone], tier, asked.of(0, n_alone))
        words = width // 4
        block = max(_LEAST_WORDS, min(_MOST_WORDS, words & -words))  # a power of two that divides the row, if one does
        kernel.scan[(batch.first_stretches[n_alone],)](
            one.pool, planes, asked.factors, asked.shifts, asked.steps, tables, first, owners, masks,
            n_alone, n_alone.bit_length(), *out, floors, batch.candidates, broken,
            width // 16, ROWS=_TILES[tier], PIECES=width // 16,
            BLOCK=block, BLOCKS=-(-words // block), PTX=_takes_ptx(one.pool), num_warps=_WARPS,
            maxnreg=_REGISTERS[tier], RAISED_EVERY=_RAISED_EVERY[tier],
            **_dependent(turned.device), **sizes,
        )  # fmt: skip
    block = min(_SHARED_BLOCK, max(_SMALLEST_BLOCK, _power(width)))
    for run in batch.shared:
        members = slice(run.first, run.first + run.count)
        of, own = batch.coded[run.first], asked.of(run.first, run.count)
        planes = _whole_planes(turned[members], tier, own)
        at_once = min(_MOST_QUERIES[tier], max(_FEWEST_QUERIES, _power(run.count)))
        stretches = of.records.shape[0]
        kernel.scan_shared[(stretches, -(-run.count // at_once))](
            of.pool, planes, own.factors, own.shifts, own.steps, of.records, of.owner, masks[run.first :],
            run.first, run.count, batch.first_stretches[run.first], stretches, *out, broken, width,
            ROWS=_SHARED_TILE, QUERIES=at_once, BLOCK=block, BLOCKS=-(-width // block),
            MASKED=any(mask is not None for mask in batch.rescored.masks[members]),
            num_warps=_shared_warps(tier, at_once),
            num_stages=_stages((_SHARED_TILE + at_once * 8 // BITS[tier]) * -(-width // block) * block, of.pool.device),
            **sizes,
        )  # fmt: skip


def _stages(tile_bytes: int, device: torch.device) -> int:
    """How many tiles are on their way: rows of many dimensions leave no room for a second."""
    if device.type != "cuda":
        return 1
    properties: Any = torch.cuda.get_device_properties(device)
    room: int = properties.shared_memory_per_block_optin - _SHARED_SPARE
    return max(1, min(_SHARED_STAGES, room // tile_bytes))


def _takes_ptx(pool: torch.Tensor) -> bool:
    """Whether instructions of NVIDIA's devices can be written where the codes lie; an interpreter has none of them."""
    return pool.is_cuda and torch.version.hip is None


def _shared_warps(tier: Tier, at_once: int) -> int:
    """As few as hold the sums and what is unpacked without spilling: several small programs hide each other's waits."""
    return 4 if at_once == _FEWEST_QUERIES and tier is not Tier.BIT1 else 8


def _planes(turned: torch.Tensor, tier: Tier, asked: _Asked) -> torch.Tensor:
    """What `scan` takes of each query, int32; the numbers beside it are written."""
    n, dim = turned.shape
    words = code_bytes(tier, dim) // 4
    if tier is not Tier.BIT1:
        return _whole_planes(turned, tier, asked).view(torch.int32)
    planes = torch.empty((n, triton_kernel.PLANES, words), dtype=torch.int32, device=turned.device)
    kernel.prepare_bits[(n,)](
        turned, planes, *asked.parts(), dim, words, WORDS=_power(words), num_warps=1, **_dependent(turned.device)
    )
    return planes


def _whole_planes(turned: torch.Tensor, tier: Tier, asked: _Asked) -> torch.Tensor:
    """The same for `scan_shared`, int8."""
    n, dim = turned.shape
    width, bits = code_bytes(tier, dim), BITS[tier]
    planes = torch.empty((n, 8 // bits, width), dtype=torch.int8, device=turned.device)
    kernel.prepare[(n,)](
        turned,
        planes,
        *asked.parts(),
        dim,
        width,
        BITS=bits,
        WHOLE=_WHOLE,
        COLUMNS=_power(width),
        num_warps=1,
        **_dependent(turned.device),
    )
    return planes


def _power(count: int) -> int:
    """The least power of two that is no less, at least 2."""
    return max(2, 1 << (count - 1).bit_length())
