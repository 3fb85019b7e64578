"""What the bank is told about memories: a structure of arrays, one entry for each memory version.

One form serves a single insert and the load of a whole namespace, so that there is one path into the bank.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

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
    MERGED = 5


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
        trusts: float32 `[n]`, ranks: the higher, the more trusted.
        last_recalled_us: int64 `[n]`, or `UNKNOWN_US`.
        lengths: uint32 `[n]`, number of term tokens (the document length of BM25).
        pairs, pair_offsets: uint64 / int64 `[n + 1]`, hashes of equal-able (field, value) pairs, see
            `gpu.bank.filters`.
        term_ids, term_freqs, term_offsets: uint32 / uint16 / int64 `[n + 1]`, distinct hashed terms with frequencies.
        entity_ids, entity_offsets: uint64 / int64 `[n + 1]`, hashed mentions.
        vectors, view_offsets: float16 `[n_views, dim]` unit rows / int64 `[n + 1]`. A memory without any vector has no
            view here and still gets one row in the bank (found by every channel but the semantic one).
        sequences: uint64 `[n]`, hash of the conversation that the memory belongs to, or 0. Inside it memories stand in
            the order of their ids.
        speakers: uint64 `[n]`, hashed name of whoever said it, or 0.
        outcomes: float32 `[n]`, how what it tells of went: 1 success, 0.5 in part, 0 failure, NaN unknown.
        spans, span_offsets: int64 `[n_spans, 2]` / int64 `[n + 1]`, times that the text speaks of, half-open.
        place_ids, place_offsets: uint64 / int64 `[n + 1]`, hashed places that it speaks of or belongs to.
        link_targets, link_relations, link_offsets: uint8 `[n_links, 16]` / uint8 / int64 `[n + 1]`, ids of the
            memories that it points to, and how (see `Relation`). Links are of the memory as it is: a closed version has
            none in the bank.
        texts, text_offsets: uint8 / int64 `[n + 1]`, UTF-8 of the folded text, behind the name of whoever said it.
        tokens, token_offsets: uint8 `[n_tokens, token_bytes]` / int64 `[n + 1]`, states of its tokens for late
            interaction, two bits a dimension (see `gpu.bank.layouts.token_bytes`); a memory may have none.
        tiers: uint8 `[n]`, how exactly its vectors are kept: a place in `gpu.bank.layouts.TIERS`. Below fp16 they stand
            in `codes` and not in `vectors` (see `gpu.bank.coding.coded`).
        codes, code_offsets: uint64 / int64 `[n + 1]`, vectors below half precision.
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
    sequences: NDArray[np.uint64]
    speakers: NDArray[np.uint64]
    outcomes: NDArray[np.float32]
    spans: NDArray[np.int64]
    span_offsets: NDArray[np.int64]
    place_ids: NDArray[np.uint64]
    place_offsets: NDArray[np.int64]
    link_targets: NDArray[np.uint8]
    link_relations: NDArray[np.uint8]
    link_offsets: NDArray[np.int64]
    texts: NDArray[np.uint8]
    text_offsets: NDArray[np.int64]
    tokens: NDArray[np.uint8]
    token_offsets: NDArray[np.int64]
    tiers: NDArray[np.uint8]
    codes: NDArray[np.uint64]
    code_offsets: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of memory versions."""
        return int(self.versions.shape[0])


def empty_columns(n: int) -> dict[str, NDArray[Any]]:
    """The columns from `sequences` on for `n` memories of which none of this is known."""
    offsets = ("span_offsets", "place_offsets", "link_offsets", "text_offsets", "token_offsets")
    return {
        "sequences": np.zeros(n, np.uint64),
        "speakers": np.zeros(n, np.uint64),
        "outcomes": np.full(n, np.nan, np.float32),
        "spans": np.empty((0, 2), np.int64),
        "place_ids": np.empty(0, np.uint64),
        **no_links(n),
        "texts": np.empty(0, np.uint8),
        "tokens": np.empty((0, 0), np.uint8),
        **no_codes(n),
        **{name: np.zeros(n + 1, np.int64) for name in offsets},
    }


def no_links(n: int) -> dict[str, NDArray[Any]]:
    """The link columns of `n` memories that have no links."""
    return {
        "link_targets": np.empty((0, 16), np.uint8),
        "link_relations": np.empty(0, np.uint8),
        "link_offsets": np.zeros(n + 1, np.int64),
    }


def no_codes(n: int) -> dict[str, NDArray[Any]]:
    """The columns of `n` memories all of whose vectors have half precision."""
    return {
        "tiers": np.zeros(n, np.uint8),
        "codes": np.empty(0, np.uint64),
        "code_offsets": np.zeros(n + 1, np.int64),
    }
