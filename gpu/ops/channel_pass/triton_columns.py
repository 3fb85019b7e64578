"""The columns of a group (see `layout`), and which rows a filter over them lets through, in Triton."""

from __future__ import annotations

import triton
import triton.language as tl

from gpu.bank.records import NEVER_US, UNKNOWN_US
from gpu.ops.channel_pass.fields import N_NUMBERS, N_TIMES, Field
from gpu.ops.channel_pass.layout import BASES_AT, COLUMNS, COLUMNS_AT, DEAD, FORM_COLUMNS, STATES_AT

_EVERYTHING = tl.constexpr((1 << 63) - 1)
_UNKNOWN_US = tl.constexpr(int(UNKNOWN_US))
_NEVER_US = tl.constexpr(int(NEVER_US))
_DEAD = tl.constexpr(DEAD)

_KINDS = tl.constexpr(int(Field.KINDS))
_STATES = tl.constexpr(int(Field.STATES))
_BOUNDED = tl.constexpr(int(Field.BOUNDED))
_LOWEST = tl.constexpr(int(Field.LOWEST))
_HIGHEST = tl.constexpr(int(Field.HIGHEST))
_N_TIMES = tl.constexpr(N_TIMES)
_N_NUMBERS = tl.constexpr(N_NUMBERS)

_NAMES = list(COLUMNS)
_IMPORTANCE = tl.constexpr(_NAMES.index("importances"))
_KIND = tl.constexpr(_NAMES.index("kinds"))
_STATES_AT = tl.constexpr(STATES_AT)
_BASES_AT = tl.constexpr(BASES_AT)
_COLUMNS_AT = tl.constexpr(COLUMNS_AT)
_N_COLUMNS = tl.constexpr(len(COLUMNS))
_FORM_COLUMNS = tl.constexpr(FORM_COLUMNS)


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
def spans_at(form, more):
    """Bytes of a group before its spans, int64: they lie behind its columns."""
    units = (_word_of(form, more, _N_COLUMNS) + 3) // 4
    return _COLUMNS_AT + units.to(tl.int64) * 16


@triton.jit
def _words_of(piece, form, more, row, wanted, column: tl.constexpr, words: tl.constexpr):
    """The words from where the code of each row begins, uint32 `[32]` each, and at which bit of the first, int64.

    What lies behind the code comes with it and is cut off later: that takes less than to find out what is needed.
    """
    bit = row * _width(form, more, column)
    at = (piece + _COLUMNS_AT).to(tl.pointer_type(tl.uint32)) + _word_of(form, more, column) + (bit >> 5)
    third = row.to(tl.uint32)
    if words == 3:
        third = tl.load(at + 2, wanted)
    return tl.load(at, wanted), tl.load(at + 1, wanted), third, (bit & 31).to(tl.int64)


@triton.jit
def _shifted(low, high, shift):
    """32 bits from a bit of the lower of two words on, as uint32 in int64."""
    return ((low.to(tl.int64) | (high.to(tl.int64) << 32)) >> shift) & 0xFFFFFFFF


@triton.jit
def numbers_of(piece, form, more, row, wanted, column: tl.constexpr):
    """The values of a column of 32 bits or fewer, int32 `[32]`; anything unless it is wanted.

    Args:
        piece: where the group lies.
        wanted: bool `[32]`, the same for all.
    """
    low, high, _, shift = _words_of(piece, form, more, row, wanted, column, 2)
    base = tl.load((piece + _BASES_AT + 8 * column).to(tl.pointer_type(tl.int32)))
    width = _width(form, more, column).to(tl.int64)
    highest = (((width * 0 + 1) << width) - 1).to(tl.int32)
    return base + (_shifted(low, high, shift).to(tl.int32) & highest)


@triton.jit
def times_of(piece, form, more, row, wanted, column: tl.constexpr, absent: tl.constexpr):
    """The values of a column of up to 64 bits, int64 `[32]`; anything unless it is wanted.

    Args:
        piece, wanted: as for `numbers_of`.
        absent: what the highest code stands for; None if it is a code as any other.
    """
    low, middle, high, shift = _words_of(piece, form, more, row, wanted, column, 3)
    base = tl.load((piece + _BASES_AT + 8 * column).to(tl.pointer_type(tl.int64)))
    width = _width(form, more, column).to(tl.int64)
    one = width * 0 + 1
    highest = tl.where(width >= 64, -one, (one << (width & 63)) - 1)
    code = (_shifted(low, middle, shift) | (_shifted(middle, high, shift) << 32)) & highest
    value = base + code
    if absent is not None:
        value = tl.where((code == highest) & (width > 0), absent, value)
    return value


@triton.jit
def _inside(value, fields, column: tl.constexpr):
    """Which rows have a time between the bounds of a filter; where it has none, they let everything through."""
    low = tl.load(fields + (_LOWEST + column))
    high = tl.load(fields + (_HIGHEST + column))
    return (value >= low) & (value <= high)


@triton.jit
def eligible(piece, form, more, fields, row, here, occurred, recorded):
    """Which rows the columns let through: alive, of the kinds and states, and between the bounds.

    Args:
        piece: where the group lies.
        fields: where the numbers of the query are.
        here: bool `[32]`, rows that may pass.
        occurred, recorded: int64 `[32]`, these columns, which lists want too.
    """
    kinds = tl.load(fields + _KINDS)
    states = tl.load(fields + _STATES)
    used = tl.load(fields + _BOUNDED).to(tl.int32)
    state = tl.load(piece + _STATES_AT + row, here, _DEAD).to(tl.int64)
    is_bound = row * 0 + kinds != _EVERYTHING
    kind = tl.where(is_bound, numbers_of(piece, form, more, row, is_bound, _KIND), 0).to(tl.int64)
    passes = here & (state != _DEAD) & ((((kinds >> (kind & 63)) & (states >> (state & 63))) & 1) != 0)
    valid_from = times_of(piece, form, more, row, row * 0 + (used & 2) != 0, 1, _UNKNOWN_US)
    valid_to = times_of(piece, form, more, row, row * 0 + (used & 4) != 0, 2, _NEVER_US)
    expires = times_of(piece, form, more, row, row * 0 + (used & 16) != 0, 4, _NEVER_US)
    passes = passes & _inside(occurred, fields, 0) & _inside(valid_from, fields, 1)
    passes = passes & _inside(valid_to, fields, 2) & _inside(recorded, fields, 3)
    passes = passes & _inside(expires, fields, 4)
    for number in tl.static_range(_N_NUMBERS):
        is_used = row * 0 + ((used >> (_N_TIMES + number)) & 1) != 0
        value = numbers_of(piece, form, more, row, is_used, _IMPORTANCE + number).to(tl.float32, bitcast=True)
        least = tl.load((fields + (_LOWEST + _N_TIMES + number)).to(tl.pointer_type(tl.float32)))
        most = tl.load((fields + (_HIGHEST + _N_TIMES + number)).to(tl.pointer_type(tl.float32)))
        passes = passes & (((value >= least) & (value <= most)) | ~is_used)
    return passes
