"""The scan of coarse codes and the choice of what is looked at again, in Triton.

`scan` reads every code once and keeps, of each part (`PART` rows, up to the 32 of a group of the exact search), the
level of its best estimate: one of `LEVELS` steps, counted in a histogram for each query on the way. `choose` reads off
the histogram which level is the last to be looked at again, and `collect` writes records of the chosen parts' exact
rows into a table, over which the kernels of `gpu.ops.paged_search` then search. So a scan writes 2 bytes for each part,
and nothing is sorted.
"""

from __future__ import annotations

import triton
import triton.language as tl

from gpu.ops.paged_search import triton_kernel as exact

GROUP = exact.GROUP
RECORD = 8
"""Numbers of the record of a stretch, the rows of one page that one program scans: its first code, slot and scale, its
page, generation, rows, and the number of its first group; one unused. Places are counted in 16 bytes from the start of
the pool.
"""
LEVELS = 4096
"""Steps from the least that an estimate of a query can be to the most."""
PLANES = 4
"""Bits of a query that meets codes of one bit: whole numbers from -8 to 7."""

_GROUP = tl.constexpr(GROUP)
_STRETCH_RECORD = tl.constexpr(RECORD)
_ROW_RECORD = tl.constexpr(exact.RECORD)
_LEVELS = tl.constexpr(LEVELS)
_PLANES = tl.constexpr(PLANES)
_ROUNDING = tl.constexpr(2e-5)
"""By how much a sum of float32 products may be off for unit vectors, on either side of a comparison."""


@triton.jit
def wait_for_launch(DEPENDENT: tl.constexpr):
    """Waits for what was launched before, which may still run; lets what is launched behind begin as well.

    A program reads nothing before that an earlier launch of the same search writes, and writes nothing.

    Args:
        DEPENDENT: whether the launch is one that begins early (programmatic dependent launch, from Hopper on).
    """
    if DEPENDENT:
        tl.extra.cuda.gdc_launch_dependents()
        tl.extra.cuda.gdc_wait()


@triton.jit
def prepare(
    turned,
    planes,
    longest,
    factors,
    shifts,
    steps,
    lost,
    dim,
    width,
    BITS: tl.constexpr,
    WHOLE: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPENDENT: tl.constexpr,
):
    """One query in whole numbers as `scan` wants it at 8 and 4 bits, and `scan_shared` at any.

    The sum that a scan forms of a row with levels u is `sum_j u_j p_j` over numbers p that stand for the query,
    `q = unit * p`. With the values of codes in `gpu.tiers.codecs` (u itself at 8 bits, 2u - (2^b - 1) below) the dot
    product is `(factor * sum - shift) * scale`.

    Args:
        turned: float32 `[b, dim]`, rotated.
        longest: float32 `[b]`, the most that a corrected code of the query's namespace is long.
        planes: int8 `[b, 8 / BITS, width]`, 0 beyond the last dimension.
        factors, shifts: float32 `[b]`.
        steps: float32 `[b]`, one over the most that an estimate can be.
        lost: float32 `[b]`, length of what rounding took of each.
        WHOLE: the largest whole number that p is rounded to.
        COLUMNS: a power of two, at least `width`.
        DEPENDENT: see `wait_for_launch`.
    """
    wait_for_launch(DEPENDENT)
    query = tl.program_id(0).to(tl.int64)
    plane = tl.arange(0, 8 // BITS)
    column = tl.arange(0, COLUMNS)
    at = column[None, :] * (8 // BITS) + plane[:, None]
    value = tl.load(turned + query * dim + at, at < dim, 0.0)
    number, unit = _rounded(value, tl.max(tl.max(tl.abs(value), axis=1), axis=0), WHOLE)
    tl.store(planes + (query * (8 // BITS) + plane[:, None]) * width + column[None, :], number, column[None, :] < width)
    rest = value - number * unit
    _tell(
        query, unit, tl.sum(tl.sum(number, axis=1), axis=0), tl.sum(tl.sum(value * value, axis=1), axis=0),
        tl.sum(tl.sum(rest * rest, axis=1), axis=0), longest, factors, shifts, steps, lost, BITS,
    )  # fmt: skip


@triton.jit
def prepare_bits(
    turned, planes, longest, factors, shifts, steps, lost, dim, words, WORDS: tl.constexpr, DEPENDENT: tl.constexpr
):
    """As `prepare` for `scan` at one bit: p from -7 to 7, a plane for each of its four bits in two's complement.

    Bit j of word w belongs to dimension 32 w + j, as in a code of which four bytes are read at a time. (Gao and Long
    2024, arXiv:2405.12497, section 3.3, draw the rounding by lot. Here the nearest is taken: candidates are sought.)

    Args:
        planes: int32 `[b, PLANES, words]`.
        WORDS: a power of two, at least `words`.
        DEPENDENT: see `wait_for_launch`.
    """
    wait_for_launch(DEPENDENT)
    query = tl.program_id(0).to(tl.int64)
    word = tl.arange(0, WORDS)
    bit = tl.arange(0, 32)
    at = word[:, None] * 32 + bit[None, :]
    value = tl.load(turned + query * dim + at, at < dim, 0.0)
    number, unit = _rounded(value, tl.max(tl.max(tl.abs(value), axis=1), axis=0), 7)
    whole = number.to(tl.int32)
    for plane in tl.static_range(_PLANES):
        packed = tl.sum(((whole >> plane) & 1) << bit[None, :], axis=1)
        tl.store(planes + (query * _PLANES + plane) * words + word, packed, word < words)
    rest = value - number * unit
    _tell(
        query, unit, tl.sum(tl.sum(number, axis=1), axis=0), tl.sum(tl.sum(value * value, axis=1), axis=0),
        tl.sum(tl.sum(rest * rest, axis=1), axis=0), longest, factors, shifts, steps, lost, 1,
    )  # fmt: skip


@triton.jit
def _rounded(value, largest, WHOLE: tl.constexpr):
    """Whole numbers as float32, and what one of them stands for."""
    unit = tl.maximum(largest, 1e-30) / WHOLE  # a query of zeros must still give numbers
    return tl.floor(value / unit + 0.5), unit


@triton.jit
def _tell(query, unit, total, square, rest, longest, factors, shifts, steps, lost, BITS: tl.constexpr):
    """Stores what a scan must know of a query beside its numbers."""
    tl.store(factors + query, unit if BITS == 8 else 2.0 * unit)
    tl.store(shifts + query, 0.0 if BITS == 8 else ((1 << BITS) - 1) * unit * total)
    tl.store(steps + query, 1.0 / tl.maximum(tl.sqrt(square) * tl.load(longest + query), 1e-30))
    tl.store(lost + query, tl.sqrt(rest))


@triton.jit
def _ones(word, PTX: tl.constexpr):
    """How many bits of each int32 are set, int32; without `PTX` in the usual way, which an interpreter knows."""
    if PTX:
        count = tl.inline_asm_elementwise("popc.b32 $0, $1;", "=r,r", [word], dtype=tl.int32, is_pure=True, pack=1)
    else:
        bits = word.to(tl.uint32, bitcast=True)
        bits = bits - ((bits >> 1) & 0x55555555)
        bits = (bits & 0x33333333) + ((bits >> 2) & 0x33333333)
        bits = (bits + (bits >> 4)) & 0x0F0F0F0F
        count = ((bits * 0x01010101) >> 24).to(tl.int32)
    return count


@triton.jit
def _dot_bits(codes, here, planes, pieces, ROWS: tl.constexpr, PIECES: tl.constexpr, PTX: tl.constexpr):
    """Sums of the query's whole numbers over the set bits of rows: float32 `[ROWS]`.

    Three words are added bit by bit before their ones are counted, by a carry-save adder: two counts in place of three.
    Counting is the slowest of these instructions (Mula, Kurz and Lemire 2018, arXiv:1611.07612).

    Args:
        codes: pointer to int32 `[ROWS, pieces, 4]`.
        here: which rows there are.
        planes: pointer to int32 `[PLANES, pieces, 4]`, the bits of the query's numbers in two's complement.
        PIECES: equals `pieces`, which is an argument as well for what the compiler may conclude from it.
    """
    row = tl.arange(0, ROWS)
    word = tl.arange(0, 4)
    total = tl.zeros([ROWS, 4], tl.int32)
    for triple in tl.static_range(PIECES // 3):
        at = codes + ((row[:, None] * pieces + 3 * triple) * 4 + word[None, :])
        first = tl.load(at, here[:, None], 0)
        second = tl.load(at + 4, here[:, None], 0)
        third = tl.load(at + 8, here[:, None], 0)
        for plane in tl.static_range(_PLANES):
            asked = planes + (plane * PIECES + 3 * triple) * 4 + word
            one = first & tl.load(asked)[None, :]
            other = second & tl.load(asked + 4)[None, :]
            last = third & tl.load(asked + 8)[None, :]
            carry = (one & other) | (last & (one | other))
            worth = (1 << plane) - (plane // (_PLANES - 1) << _PLANES)  # -8 of the highest
            total += worth * _ones(one ^ other ^ last, PTX) + 2 * worth * _ones(carry, PTX)
    for piece in tl.static_range(PIECES // 3 * 3, PIECES):
        bits = tl.load(codes + ((row[:, None] * pieces + piece) * 4 + word[None, :]), here[:, None], 0)
        for plane in tl.static_range(_PLANES):
            asked = tl.load(planes + (plane * PIECES + piece) * 4 + word)[None, :]
            worth = (1 << plane) - (plane // (_PLANES - 1) << _PLANES)  # -8 of the highest
            total += worth * _ones(bits & asked, PTX)
    return tl.sum(total, axis=1).to(tl.float32)


@triton.jit
def _dot_fours(a, b, total, PTX: tl.constexpr):
    """`total` plus the sum of four products of whole numbers of 8 bits, for each pair of int32.

    Args:
        PTX: whether the one instruction that does it can be written (for an NVIDIA device; an interpreter has none).
    """
    if PTX:
        found = tl.inline_asm_elementwise(
            "dp4a.s32.s32 $0, $1, $2, $3;", "=r,r,r,r", [a, b, total], dtype=tl.int32, is_pure=True, pack=1
        )
    else:
        found = total
        for place in tl.static_range(4):
            found += ((a << (24 - 8 * place)) >> 24) * ((b << (24 - 8 * place)) >> 24)
    return found


@triton.jit
def _dot_levels(
    codes,
    here,
    planes,
    words,
    ROWS: tl.constexpr,
    BITS: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
    PTX: tl.constexpr,
):
    """Sums of the query's whole numbers times the levels of rows: float32 `[ROWS]`.

    Four bytes meet four numbers at a time. To make a float of each byte takes as long as the memory for it.

    Args:
        codes: pointer to int32 `[ROWS, words]`, levels of 8 bits or 4.
        planes: pointer to int32 `[8 / BITS, words]`, four numbers in each, 0 beyond the last dimension.
        BLOCK, BLOCKS: `BLOCK * BLOCKS >= words`.
    """
    row = tl.arange(0, ROWS)
    word = tl.arange(0, BLOCK)
    total = tl.zeros([ROWS, BLOCK], tl.int32)
    for block in tl.static_range(BLOCKS):
        at = block * BLOCK + word
        inside = at < words
        part = tl.load(codes + (row[:, None] * words + at[None, :]), here[:, None] & inside[None, :], 0)
        for plane in tl.static_range(8 // BITS):
            asked = tl.broadcast_to(tl.load(planes + plane * words + at, inside, 0)[None, :], [ROWS, BLOCK])
            held = part if BITS == 8 else (part >> (plane * BITS)) & 0x0F0F0F0F
            total = _dot_fours(held, asked, total, PTX)
    return tl.sum(total, axis=1).to(tl.float32)


@triton.jit
def _level(estimate, steps):
    """Which level an estimate lies on: the same number orders before as after."""
    level = ((estimate * steps + 1.0) * (_LEVELS // 2)).to(tl.int32)
    return tl.minimum(tl.maximum(level, 0), _LEVELS - 1)


@triton.jit(do_not_specialize=["wanted"])
def scan(
    pool,
    planes,
    factors,
    shifts,
    steps,
    tables,
    first_stretches,
    owners,
    masks,
    n_queries,
    halvings,
    levels,
    histogram,
    floors,
    wanted,
    broken,
    pieces,
    BITS: tl.constexpr,
    PARTS: tl.constexpr,
    PART: tl.constexpr,
    ROWS: tl.constexpr,
    PIECES: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
    PTX: tl.constexpr,
    RAISED_EVERY: tl.constexpr,
    DEPENDENT: tl.constexpr,
):
    """Estimate the rows of one stretch of one query's namespace.

    An estimate is `(factor * sum - shift) * scale`, with the sum of `_dot_bits` or `_dot_levels`.

    Args:
        pool: the start of the memory that all pages lie in, a multiple of 16.
        planes: int32, whole numbers that stand for each query: see `_dot_bits` and `_dot_levels`.
        factors, shifts, steps: float32 `[b]`; a step is one over the most that an estimate can be.
        tables: int64 `[b]`, address of each namespace's records, int64 `[n_stretches, RECORD]`.
        first_stretches: int64 `[b + 1]`, ascending.
        owners: int64 `[b]`, who must own the pages.
        masks: int64 `[b]`, address of uint8 by slot, 1 for what is eligible; 0 for no mask.
        halvings: how often `b` can be halved.
        levels: int16 `[stretches, PARTS]`, of the best row of each part, -1 where none counts.
        histogram: int32 `[b, LEVELS]`, parts of each level are added, from the floor on.
        floors: int32 `[b]`, zeros at first: levels below are of no use, for more parts than are wanted lie above.
            Nearly all parts lie below, on few levels, and would wait for each other to be counted.
        wanted: parts that are looked at again, at most.
        broken: int32 `[1]`, set to 1 if a page belongs to somebody else.
        pieces: pieces of 16 bytes of a row's code, `PIECES`.
        PARTS: parts of a stretch at most.
        PART: rows of a part: a power of two from 4 to 32.
        ROWS: rows that are looked at in one step, a multiple of 32 that divides those of a stretch.
        RAISED_EVERY: stretches of which the last one looks how far the floor can be raised; 0 if none does.
        DEPENDENT: see `wait_for_launch`.
    """
    program = tl.program_id(0)
    query = exact.query_of(first_stretches, n_queries, halvings, program)
    stretch = (program - tl.load(first_stretches + query)).to(tl.int64)
    record = tl.load(tables + query).to(tl.pointer_type(tl.int64)) + stretch * _STRETCH_RECORD
    header = pool.to(tl.pointer_type(tl.int64)) + tl.load(record + 3) * 2
    owned = (tl.load(header) == tl.load(owners + query)) & (tl.load(header + 1) == tl.load(record + 4))
    rows = tl.load(record + 5).to(tl.int32)
    code_at = tl.load(record) * 16
    slots = pool.to(tl.pointer_type(tl.int32)) + tl.load(record + 1) * 4
    scales = pool.to(tl.pointer_type(tl.float32)) + tl.load(record + 2) * 4
    mask_address = tl.load(masks + query)
    mask = mask_address.to(tl.pointer_type(tl.uint8))
    wait_for_launch(DEPENDENT)  # all before was there when the search began
    if not owned:
        tl.store(broken, 1)
        rows = 0
    factor = tl.load(factors + query)
    shift = tl.load(shifts + query)
    step = tl.load(steps + query)
    tile = tl.arange(0, ROWS)
    is_masked = tile * 0 + mask_address != 0
    own_levels = levels + program.to(tl.int64) * PARTS
    counts = histogram + query.to(tl.int64) * _LEVELS
    for first in range(0, rows, ROWS):
        row = first + tile
        here = row < rows
        # Places and scales first: they are needed last, and are on their way while the codes are read.
        slot = tl.load(slots + row, here, -1)
        scale = tl.load(scales + row, here, 0.0)
        floor = tl.load(floors + query, volatile=True) if RAISED_EVERY > 0 else 0
        codes = (pool + code_at).to(tl.pointer_type(tl.int32)) + first * pieces * 4
        if BITS == 1:
            asked = planes + query.to(tl.int64) * (_PLANES * PIECES * 4)
            total = _dot_bits(codes, here, asked, pieces, ROWS, PIECES, PTX)
        else:
            asked = planes + query.to(tl.int64) * (8 // BITS * pieces * 4)
            total = _dot_levels(codes, here, asked, pieces * 4, ROWS, BITS, BLOCK, BLOCKS, PTX)
        alive = here & (slot >= 0)
        alive = alive & (tl.load(mask + slot, alive & is_masked, 1) != 0)
        level = tl.where(alive, _level((factor * total - shift) * scale, step), -1)
        best = tl.max(tl.reshape(level, [ROWS // PART, PART]), axis=1)
        part = first // PART + tl.arange(0, ROWS // PART)
        tl.store(own_levels + part, best.to(tl.int16), part * PART < rows)
        tl.atomic_add(counts + best, 1, best >= floor, sem="relaxed")
    if RAISED_EVERY > 0:  # noqa: SIM102 - the one is settled when compiled, the other when run
        if stretch % RAISED_EVERY == RAISED_EVERY - 1:
            above = tl.cumsum(tl.load(counts + (_LEVELS - 1 - tl.arange(0, _LEVELS)), volatile=True), axis=0)
            floor = _LEVELS - tl.sum((above <= wanted).to(tl.int32), axis=0)
            tl.atomic_max(floors + query, floor, sem="relaxed")


@triton.jit
def scan_shared(
    pool,
    planes,
    factors,
    shifts,
    steps,
    table,
    owner,
    masks,
    first_query,
    n_queries,
    first_stretch,
    n_stretches,
    levels,
    histogram,
    broken,
    width,
    BITS: tl.constexpr,
    PARTS: tl.constexpr,
    PART: tl.constexpr,
    ROWS: tl.constexpr,
    QUERIES: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
    MASKED: tl.constexpr,
):
    """Estimate the rows of one stretch of one namespace for up to `QUERIES` queries, on the matrix units.

    Args:
        planes: int8 `[n_queries, 8 / BITS, width]`, whole numbers, 0 beyond the last dimension.
        factors, shifts, steps, masks: `[n_queries]`, of these queries.
        table: int64 `[n_stretches, RECORD]`, the records of the namespace.
        owner: who must own its pages.
        first_query, n_queries: the first query of this namespace in the batch, and how many there are.
        first_stretch, n_stretches: where their stretches begin, and how many each has.
        width: bytes of a row's code, a multiple of 16.
        MASKED: whether any of the queries has a mask: who asks for none does without an address for each product.
        Everything else as in `scan`.
    """
    stretch = tl.program_id(0)
    member = tl.program_id(1) * QUERIES + tl.arange(0, QUERIES)
    is_query = member < n_queries
    query = member.to(tl.int64)
    record = table + stretch.to(tl.int64) * _STRETCH_RECORD
    header = pool.to(tl.pointer_type(tl.int64)) + tl.load(record + 3) * 2
    owned = (tl.load(header) == owner) & (tl.load(header + 1) == tl.load(record + 4))
    rows = tl.load(record + 5).to(tl.int32)
    if not owned:
        tl.store(broken, 1)
        rows = 0
    code_at = tl.load(record) * 16
    slots = pool.to(tl.pointer_type(tl.int32)) + tl.load(record + 1) * 4
    scales = pool.to(tl.pointer_type(tl.float32)) + tl.load(record + 2) * 4
    mask_address = tl.load(masks + query, is_query, 0)
    factor = tl.load(factors + query, is_query, 0.0)
    shift = tl.load(shifts + query, is_query, 0.0)
    step = tl.load(steps + query, is_query, 0.0)
    own_levels = levels + (first_stretch + member * n_stretches + stretch).to(tl.int64) * PARTS
    tile = tl.arange(0, ROWS)
    column = tl.arange(0, BLOCK)
    for first in range(0, rows, ROWS):
        row = first + tile
        here = row < rows
        slot = tl.load(slots + row, here, -1)
        scale = tl.load(scales + row, here, 0.0)
        codes = pool + code_at + first * width
        total = tl.zeros([ROWS, QUERIES], tl.int32)
        # Unrolled, so that the codes of the next tile are on their way while this one is scored.
        for block in tl.static_range(BLOCKS):
            at = block * BLOCK + column
            inside = at < width
            part = tl.load(codes + (tile[:, None] * width + at[None, :]), here[:, None] & inside[None, :], 0)
            for plane in tl.static_range(8 // BITS):
                of = (query[None, :] * (8 // BITS) + plane) * width + at[:, None]
                asked = tl.load(planes + of, inside[:, None] & is_query[None, :], 0)
                if BITS == 8:
                    held = part.to(tl.int8, bitcast=True)
                else:
                    held = ((part >> (plane * BITS)) & ((1 << BITS) - 1)).to(tl.int8, bitcast=True)
                total = tl.dot(held, asked, total, out_dtype=tl.int32)
        alive = (here & (slot >= 0))[:, None] & is_query[None, :]
        if MASKED:
            is_masked = alive & (mask_address != 0)[None, :]
            mask = (mask_address[None, :] + slot[:, None]).to(tl.pointer_type(tl.uint8))
            alive = alive & (tl.load(mask, is_masked, 1) != 0)
        estimate = (factor[None, :] * total.to(tl.float32) - shift[None, :]) * scale[:, None]
        estimate = tl.where(alive, estimate, float("-inf"))
        top = tl.max(tl.reshape(estimate, [ROWS // PART, PART, QUERIES]), axis=1)
        best = tl.where(top > float("-inf"), _level(tl.where(top > float("-inf"), top, 0.0), step[None, :]), -1)
        part = first // PART + tl.arange(0, ROWS // PART)
        is_part = (part * PART < rows)[:, None] & is_query[None, :]
        tl.store(own_levels[None, :] + part[:, None], best.to(tl.int16), is_part)
        counts = histogram + (first_query + query) * _LEVELS
        tl.atomic_add(counts[None, :] + best, 1, is_part & (best >= 0), sem="relaxed")


@triton.jit
def choose(histogram, last_levels, unseen, counts, wanted):
    """The lowest level that is looked at again: as far down as `wanted` parts reach, but never less than one level.

    Args:
        histogram: int32 `[b, LEVELS]`.
        last_levels: int32 `[b]`.
        unseen: float32 `[b]`, a level that all parts that are not looked at lie below: -inf if there are none, inf if
            nothing can be told because one level alone had more than are wanted.
        counts: int64 `[b]`, parts that are looked at, at most `wanted`.
    """
    query = tl.program_id(0)
    last, bound, count = last_level(histogram + query.to(tl.int64) * _LEVELS, wanted)
    tl.store(last_levels + query, last)
    tl.store(unseen + query, bound)
    tl.store(counts + query, count.to(tl.int64))


@triton.jit
def last_level(counts, wanted):
    """What `choose` reads off the histogram of one query: the last level, what is unseen, and how many parts."""
    count = tl.load(counts + tl.arange(0, _LEVELS))
    above = tl.sum(count, axis=0) - tl.cumsum(count, axis=0) + count  # parts on this level and on higher ones
    last = _LEVELS - tl.sum((above <= wanted).to(tl.int32), axis=0)
    fit = tl.max(tl.where(above <= wanted, above, 0), axis=0)
    best = _LEVELS - 1 - tl.sum((above == 0).to(tl.int32), axis=0)
    is_crowded = (fit == 0) & (best >= 0)
    bound = tl.where(last == 0, float("-inf"), last.to(tl.float32))
    return (
        tl.where(is_crowded, best, last),
        tl.where(is_crowded, float("inf"), bound),
        tl.where(is_crowded, wanted, fit),
    )


@triton.jit
def collect(
    tables,
    first_stretches,
    n_queries,
    halvings,
    levels,
    last_levels,
    exact_tables,
    chosen,
    taken,
    wanted,
    dim,
    PARTS: tl.constexpr,
    PART: tl.constexpr,
):
    """Write records of the exact rows of one stretch's chosen parts into its query's table, in any order.

    Args:
        levels: int16 `[stretches, PARTS]`, see `scan`.
        exact_tables: int64 `[b]`, address of the records of each namespace's exact rows.
        chosen: int64 `[b, wanted, gpu.ops.paged_search.triton_kernel.RECORD]`.
        taken: int32 `[b]`, places in the table that are taken, 0 before the first program.
        dim: of the exact rows; `PART * dim` is a multiple of 8, so that every part begins where a record can say.
    """
    program = tl.program_id(0)
    query = exact.query_of(first_stretches, n_queries, halvings, program)
    stretch = (program - tl.load(first_stretches + query)).to(tl.int64)
    record = tl.load(tables + query).to(tl.pointer_type(tl.int64)) + stretch * _STRETCH_RECORD
    part = tl.arange(0, PARTS)
    is_part = part * PART < tl.load(record + 5)
    level = tl.load(levels + program.to(tl.int64) * PARTS + part, is_part, -1).to(tl.int32)
    is_chosen = (level >= tl.load(last_levels + query)).to(tl.int32) * (level >= 0).to(tl.int32)
    count = tl.sum(is_chosen, axis=0)
    if count > 0:
        place = tl.atomic_add(taken + query, count, sem="relaxed") + tl.cumsum(is_chosen, axis=0) - 1
        number = tl.arange(0, 8)[None, :]
        wants = ((is_chosen > 0) & (place < wanted))[:, None] & (number < _ROW_RECORD)
        rows = tl.load(exact_tables + query).to(tl.pointer_type(tl.int64))
        group = tl.load(record + 6) + part * PART // _GROUP
        values = tl.load(rows + (group[:, None] * _ROW_RECORD + number), wants, 0)
        inside = (part * PART % _GROUP)[:, None]  # rows of the group before the part
        values += tl.where(number == 0, inside * dim // 8, tl.where(number == 1, inside // 4, 0))
        values = tl.where(number == 4, tl.minimum(values - inside, PART), values)
        to = (query.to(tl.int64) * wanted + place) * _ROW_RECORD
        tl.store(chosen + (to[:, None] + number), values, wants)


@triton.jit
def judge(
    turned, centres, longest, left_out, steps, lost, unseen, scores, certain, complete, k, dim, COLUMNS: tl.constexpr
):
    """Whether no memory that was not looked at can belong to the answer of one query.

    A row x with code x' has <q, x> = <q, centre> + <p, x'> + <q - p, x'> + <q, x - centre - x'>, p being the query
    after rounding. The second term is the estimate, and what was not looked at has one below `unseen`; the others are
    bounded by lengths (Cauchy and Schwarz).

    Args:
        turned: float32 `[b, dim]`, rotated queries.
        centres: int64 `[b]`, address of float32 `[dim]`, what was taken off the rows.
        longest, left_out: float32 `[b]`, the most that a code of the namespace is long and that it leaves out.
        steps, lost, unseen: see `prepare` and `choose`.
        scores: float32 `[b, k]`, exact, best first.
        certain: int32 `[b]`, whether the answer is the best of what was looked at.
        complete: int32 `[b]`.
    """
    query = tl.program_id(0).to(tl.int64)
    worst = tl.load(scores + query * k + k - 1)
    proved = is_safe(
        query, worst, tl.load(unseen + query), turned, centres, longest, left_out, steps, lost, dim, COLUMNS
    )
    tl.store(complete + query, (proved & (tl.load(certain + query) != 0)).to(tl.int32))


@triton.jit
def is_safe(query, worst, unseen, turned, centres, longest, left_out, steps, lost, dim, COLUMNS: tl.constexpr):
    """Whether the worst score of an answer is above all that was not looked at, see `judge`."""
    column = tl.arange(0, COLUMNS)
    asked = tl.load(turned + query * dim + column, column < dim, 0.0)
    centre = tl.load(tl.load(centres + query).to(tl.pointer_type(tl.float32)) + column, column < dim, 0.0)
    estimate = (unseen / (_LEVELS // 2) - 1.0) / tl.load(steps + query)
    length = tl.sqrt(tl.sum(asked * asked, axis=0))
    slack = length * (tl.load(left_out + query) + _ROUNDING) + tl.load(lost + query) * tl.load(longest + query)
    return (unseen == float("-inf")) | (worst > tl.sum(asked * centre, axis=0) + estimate + slack)
