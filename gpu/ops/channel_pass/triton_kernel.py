"""The pass over attributes, in Triton. `paged_search.select` makes the lists from its scores."""

from __future__ import annotations

import triton
import triton.language as tl

from gpu.bank.records import NEVER_US, UNKNOWN_US
from gpu.ops.channel_pass.fields import N_LISTS, N_NUMBERS, N_TIMES, Field
from gpu.ops.channel_pass.layout import (
    ARENA_SHIFT,
    BASES_AT,
    COLUMNS,
    COLUMNS_AT,
    DEAD,
    FORM_COLUMNS,
    LONG_AT,
    SHIFT_AT,
    SHORT_AT,
    STATES_AT,
)
from gpu.ops.channel_pass.questions import FORBIDDEN, ID_NUMBERS, LAST, SHORT, SPAN_NUMBERS, Held, Listed
from gpu.ops.paged_search.triton_kernel import GROUP, RECORD, record_of

IDS = 8
"""Asked ids that are looked up at a time."""
DEPTH = 4
"""Entries of a bucket that are looked at at a time: nearly every bucket has fewer."""

_GROUP = tl.constexpr(GROUP)
_RECORD = tl.constexpr(RECORD)
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

_NAMES = list(COLUMNS)
_OCCURRED = tl.constexpr(_NAMES.index("occurred_us"))
_RECORDED = tl.constexpr(_NAMES.index("recorded_from_us"))
_AFTER = tl.constexpr(_NAMES.index("recalled_after_us"))
_IMPORTANCE = tl.constexpr(_NAMES.index("importances"))
_STABILITY = tl.constexpr(_NAMES.index("stabilities"))
_LENGTH = tl.constexpr(_NAMES.index("lengths"))
_SPANS_OF = tl.constexpr(_NAMES.index("n_spans"))
_KIND = tl.constexpr(_NAMES.index("kinds"))
_STATES_AT = tl.constexpr(STATES_AT)
_BASES_AT = tl.constexpr(BASES_AT)
_COLUMNS_AT = tl.constexpr(COLUMNS_AT)
_N_COLUMNS = tl.constexpr(len(COLUMNS))
_FORM_COLUMNS = tl.constexpr(FORM_COLUMNS)
_LONG_AT = tl.constexpr(LONG_AT)
_SHORT_AT = tl.constexpr(SHORT_AT)
_SHIFT_AT = tl.constexpr(SHIFT_AT)
_DEAD = tl.constexpr(DEAD)
_SHORT = tl.constexpr(SHORT)
_NEVER_US = tl.constexpr(int(NEVER_US))


@triton.jit
def _form_of(records, group):
    """What a record says of the bytes of a group: widths of columns, number of spans, and the rest (see `layout`)."""
    record = records + group * _RECORD
    return tl.load(record + 1), (tl.load(record + 4) >> 32).to(tl.int32), tl.load(record + 5)


@triton.jit
def _width(form, more, column: tl.constexpr):
    """Bits of a value of a column, int32."""
    if column < _FORM_COLUMNS:  # noqa: SIM108 - a choice of constants has to be a statement to be made when compiled
        width = (form >> (8 * column)) & 0xFF
    else:
        width = (more >> (8 * (column - _FORM_COLUMNS))) & 0xFF
    return width.to(tl.int32)


@triton.jit
def _word_of(form, more, column: tl.constexpr):
    """The word at which a column begins, int32; for the number of columns: the words of all."""
    at = 0
    for before in tl.static_range(column):
        at += _width(form, more, before)
    return at


@triton.jit
def _values(tile, form, more, row, wanted, column: tl.constexpr, absent: tl.constexpr, LONG: tl.constexpr):
    """The values of a column, int64 `[32]`; the base of the column, or anything, for rows that are not wanted.

    Args:
        wanted: bool `[32]`.
        absent: what the highest code stands for; None if it is a code as any other.
        LONG: whether codes may have more than 32 bits.
    """
    width = row * 0 + _width(form, more, column)
    bit = row * width
    shift = (bit & 31).to(tl.int64)
    words = (tile + _COLUMNS_AT).to(tl.pointer_type(tl.uint32)) + _word_of(form, more, column) + (bit >> 5)
    base = tl.load((tile + _BASES_AT).to(tl.pointer_type(tl.int64)) + column + row * 0, wanted, 0)
    code = tl.load(words, wanted & (width > 0), 0).to(tl.int64) >> shift
    code |= tl.load(words + 1, wanted & (shift + width > 32), 0).to(tl.int64) << (32 - shift)
    if LONG:
        code |= tl.load(words + 2, wanted & (shift + width > 64), 0).to(tl.int64) << ((64 - shift) & 63)
    one = row.to(tl.int64) * 0 + 1
    highest = tl.where(width >= 64, -one, (one << (width & 63)) - 1)
    code &= highest
    value = base + code
    if absent is not None:
        value = tl.where((code == highest) & (width > 0), absent, value)
    return value


@triton.jit
def _bounds_of(fields, width, column: tl.constexpr):
    """What a filter lets a column be, int64 or the bits of float32."""
    return tl.load(fields + (_LOWEST + column) * width), tl.load(fields + (_HIGHEST + column) * width)


@triton.jit
def _inside(tile, form, more, fields, width, row, here, used, column: tl.constexpr, absent: tl.constexpr):
    """Which rows have a time between the bounds of a filter, or one that it does not bound."""
    is_used = ((used >> column) & 1) != 0
    low, high = _bounds_of(fields, width, column)
    value = _values(tile, form, more, row, here & is_used, column, absent, True)
    return ((value >= low) & (value <= high)) | ~is_used


@triton.jit
def _eligible(tile, form, more, fields, width, row, here):
    """Which rows the columns let through: alive, of the kinds and states, and between the bounds."""
    kinds = row * 0 + tl.load(fields + _KINDS * width)
    states = row * 0 + tl.load(fields + _STATES * width)
    used = row * 0 + tl.load(fields + _BOUNDED * width).to(tl.int32)
    state = tl.load(tile + _STATES_AT + row, here, _DEAD).to(tl.int64)
    kind = _values(tile, form, more, row, here & (kinds != _EVERYTHING), _KIND, None, False)
    passes = here & (state != _DEAD) & ((((kinds >> (kind & 63)) & (states >> (state & 63))) & 1) != 0)
    passes = passes & _inside(tile, form, more, fields, width, row, here, used, 0, _UNKNOWN_US)
    passes = passes & _inside(tile, form, more, fields, width, row, here, used, 1, _UNKNOWN_US)
    passes = passes & _inside(tile, form, more, fields, width, row, here, used, 2, _NEVER_US)
    passes = passes & _inside(tile, form, more, fields, width, row, here, used, 3, None)
    passes = passes & _inside(tile, form, more, fields, width, row, here, used, 4, _NEVER_US)
    for number in tl.static_range(_N_NUMBERS):
        is_used = ((used >> (_N_TIMES + number)) & 1) != 0
        low, high = _bounds_of(fields, width, _N_TIMES + number)
        value = _values(tile, form, more, row, here & is_used, _IMPORTANCE + number, None, False)
        value = value.to(tl.int32).to(tl.float32, bitcast=True)
        least = low.to(tl.int32).to(tl.float32, bitcast=True)
        most = high.to(tl.int32).to(tl.float32, bitcast=True)
        passes = passes & (((value >= least) & (value <= most)) | ~is_used)
    return passes


@triton.jit
def _directory_of(tile, form, more, n_spans):
    """The directory of a group, which lies behind its spans."""
    units = (_word_of(form, more, _N_COLUMNS) + 3) // 4 + n_spans
    return (tile + _COLUMNS_AT + units.to(tl.int64) * 16).to(tl.pointer_type(tl.uint16))


@triton.jit
def _buckets_of(more):
    """The numbers of buckets of long and of short entries."""
    return 1 << ((more >> _LONG_AT) & 0xFF).to(tl.int32), 1 << ((more >> _SHORT_AT) & 0xFF).to(tl.int32)


@triton.jit
def _buckets(directory, more, table, asked, n_asked, block):
    """Where the entries begin and end that `IDS` asked ids can be among, int32 `[IDS * DEPTH]`, `DEPTH` times each."""
    number = block + tl.arange(0, _IDS * _DEPTH) // _DEPTH
    is_asked = number < n_asked
    about = table + asked + number * _ID_NUMBERS
    wanted = tl.load(about, is_asked, 0)
    is_short = (tl.load(about + 1, is_asked, 0) & _SHORT) != 0
    longs, shorts = _buckets_of(more)
    bucket = tl.where(is_short, longs + 1 + (wanted & (shorts - 1)), wanted & (longs - 1))
    shift = ((more >> _SHIFT_AT) & 0xFF).to(tl.int32)
    first = tl.load(directory + bucket, is_asked, 0).to(tl.int32)
    end = tl.load(directory + bucket + 1, is_asked, 0).to(tl.int32)
    return first << shift, end << shift


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
    role = tl.load(about + 1, is_asked, 0)
    arena = role & _ARENA
    is_short = (role & _SHORT) != 0
    step = tl.where(is_short, 1, 2)
    held = tl.zeros([_IDS * _DEPTH], tl.int32)
    at = first + lane % _DEPTH
    for _ in range(0, tl.max(end - first), _DEPTH):
        inside = at < end
        found = tl.load(entries + step * at, inside, 0)
        rest = tl.load(entries + 2 * at + 1, inside & ~is_short, 0)
        is_it = tl.where(is_short, (found & 0xFFFFFFFF) == wanted, (found == wanted) & ((rest >> _ARENA_AT) == arena))
        is_it = is_it & inside
        rows = tl.where(is_short, found >> 32, rest).to(tl.int32)
        often = tl.where(is_short, 1, ((rest >> 32) & _FREQUENCY).to(tl.int32))
        held = held | tl.where(is_it, rows, 0)
        hits = is_it & (arena == _TERMS)
        waiting = tl.where(hits, lane, _IDS * _DEPTH)
        for _ in range(tl.sum(hits.to(tl.int32))):  # few: a loop over them takes fewer registers than all at once
            hit = tl.min(waiting)
            is_hit = lane == hit
            waiting = tl.where(is_hit, _IDS * _DEPTH, waiting)
            worth = tl.load((table + asked + (block + hit // _DEPTH) * _ID_NUMBERS + 2).to(tl.pointer_type(tl.float32)))
            frequency = tl.sum(tl.where(is_hit, often, 0)).to(tl.float32)
            holds = ((tl.sum(tl.where(is_hit, rows, 0)) >> row) & 1) != 0
            keyword += tl.where(holds, worth * (frequency / (frequency + penalty)), 0.0)
        at += _DEPTH
    return keyword, held


@triton.jit
def _held(directory, more, first, end, table, asked, n_asked, n_grouped, penalty, row):
    """What the rows of a group hold of the asked ids.

    Args:
        first, end: see `_buckets`, of the first `IDS` of them.

    Returns:
        Keyword, entity and place scores, float32 `[32]`, and whether the pairs of a row are as the filter wants them.
    """
    longs, shorts = _buckets_of(more)
    entries = directory.to(tl.pointer_type(tl.int64)) + (longs + shorts + 2 + 7) // 8 * 2
    lane = tl.arange(0, _IDS * _DEPTH)
    keyword = tl.zeros([_GROUP], tl.float32)
    entity = tl.zeros([_GROUP], tl.float32)
    place = tl.zeros([_GROUP], tl.float32)
    passes = row >= 0
    holders = row * 0  # of the group of ids that is being walked through: a bit for each row, the same in all
    for block in range(0, n_asked, _IDS):
        keyword, held = _matches(entries, first, end, table, asked, n_asked, block, penalty, keyword, row)
        first, end = _buckets(directory, more, table, asked, n_asked, block + _IDS)
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
def _temporal(occurred, count, all_spans, table, fields, width):
    """How well the times of rows fit the asked spans, float32 `[32]`; 0 where no time is known.

    Args:
        occurred: int64 `[32]`.
        count: int32 `[32]`, how many spans each row speaks of.
        all_spans: where those of the group begin.
    """
    spans = tl.load(fields + _SPANS_AT * width)
    n_spans = tl.load(fields + _N_SPANS * width).to(tl.int32)
    best = tl.zeros([_GROUP], tl.float32)
    miss = tl.full([_GROUP], float("inf"), tl.float32)
    best, miss = _nearer(table, spans, n_spans, occurred, occurred, occurred != _UNKNOWN_US, best, miss)
    first_span = tl.cumsum(count) - count
    for number in range(tl.max(count)):
        known = number < count
        bounds = all_spans + (first_span + number) * 2
        first = tl.load(bounds, known, 0)
        last = tl.load(bounds + 1, known, 0)
        best, miss = _nearer(table, spans, n_spans, first, last, known, best, miss)
    return tl.where((best == 0.0) & (miss < _FARTHEST), 0.5 * tl.exp(-miss), best)


@triton.jit(do_not_specialize=["n_queries"])
def scan(pool, table, programs, n_queries, scores, group_best, chunk_best, broken, GROUPS: tl.constexpr):
    """Score one chunk of one query's namespace for every list that the query asks for.

    Args:
        pool: the start of the memory that all pages lie in, a multiple of 16.
        table: int64, all that the queries ask: `[FIELDS, b + 1]` (see `fields`), a column for each query; then ids
            `[m, ID_NUMBERS]` and spans `[w, SPAN_NUMBERS]`, from where the fields say.
        programs: int64 `[chunks]`, the query of each.
        scores: float32 `[chunks, GROUPS, 32]`, written for groups in which the list finds something, -inf for the
            rows that are dead, let through by no filter, or have nothing of what is asked (a score of 0 or less).
        group_best, chunk_best: float32 `[chunks, GROUPS]` and `[chunks]`, the best of them.
        broken: int32 `[1]`, set to 1 if a page belongs to somebody else.
    """
    program = tl.program_id(0)
    width = n_queries + 1
    query = tl.load(programs + program)
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
    form, all_spans, more = _form_of(records, first_group)
    for group in range(first_group, last_group):
        header = pool.to(tl.pointer_type(tl.int64)) + page_at * 2
        owned = (tl.load(header) == owner) & (tl.load(header + 1) == generation)
        if not owned:
            tl.store(broken, 1)
            rows = 0
        here = row < rows
        n_asked = tl.where(rows > 0, tl.load(fields + _N_IDS * width).to(tl.int32), 0)
        tile = pool + tile_at * 16
        widths, rest = form, more
        directory = _directory_of(tile, widths, rest, all_spans)
        spans = directory.to(tl.pointer_type(tl.int64)) - all_spans * 2
        # The next record is on its way while this group is read.
        following = tl.minimum(group + 1, last_group - 1)
        tile_at, _, page_at, generation, rows = record_of(records, following)
        form, all_spans, more = _form_of(records, following)
        # All that has a known place is asked for before anything waits: buckets, then columns.
        first, end = _buckets(directory, rest, table, asked, n_asked, 0)
        passes = _eligible(tile, widths, rest, fields, width, row, here)
        position = group * _GROUP + row
        allowed = (mask_in + position).to(tl.pointer_type(tl.uint8))
        passes = passes & (tl.load(allowed, here & (row * 0 + mask_in != 0), 1) != 0)
        lengths = _values(tile, widths, rest, row, here & (row * 0 + keyword_at >= 0), _LENGTH, None, False)
        timed = here & (row * 0 + temporal_at >= 0)
        occurred = _values(tile, widths, rest, row, timed, _OCCURRED, _UNKNOWN_US, True)
        occurred = tl.where(timed, occurred, _UNKNOWN_US)
        n_spans = _values(tile, widths, rest, row, timed, _SPANS_OF, None, False)
        n_spans = tl.where(timed, n_spans, 0).to(tl.int32)
        kept = here & (row * 0 + retention_at >= 0)
        fresh = _values(tile, widths, rest, row, kept, _RECORDED, None, True)
        fresh += _values(tile, widths, rest, row, kept, _AFTER, None, True)
        stability = _values(tile, widths, rest, row, kept, _STABILITY, None, False)
        stability = tl.where(kept, stability.to(tl.int32).to(tl.float32, bitcast=True), 0.0)
        penalty = flat + slope * lengths.to(tl.float32)
        keyword, entity, place, carries = _held(
            directory, rest, first, end, table, asked, n_asked, n_grouped, penalty, row
        )
        passes = passes & carries
        tl.store(
            (mask_out + position).to(tl.pointer_type(tl.uint8)), passes.to(tl.uint8), here & (row * 0 + mask_out != 0)
        )
        temporal = _temporal(occurred, n_spans, spans, table, fields, width)
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
