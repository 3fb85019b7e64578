"""The hash tables of a namespace behave like dictionaries and keep nothing of what was deleted."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu.bank.pages import PagePool
from gpu.bank.segment import Segment
from gpu.bank.tables import MemoryIndex, TermCounts, rows_of
from tests.fixtures.bank_records import random_batch

terms = st.lists(st.integers(0, 2**32 - 1) | st.integers(0, 20), max_size=60)


@settings(max_examples=60)
@given(st.lists(st.tuples(terms, st.booleans()), max_size=12))
def test_term_counts_are_a_counter(steps: list[tuple[list[int], bool]]) -> None:
    table, model = TermCounts(), Counter[int]()
    batches: list[list[int]] = []
    for batch, remove in steps:
        if remove and batches:
            gone = batches.pop(0)
            table.subtract(np.array(gone, np.uint32))
            model.subtract(gone)
        else:
            table.add(np.array(batch, np.uint32))
            model.update(batch)
            batches.append(batch)
    asked = sorted({*model, 0, 5, 2**32 - 1})
    assert table.get(np.array(asked, np.uint32)).tolist() == [model[term] for term in asked]
    keys, counts = table.arrays()
    live = {term: count for term, count in model.items() if count}
    assert dict(zip(keys[counts > 0].tolist(), counts[counts > 0].tolist(), strict=True)) == live
    assert not keys[counts == 0].any()
    assert len(table) == len(live)
    assert table.memory_bytes() <= 8 * max(16, 4 * max(len(b) for b, _ in steps) * len(steps) + 16) if steps else True


@settings(max_examples=60)
@given(st.lists(st.integers(0, 200), unique=True, min_size=1, max_size=80), st.sets(st.integers(0, 79)), st.booleans())
def test_memory_index_finds_what_was_added_and_not_removed(
    numbers: list[int], removed: set[int], by_version: bool
) -> None:
    batch = random_batch(np.random.default_rng(0), numbers)
    segment = Segment(PagePool(), 8)
    index = MemoryIndex(by_version=by_version)
    hashes = index.hashes(batch.memory_ids, batch.versions)
    index.add(hashes, segment.append(batch))
    gone = np.array(sorted(i for i in removed if i < len(numbers)), np.int64)
    index.remove(hashes[gone], gone)
    expected = np.arange(len(numbers))
    expected[gone] = -1
    table = segment.attributes.table
    assert index.find(table, hashes, batch.memory_ids, batch.versions).tolist() == expected.tolist()
    assert index.slots().tolist() == [i for i in expected if i >= 0]
    later = batch.versions + 1
    found = index.find(table, index.hashes(batch.memory_ids, later), batch.memory_ids, later)
    assert found.tolist() == ([-1] * len(numbers) if by_version else expected.tolist())
    wanted = batch.memory_ids[gone]
    assert rows_of(table, len(numbers), wanted).tolist() == gone.tolist()
