"""All products of a namespace's rows with each other on the matrix units, in Triton.

A tile is four groups of rows by four. Tiles on and above the diagonal are numbered: large squares of `SIDE` by `SIDE`
tiles come one after the other, so that programs that run together read the same rows from the cache, and the triangle
of squares is folded to a rectangle, so that hardly a program has nothing to do.
"""

from __future__ import annotations

import triton
import triton.language as tl

from gpu.ops.paged_search.triton_kernel import GROUP, RECORD

GROUPS = 4
"""Groups of one side of a tile."""

_GROUP = tl.constexpr(GROUP)
_RECORD = tl.constexpr(RECORD)
_GROUPS = tl.constexpr(GROUPS)
_ROWS = tl.constexpr(GROUPS * GROUP)


@triton.jit
def _rows_of(pool, table, owner, n_groups, mask, broken, tile, MASKED: tl.constexpr):
    """Where each row of one side of a tile begins (pointer to float16), whether it is read, and its memory or -1."""
    row = tl.arange(0, _ROWS)
    group = tile * _GROUPS + row // _GROUP
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
    slot = tl.load(slots + inner, here, -1)
    if MASKED:
        slot = tl.where(tl.load(mask + slot, slot >= 0, 0) != 0, slot, -1)
    return vectors, inner, here, slot


@triton.jit
def compare(
    pool,
    table,
    owner,
    n_groups,
    mask,
    first_tile,
    n_squares,
    threshold,
    room,
    count,
    firsts,
    seconds,
    scores,
    broken,
    dim,
    MASKED: tl.constexpr,
    SIDE: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """Write the pairs of rows of one tile whose product reaches the threshold.

    Args:
        pool, table, owner, n_groups, dim, BLOCK, BLOCKS, broken: as in `paged_search.triton_kernel.scan_shared`.
        mask: uint8 by slot, 1 for what counts; not read unless MASKED.
        first_tile: int64, number of the tile of the first program.
        n_squares: squares on one side of the triangle; SIDE: tiles on one side of a square.
        threshold: float32.
        room: how many pairs fit.
        count: int64 `[1]`, raised by the pairs that there are, whether they fit or not.
        firsts, seconds: int32 `[room]`, slots, the smaller one first; the same pair may come several times.
        scores: float32 `[room]`.
    """
    number = first_tile + tl.program_id(0)
    square = number // (SIDE * SIDE)
    inner = number % (SIDE * SIDE)
    # Row p of the rectangle is row p of the triangle and, behind it, row n - 1 - p: together n + 1 squares.
    p = square // (n_squares + 1)
    q = square % (n_squares + 1)
    is_long = q < n_squares - p
    across = tl.where(is_long, p, n_squares - 1 - p)
    down = tl.where(is_long, p + q, q - 1)
    one = (across * SIDE + inner // SIDE).to(tl.int32)
    other = (down * SIDE + inner % SIDE).to(tl.int32)
    is_twice = ~is_long & (p == n_squares - 1 - p)  # the middle row of an odd triangle
    if (one > other) | (other * _GROUPS >= n_groups) | is_twice:
        return
    left, left_inner, left_here, left_slot = _rows_of(pool, table, owner, n_groups, mask, broken, one, MASKED)
    right, right_inner, right_here, right_slot = _rows_of(pool, table, owner, n_groups, mask, broken, other, MASKED)
    column = tl.arange(0, BLOCK)
    total = tl.zeros([_ROWS, _ROWS], tl.float32)
    for block in range(BLOCKS):
        at = block * BLOCK + column
        inside = at < dim
        a = tl.load(
            left[:, None] + (left_inner[:, None] * dim + at[None, :]), left_here[:, None] & inside[None, :], 0.0
        )
        b = tl.load(
            right[None, :] + (right_inner[None, :] * dim + at[:, None]), right_here[None, :] & inside[:, None], 0.0
        )
        total = tl.dot(a, b, total)
    row = tl.arange(0, _ROWS)
    is_new = (one != other) | (row[:, None] < row[None, :])  # on the diagonal every pair of rows is there twice
    both = (left_slot >= 0)[:, None] & (right_slot >= 0)[None, :] & (left_slot[:, None] != right_slot[None, :])
    hit = (is_new & both & (total >= threshold)).to(tl.int32)
    of_row = tl.sum(hit, axis=1)
    found = tl.sum(of_row)
    if found > 0:
        start = tl.atomic_add(count, found.to(tl.int64))
        if start < room:
            # 32 bits are enough behind `start`, and take fewer registers.
            place = tl.cumsum(of_row, 0)[:, None] - of_row[:, None] + tl.cumsum(hit, 1) - hit
            fits = (hit != 0) & (place < room - start.to(tl.int32))
            low = tl.minimum(left_slot[:, None], right_slot[None, :])
            high = tl.maximum(left_slot[:, None], right_slot[None, :])
            tl.store(firsts + start + place, low, fits)
            tl.store(seconds + start + place, high, fits)
            tl.store(scores + start + place, total, fits)
