"""The pass over attributes, in Triton. `paged_search.select` makes the lists from its scores.

Two steps over the groups of a chunk: what is asked by id is looked for in all of them at once, a lane for each; then
the columns of one after the other are read, a lane for each row.
"""

from __future__ import annotations

import triton
import triton.language as tl

from gpu.bank.records import UNKNOWN_US
from gpu.ops.channel_pass.fields import FIELDS, Field
from gpu.ops.channel_pass.layout import COLUMNS
from gpu.ops.channel_pass.questions import Listed
from gpu.ops.channel_pass.triton_columns import eligible, numbers_of, spans_at, times_of
from gpu.ops.channel_pass.triton_entries import MOST_GROUPS, group_of, grouped, groups_of, terms
from gpu.ops.channel_pass.triton_times import retention, temporal_fit
from gpu.ops.paged_search.triton_kernel import GROUP

_GROUP = tl.constexpr(GROUP)
_MOST_GROUPS = tl.constexpr(MOST_GROUPS)
_FIELDS = tl.constexpr(FIELDS)
_UNKNOWN_US = tl.constexpr(int(UNKNOWN_US))

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
_BOUNDED = tl.constexpr(int(Field.BOUNDED))
_FLAT = tl.constexpr(int(Field.FLAT))
_SLOPE = tl.constexpr(int(Field.SLOPE))
_NOW = tl.constexpr(int(Field.NOW))

_KEYWORD, _ENTITY, _TEMPORAL, _PLACE, _RETENTION = (tl.constexpr(int(which)) for which in Listed)

_NAMES = list(COLUMNS)
_OCCURRED = tl.constexpr(_NAMES.index("occurred_us"))
_RECORDED = tl.constexpr(_NAMES.index("recorded_from_us"))
_AFTER = tl.constexpr(_NAMES.index("recalled_after_us"))
_STABILITY = tl.constexpr(_NAMES.index("stabilities"))
_SPANS_OF = tl.constexpr(_NAMES.index("n_spans"))


@triton.jit
def _listed(scores, place, row, score, passes, number, group, tops):
    """Writes what a group's rows have in a list, and notes the best of it, bits of float32; positive ones order alike.

    Args:
        place: of the group among those of the list.
        number, group: what the groups of the chunk are called, int32 `[MOST_GROUPS]`, and which it is.
        tops: int32 `[MOST_GROUPS]`, the best of each group.
    """
    score = tl.where(passes & (score > 0.0), score, 0.0)
    top = tl.max(score.to(tl.int32, bitcast=True))
    tl.store(scores + place * _GROUP + row, tl.where(score > 0.0, score, float("-inf")), row * 0 + top > 0)
    return tl.where(number == group, top, tops)


@triton.jit
def _best(group_best, chunk_best, start, chunk, number, tops, GROUPS: tl.constexpr):
    """Writes the best of the groups of a chunk, and of the chunk, for a list that is asked for."""
    best = tl.where(tops > 0, tops.to(tl.float32, bitcast=True), float("-inf"))
    tl.store(group_best + (start + chunk) * GROUPS + number, best, (number < GROUPS) & (number * 0 + start >= 0))
    tl.store(chunk_best + start + chunk, tl.max(best), start >= 0)


@triton.jit
def scan(pool, table, programs, scores, group_best, chunk_best, broken, GROUPS: tl.constexpr):
    """Score one chunk of one query's namespace for every list that the query asks for.

    For one warp: a lane reads again what it wrote of its row, see `triton_entries`.

    Args:
        pool: the start of the memory that all pages lie in, a multiple of 16.
        table: int64, all that the queries ask: `[b, FIELDS]` (see `fields`); ids `[m, ID_NUMBERS]` and spans
            `[w, SPAN_NUMBERS]` from where the fields say.
        programs: int64 `[chunks]`, the query of each.
        scores: float32 `[chunks, GROUPS, 32]`, -inf for rows that are dead, let through by no filter, or have nothing
            of what is asked (a score of 0 or less); of no use for groups in which the list finds nothing.
        group_best, chunk_best: float32 `[chunks, GROUPS]` and `[chunks]`, the best of them.
        broken: int32 `[1]`, set to 1 if a page belongs to somebody else.
        GROUPS: of a chunk, at most `MOST_GROUPS`.
    """
    program = tl.program_id(0)
    fields = table + tl.load(programs + program) * _FIELDS
    records = tl.load(fields + _RECORDS).to(tl.pointer_type(tl.int64))
    chunk = program - tl.load(fields + _FIRST_CHUNK).to(tl.int32)
    first_group = chunk * GROUPS
    last_group = tl.minimum(first_group + GROUPS, tl.load(fields + _N_GROUPS).to(tl.int32))
    keyword_at = tl.load(fields + (_STARTS + _KEYWORD))
    entity_at = tl.load(fields + (_STARTS + _ENTITY))
    temporal_at = tl.load(fields + (_STARTS + _TEMPORAL))
    place_at = tl.load(fields + (_STARTS + _PLACE))
    retention_at = tl.load(fields + (_STARTS + _RETENTION))
    asked = tl.load(fields + _IDS_AT)
    n_grouped = tl.load(fields + _N_GROUPED).to(tl.int32)
    owner = tl.load(fields + _OWNER)

    alive, directory, abouts = groups_of(pool, records, first_group, last_group, owner, broken)
    alive, in_entity, in_place = grouped(
        table, asked, n_grouped, alive, directory, abouts, scores,
        (entity_at + chunk) * GROUPS, (place_at + chunk) * GROUPS,
    )  # fmt: skip
    in_keyword = terms(
        pool, records, first_group, table, asked, n_grouped, tl.load(fields + _N_IDS).to(tl.int32),
        alive, directory, abouts,
        tl.load((fields + _FLAT).to(tl.pointer_type(tl.float32))),
        tl.load((fields + _SLOPE).to(tl.pointer_type(tl.float32))),
        scores, (keyword_at + chunk) * GROUPS,
    )  # fmt: skip

    mask_in = tl.load(fields + _MASK_IN)
    mask_out = tl.load(fields + _MASK_OUT)
    used = tl.load(fields + _BOUNDED).to(tl.int32)
    spans = tl.load(fields + _SPANS_AT)
    n_spans = tl.load(fields + _N_SPANS).to(tl.int32)
    now = tl.load(fields + _NOW).to(tl.float64)
    row = tl.arange(0, _GROUP)
    number = tl.arange(0, _MOST_GROUPS)
    keyword_tops = number * 0
    entity_tops = number * 0
    temporal_tops = number * 0
    place_tops = number * 0
    retention_tops = number * 0
    piece, form, count, more = group_of(pool, records, first_group)
    for group in range(last_group - first_group):
        # The next record is on its way while this group is read.
        next_piece, next_form, next_count, next_more = group_of(
            pool, records, tl.minimum(first_group + group + 1, last_group - 1)
        )
        rows = tl.sum(tl.where(number == group, alive, 0))
        position = (first_group + group) * _GROUP + row
        passes = ((rows >> row) & 1) != 0
        if rows != 0:
            # All columns have known places: they are asked for before anything waits.
            timed = row * 0 + temporal_at >= 0
            kept = row * 0 + retention_at >= 0
            occurred = times_of(piece, form, more, row, timed | (row * 0 + (used & 1) != 0), _OCCURRED, _UNKNOWN_US)
            recorded = times_of(piece, form, more, row, kept | (row * 0 + (used & 8) != 0), _RECORDED, None)
            after = times_of(piece, form, more, row, kept, _AFTER, None)
            stability = numbers_of(piece, form, more, row, kept, _STABILITY).to(tl.float32, bitcast=True)
            n_told = tl.where(row < count.to(tl.int32), numbers_of(piece, form, more, row, timed, _SPANS_OF), 0)
            passes = eligible(piece, form, more, fields, row, passes, occurred, recorded)
            allowed = (mask_in + position).to(tl.pointer_type(tl.uint8))
            passes = passes & (tl.load(allowed, passes & (row * 0 + mask_in != 0), 1) != 0)
            if temporal_at >= 0:
                told = (piece + spans_at(form, more)).to(tl.pointer_type(tl.int64))
                fit = temporal_fit(occurred, n_told, passes, told, table, spans, n_spans)
                place = (temporal_at + chunk) * GROUPS + group
                temporal_tops = _listed(scores, place, row, fit, passes, number, group, temporal_tops)
            if retention_at >= 0:
                place = (retention_at + chunk) * GROUPS + group
                still = retention(now, recorded + after, stability)
                retention_tops = _listed(scores, place, row, still, passes, number, group, retention_tops)
            if ((in_keyword >> group) & 1) != 0:
                place = (keyword_at + chunk) * GROUPS + group
                sums = tl.load(scores + place * _GROUP + row)
                keyword_tops = _listed(scores, place, row, sums, passes, number, group, keyword_tops)
            if ((in_entity >> group) & 1) != 0:
                place = (entity_at + chunk) * GROUPS + group
                sums = tl.load(scores + place * _GROUP + row)
                entity_tops = _listed(scores, place, row, sums, passes, number, group, entity_tops)
            if ((in_place >> group) & 1) != 0:
                place = (place_at + chunk) * GROUPS + group
                sums = tl.load(scores + place * _GROUP + row)
                place_tops = _listed(scores, place, row, sums, passes, number, group, place_tops)
        there = (row < count.to(tl.int32)) & (row * 0 + mask_out != 0)
        tl.store((mask_out + position).to(tl.pointer_type(tl.uint8)), passes.to(tl.uint8), there)
        piece, form, count, more = next_piece, next_form, next_count, next_more
    _best(group_best, chunk_best, keyword_at, chunk, number, keyword_tops, GROUPS)
    _best(group_best, chunk_best, entity_at, chunk, number, entity_tops, GROUPS)
    _best(group_best, chunk_best, temporal_at, chunk, number, temporal_tops, GROUPS)
    _best(group_best, chunk_best, place_at, chunk, number, place_tops, GROUPS)
    _best(group_best, chunk_best, retention_at, chunk, number, retention_tops, GROUPS)
