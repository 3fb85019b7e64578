"""How the attributes of 32 memories lie on a device: one group, read by one warp.

A group is one piece of memory in units of 16 bytes:

    tile        its columns, one after the other, each of 32 values
    directory   int32 [buckets + 1]: where each bucket's entries begin, counted from the first entry
    entries     16 bytes each: an id (64 bits), which of the 32 rows hold it (a bit each), its arena and frequency
    spans       16 bytes each: the times that the rows speak of, `[start, end)` in microseconds

Terms, entities, places and pairs of all rows of a group are entries, each (id, arena, frequency) once, whichever rows
hold it. An id lies in the bucket of its lowest bits, and there are no fewer buckets than entries: to learn which rows
hold an asked id, a few bytes of the directory and an entry or two are read instead of everything that the rows hold.
"""

from __future__ import annotations

import numpy as np

from gpu.ops.channel_pass.questions import NUMBERS, TIMES
from gpu.ops.paged_search.triton_kernel import GROUP

UNIT = 16
"""Bytes in which places and sizes count."""
RECORD_BUCKETS = 5
"""Where a group's record (see `paged_search`) has its number of buckets, a power of two. The place of its vectors is
here that of its tile."""
FEWEST_BUCKETS = 4
ARENA_SHIFT = 16
"""The upper half of an entry's last word says of which arena it is, the lower one how often each row holds it."""


COLUMNS: dict[str, np.dtype[np.generic]] = {
    **{name: np.dtype(np.int64) for name in TIMES},
    "fresh_us": np.dtype(np.int64),
    **{name: np.dtype(np.float32) for name in NUMBERS},
    "stabilities": np.dtype(np.float32),
    "slot": np.dtype(np.int32),
    "lengths": np.dtype(np.int32),
    "first_span": np.dtype(np.int32),
    "n_spans": np.dtype(np.int32),
    "kinds": np.dtype(np.uint8),
    "states": np.dtype(np.uint8),
}
"""Columns of a tile. `fresh_us` is the later of when a memory was recorded and last recalled: retention counts from it.
`slot` is -1 for a row that died, `first_span` counts units from the directory on."""


def _offsets() -> dict[str, int]:
    at, found = 0, {}
    for name, dtype in COLUMNS.items():
        found[name] = at
        at += GROUP * dtype.itemsize
    return {**found, "": at}


OFFSETS = _offsets()
"""Bytes of a tile before each column."""
TILE_BYTES = OFFSETS.pop("")
TILE_UNITS = TILE_BYTES // UNIT


def entries_at(buckets: int) -> int:
    """Units of the directory: the entries begin behind it."""
    return buckets * 4 // UNIT + 1
