"""The pass over attributes, in Triton. `paged_search.select` makes the lists from its scores."""

from __future__ import annotations

import triton
import triton.language as tl

from gpu.bank.records import UNKNOWN_US
from gpu.ops.channel_pass.fields import N_LISTS, N_NUMBERS, N_TIMES, Field
from gpu.ops.channel_pass.layout import ARENA_SHIFT, OFFSETS, TILE_UNITS
from gpu.ops.channel_pass.questions import FORBIDDEN, ID_NUMBERS, LAST, SPAN_NUMBERS, Held, Listed
from gpu.ops.paged_search.triton_kernel import GROUP, RECORD, query_of, record_of

IDS = 8
"""Asked ids that are looked up at a time."""
DEPTH = 4
"""Entries of a bucket that are looked at at a time: nearly every bucket has fewer."""

_GROUP = tl.constexpr(GROUP)
_RECORD = tl.constexpr(RECORD)
_TILE_UNITS = tl.constexpr(TILE_UNITS)
_IDS = tl.constexpr(IDS)
_DEPTH = tl.constexpr(DEPTH)
_ID_NUMBERS = tl.constexpr(ID_NUMBERS)
_SPAN_NUMBERS = tl.constexpr(SPAN_NUMBERS)
_EVERYTHING = tl.constexpr((1 << 63) - 1)
_UNKNOWN_US = tl.constexpr(int(UNKNOWN_US))
_ARENA_AT = tl.constexpr(32 + ARENA_SHIFT)
_FREQUENCY = tl.constexpr((1 << ARENA_SHIFT) - 1)
_LAST = tl.constexpr(LAST)
_FORBIDDEN = tl.constexpr(FORBIDDEN)
_ARENA = tl.constexpr(0xFF)
_FARTHEST = tl.constexpr(40.0)
"""Widths from which a miss scores less than a float32 beside 1 can show, as in `interval_scan`."""

_TERMS = tl.constexpr(int(Held.TERMS))
_ENTITIES = tl.constexpr(int(Held.ENTITIES))
_PLACES = tl.constexpr(int(Held.PLACES))
_PAIRS = tl.constexpr(int(Held.PAIRS))

_RECORDS = tl.constexpr(int(Field.RECORDS))
_N_GROUPS = tl.constexpr(int(Field.N_GROUPS))
_FIRST_CHUNK = tl.constexpr(int(Field.FIRST_CHUNK))
_OWNER = tl.constexpr(int(Field.OWNER))
_MASK_IN = tl.constexpr(int(Field.MASK_IN))
_MASK_OUT = tl.constexpr(int(Field.MASK_OUT))
_STARTS = tl.constexpr(int(Field.STARTS))
_IDS_AT = tl.constexpr(int(Field.IDS))
_N_GROUPED = tl.constexpr(int(Field.N_GROUPED))
_N_IDS = tl.constexpr(int(Field.N_IDS))
_SPANS_AT = tl.constexpr(int(Field.SPANS))
_N_SPANS = tl.constexpr(int(Field.N_SPANS))
_KINDS = tl.constexpr(int(Field.KINDS))
_STATES = tl.constexpr(int(Field.STATES))
_BOUNDED = tl.constexpr(int(Field.BOUNDED))
_LOWEST = tl.constexpr(int(Field.LOWEST))
_HIGHEST = tl.constexpr(int(Field.HIGHEST))
_FLAT = tl.constexpr(int(Field.FLAT))
_SLOPE = tl.constexpr(int(Field.SLOPE))
_NOW = tl.constexpr(int(Field.NOW))
_N_TIMES = tl.constexpr(N_TIMES)
_N_NUMBERS = tl.constexpr(N_NUMBERS)

_KEYWORD, _ENTITY, _TEMPORAL, _PLACE, _RETENTION = (tl.constexpr(int(which)) for which in Listed)
_N_LISTS = tl.constexpr(N_LISTS)
_LISTS = tl.constexpr(8)
"""A power of two, no fewer than the lists."""

_FRESH = tl.constexpr(OFFSETS["fresh_us"] // (8 * GROUP))
_IMPORTANCES = tl.constexpr(OFFSETS["importances"] // 4)
_STABILITIES = tl.constexpr(OFFSETS["stabilities"] // 4)
_SLOT = tl.constexpr(OFFSETS["slot"] // 4)
_LENGTHS = tl.constexpr(OFFSETS["lengths"] // 4)
_FIRST_SPAN = tl.constexpr(OFFSETS["first_span"] // 4)
_N_SPANS_OF = tl.constexpr(OFFSETS["n_spans"] // 4)
_KINDS_OF = tl.constexpr(OFFSETS["kinds"])
_STATES_OF = tl.constexpr(OFFSETS["states"])


@triton.jit
def _eligible(tile, fields, width, row, here):
    """Which rows the columns let through: alive, of the kinds and states, and between the bounds."""
    slots = tile.to(tl.pointer_type(tl.int32)) + _SLOT + row
    times = tile.to(tl.pointer_type(tl.int64)) + row
    numbers = tile.to(tl.pointer_type(tl.float32)) + _IMPORTANCES + row
    kinds = row * 0 + tl.load(fields + _KINDS * width)
    states = row * 0 + tl.load(fields + _STATES * width)
    used = row * 0 + tl.load(fields + _BOUNDED * width).to(tl.int32)
    kind = tl.load(tile + _KINDS_OF + row, here & (kinds != _EVERYTHING), 0).to(tl.int64)
    state = tl.load(tile + _STATES_OF + row, here & (states != _EVERYTHING), 0).to(tl.int64)
    passes = here & (tl.load(slots, here, -1) >= 0) & ((((kinds >> kind) & (states >> state)) & 1) != 0)
    for column in tl.static_range(_N_TIMES):
        is_used = ((used >> column) & 1) != 0
        low = tl.load(fields + (_LOWEST + column) * width)
        value = tl.load(times + column * _GROUP, here & is_used, 0)
        inside = (value >= low) & (value <= tl.load(fields + (_HIGHEST + column) * width))
        passes = passes & (inside | ~is_used)
    for column in tl.static_range(_N_NUMBERS):
        is_used = ((used >> (_N_TIMES + column)) & 1) != 0
        low = tl.load((fields + (_LOWEST + _N_TIMES + column) * width).to(tl.pointer_type(tl.float32)))
        value = tl.load(numbers + column * _GROUP, here & is_used, 0.0)
        inside = (value >= low) & (
            value <= tl.load((fields + (_HIGHEST + _N_TIMES + column) * width).to(tl.pointer_type(tl.float32)))
        )
        passes = passes & (inside | ~is_used)
    return passes


@triton.jit
def _buckets(directory, buckets, table, asked, n_asked, block):
    """Where the entries begin and end that `IDS` asked ids can be among, int32 `[IDS * DEPTH]`, `DEPTH` times each."""
    number = block + tl.arange(0, _IDS * _DEPTH) // _DEPTH
    is_asked = number < n_asked
    wanted = tl.load(table + asked + number * _ID_NUMBERS, is_asked, 0)
    bucket = directory + (wanted & (buckets - 1))
    return tl.load(bucket, is_asked, 0), tl.load(bucket + 1, is_asked, 0)


@triton.jit
def _matches(entries, first, end, table, asked, n_asked, block, penalty, keyword, row):
    """Looks for `IDS` asked ids among the entries of their buckets.

    Returns:
        The keyword scores of its rows with what these terms add, float32 `[32]`; and which rows hold the asked id of
        each lane, int32 `[IDS * DEPTH]` (in one of the lanes of an id, none in the others; of no use for terms).
    """
    lane = tl.arange(0, _IDS * _DEPTH)
    number = block + lane // _DEPTH
    is_asked = number < n_asked
    about = table + asked + number * _ID_NUMBERS
    wanted = tl.load(about, is_asked, 0)
    arena = tl.load(about + 1, is_asked, 0) & _ARENA
    held = tl.zeros([_IDS * _DEPTH], tl.int32)
    at = first + lane % _DEPTH
    for _ in range(0, tl.max(end - first), _DEPTH):
        inside = at < end
        found = tl.load(entries + 2 * at, inside, 0)
        rest = tl.load(entries + 2 * at + 1, inside, 0)
        is_it = inside & (found == wanted) & ((rest >> _ARENA_AT) == arena)
        held = held | tl.where(is_it, rest.to(tl.int32), 0)
        hits = is_it & (arena == _TERMS)
        waiting = tl.where(hits, lane, _IDS * _DEPTH)
        for _ in range(tl.sum(hits.to(tl.int32))):  # few: a loop over them takes fewer registers than all at once
            hit = tl.min(waiting)
            waiting = tl.where(lane == hit, _IDS * _DEPTH, waiting)
            entry = tl.load(entries + 2 * tl.sum(tl.where(lane == hit, at, 0)) + 1)
            worth = tl.load((table + asked + (block + hit // _DEPTH) * _ID_NUMBERS + 2).to(tl.pointer_type(tl.float32)))
            frequency = ((entry >> 32) & _FREQUENCY).to(tl.float32)
            holds = ((entry.to(tl.int32) >> row) & 1) != 0
            keyword += tl.where(holds, worth * (frequency / (frequency + penalty)), 0.0)
        at += _DEPTH
    return keyword, held


@triton.jit
def _held(directory, buckets, first, end, table, asked, n_asked, n_grouped, penalty, row):
    """What the rows of a group hold of the asked ids.

    Args:
        first, end: see `_buckets`, of the first `IDS` of them.

    Returns:
        Keyword, entity and place scores, float32 `[32]`, and whether the pairs of a row are as the filter wants them.
    """
    entries = directory.to(tl.pointer_type(tl.int64)) + (buckets // 4 + 1) * 2
    lane = tl.arange(0, _IDS * _DEPTH)
    keyword = tl.zeros([_GROUP], tl.float32)
    entity = tl.zeros([_GROUP], tl.float32)
    place = tl.zeros([_GROUP], tl.float32)
    passes = row >= 0
    holders = row * 0  # of the group of ids that is being walked through: a bit for each row, the same in all
    for block in range(0, n_asked, _IDS):
        keyword, held = _matches(entries, first, end, table, asked, n_asked, block, penalty, keyword, row)
        first, end = _buckets(directory, buckets, table, asked, n_asked, block + _IDS)
        for number in range(block, tl.minimum(block + _IDS, n_grouped)):
            about = table + asked + number * _ID_NUMBERS
            role = row * 0 + tl.load(about + 1).to(tl.int32)
            worth = tl.load((about + 2).to(tl.pointer_type(tl.float32)))
            holders = holders | tl.sum(tl.where(lane // _DEPTH == number - block, held, 0))
            is_last = (role & _LAST) != 0
            arena = role & _ARENA
            holds = ((holders >> row) & 1) != 0
            entity += tl.where(holds & is_last & (arena == _ENTITIES), worth, 0.0)
            place += tl.where(holds & is_last & (arena == _PLACES), worth, 0.0)
            is_wrong = holds == ((role & _FORBIDDEN) != 0)
            passes = passes & ~(is_wrong & is_last & (arena == _PAIRS))
            holders = tl.where(is_last, 0, holders)
    return keyword, entity, place, passes


@triton.jit
def _nearer(table, spans, n_spans, first, last, known, best, miss):
    """The better of `best` and the fit of one time of each row; the lesser of `miss` and its distance in widths.

    See `gpu.ops.interval_scan.reference`. Differences are of float64, for those of 64-bit times may overflow; what
    becomes of them is float32.
    """
    last = tl.maximum(first, last)
    length = tl.where(last > first, last.to(tl.float64) - first.to(tl.float64), 1.0).to(tl.float32)
    for number in range(n_spans):
        span = table + spans + number * _SPAN_NUMBERS
        start = tl.load(span)
        end = tl.load(span + 1)
        per_width = tl.load((span + 2).to(tl.pointer_type(tl.float32)))
        low = tl.maximum(first, start)
        high = tl.minimum(last, end)
        shared = (high.to(tl.float64) - low.to(tl.float64)).to(tl.float32)  # below 0 by the gap between them
        fit = tl.where(shared > 0.0, 0.5 + 0.5 * (shared / length), 0.0)
        fit = tl.where((start <= first) & (last <= end) & (first < end), 1.0, fit)
        best = tl.where(known, tl.maximum(best, fit), best)
        miss = tl.where(known, tl.minimum(miss, tl.maximum(-shared, 0.0) * per_width), miss)
    return best, miss


@triton.jit
def _temporal(occurred, first_span, count, directory, table, fields, width):
    """How well the times of rows fit the asked spans, float32 `[32]`; 0 where no time is known."""
    spans = tl.load(fields + _SPANS_AT * width)
    n_spans = tl.load(fields + _N_SPANS * width).to(tl.int32)
    best = tl.zeros([_GROUP], tl.float32)
    miss = tl.full([_GROUP], float("inf"), tl.float32)
    best, miss = _nearer(table, spans, n_spans, occurred, occurred, occurred != _UNKNOWN_US, best, miss)
    for number in range(tl.max(count)):
        known = number < count
        bounds = directory.to(tl.pointer_type(tl.int64)) + (first_span + number) * 2
        first = tl.load(bounds, known, 0)
        last = tl.load(bounds + 1, known, 0)
        best, miss = _nearer(table, spans, n_spans, first, last, known, best, miss)
    return tl.where((best == 0.0) & (miss < _FARTHEST), 0.5 * tl.exp(-miss), best)


@triton.jit(do_not_specialize=["n_queries", "steps"])
def scan(pool, table, n_queries, steps, scores, group_best, chunk_best, broken, GROUPS: tl.constexpr):
    """Score one chunk of one query's namespace for every list that the query asks for.

    Args:
        pool: the start of the memory that all pages lie in, a multiple of 16.
        table: int64, all that the queries ask: `[FIELDS, b + 1]` (see `fields`), a column for each query; then ids
            `[m, ID_NUMBERS]` and spans `[w, SPAN_NUMBERS]`, from where the fields say.
        steps: how often `b` can be halved.
        scores: float32 `[chunks, GROUPS, 32]`, written for groups in which the list finds something, -inf for the
            rows that are dead, let through by no filter, or have nothing of what is asked (a score of 0 or less).
        group_best, chunk_best: float32 `[chunks, GROUPS]` and `[chunks]`, the best of them.
        broken: int32 `[1]`, set to 1 if a page belongs to somebody else.
    """
    program = tl.program_id(0)
    width = n_queries + 1
    query = query_of(table + _FIRST_CHUNK * width, n_queries, steps, program)
    fields = table + query
    records = tl.load(fields + _RECORDS * width).to(tl.pointer_type(tl.int64))
    owner = tl.load(fields + _OWNER * width)
    mask_in = tl.load(fields + _MASK_IN * width)
    mask_out = tl.load(fields + _MASK_OUT * width)
    chunk = program - tl.load(fields + _FIRST_CHUNK * width).to(tl.int32)
    first_group = chunk * GROUPS
    last_group = tl.minimum(first_group + GROUPS, tl.load(fields + _N_GROUPS * width).to(tl.int32))
    asked = tl.load(fields + _IDS_AT * width)
    n_grouped = tl.load(fields + _N_GROUPED * width).to(tl.int32)
    flat = tl.load((fields + _FLAT * width).to(tl.pointer_type(tl.float32)))
    slope = tl.load((fields + _SLOPE * width).to(tl.pointer_type(tl.float32)))
    now = tl.load(fields + _NOW * width).to(tl.float64)
    keyword_at = tl.load(fields + (_STARTS + _KEYWORD) * width)
    temporal_at = tl.load(fields + (_STARTS + _TEMPORAL) * width)
    retention_at = tl.load(fields + (_STARTS + _RETENTION) * width)
    listed = tl.arange(0, _LISTS)
    starts = tl.load(fields + (_STARTS + listed) * width, listed < _N_LISTS, -1)
    is_listed = starts >= 0
    best = tl.full([_LISTS], float("-inf"), tl.float32)
    row = tl.arange(0, _GROUP)
    tile_at, _, page_at, generation, rows = record_of(records, first_group)
    buckets = tl.load(records + first_group * _RECORD + 5)
    for group in range(first_group, last_group):
        header = pool.to(tl.pointer_type(tl.int64)) + page_at * 2
        owned = (tl.load(header) == owner) & (tl.load(header + 1) == generation)
        if not owned:
            tl.store(broken, 1)
            rows = 0
        here = row < rows
        n_asked = tl.where(rows > 0, tl.load(fields + _N_IDS * width).to(tl.int32), 0)
        tile = pool + tile_at * 16
        directory = (tile + _TILE_UNITS * 16).to(tl.pointer_type(tl.int32))
        n_buckets = buckets
        # The next record is on its way while this group is read.
        following = tl.minimum(group + 1, last_group - 1)
        tile_at, _, page_at, generation, rows = record_of(records, following)
        buckets = tl.load(records + following * _RECORD + 5)
        # All that has a known place is asked for before anything waits: buckets, then columns.
        first, end = _buckets(directory, n_buckets, table, asked, n_asked, 0)
        passes = _eligible(tile, fields, width, row, here)
        position = group * _GROUP + row
        allowed = (mask_in + position).to(tl.pointer_type(tl.uint8))
        passes = passes & (tl.load(allowed, here & (row * 0 + mask_in != 0), 1) != 0)
        wholes = tile.to(tl.pointer_type(tl.int32)) + row
        longs = tile.to(tl.pointer_type(tl.int64)) + row
        lengths = tl.load(wholes + _LENGTHS, here & (row * 0 + keyword_at >= 0), 0)
        timed = here & (row * 0 + temporal_at >= 0)
        occurred = tl.load(longs, timed, _UNKNOWN_US)
        first_span = tl.load(wholes + _FIRST_SPAN, timed, 0)
        n_spans = tl.load(wholes + _N_SPANS_OF, timed, 0)
        kept = here & (row * 0 + retention_at >= 0)
        fresh = tl.load(longs + _FRESH * _GROUP, kept, 0)
        stability = tl.load(tile.to(tl.pointer_type(tl.float32)) + _STABILITIES + row, kept, 0.0)
        penalty = flat + slope * lengths.to(tl.float32)
        keyword, entity, place, carries = _held(
            directory, n_buckets, first, end, table, asked, n_asked, n_grouped, penalty, row
        )
        passes = passes & carries
        tl.store(
            (mask_out + position).to(tl.pointer_type(tl.uint8)), passes.to(tl.uint8), here & (row * 0 + mask_out != 0)
        )
        temporal = _temporal(occurred, first_span, n_spans, directory, table, fields, width)
        age_s = (tl.maximum(now - fresh.to(tl.float64), 0.0) * 1e-6).to(tl.float32)
        retention = tl.where(stability > 0.0, tl.exp(-age_s / tl.where(stability > 0.0, stability, 1.0)), 0.0)
        score = tl.where(listed[:, None] == _KEYWORD, keyword[None, :], entity[None, :])
        score = tl.where(listed[:, None] == _TEMPORAL, temporal[None, :], score)
        score = tl.where(listed[:, None] == _PLACE, place[None, :], score)
        score = tl.where(listed[:, None] == _RETENTION, retention[None, :], score)
        score = tl.where(passes[None, :] & (score > 0.0), score, float("-inf"))
        top = tl.max(score, axis=1)
        at = (starts + chunk) * GROUPS + group - first_group
        found = is_listed & (top > 0.0)
        tl.store(scores + at[:, None] * _GROUP + row[None, :], score, found[:, None] & (row >= 0)[None, :])
        tl.store(group_best + at, top, is_listed)
        best = tl.maximum(best, top)
    tl.store(chunk_best + starts + chunk, best, is_listed)
