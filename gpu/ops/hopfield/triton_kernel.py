"""One step of a modern Hopfield network over the pages of namespaces, in Triton.

`attend` reads each pattern once. It keeps a running maximum, sum and weighted pattern for each of some places in a
group, which meet only at the end of a chunk: inside the loop no program waits for its own threads. A pattern lies in
registers in two parts, each a power of two wide: 384 numbers as 256 and 128, so that none are carried in vain. `merge`
puts the chunks of a query together.
"""

from __future__ import annotations

import triton
import triton.language as tl

from gpu.ops.paged_search.triton_kernel import GROUP, query_of, record_of

_GROUP = tl.constexpr(GROUP)


@triton.jit
def _finite(largest):
    """A maximum to subtract: 0 where there is nothing yet, for -inf less -inf is no number."""
    return tl.where(largest == float("-inf"), 0.0, largest)


@triton.jit
def attend(
    pool,
    states,
    betas,
    is_active,
    tables,
    n_groups,
    first_chunks,
    owners,
    masks,
    n_queries,
    steps,
    per_chunk,
    largest,
    norms,
    moments,
    sums,
    broken,
    dim,
    ROWS: tl.constexpr,
    WIDTH: tl.constexpr,
    REST: tl.constexpr,
):
    """The softmax of one chunk of one query's namespace, not divided yet.

    Args:
        states: float32 `[b, dim]`; betas: float32 `[b]`, inverse temperatures.
        is_active: int32 `[b]`; where it is 0 nothing is done.
        largest: float32 `[chunks]`, the largest product times beta, z; -inf where no pattern counts.
        norms, moments: float32 `[chunks]`, sums of exp(z - largest) and of that times z - largest.
        sums: float32 `[chunks, dim]`, sum of that times the pattern.
        ROWS: patterns at a time, a divisor of a group.
        WIDTH, REST: widths of the two parts of a pattern, powers of two that are together at least dim; REST may be 0.
        Everything else as in `paged_search.triton_kernel.scan`.
    """
    program = tl.program_id(0)
    query = query_of(first_chunks, n_queries, steps, program)
    if tl.load(is_active + query) == 0:
        return
    table = tl.load(tables + query).to(tl.pointer_type(tl.int64))
    mask_address = tl.load(masks + query)
    mask = mask_address.to(tl.pointer_type(tl.uint8))
    owner = tl.load(owners + query)
    beta = tl.load(betas + query)
    first_group = (program - tl.load(first_chunks + query).to(tl.int32)) * per_chunk
    last_group = tl.minimum(first_group + per_chunk, tl.load(n_groups + query).to(tl.int32))
    row = tl.arange(0, ROWS)
    at = tl.arange(0, WIDTH)
    inside = at < dim
    state = tl.load(states + query.to(tl.int64) * dim + at, inside, 0.0)
    total = tl.zeros([ROWS, WIDTH], tl.float32)
    if REST > 0:
        rest_at = WIDTH + tl.arange(0, REST)
        rest_inside = rest_at < dim
        rest_state = tl.load(states + query.to(tl.int64) * dim + rest_at, rest_inside, 0.0)
        rest_total = tl.zeros([ROWS, REST], tl.float32)
    is_masked = row * 0 + mask_address != 0
    top = tl.full([ROWS], float("-inf"), tl.float32)
    norm = tl.zeros([ROWS], tl.float32)
    moment = tl.zeros([ROWS], tl.float32)
    vector_at, slot_at, page_at, generation, rows = record_of(table, first_group)
    for group in range(first_group, last_group):
        header = pool.to(tl.pointer_type(tl.int64)) + page_at * 2
        owned = (tl.load(header) == owner) & (tl.load(header + 1) == generation)
        if not owned:
            tl.store(broken, 1)
            rows = 0
        vectors = pool.to(tl.pointer_type(tl.float16)) + vector_at * 8
        slots = pool.to(tl.pointer_type(tl.int32)) + slot_at * 4
        n_rows = rows
        # The next record is on its way while the vectors of this group are read.
        vector_at, slot_at, page_at, generation, rows = record_of(table, tl.minimum(group + 1, last_group - 1))
        for part in tl.static_range(_GROUP // ROWS):
            own = part * ROWS + row
            here = own < n_rows
            pattern = tl.load(vectors + (own[:, None] * dim + at[None, :]), here[:, None] & inside[None, :], 0.0)
            pattern = pattern.to(tl.float32)
            product = tl.sum(pattern * state[None, :], axis=1)
            if REST > 0:
                is_rest = here[:, None] & rest_inside[None, :]
                rest = tl.load(vectors + (own[:, None] * dim + rest_at[None, :]), is_rest, 0.0).to(tl.float32)
                product += tl.sum(rest * rest_state[None, :], axis=1)
            slot = tl.load(slots + own, here, -1)
            counts = here & (slot >= 0)
            counts = counts & (tl.load(mask + slot, counts & is_masked, 1) != 0)
            z = tl.where(counts, beta * product, float("-inf"))
            higher = _finite(tl.maximum(top, z))
            scale = tl.exp(top - higher)
            weight = tl.exp(z - higher)
            # What was summed is now less by the rise of the maximum, in each of its terms.
            moment = scale * (moment + norm * tl.where(norm > 0, top - higher, 0.0))
            moment += weight * tl.where(counts, z - higher, 0.0)
            norm = scale * norm + weight
            total = scale[:, None] * total + weight[:, None] * pattern
            if REST > 0:
                rest_total = scale[:, None] * rest_total + weight[:, None] * rest
            top = tl.maximum(top, z)
    best = tl.max(top)
    lower = tl.where(norm > 0, top - _finite(best), 0.0)
    scale = tl.where(norm > 0, tl.exp(lower), 0.0)
    tl.store(largest + program, best)
    tl.store(norms + program, tl.sum(scale * norm))
    tl.store(moments + program, tl.sum(scale * (moment + norm * lower)))
    sums += program.to(tl.int64) * dim
    tl.store(sums + at, tl.sum(scale[:, None] * total, axis=0), inside)
    if REST > 0:
        tl.store(sums + rest_at, tl.sum(scale[:, None] * rest_total, axis=0), rest_inside)


@triton.jit
def merge(
    first_chunks,
    largest,
    norms,
    moments,
    sums,
    is_active,
    states,
    log_sums,
    entropies,
    moved,
    dim,
    n_blocks,
    CHUNKS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Some numbers of the new state of one query, in place.

    Args:
        states: float32 `[b, dim]`, overwritten unless no pattern counts.
        log_sums, entropies: float32 `[b]`, log of the sum of exp(z) (-inf if no pattern counts), entropy in nats.
        moved: float32 `[b, n_blocks]`, squares of what changed.
        CHUNKS: chunks that are looked at at a time.
        Everything else as in `attend`.
    """
    query = tl.program_id(0).to(tl.int64)
    if tl.load(is_active + query) == 0:
        return
    part = tl.program_id(1)
    first = tl.load(first_chunks + query)
    n_chunks = tl.load(first_chunks + query + 1) - first
    chunk = tl.arange(0, CHUNKS)
    top = tl.full([CHUNKS], float("-inf"), tl.float32)
    for start in range(0, n_chunks, CHUNKS):
        top = tl.maximum(top, tl.load(largest + first + start + chunk, start + chunk < n_chunks, float("-inf")))
    best = tl.max(top)
    at = part * BLOCK + tl.arange(0, BLOCK)
    inside = at < dim
    norm = tl.zeros([CHUNKS], tl.float32)
    moment = tl.zeros([CHUNKS], tl.float32)
    total = tl.zeros([CHUNKS, BLOCK], tl.float32)
    for start in range(0, n_chunks, CHUNKS):
        here = start + chunk < n_chunks
        place = first + start + chunk
        own = tl.load(norms + place, here, 0.0)
        lower = tl.where(own > 0, tl.load(largest + place, here, 0.0) - _finite(best), 0.0)
        scale = tl.where(own > 0, tl.exp(lower), 0.0)
        norm += scale * own
        moment += scale * (tl.load(moments + place, here, 0.0) + own * lower)
        total += scale[:, None] * tl.load(
            sums + place[:, None].to(tl.int64) * dim + at[None, :], here[:, None] & inside[None, :], 0.0
        )
    whole = tl.sum(norm)
    divisor = tl.where(whole > 0, whole, 1.0)
    before = tl.load(states + query * dim + at, inside, 0.0)
    fresh = tl.where(whole > 0, tl.sum(total, axis=0) / divisor, before)
    tl.store(states + query * dim + at, fresh, inside)
    tl.store(moved + query * n_blocks + part, tl.sum((fresh - before) * (fresh - before)))
    if part == 0:
        tl.store(log_sums + query, best + tl.log(divisor))
        tl.store(entropies + query, tl.maximum(tl.log(divisor) - tl.sum(moment) / divisor, 0.0))
