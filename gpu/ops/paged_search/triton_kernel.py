"""Paged search, in Triton.

Three levels hold the best scores: of 32 rows (a group), of `GROUPS` groups (a chunk: the work of one program), and of
a namespace. `scan` reads every vector once and fills them; `select` walks down from the best chunks over their best
groups to rows. The k best rows lie in the k best groups, so that nothing has to be sorted.

Numbers that differ from batch to batch are not specialised on: Triton would compile a kernel for those that are 1 and
for those that 16 divides, in the middle of the searches that wait for it.
"""

from __future__ import annotations

import triton
import triton.language as tl

GROUP = 32
"""Rows of a group. No group crosses a page."""
RECORD = 6
"""Numbers of a group's record: its first vector, first slot and page, generation, rows, one unused.

Places are counted in 16 bytes from the start of the pool: so the compiler knows that it may load 16 bytes at a time.
With plain addresses it loads every number by itself, in twice the time.
"""

_GROUP = tl.constexpr(GROUP)
_RECORD = tl.constexpr(RECORD)
_LEAST = tl.constexpr(-(1 << 63))


@triton.jit
def record_of(table, group):
    """Where the vectors, slots and page of a group begin, its page's generation, and its rows."""
    record = table + group * _RECORD
    rows = tl.load(record + 4).to(tl.int32)
    return tl.load(record), tl.load(record + 1), tl.load(record + 2), tl.load(record + 3), rows


@triton.jit
def _records_of(table, group, n_records, row, PART: tl.constexpr):
    """`record_of` a group, or, where a group is put together of parts, the record of each of its rows."""
    if PART == _GROUP:
        vectors, slots, page, generation, rows = record_of(table, group)
    else:
        number = group * (_GROUP // PART) + row // PART
        record = table + number.to(tl.int64) * _RECORD
        here = number < n_records
        vectors = tl.load(record, here, 0)
        slots = tl.load(record + 1, here, 0)
        page = tl.load(record + 2, here, 0)
        generation = tl.load(record + 3, here, 0)
        rows = tl.load(record + 4, here, 0).to(tl.int32)
    return vectors, slots, page, generation, rows


@triton.jit
def key_of(score, index):
    """A number that orders by score, then by index, the lower one first: int64, of float32 and int32 >= 0."""
    bits = score.to(tl.int32, bitcast=True)
    ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    return (ordered.to(tl.int64) << 32) | (0x7FFFFFFF - index).to(tl.int64)


@triton.jit
def score_of(key):
    """The score of a key."""
    ordered = (key >> 32).to(tl.int32)
    bits = ordered ^ ((ordered >> 31) & 0x7FFFFFFF)
    return bits.to(tl.float32, bitcast=True)


@triton.jit
def index_of(key):
    """The index of a key."""
    return 0x7FFFFFFF - (key & 0xFFFFFFFF).to(tl.int32)


@triton.jit
def query_of(first_chunks, n_queries, steps, program):
    """Which query a program works for: the last one whose first chunk is not behind it."""
    low = 0
    high = n_queries
    for _ in range(steps):  # at the end low stays where it is
        middle = (low + high) // 2
        is_here = tl.load(first_chunks + middle) <= program
        low = tl.where(is_here, middle, low)
        high = tl.where(is_here, high, middle)
    return low


@triton.jit
def _best_of(keys, picked, WIDTH: tl.constexpr):
    """The indexes of the `WIDTH` greatest keys, int32 `[WIDTH]`, -1 where there are fewer, and the best score left."""
    chosen = tl.full([WIDTH], -1, tl.int32)
    for i in range(WIDTH):
        top = tl.max(keys)
        chosen = tl.where((picked == i) & (top != _LEAST), index_of(top), chosen)
        keys = tl.where(keys == top, _LEAST, keys)
    rest = tl.max(keys)
    return chosen, tl.where(rest == _LEAST, float("-inf"), score_of(rest))


@triton.jit(do_not_specialize=["n_queries", "steps", "per_chunk"])
def scan(
    pool,
    queries,
    tables,
    n_records,
    first_chunks,
    owners,
    masks,
    n_queries,
    steps,
    per_chunk,
    scores,
    group_best,
    chunk_best,
    broken,
    dim,
    GROUPS: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
    PART: tl.constexpr,
):
    """Score one chunk of one query's namespace.

    Args:
        pool: the start of the memory that all pages lie in, a multiple of 16.
        queries: float32 `[b, dim]`.
        tables: int64 `[b]`, address of each namespace's records, int64 `[n_records, RECORD]`.
        n_records: int64 `[b]`, how many each has.
        first_chunks: int64 `[b + 1]`, ascending.
        owners: int64 `[b]`, who must own the pages.
        masks: int64 `[b]`, address of uint8 by slot, 1 for what is eligible; 0 for no mask.
        steps: how often `b` can be halved.
        per_chunk: groups of a chunk, at most `GROUPS`.
        scores: float32 `[chunks, GROUPS, 32]`; -inf for rows that are dead, not eligible or not there.
        group_best, chunk_best: float32 `[chunks, GROUPS]` and `[chunks]`, the best of them.
        broken: int32 `[1]`, set to 1 if a page belongs to somebody else.
        BLOCK, BLOCKS: `BLOCK * BLOCKS >= dim`.
        PART: rows that a record speaks of at most: 32, or fewer where groups are put together of several records.
    """
    program = tl.program_id(0)
    query = query_of(first_chunks, n_queries, steps, program)
    table = tl.load(tables + query).to(tl.pointer_type(tl.int64))
    mask_address = tl.load(masks + query)
    mask = mask_address.to(tl.pointer_type(tl.uint8))
    owner = tl.load(owners + query)
    first_group = (program - tl.load(first_chunks + query).to(tl.int32)) * per_chunk
    count = tl.load(n_records + query).to(tl.int32)
    last_group = tl.minimum(first_group + per_chunk, (count * PART + _GROUP - 1) // _GROUP)
    row = tl.arange(0, _GROUP)
    inner = row % PART
    column = tl.arange(0, BLOCK)
    is_masked = row * 0 + mask_address != 0
    best = float("-inf")
    vector_at, slot_at, page_at, generation, rows = _records_of(table, first_group, count, row, PART)
    for group in range(first_group, last_group):
        header = pool.to(tl.pointer_type(tl.int64)) + page_at * 2
        if PART == _GROUP:
            owned = (tl.load(header) == owner) & (tl.load(header + 1) == generation)
            if not owned:
                tl.store(broken, 1)
                rows = 0
        else:
            owned = (tl.load(header, rows > 0, 0) == owner) & (tl.load(header + 1, rows > 0, 0) == generation)
            tl.store(broken + row * 0, 1, (rows > 0) & ~owned)
            rows = tl.where(owned, rows, 0)
        here = inner < rows
        vectors = pool.to(tl.pointer_type(tl.float16)) + (row * 0 + vector_at * 8)[:, None]
        slots = pool.to(tl.pointer_type(tl.int32)) + slot_at * 4
        # The next record is on its way while the vectors of this group are read.
        vector_at, slot_at, page_at, generation, rows = _records_of(
            table, tl.minimum(group + 1, last_group - 1), count, row, PART
        )
        total = tl.zeros([_GROUP, BLOCK], tl.float32)
        for block in tl.static_range(BLOCKS):
            at = block * BLOCK + column
            inside = at < dim
            asked = tl.load(queries + query * dim + at, inside, 0.0)
            part = tl.load(vectors + (inner[:, None] * dim + at[None, :]), here[:, None] & inside[None, :], 0.0)
            total += part.to(tl.float32) * asked[None, :]
        slot = tl.load(slots + inner, here, -1)
        alive = here & (slot >= 0)
        alive = alive & (tl.load(mask + slot, alive & is_masked, 1) != 0)  # no branch: one would hold up the next group
        score = tl.where(alive, tl.sum(total, axis=1), float("-inf"))
        place = program * GROUPS + group - first_group
        tl.store(scores + place.to(tl.int64) * _GROUP + row, score)
        top = tl.max(score)
        tl.store(group_best + place, top)
        best = tl.maximum(best, top)
    tl.store(chunk_best + program, best)


@triton.jit(do_not_specialize=["owner", "n_groups", "first_query", "n_queries", "first_chunk", "n_chunks"])
def scan_shared(
    pool,
    high,
    low,
    table,
    owner,
    n_groups,
    masks,
    first_query,
    n_queries,
    first_chunk,
    n_chunks,
    scores,
    group_best,
    chunk_best,
    broken,
    dim,
    GROUPS: tl.constexpr,
    QUERIES: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """Score one chunk of one namespace for up to `QUERIES` queries, on the matrix units.

    Each query is the sum of two half-precision vectors, so that nothing of it is lost.

    Args:
        high, low: float16 `[b, dim]`: a query is `high + low / 2048`.
        table: int64 `[n_groups, RECORD]`, the records of the namespace.
        owner: who must own its pages.
        masks: int64 `[b]`, as in `scan`.
        first_query, n_queries: the queries of this namespace, one after the other.
        first_chunk, n_chunks: where their chunks begin, and how many each has.
        Everything else as in `scan`.
    """
    chunk = tl.program_id(0)
    member = tl.program_id(1) * QUERIES + tl.arange(0, QUERIES)
    is_query = member < n_queries
    query = first_query + member
    mask_address = tl.load(masks + query, is_query, 0)
    place = (first_chunk + member * n_chunks + chunk).to(tl.int64)
    row = tl.arange(0, 4 * _GROUP)
    column = tl.arange(0, BLOCK)
    quarter = tl.arange(0, 4)
    best = tl.full([QUERIES], float("-inf"), tl.float32)
    for part in range(GROUPS // 4):
        group = chunk * GROUPS + part * 4 + row // _GROUP
        is_group = group < n_groups
        record = table + group.to(tl.int64) * _RECORD
        vectors = pool.to(tl.pointer_type(tl.float16)) + tl.load(record, is_group, 0) * 8
        slots = pool.to(tl.pointer_type(tl.int32)) + tl.load(record + 1, is_group, 0) * 4
        header = pool.to(tl.pointer_type(tl.int64)) + tl.load(record + 2, is_group, 0) * 2
        owns = tl.load(header, is_group, 0) == owner
        is_current = tl.load(header + 1, is_group, 0) == tl.load(record + 3, is_group, 0)
        tl.store(broken + row * 0, 1, is_group & ~(owns & is_current))
        inner = row % _GROUP
        here = is_group & owns & is_current & (inner < tl.load(record + 4, is_group, 0))
        total = tl.zeros([4 * _GROUP, QUERIES], tl.float32)
        rest = tl.zeros([4 * _GROUP, QUERIES], tl.float32)
        for block in range(BLOCKS):
            at = block * BLOCK + column
            inside = at < dim
            of = query[None, :].to(tl.int64) * dim + at[:, None]
            wanted = inside[:, None] & is_query[None, :]
            stored = tl.load(
                vectors[:, None] + (inner[:, None] * dim + at[None, :]), here[:, None] & inside[None, :], 0.0
            )
            total = tl.dot(stored, tl.load(high + of, wanted, 0.0), total)
            rest = tl.dot(stored, tl.load(low + of, wanted, 0.0), rest)
        slot = tl.load(slots + inner, here, -1)
        alive = (here & (slot >= 0))[:, None] & is_query[None, :]
        is_masked = alive & (mask_address != 0)[None, :]
        mask = (mask_address[None, :] + slot[:, None]).to(tl.pointer_type(tl.uint8))
        alive = alive & (tl.load(mask, is_masked, 1) != 0)
        score = tl.where(alive, total + rest / 2048, float("-inf"))
        at_row = (place[None, :] * GROUPS + part * 4) * _GROUP + row[:, None]
        tl.store(scores + at_row, score, is_group[:, None] & is_query[None, :])
        top = tl.max(tl.reshape(score, [4, _GROUP, QUERIES]), axis=1)
        at_group = place[None, :] * GROUPS + part * 4 + quarter[:, None]
        tl.store(group_best + at_group, top, is_query[None, :] & (quarter[:, None] < GROUPS))
        best = tl.maximum(best, tl.max(top, axis=0))
    tl.store(chunk_best + place, best, is_query)


@triton.jit(do_not_specialize=["per_chunk", "k"])
def select(
    pool,
    tables,
    n_records,
    first_chunks,
    per_chunk,
    scores,
    group_best,
    chunk_best,
    out_slots,
    out_scores,
    certain,
    k,
    GROUPS: tl.constexpr,
    CHUNKS: tl.constexpr,
    WIDTH: tl.constexpr,
    IN_ORDER: tl.constexpr,
    PART: tl.constexpr,
):
    """The k best distinct memories of one query, or of one of its lists (`gpu/ops/channel_pass`).

    What a group or chunk without any score (a best of -inf) holds is not read.

    Args:
        per_chunk: groups of a chunk, at most `GROUPS`.
        out_slots: int32 `[b, k]`, -1 where there are fewer; `out_scores`: float32 `[b, k]`, -inf there.
        certain: int32 `[b]`, 1 if nothing that was not looked at can belong to the answer.
        CHUNKS: a power of two, at least the most chunks of a query.
        WIDTH: a power of two, how many chunks, and groups, are looked into; > k.
        IN_ORDER: whether the slot of a row is its place; otherwise records say where slots are.
        PART: see `scan`.
    """
    query = tl.program_id(0)
    first = tl.load(first_chunks + query)
    n_chunks = tl.load(first_chunks + query + 1) - first
    groups = (tl.load(n_records + query) * PART + _GROUP - 1) // _GROUP
    table = tl.load(tables + query).to(tl.pointer_type(tl.int64))
    picked = tl.arange(0, WIDTH)

    at = tl.arange(0, CHUNKS)
    best = tl.load(chunk_best + first + at, at < n_chunks, float("-inf"))
    chunks, left = _best_of(tl.where(best > float("-inf"), key_of(best, at), _LEAST), picked, WIDTH)

    inner = tl.arange(0, GROUPS)
    is_group = (chunks[:, None] >= 0) & (inner < per_chunk)[None, :]
    is_group = is_group & (chunks[:, None] * per_chunk + inner[None, :] < groups)
    place = chunks[:, None] * GROUPS + inner[None, :]
    best = tl.load(group_best + first * GROUPS + place, is_group, float("-inf"))
    chosen, beside = _best_of(tl.where(best > float("-inf"), key_of(best, place), _LEAST), picked, WIDTH)
    left = tl.maximum(left, beside)

    row = tl.arange(0, _GROUP)
    known = chosen >= 0
    score = tl.load(
        scores + (first * GROUPS + chosen).to(tl.int64)[:, None] * _GROUP + row[None, :], known[:, None], float("-inf")
    )
    found = score > float("-inf")
    group = chosen // GROUPS * per_chunk + chosen % GROUPS
    if IN_ORDER:
        slot = group[:, None] * _GROUP + row[None, :]
    else:
        record = group.to(tl.int64)[:, None] * (_GROUP // PART) + (row // PART)[None, :]
        at = tl.load(table + record * _RECORD + 1, found, 0) * 4 + (row % PART)[None, :]
        slot = tl.load(pool.to(tl.pointer_type(tl.int32)) + at, found, -1)
    row_keys = tl.where(found & (slot >= 0), key_of(score, slot), _LEAST)
    worst = float("inf")
    for i in range(k):
        top = tl.max(row_keys)
        is_there = top != _LEAST
        worst = tl.where(is_there, score_of(top), float("-inf"))
        tl.store(out_slots + query * k + i, tl.where(is_there, index_of(top), -1))
        tl.store(out_scores + query * k + i, worst)
        row_keys = tl.where(slot == index_of(top), _LEAST, row_keys)  # other vectors of the same memory
    tl.store(certain + query, ((left == float("-inf")) | (worst > left)).to(tl.int32))


@triton.jit
def read_slots(pool, records, out, PART: tl.constexpr):
    """The memory of each row of one record, int32 `[n_records, PART]`; rows that are not there are left as they are."""
    record = tl.program_id(0).to(tl.int64)
    row = tl.arange(0, PART)
    slots = pool.to(tl.pointer_type(tl.int32)) + tl.load(records + record * _RECORD + 1) * 4
    here = row < tl.load(records + record * _RECORD + 4)
    tl.store(out + record * PART + row, tl.load(slots + row, here, -1), here)
