"""What the bank is told about memories: a structure of arrays, one entry for each memory version.

One form serves a single insert and the load of a whole namespace, so that there is one path into the bank.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

NEVER_US = np.iinfo(np.int64).max
"""An end that has not come: open intervals end here."""
UNKNOWN_US = np.iinfo(np.int64).min
"""A time that nobody gave."""


class Kind(IntEnum):
    """Codes of the three kinds of memory; stored in the rows, so they never change."""

    EPISODIC = 0
    SEMANTIC = 1
    PROCEDURAL = 2


class State(IntEnum):
    """Codes of a memory's state; stored in the rows, so they never change."""

    ACTIVE = 0
    FORGOTTEN = 1
    QUARANTINED = 2
    SUPERSEDED = 3
    ARCHIVED = 4


class Relation(IntEnum):
    """Codes of how one memory hangs on another; stored in the rows, so they never change."""

    DERIVED_FROM = 0
    SUPERSEDES = 1
    CONTRADICTS = 2
    FOLLOWS = 3
    SAME_AS = 4


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """`n` memory versions as columns. Variable-length columns are flat arrays with `n + 1` offsets.

    Times are microseconds since the epoch (UTC); `UNKNOWN_US` and `NEVER_US` stand for missing starts and ends.

    Attributes:
        memory_ids: uint8 `[n, 16]`, the memory's UUID in big-endian bytes.
        versions: int32 `[n]`, the version that these columns describe.
        kinds: uint8 `[n]`, see `Kind`.
        states: uint8 `[n]`, see `State`.
        occurred_us: int64 `[n]`, when it happened, or `UNKNOWN_US`.
        valid_from_us: int64 `[n]`, or `UNKNOWN_US` (always true so far).
        valid_to_us: int64 `[n]`, or `NEVER_US`.
        recorded_from_us: int64 `[n]`, when the service learned this version.
        recorded_to_us: int64 `[n]`, when the next version replaced it; `NEVER_US` for the current one.
        expires_us: int64 `[n]`, end of its time to live, or `NEVER_US`.
        importances: float32 `[n]` in [0, 1].
        stabilities: float32 `[n]`, seconds.
        trusts: float32 `[n]` in [0, 1].
        last_recalled_us: int64 `[n]`, or `UNKNOWN_US`.
        lengths: uint32 `[n]`, number of term tokens (the document length of BM25).
        pairs, pair_offsets: uint64 / int64 `[n + 1]`, hashes of equal-able (field, value) pairs, see
            `gpu.bank.filters`.
        term_ids, term_freqs, term_offsets: uint32 / uint16 / int64 `[n + 1]`, distinct hashed terms with frequencies.
        entity_ids, entity_offsets: uint64 / int64 `[n + 1]`, hashed mentions.
        vectors, view_offsets: float16 `[n_views, dim]` unit rows / int64 `[n + 1]`. A memory without any vector has no
            view here and still gets one row in the bank (found by every channel but the semantic one).
    """

    memory_ids: NDArray[np.uint8]
    versions: NDArray[np.int32]
    kinds: NDArray[np.uint8]
    states: NDArray[np.uint8]
    occurred_us: NDArray[np.int64]
    valid_from_us: NDArray[np.int64]
    valid_to_us: NDArray[np.int64]
    recorded_from_us: NDArray[np.int64]
    recorded_to_us: NDArray[np.int64]
    expires_us: NDArray[np.int64]
    importances: NDArray[np.float32]
    stabilities: NDArray[np.float32]
    trusts: NDArray[np.float32]
    last_recalled_us: NDArray[np.int64]
    lengths: NDArray[np.uint32]
    pairs: NDArray[np.uint64]
    pair_offsets: NDArray[np.int64]
    term_ids: NDArray[np.uint32]
    term_freqs: NDArray[np.uint16]
    term_offsets: NDArray[np.int64]
    entity_ids: NDArray[np.uint64]
    entity_offsets: NDArray[np.int64]
    vectors: NDArray[np.float16]
    view_offsets: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of memory versions."""
        return int(self.versions.shape[0])
