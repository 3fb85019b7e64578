"""How the attributes of 32 memories lie on a device: one group, of which a warp reads a row a lane.

A group is one piece of memory in units of 16 bytes:

    states      uint8 [32]: the state of each row, `DEAD` of one that died
    bases       int64 [columns]: see below
    columns     words of 32 bits, one column after the other
    spans       16 bytes each: the times that the rows speak of, `[start, end)` in microseconds, row after row
    directory   uint16: where each bucket's entries begin, and the end: first of the long ones, then of the short ones
    entries     long ones, 16 bytes each: an id (64 bits), which rows hold it (a bit each), its arena and frequency;
                short ones, 8 bytes each: a term (32 bits) that is once in each of the rows that hold it, and these rows

A column is what its values have above the least of them, its base, in as many bits as the greatest difference takes: 32
values of w bits are w words, and equal values take none (frame of reference: Zukowski et al. 2006, Lemire and Boytsov
2015). The highest code of a column that takes bits stands for its `ABSENT` value, which is far from all others.

Terms, entities, places and pairs of all rows of a group are entries, each (id, arena, frequency) once, whichever rows
hold it. An id lies in the bucket of its lowest bits, and a bucket has two entries or fewer on average: to learn which
rows hold an asked id, a few bytes of the directory and an entry or two are read instead of everything that rows hold.
"""

from __future__ import annotations

import numpy as np

from gpu.bank.records import NEVER_US, UNKNOWN_US
from gpu.ops.channel_pass.questions import NUMBERS, TIMES
from gpu.ops.paged_search.triton_kernel import GROUP

UNIT = 16
"""Bytes in which places and sizes count."""
DEAD = 0xFF
"""The state of a row that died; no state is as high."""

COLUMNS: dict[str, np.dtype[np.generic]] = {
    **{name: np.dtype(np.int64) for name in TIMES},
    "recalled_after_us": np.dtype(np.int64),
    **{name: np.dtype(np.float32) for name in NUMBERS},
    "stabilities": np.dtype(np.float32),
    "lengths": np.dtype(np.uint32),
    "n_spans": np.dtype(np.uint32),
    "kinds": np.dtype(np.uint8),
}
"""Columns in their order, and what their values are. Retention counts from the later of when a memory was recorded and
last recalled: `recalled_after_us` after it was recorded. Of float32 the bits count."""
ABSENT = {"occurred_us": UNKNOWN_US, "valid_from_us": UNKNOWN_US, "valid_to_us": NEVER_US, "expires_us": NEVER_US}

STATES_AT, BASES_AT = 0, GROUP
COLUMNS_AT = BASES_AT + 8 * len(COLUMNS)
"""Bytes of a group before each part; a multiple of 16."""

RECORD_FORM, RECORD_ROWS, RECORD_MORE = 1, 4, 5
"""Where a group's record (see `paged_search`) has what its bytes mean; the place of its vectors is here that of itself.

The form is the widths of the first eight columns, 8 bits each. Rows have the number of spans above their 32 bits. The
rest: the widths of the other columns, then the binary logarithms of the numbers of long and of short buckets, and how
far offsets of the directory are to be shifted to the left, 8 bits each.
"""
FORM_COLUMNS = 8
LONG_AT, SHORT_AT, SHIFT_AT = (8 * (len(COLUMNS) - FORM_COLUMNS + i) for i in range(3))
"""Bits of the last number of a record before each of the others."""

ARENA_SHIFT = 16
"""The upper half of a long entry's last word says of which arena it is, the lower one how often each row holds it."""
FEWEST_BUCKETS, MOST_BUCKETS = 4, 1 << 13
ENTRIES_OF_A_BUCKET = 2
"""Distinct entries that a bucket has at most on average, but where that takes more than the most buckets."""


def column_units(words: int) -> int:
    """Units that columns of so many words take."""
    return -(-words * 4 // UNIT)


def directory_units(long_buckets: int, short_buckets: int) -> int:
    """Units of the directory: the entries begin behind it."""
    return -(-2 * (long_buckets + short_buckets + 2) // UNIT)
