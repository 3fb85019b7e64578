"""Compiling, or loading from disk, every kernel before the first request needs it."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from gpu.bank.bank import Bank
from gpu.bank.coding import coded
from gpu.bank.filters import NumberColumn, Range, ScanFilter, TimeColumn
from gpu.bank.records import NEVER_US, UNKNOWN_US, RecordBatch, empty_columns
from gpu.bank.segment import SegmentSnapshot
from gpu.large.scans import nearest_of_newest
from gpu.ops.coded_scan.op import coded_scan
from gpu.ops.entity_scan.op import entity_scan
from gpu.ops.hopfield.op import complete_within
from gpu.ops.interval_scan.op import interval_scan
from gpu.ops.max_sim.op import max_sim
from gpu.ops.near_pairs.op import near_pairs
from gpu.ops.spread.op import graph, spread
from gpu.ops.text_scan.op import count_scan, near_scan

_DIM = 8


@cache
def warm_up() -> None:
    """Run every kernel once on a few made-up memories; once in a process.

    The first run of an installation compiles (some ten seconds); later ones load the result from disk (under a second).
    """
    namespace = Bank().open("warm-up", _DIM)
    for version in (1, 2):
        namespace.put(_memories(version))
    namespace.put(coded(_memories(2), np.arange(2, dtype=np.uint8)))
    first = _memories(1).memory_ids[:1]
    scan = ScanFilter(
        any_pairs=((1,),),
        no_pairs=(2,),
        ranges=(Range(TimeColumn.OCCURRED, -1.0, 1.0), Range(NumberColumn.TRUST, 0.0, 1.0)),
        now_us=0,
        as_of_us=2,
        valid_at_us=0,
        allowed=first,
    )
    terms = np.array([7], np.uint32)
    with namespace.view(scan) as view:
        view.document_frequency(terms)
        vector = np.ones(_DIM, np.float32)
        view.dense_of(vector, np.zeros(1, np.int64))  # before all are scored: then nothing would be left to do
        scores = view.dense(vector)
        view.bm25(terms, np.ones(1, np.float32), 1.5, 0.75)
        view.memory_id(view.top(scores, 1)[0])
        view.moments(scores)
        view.context_scores(scores, (0.5, 0.25, 0.25))
        max_sim(np.zeros((1, 2), np.uint8), np.arange(2), np.ones((1, _DIM), np.float32))
        for segment, _, mask in view.segments():
            entity_scan(segment, np.ones(1, np.uint64), np.zeros(1, np.int64), mask, np.zeros(1, np.int64))
            coded_scan(segment, vector, mask, np.empty(segment.n_slots, np.float32))
            nearest_of_newest(segment, vector, mask, 0, 1)
            near_pairs(segment, 0.5, 1, mask)
            _warm_scans(segment, mask)
    around = graph(1, np.zeros(1, np.int64), np.zeros(1, np.int64), np.ones(1))
    spread(around, np.ones(1), 0.5)
    complete_within(np.eye(2, dtype=np.float32), np.ones(2, np.float32), 1.0)
    namespace.erase(first)
    namespace.compact()


def _warm_scans(segment: SegmentSnapshot, mask: NDArray[np.uint8]) -> None:
    """The scans of texts and times."""
    flags = np.empty((1, segment.n_slots), np.uint8)
    count_scan(segment, [b"a"], mask, np.empty(flags.shape, np.int32), flags)
    near_scan(segment, [b"a"], 1, mask, flags)
    interval_scan(segment, np.array([(0, 1)]), mask, np.empty(segment.n_slots, np.float32))


def _memories(version: int) -> RecordBatch:
    """Two memories with one view, term, pair and entity each."""
    offsets = np.arange(3, dtype=np.int64)
    ids = np.zeros((2, 16), np.uint8)
    ids[:, 15] = (1, 2)
    zeros, never, unknown = np.zeros(2, np.int64), np.full(2, NEVER_US), np.full(2, UNKNOWN_US)
    halves = np.full(2, 0.5, np.float32)
    return RecordBatch(
        memory_ids=ids,
        versions=np.full(2, version, np.int32),
        kinds=np.zeros(2, np.uint8),
        states=np.zeros(2, np.uint8),
        occurred_us=zeros,
        valid_from_us=unknown,
        valid_to_us=never,
        recorded_from_us=zeros + version,
        recorded_to_us=never,
        expires_us=never,
        importances=halves,
        stabilities=halves,
        trusts=halves,
        last_recalled_us=unknown,
        lengths=np.ones(2, np.uint32),
        pairs=np.ones(2, np.uint64),
        pair_offsets=offsets,
        term_ids=np.full(2, 7, np.uint32),
        term_freqs=np.ones(2, np.uint16),
        term_offsets=offsets,
        entity_ids=np.ones(2, np.uint64),
        entity_offsets=offsets,
        vectors=np.full((2, _DIM), 0.35, np.float16),
        view_offsets=offsets,
        **{**empty_columns(2), "sequences": np.ones(2, np.uint64)},
    )
