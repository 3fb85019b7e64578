"""The entity scan against its plain reference, on odd sizes and with rubbish in the memory that no row uses."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu.bank.errors import PageOwnershipError
from gpu.bank.records import RecordBatch
from gpu.bank.segment import Segment
from gpu.ops.entity_scan.op import entity_scan, flat_groups
from gpu.ops.entity_scan.reference import entity_rows
from tests.fixtures.bank_records import random_batch
from tests.unit.gpu.test_bank_ops import poisoned_segment


def batch_of(n: int, vocabulary: int = 12) -> RecordBatch:
    rng = np.random.default_rng(n)
    batch = random_batch(rng, list(range(n)))
    batch.entity_ids[:] = rng.integers(1, vocabulary, batch.entity_ids.size).astype(np.uint64) * np.uint64(2**60 + 4096)
    return batch


def scanned(
    segment: Segment, groups: list[list[int]], eligible: np.ndarray, room: int | None = None
) -> tuple[np.ndarray, list[tuple[int, int]], np.ndarray]:
    ids, of = flat_groups([np.array(g, np.uint64) for g in groups])
    counts = np.zeros(len(groups), np.int64)
    snapshot = segment.snapshot(5)
    entity_scan(snapshot, ids, of, eligible, counts)
    again = np.zeros_like(counts)
    slots, which = entity_scan(snapshot, ids, of, eligible, again, int(counts.sum()) if room is None else room)
    assert again.tolist() == counts.tolist()
    return counts, sorted(zip(slots.tolist(), which.tolist(), strict=True)), slots


GROUPS = [[1, 2], [3], [4, 5, 6], [99]]


def ids_of(groups: list[list[int]]) -> list[list[int]]:
    return [[i * (2**60 + 4096) % 2**64 for i in group] for group in groups]


@pytest.mark.parametrize("n", [0, 1, 7, 63, 1000, 1023])
def test_the_scan_finds_what_the_reference_finds(n: int) -> None:
    batch = batch_of(n)
    eligible = (np.random.default_rng(n + 1).random(n) < 0.7).astype(np.uint8)
    counts, pairs, slots = scanned(poisoned_segment(batch, 8), ids_of(GROUPS), eligible)
    expected_counts, expected = entity_rows(batch, ids_of(GROUPS), eligible.astype(bool))
    assert counts.tolist() == expected_counts.tolist()
    assert pairs == expected
    assert (np.diff(slots) >= 0).all()
    assert n < 63 or counts[0] > 0


def test_more_ids_than_marks_in_the_smallest_table() -> None:
    batch = batch_of(300, vocabulary=2000)
    groups = ids_of([[i] for i in range(1, 1500)])
    counts, pairs, _ = scanned(poisoned_segment(batch, 8), groups, np.ones(300, np.uint8))
    expected_counts, expected = entity_rows(batch, groups, np.ones(300, bool))
    assert counts.tolist() == expected_counts.tolist()
    assert pairs == expected


def test_no_more_pairs_are_listed_than_there_is_room_for() -> None:
    segment = poisoned_segment(batch_of(100), 8)
    counts, pairs, _ = scanned(segment, ids_of(GROUPS), np.ones(100, np.uint8), room=5)
    assert counts.sum() > 5
    assert len(pairs) == 5


def test_a_shared_id_stays_with_its_first_group() -> None:
    ids, of = flat_groups([np.array([3, 1], np.uint64), np.array([1, 2], np.uint64), np.empty(0, np.uint64)])
    assert ids.tolist() == [3, 1, 2]
    assert of.tolist() == [0, 0, 1]
    assert flat_groups([])[0].size == 0


@settings(max_examples=30)
@given(
    st.lists(st.lists(st.integers(1, 6), max_size=4), max_size=40),
    st.lists(st.lists(st.integers(1, 8), max_size=3), min_size=1, max_size=4),
    st.randoms(use_true_random=False),
)
def test_any_memories_and_any_groups(memories: list[list[int]], groups: list[list[int]], random: Random) -> None:
    n = len(memories)
    batch = random_batch(np.random.default_rng(0), list(range(n)))
    offsets = np.cumsum([0] + [len(m) for m in memories])
    flat = np.array([e for m in memories for e in m], np.uint64)
    batch = replace(batch, entity_ids=flat, entity_offsets=offsets)
    seen: set[int] = set()
    distinct = []
    for group in groups:
        distinct.append([i for i in dict.fromkeys(group) if i not in seen])
        seen.update(group)
    eligible = np.array([random.random() < 0.8 for _ in range(n)], np.uint8)
    counts, pairs, _ = scanned(poisoned_segment(batch, 8), distinct, eligible)
    expected_counts, expected = entity_rows(batch, distinct, eligible.astype(bool))
    assert counts.tolist() == expected_counts.tolist()
    assert pairs == expected


def test_what_does_not_fit_is_refused() -> None:
    segment = poisoned_segment(batch_of(10), 8)
    eligible, ids = np.ones(10, np.uint8), np.array([1, 2], np.uint64)
    with pytest.raises(ValueError, match="ids and groups"):
        entity_scan(segment.snapshot(5), ids, np.zeros(1, np.int64), eligible, np.zeros(1, np.int64))
    with pytest.raises(ValueError, match="outside"):
        entity_scan(segment.snapshot(5), ids, np.array([0, 1]), eligible, np.zeros(1, np.int64))
    taken = segment.snapshot(5)
    segment.entities.table.pages[0].header[0] += 1
    with pytest.raises(PageOwnershipError):
        entity_scan(taken, ids, np.zeros(2, np.int64), eligible, np.zeros(1, np.int64))
