"""Compiles every kernel ahead of the first request."""

from __future__ import annotations

import numpy as np

from gpu.bank.bank import Bank
from gpu.bank.filters import Range, ScanFilter, TimeColumn
from gpu.bank.records import NEVER_US, RecordBatch

_DIM = 8


def warm_up() -> None:
    """Run every operation once on a tiny bank, so that no request pays for compilation (cached on disk afterwards)."""
    bank = Bank().open("warm-up", _DIM)
    bank.put(_one_memory(version=1))
    bank.put(_one_memory(version=2))
    allowed = np.zeros((1, 16), dtype=np.uint8)
    demanding = ScanFilter(
        any_pairs=((1, 2),), no_pairs=(3,), ranges=(Range(TimeColumn.OCCURRED, 0, 10),), now_us=0, valid_at_us=0
    )
    for scan in (ScanFilter(), demanding, ScanFilter(as_of_us=1), ScanFilter(allowed=allowed)):
        with bank.view(scan) as view:
            scores = view.dense(np.ones(_DIM, dtype=np.float32))
            view.bm25(np.ones(1, dtype=np.uint32), np.ones(1, dtype=np.float32), 1.5, 0.75)
            view.document_frequency(np.ones(1, dtype=np.uint32))
            view.top(scores, 1)
            view.moments(scores)
    bank.erase(np.zeros((1, 16), dtype=np.uint8))


def _one_memory(version: int) -> RecordBatch:
    one = np.ones(1)
    offsets = np.array([0, 1], dtype=np.int64)
    return RecordBatch(
        memory_ids=np.zeros((1, 16), dtype=np.uint8) + np.uint8(1),
        versions=np.array([version], dtype=np.int32),
        kinds=np.zeros(1, dtype=np.uint8),
        states=np.zeros(1, dtype=np.uint8),
        occurred_us=np.full(1, version, dtype=np.int64),
        valid_from_us=np.zeros(1, dtype=np.int64),
        valid_to_us=np.full(1, NEVER_US),
        recorded_from_us=np.full(1, version, dtype=np.int64),
        recorded_to_us=np.full(1, NEVER_US),
        expires_us=np.full(1, NEVER_US),
        importances=one.astype(np.float32),
        stabilities=one.astype(np.float32),
        trusts=one.astype(np.float32),
        last_recalled_us=np.zeros(1, dtype=np.int64),
        lengths=one.astype(np.uint32),
        pairs=one.astype(np.uint64),
        pair_offsets=offsets,
        term_ids=one.astype(np.uint32),
        term_freqs=one.astype(np.uint16),
        term_offsets=offsets,
        entity_ids=one.astype(np.uint64),
        entity_offsets=offsets,
        vectors=np.full((1, _DIM), _DIM**-0.5, dtype=np.float16),
        view_offsets=offsets,
    )
