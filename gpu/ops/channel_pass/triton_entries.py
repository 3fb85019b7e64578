"""Which rows of many groups hold the ids that are asked for, in Triton: a lane looks into a group's bucket.

Most groups hold none of what is asked, so nothing is done for rows here but for those few that hold something.
"""

from __future__ import annotations

import triton
import triton.language as tl

from gpu.ops.channel_pass.layout import ARENA_SHIFT, COLUMNS, LONG_AT, SHIFT_AT, SHORT_AT
from gpu.ops.channel_pass.questions import FORBIDDEN, ID_NUMBERS, LAST, Held
from gpu.ops.channel_pass.triton_columns import numbers_of, spans_at
from gpu.ops.paged_search.triton_kernel import GROUP, RECORD

MOST_GROUPS = 32
"""Of a chunk: a lane of a warp for each, and a bit of an int32."""
DEPTH = 4
"""Entries of a bucket that are looked at at a time: nearly every bucket has fewer."""

_GROUP = tl.constexpr(GROUP)
_MOST_GROUPS = tl.constexpr(MOST_GROUPS)
_RECORD = tl.constexpr(RECORD)
_DEPTH = tl.constexpr(DEPTH)
_ID_NUMBERS = tl.constexpr(ID_NUMBERS)
_ARENA_AT = tl.constexpr(32 + ARENA_SHIFT)
_FREQUENCY = tl.constexpr((1 << ARENA_SHIFT) - 1)
_LAST = tl.constexpr(LAST)
_FORBIDDEN = tl.constexpr(FORBIDDEN)
_ARENA = tl.constexpr(0xFF)
_TERMS = tl.constexpr(int(Held.TERMS))
_ENTITIES = tl.constexpr(int(Held.ENTITIES))
_PAIRS = tl.constexpr(int(Held.PAIRS))
_LENGTH = tl.constexpr(list(COLUMNS).index("lengths"))
_LONG_AT = tl.constexpr(LONG_AT)
_SHORT_AT = tl.constexpr(SHORT_AT)
_SHIFT_AT = tl.constexpr(SHIFT_AT)


@triton.jit
def group_of(pool, records, group):
    """What the records of one or many groups say: where they lie, their form, rows and spans, and the rest."""
    record = records + group * _RECORD
    return pool + tl.load(record) * 16, tl.load(record + 1), tl.load(record + 4), tl.load(record + 5)


@triton.jit
def _directory_of(piece, form, count, more):
    """The directory of a group, which lies behind its spans."""
    return (piece + spans_at(form, more) + (count >> 32) * 16).to(tl.pointer_type(tl.uint16))


@triton.jit
def groups_of(pool, records, first_group, last_group, owner, broken):
    """The groups of a chunk, a lane for each.

    Returns:
        Which rows may be read, int32 `[MOST_GROUPS]`, a bit each: none of a group whose page is somebody else's; and
        where directories lie, and what the records say of them.
    """
    number = first_group + tl.arange(0, _MOST_GROUPS)
    is_group = number < last_group
    number = tl.minimum(number, last_group - 1)
    piece, form, count, more = group_of(pool, records, number)
    record = records + number * _RECORD
    header = pool.to(tl.pointer_type(tl.int64)) + tl.load(record + 2) * 2
    owned = (tl.load(header) == owner) & (tl.load(header + 1) == tl.load(record + 3))
    tl.store(broken + number * 0, 1, ~owned)
    rows = ((count * 0 + 1) << (count & 63)) - 1
    return tl.where(is_group & owned, rows.to(tl.int32), 0), _directory_of(piece, form, count, more), more


@triton.jit
def _longs_of(more):
    """The number of buckets of long entries."""
    return 1 << ((more >> _LONG_AT) & 0xFF).to(tl.int32)


@triton.jit
def _shorts_of(more):
    """The number of buckets of short entries."""
    return 1 << ((more >> _SHORT_AT) & 0xFF).to(tl.int32)


@triton.jit
def _entries_of(directory, more):
    """Where the entries of groups lie."""
    return directory.to(tl.pointer_type(tl.int64)) + (_longs_of(more) + _shorts_of(more) + 2 + 7) // 8 * 2


@triton.jit
def _bucket(directory, more, bucket, here):
    """Where the entries of a bucket of each group begin and end, int32 `[MOST_GROUPS]`; nowhere but here."""
    shift = ((more >> _SHIFT_AT) & 0xFF).to(tl.int32)
    first = tl.load(directory + bucket, here, 0).to(tl.int32)
    end = tl.load(directory + bucket + 1, here, 0).to(tl.int32)
    return first << shift, end << shift


@triton.jit
def _long_rows(entries, at, end, wanted, arena):
    """Which rows hold an id by a long entry, int32, of one or of many groups; none behind the end."""
    found = tl.load(entries + 2 * at, at < end, 0)
    rest = tl.load(entries + 2 * at + 1, at < end, 0)
    return tl.where((found == wanted) & ((rest >> _ARENA_AT) == arena), rest.to(tl.int32), 0)


@triton.jit
def _frequencies(entries, first, end, wanted, row):
    """How often rows of a group hold a term, int32 `[32]`: 1 where no long entry of its bucket says more."""
    frequency = row * 0 + 1
    for entry in range(first, end):
        rows = _long_rows(entries, entry, end, wanted, _TERMS)
        often = (tl.load(entries + 2 * entry + 1) >> 32).to(tl.int32) & _FREQUENCY
        frequency = tl.where(((rows >> row) & 1) != 0, often, frequency)
    return frequency


@triton.jit
def _first_of(waiting, number):
    """The first group that still waits, and its rows, both int32; and the others."""
    group = tl.min(tl.where(waiting != 0, number, _MOST_GROUPS))
    is_it = number == group
    return group, tl.sum(tl.where(is_it, waiting, 0)), tl.where(is_it, 0, waiting)


@triton.jit
def _credit(scores, known, place, group, amount):
    """Adds to what the rows of a group have in a list; they have something from then on.

    A lane reads what itself wrote for its row, so that nothing has to be waited for.

    Args:
        known: int32, the groups that have something already, a bit each.
        place: of the chunk's first group among the list's.
        amount: float32 `[32]`.
    """
    row = tl.arange(0, _GROUP)
    at = scores + (place + group) * _GROUP + row
    before = tl.load(at, row * 0 + ((known >> group) & 1) != 0, 0.0)
    tl.store(at, before + amount)
    return known | (1 << group)


@triton.jit
def grouped(table, asked, n_grouped, alive, directory, more, scores, entity_at, place_at):
    """Takes rows out whose pairs are not as the filter wants them; scores the others by entities and places.

    Pairs come first: rows that they take out have nothing to be scored.

    Args:
        alive: int32 `[MOST_GROUPS]`, rows that may be found.
        entity_at, place_at: where the groups of the chunk lie among those of these lists.

    Returns:
        Rows that may still be found, and which groups have something in the two lists, int32.
    """
    number = tl.arange(0, _MOST_GROUPS)
    row = tl.arange(0, _GROUP)
    longs = _longs_of(more)
    entries = _entries_of(directory, more)
    holders = alive * 0  # of the group of ids that is being walked through
    in_entity = 0
    in_place = 0
    for i in range(n_grouped):
        about = table + asked + i * _ID_NUMBERS
        wanted = tl.load(about)
        role = tl.load(about + 1).to(tl.int32)
        arena = role & _ARENA
        at, end = _bucket(directory, more, wanted.to(tl.int32) & (longs - 1), alive != 0)
        for _ in range(0, tl.max(end - at), _DEPTH):
            for depth in tl.static_range(_DEPTH):
                holders |= _long_rows(entries, at + depth, end, wanted, arena)
            at += _DEPTH
        is_last = (role & _LAST) != 0
        is_pair = arena == _PAIRS
        carrying = tl.where((role & _FORBIDDEN) != 0, ~holders, holders)
        alive = tl.where(is_last & is_pair, alive & carrying, alive)
        waiting = tl.where(is_last & (arena != _PAIRS), holders & alive, 0)
        holders = tl.where(is_last, 0, holders)
        is_entity = arena == _ENTITIES
        for _ in range(tl.sum((waiting != 0).to(tl.int32))):  # few
            group, rows, waiting = _first_of(waiting, number)
            worth = tl.load((about + 2).to(tl.pointer_type(tl.float32)))
            amount = tl.where(((rows >> row) & 1) != 0, worth, 0.0)
            known = tl.where(is_entity, in_entity, in_place)
            known = _credit(scores, known, tl.where(is_entity, entity_at, place_at), group, amount)
            in_entity = tl.where(is_entity, known, in_entity)
            in_place = tl.where(is_entity, in_place, known)
    return alive, in_entity, in_place


@triton.jit
def terms(
    pool, records, first_group, table, asked, n_grouped, n_asked, alive, directory, more, flat, slope, scores, place
):  # fmt: skip
    """Scores rows by the terms that they hold, one term after the other: equal rows have equal sums.

    A term is looked for among what rows hold once and among the rest.

    Args:
        n_grouped, n_asked: the first of the asked ids that is a term, and how many ids there are.
        flat, slope: BM25's penalty of a row, and that of each of its tokens.
        place: where the groups of the chunk lie among those of the list.

    Returns:
        Which groups have something in the list, int32.
    """
    in_keyword = 0
    number = tl.arange(0, _MOST_GROUPS)
    row = tl.arange(0, _GROUP)
    longs, shorts = _longs_of(more), _shorts_of(more)
    entries = _entries_of(directory, more)
    here = alive != 0
    for i in range(n_grouped, n_asked):
        about = table + asked + i * _ID_NUMBERS
        wanted = tl.load(about)
        at, end = _bucket(directory, more, longs + 1 + (wanted.to(tl.int32) & (shorts - 1)), here)
        first_long, end_long = _bucket(directory, more, wanted.to(tl.int32) & (longs - 1), here)
        at_long = first_long
        once = alive * 0
        often = alive * 0
        for _ in range(0, tl.max(tl.maximum(end - at, end_long - at_long)), _DEPTH):
            for depth in tl.static_range(_DEPTH):
                found = tl.load(entries + at + depth, at + depth < end, 0)
                once |= tl.where((found & 0xFFFFFFFF) == wanted, (found >> 32).to(tl.int32), 0)
                often |= _long_rows(entries, at_long + depth, end_long, wanted, _TERMS)
            at += _DEPTH
            at_long += _DEPTH
        waiting = (once | often) & alive
        for _ in range(tl.sum((waiting != 0).to(tl.int32))):  # few
            group, holders, waiting = _first_of(waiting, number)
            is_it = number == group
            piece, form, count, rest = group_of(pool, records, first_group + group)
            times = row * 0 + 1
            if tl.sum(tl.where(is_it, often, 0)) != 0:
                own = _entries_of(_directory_of(piece, form, count, rest), rest)
                first = tl.sum(tl.where(is_it, first_long, 0))
                times = _frequencies(own, first, tl.sum(tl.where(is_it, end_long, 0)), wanted, row)
            lengths = numbers_of(piece, form, rest, row, row >= 0, _LENGTH).to(tl.uint32, bitcast=True)
            penalty = flat + slope * lengths.to(tl.float32)
            worth = tl.load((about + 2).to(tl.pointer_type(tl.float32)))
            frequency = times.to(tl.float32)
            amount = tl.where(((holders >> row) & 1) != 0, worth * (frequency / (frequency + penalty)), 0.0)
            in_keyword = _credit(scores, in_keyword, place, group, amount)
    return in_keyword
