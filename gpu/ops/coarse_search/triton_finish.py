"""Everything behind the scan of codes in one launch, where candidates are few, in Triton.

`choose`, `collect`, the exact search of what they chose and `judge` are five launches that take 20 microseconds and the
waits between them, whether 16 parts are looked at again or thousands. For few parts each program of `finish` reads the
last level off the histogram by itself, looks for chosen parts among its share of all, and scores them as soon as it has
found them. The program that is the last to end for a query takes the best of all scores.
"""

from __future__ import annotations

import triton
import triton.language as tl

from gpu.ops.coarse_search import triton_kernel as coarse
from gpu.ops.paged_search import triton_kernel as exact

_GROUP = tl.constexpr(exact.GROUP)
_STRETCH_RECORD = tl.constexpr(coarse.RECORD)
_ROW_RECORD = tl.constexpr(exact.RECORD)
_LEVELS = tl.constexpr(coarse.LEVELS)
_LEAST = tl.constexpr(-(1 << 63))
_NOWHERE = tl.constexpr(0x7FFFFFFF)


@triton.jit(do_not_specialize=["wanted", "k"])
def finish(
    pool,
    queries,
    turned,
    tables,
    first_stretches,
    levels,
    histogram,
    taken,
    ended,
    exact_tables,
    owners,
    masks,
    centres,
    longest,
    left_out,
    steps,
    lost,
    chosen,
    counts,
    keys,
    out_slots,
    out_scores,
    broken,
    certain,
    complete,
    wanted,
    k,
    dim,
    PARTS: tl.constexpr,
    PART: tl.constexpr,
    SHARE: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
    KEYS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPENDENT: tl.constexpr,
):
    """Choose parts of one query's namespace, score their rows, and take the best: one of several programs of a query.

    A program looks at every n-th part, n being the programs of a query, so that candidates that are neighbours go to
    different ones.

    Args:
        pool: the memory that the exact rows lie in, from its start, a multiple of 16.
        queries, turned: float32 `[b, dim]`, as they were asked and rotated.
        tables, first_stretches, levels: see `coarse.scan`.
        histogram: int32 `[b, LEVELS]`, see `coarse.scan`; zeros afterwards.
        taken, ended: int32 `[b]`, parts that have a place and programs that have ended; zeros before and afterwards.
        exact_tables, chosen: see `coarse.collect`.
        owners, masks: see `exact.scan`.
        centres, longest, left_out, steps, lost: see `coarse.judge`.
        counts: int64 `[b]`, parts that were looked at.
        keys: int64 `[b, wanted, PART]`, scores and slots, see `exact.key_of`.
        out_slots: int32 `[b, k]`, -1 where there are fewer; `out_scores`: float32 `[b, k]`, -inf there.
        broken: int32 `[1]`, set to 1 if a page belongs to somebody else.
        certain: int32 `[b]`, 1: all rows of the candidates are compared.
        complete: int32 `[b]`, see `coarse.judge`.
        wanted: parts that are looked at, at most.
        SHARE: parts that a program looks at in one step.
        BLOCK, BLOCKS: `BLOCK * BLOCKS >= dim`.
        KEYS, COLUMNS: powers of two, at least `wanted * PART` and `dim`.
        DEPENDENT: see `coarse.wait_for_launch`.
    """
    query = tl.program_id(1).to(tl.int64)
    first_stretch = tl.load(first_stretches + query)
    n_parts = ((tl.load(first_stretches + query + 1) - first_stretch) * PARTS).to(tl.int32)
    records = tl.load(tables + query).to(tl.pointer_type(tl.int64))
    coarse.wait_for_launch(DEPENDENT)
    last, unseen, _ = coarse.last_level(histogram + query * _LEVELS, wanted)
    share = tl.program_id(0) + tl.num_programs(0) * tl.arange(0, SHARE)
    for first in range(0, n_parts, tl.num_programs(0) * SHARE):
        number = first + share
        level = tl.load(levels + first_stretch * PARTS + number, number < n_parts, -1).to(tl.int32)
        is_chosen = level >= tl.maximum(last, 0)
        # What lies behind the last row of a stretch was never written.
        rows = tl.load(records + (number // PARTS).to(tl.int64) * _STRETCH_RECORD + 5, is_chosen, 0)
        is_chosen = is_chosen & (number % PARTS * PART < rows)
        count = tl.sum(is_chosen.to(tl.int32), axis=0)
        if count > 0:
            place = tl.atomic_add(taken + query, count, sem="relaxed")
            left = tl.where(is_chosen, number, _NOWHERE)
            for at in range(place, tl.minimum(place + count, wanted)):
                part = tl.min(left, axis=0)
                left = tl.where(left == part, _NOWHERE, left)
                to = query * wanted + at
                _score(
                    query, part, records, pool, queries, exact_tables, owners, masks, chosen + to * _ROW_RECORD,
                    keys + to * PART, broken, dim, PARTS, PART, BLOCK, BLOCKS,
                )  # fmt: skip
    tl.debug_barrier()  # all that this program wrote is there before it counts as ended
    if tl.atomic_add(ended + query, 1, sem="acq_rel") == tl.num_programs(0) - 1:
        n = tl.minimum(tl.load(taken + query, volatile=True), wanted)
        at = tl.arange(0, KEYS)
        left = tl.load(keys + query * wanted * PART + at, at < n * PART, _LEAST)
        worst = float("inf")
        for i in range(k):
            top = tl.max(left, axis=0)
            is_there = top != _LEAST
            worst = tl.where(is_there, exact.score_of(top), float("-inf"))
            tl.store(out_slots + query * k + i, tl.where(is_there, exact.index_of(top), -1))
            tl.store(out_scores + query * k + i, worst)
            left = tl.where(exact.index_of(left) == exact.index_of(top), _LEAST, left)  # all vectors of the memory
        is_safe = coarse.is_safe(query, worst, unseen, turned, centres, longest, left_out, steps, lost, dim, COLUMNS)
        tl.store(complete + query, is_safe.to(tl.int32))
        tl.store(certain + query, 1)
        tl.store(counts + query, n.to(tl.int64))
        tl.store(taken + query, 0)
        tl.store(ended + query, 0)
        tl.store(histogram + query * _LEVELS + tl.arange(0, _LEVELS), 0)


@triton.jit
def _score(
    query,
    part,
    records,
    pool,
    queries,
    exact_tables,
    owners,
    masks,
    chosen,
    keys,
    broken,
    dim,
    PARTS: tl.constexpr,
    PART: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """Score the rows of one part.

    Args:
        part: its number among those of the namespace's stretches.
        records: pointer to the records of these.
        chosen: pointer to the record that is written, `[gpu.ops.paged_search.triton_kernel.RECORD]`.
        keys: pointer to int64 `[PART]`, written.
        Everything else as in `finish`.
    """
    stretch = (part // PARTS).to(tl.int64)
    before = part % PARTS * PART  # rows of the stretch
    group = tl.load(records + stretch * _STRETCH_RECORD + 6) + before // _GROUP
    table = tl.load(exact_tables + query).to(tl.pointer_type(tl.int64))
    vector_at, slot_at, page_at, generation, rows = exact.record_of(table, group)
    inside = before % _GROUP  # rows of the group before the part
    vector_at += inside * dim // 8
    slot_at += inside // 4
    rows = tl.minimum(rows - inside, PART)
    tl.store(chosen, vector_at)
    tl.store(chosen + 1, slot_at)
    tl.store(chosen + 2, page_at)
    tl.store(chosen + 3, generation)
    tl.store(chosen + 4, rows.to(tl.int64))
    tl.store(chosen + 5, tl.zeros([], tl.int64))
    header = pool.to(tl.pointer_type(tl.int64)) + page_at * 2
    owned = (tl.load(header) == tl.load(owners + query)) & (tl.load(header + 1) == generation)
    if not owned:
        tl.store(broken, 1)
        rows = 0
    row = tl.arange(0, PART)
    column = tl.arange(0, BLOCK)
    here = row < rows
    slot = tl.load(pool.to(tl.pointer_type(tl.int32)) + slot_at * 4 + row, here, -1)
    vectors = pool.to(tl.pointer_type(tl.float16)) + (row * 0 + vector_at * 8)[:, None]
    total = tl.zeros([PART, BLOCK], tl.float32)
    for block in tl.static_range(BLOCKS):
        at = block * BLOCK + column
        inner = at < dim
        asked = tl.load(queries + query * dim + at, inner, 0.0)
        held = tl.load(vectors + (row[:, None] * dim + at[None, :]), here[:, None] & inner[None, :], 0.0)
        total += held.to(tl.float32) * asked[None, :]
    mask_address = tl.load(masks + query)
    mask = mask_address.to(tl.pointer_type(tl.uint8))
    alive = here & (slot >= 0)
    alive = alive & (tl.load(mask + slot, alive & (row * 0 + mask_address != 0), 1) != 0)
    tl.store(keys + row, tl.where(alive, exact.key_of(tl.sum(total, axis=1), slot), _LEAST))
