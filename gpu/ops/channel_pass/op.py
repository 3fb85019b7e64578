"""Every channel of many queries, each in its own namespace, in one pass over the namespaces' pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gpu.bank.errors import PageOwnershipError
from gpu.ops.channel_pass import triton_kernel
from gpu.ops.channel_pass.fields import FIELDS, N_LISTS, Field
from gpu.ops.channel_pass.questions import ID_NUMBERS, SPAN_NUMBERS, Listed, Packed
from gpu.ops.interval_scan.op import decay_widths
from gpu.ops.paged_search import op as paged
from gpu.ops.paged_search.op import GROUP, Found, PagedRows
from gpu.ops.streams import Beside

kernel: Any = triton_kernel  # a launch takes more than the function's own arguments
_PROGRAMS = 4096
"""One warp each: so many keep a large device busy to the end; with more, a chunk has fewer groups to look into."""
_LARGEST_CHUNK, _SMALLEST_CHUNK = 32, 4
_SELECTED = 128
"""Memories of a list up to which one program chooses them, one after the other, out of a tile that it holds whole."""
_MOST_SLOTS = (1 << 32) - 1
_REGISTERS = 80
"""Of a thread, at most: more programs wait at the same time."""


@dataclass(frozen=True, slots=True)
class PagedAttributes:
    """Attributes of one namespace in pages on a device.

    Attributes:
        records: int64 `[n_groups, RECORD]`: place of the group, its form, place of the page, generation, rows, and the
            rest of the form (see `layout`); places in 16 bytes from the start of the pool.
        pool: uint8, the memory that the pages lie in.
        owner: who must be named in the header of every page.
        n_slots: rows.
        address, n_groups: where the records begin, and how many there are.
    """

    records: torch.Tensor
    pool: torch.Tensor
    owner: int
    n_slots: int
    address: int = field(init=False)
    n_groups: int = field(init=False)

    def __post_init__(self) -> None:
        """Notes what each plan needs of the records."""
        object.__setattr__(self, "address", self.records.data_ptr())
        object.__setattr__(self, "n_groups", self.records.shape[0])


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch as the kernels want it.

    Attributes:
        table: int64 on the device, see `triton_kernel.scan`.
        as_queries: a part of it: the lists as `paged_search.select` takes queries, int64 `[3, lists + 1 or 2]`:
            addresses of the records, numbers of groups, first chunks.
        programs: a part of it: the query of each program.
        pool: where all pages lie.
        n_queries, n_chunks: of the batch; chunks are programs.
        lists: for each list that is asked for, the query and which.
        list_chunks, most_chunks: the chunks of all lists, and the most of one.
        groups: groups of a chunk.
        eligible: uint8, the slots of one query after the other: what the pass lets through.
        eligible_at: int64 `[n_queries]`, a part of `table`: where those of each query begin; 0 without vectors.
        rows: vectors of each query's namespace.
        masks: held as long as the plan.
    """

    table: torch.Tensor
    as_queries: torch.Tensor
    programs: torch.Tensor
    pool: torch.Tensor
    n_queries: int
    n_chunks: int
    lists: tuple[tuple[int, Listed], ...]
    list_chunks: int
    most_chunks: int
    groups: int
    eligible: torch.Tensor
    eligible_at: torch.Tensor
    rows: paged.Plan | None
    masks: tuple[torch.Tensor | None, ...]


@dataclass(frozen=True, slots=True)
class Launched:
    """What the launches leave on the device: the lists, 1 if a page was lost, and the nearest memories to settle."""

    best: Found
    broken: torch.Tensor
    dense: paged.Launched | None


@dataclass(frozen=True, slots=True)
class _Room:
    """What the scan of attributes and the choice write: see `triton_kernel.scan` and `paged_search.select`."""

    scored: tuple[torch.Tensor, ...]
    best: Found
    certain: torch.Tensor
    broken: torch.Tensor


@dataclass(frozen=True, slots=True)
class Lists:
    """The answers of a pass, on the device.

    Attributes:
        dense: the nearest memories of each query, see `paged_search`; None if no vectors were given.
        listed: which list of which query each row of `best` is.
        best: slots int32 `[lists, k]`, -1 where there are fewer, and scores float32.
    """

    dense: Found | None
    listed: tuple[tuple[int, Listed], ...]
    best: Found


def plan(
    attributes: Sequence[PagedAttributes],
    questions: Sequence[Packed],
    rows: Sequence[PagedRows] | None = None,
    masks: Sequence[torch.Tensor | None] | None = None,
) -> Plan:
    """Cuts the namespaces of a batch into chunks, and puts all that is asked into one table.

    Args:
        attributes: the namespace of each query, the same one as often as it is asked; at least one; all in one pool.
        questions: what each asks.
        rows: their vectors, if the nearest memories are asked for too.
        masks: for each query uint8 `[n_slots]`, 1 for memories that count, beside its filter; None for all.

    Raises:
        ValueError: they lie in several pools, or their numbers differ.
    """
    pool, n = attributes[0].pool, len(attributes)
    if any(of.pool is not pool for of in attributes) or any(of.pool is not pool for of in rows or ()):
        raise ValueError("the namespaces of a batch must lie in one pool")
    if len(questions) != n or (rows is not None and len(rows) != n) or (masks is not None and len(masks) != n):
        raise ValueError("there must be a question for each namespace, and vectors and a mask if any are given")
    of_query = (None,) * n if masks is None else tuple(masks)
    n_groups = np.array([of.n_groups for of in attributes], np.int64)
    groups = _LARGEST_CHUNK
    while groups > _SMALLEST_CHUNK and n_groups.sum() < _PROGRAMS * groups:
        groups //= 2
    chunks = -(-n_groups // groups)
    first_slots = _starts(np.array([of.n_slots for of in attributes], np.int64))
    eligible = torch.empty(max(int(first_slots[-1]), 1), dtype=torch.uint8, device=pool.device)

    lists = tuple((query, which) for query, one in enumerate(questions) for which in one.listed)
    of_list = np.array([query for query, _ in lists], np.int64)
    list_starts = _starts(chunks[of_list])
    fields = np.zeros((n, FIELDS), np.int64)
    fields[:, Field.RECORDS] = [of.address for of in attributes]
    fields[:, Field.N_GROUPS] = n_groups
    fields[:, Field.FIRST_CHUNK] = _starts(chunks)[:-1]
    fields[:, Field.OWNER] = [of.owner for of in attributes]
    fields[:, Field.MASK_IN] = [0 if mask is None else mask.data_ptr() for mask in of_query]
    fields[:, Field.MASK_OUT] = 0 if rows is None else eligible.data_ptr() + first_slots[:-1]
    fields[:, Field.STARTS : Field.STARTS + N_LISTS] = -1
    fields[of_list, Field.STARTS + np.array([which for _, which in lists], np.int64)] = list_starts[:-1]
    as_queries = np.zeros((3, (len(lists) + 2) // 2 * 2), np.int64)  # of even length: every part starts at 16 bytes
    as_queries[:2, : len(lists)] = fields[of_list, Field.RECORDS], n_groups[of_list]
    as_queries[2, : len(lists) + 1] = list_starts
    masks_out = np.zeros((n + 1) // 2 * 2, np.int64)
    masks_out[:n] = fields[:, Field.MASK_OUT]
    programs = np.zeros(int(chunks.sum()) // 2 * 2 + 2, np.int64)
    programs[: chunks.sum()] = np.repeat(np.arange(n), chunks)
    table = _table(fields, (as_queries, masks_out, programs), questions, pool.device)
    at = _starts(np.array([fields.size, as_queries.size, masks_out.size, programs.size], np.int64)).tolist()
    return Plan(
        table, table[at[1] : at[2]].view(as_queries.shape), table[at[3] : at[4]], pool, n, int(chunks.sum()),
        lists, int(list_starts[-1]), int(chunks.max()), groups, eligible, table[at[2] : at[2] + n],
        None if rows is None else paged.plan(rows), of_query,
    )  # fmt: skip


def _starts(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each of some parts begins, and the end: int64 `[n + 1]`."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


def _table(
    fields: NDArray[np.int64], parts: Sequence[NDArray[np.int64]], questions: Sequence[Packed], device: torch.device
) -> torch.Tensor:
    """All of it, ids and spans behind the parts, in one piece on the device; writes to the fields what is asked."""
    n_ids = np.array([len(one.ids) for one in questions], np.int64)
    n_spans = np.array([len(one.spans) for one in questions], np.int64)
    at_ids = fields.size + sum(part.size for part in parts)
    at_spans = at_ids + int(n_ids.sum()) * ID_NUMBERS
    fields[:, Field.IDS] = at_ids + _starts(n_ids * ID_NUMBERS)[:-1]
    fields[:, Field.N_GROUPED] = [one.n_grouped for one in questions]
    fields[:, Field.N_IDS] = n_ids
    fields[:, Field.SPANS] = at_spans + _starts(n_spans * SPAN_NUMBERS)[:-1]
    fields[:, Field.N_SPANS] = n_spans
    fields[:, Field.KINDS :] = [one.own for one in questions]
    ids = np.empty((int(n_ids.sum()), ID_NUMBERS), np.int64)
    ids[:, 0] = np.array([i for one in questions for i in one.ids], np.uint64).view(np.int64)
    ids[:, 1] = [role for one in questions for role in one.roles]
    ids[:, 2] = [worth for one in questions for worth in one.worths]
    spans = np.empty((int(n_spans.sum()), SPAN_NUMBERS), np.int64)
    spans[:, :2] = np.concatenate([one.spans for one in questions])
    spans[:, 2] = (1.0 / decay_widths(spans)).astype(np.float32).view(np.int32)
    table = np.concatenate([part.ravel() for part in (fields, *parts, ids, spans)])
    sent = torch.from_numpy(table)
    return sent.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else sent


def channel_pass(queries: torch.Tensor | None, batch: Plan, k: int) -> Lists:
    """The k best memories of each list that each query asks for, best first, equal scores by slot.

    A list holds what its filter lets through and what scores above 0. Each byte of a namespace's vectors and columns
    is read at most once for a query, and columns that it does not ask for are not read.

    Args:
        queries: float32 `[b, dim]`, contiguous, on the device of the pages; None if the plan has no vectors.
        batch: what is asked, see `plan`.
        k: how many, at least 1.

    Raises:
        PageOwnershipError: a page belongs to somebody else by now.
        ValueError: k is less than 1, queries are given without vectors or the other way round or are no float32.
        DimensionError: they have another dimension than a namespace.
    """
    if k < 1 or (queries is None) != (batch.rows is None):
        raise ValueError("k must be at least 1, and queries are given where the plan has vectors")
    if queries is not None and batch.rows is not None:
        paged.check(queries, batch.rows, k)
    launched = launch(queries, batch, k)
    if int(launched.broken):
        raise PageOwnershipError("a page of the batch belongs to somebody else")
    dense = None
    if launched.dense is not None and batch.rows is not None:
        dense = paged.answer(launched.dense, batch.rows)
    return Lists(dense, batch.lists, launched.best)


def launch(queries: torch.Tensor | None, batch: Plan, k: int) -> Launched:
    """The launches alone: nothing waits for the device, so that they can be captured into a graph.

    The scan of attributes comes first and writes what is eligible, which is the mask of the scan of vectors. The lists
    are chosen beside that.
    """
    out = _room(batch, k)
    _scan(batch, out)
    if queries is None or batch.rows is None:
        _choose(batch, out)
        return Launched(out.best, out.broken, None)
    beside = Beside(batch.pool.device)
    with beside.active():
        _choose(batch, out)
        is_chosen = beside.mark()
    dense = paged.choose(paged.score(queries, batch.rows, masks=batch.eligible_at), batch.rows, k)
    beside.wait_for(is_chosen)
    return Launched(out.best, out.broken, dense)


def _room(batch: Plan, k: int) -> _Room:
    device, n_lists = batch.pool.device, len(batch.lists)
    scores = torch.empty((max(batch.list_chunks, 1), batch.groups, GROUP), device=device)
    return _Room(
        (scores, torch.empty(scores.shape[:2], device=device), torch.empty(scores.shape[:1], device=device)),
        Found(torch.empty((n_lists, k), dtype=torch.int32, device=device), torch.empty((n_lists, k), device=device)),
        torch.empty(n_lists, dtype=torch.int32, device=device),
        torch.zeros(1, dtype=torch.int32, device=device),
    )


def _scan(batch: Plan, out: _Room) -> None:
    if batch.n_chunks:
        kernel.scan[(batch.n_chunks,)](
            batch.pool, batch.table, batch.programs, *out.scored, out.broken,
            GROUPS=batch.groups, num_warps=1, maxnreg=_REGISTERS,
        )  # fmt: skip


def _choose(batch: Plan, out: _Room) -> None:
    """Makes the lists. Those of attributes are certain, unlike those of vectors.

    A memory is one row, and rows lie in the order of their slots: the k best rows, equal ones by slot, lie in the k
    best groups, equal ones by place.
    """
    if batch.lists and out.best.slots.shape[1] > _SELECTED:
        _choose_many(batch, out)
    elif batch.lists:
        cut = paged.Cut(tuple(batch.as_queries), batch.groups, batch.most_chunks)
        paged.select(batch.pool, cut, out.scored, out.best, out.certain, in_order=True)


def _choose_many(batch: Plan, out: _Room) -> None:
    """The same of long lists, one list after the other, by a choice among all scores.

    Scores are above 0, so that their bits have their order; beside them in one number stands the slot, and equal scores
    come by slot.
    """
    scores, of_groups, of_chunks = out.scored
    n_groups, starts = batch.as_queries[1:].tolist()  # waits for nothing but the copy of the table
    k = out.best.slots.shape[1]
    out.best.slots.fill_(-1)
    out.best.scores.fill_(-torch.inf)
    for number in range(len(batch.lists)):
        first, end = starts[number], starts[number + 1]
        is_there = (of_groups[first:end] > -torch.inf) & (of_chunks[first:end, None] > -torch.inf)
        is_there.view(-1)[n_groups[number] :] = False  # what lies there was never written
        found = scores[first:end].reshape(-1, GROUP)
        found = torch.where(is_there.view(-1, 1), found, -torch.inf).view(-1)
        slots = torch.arange(found.numel(), device=found.device)
        keys = (found.view(torch.int32).to(torch.int64) << 32) + (_MOST_SLOTS - slots)
        best = torch.topk(torch.where(found > -torch.inf, keys, -1), min(k, found.numel())).values
        n = best.numel()
        chosen = _MOST_SLOTS - (best & _MOST_SLOTS)
        out.best.slots[number, :n] = torch.where(best >= 0, chosen, -1).to(torch.int32)
        out.best.scores[number, :n] = torch.where(best >= 0, found[chosen.clamp(max=found.numel() - 1)], -torch.inf)
