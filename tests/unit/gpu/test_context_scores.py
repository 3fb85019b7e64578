"""Scores in the light of their neighbours, and the order of conversations that they rest on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu.bank.bank import Bank
from gpu.bank.batches import take
from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bank.records import NEVER_US, RecordBatch
from gpu.ops.context_scores.op import context_scores
from gpu.ops.context_scores.reference import context_rows
from tests.fixtures.bank_records import random_batch, with_sequences

EVERYTHING = ScanFilter(states=frozenset())
values = st.one_of(st.just(-np.inf), st.floats(-3, 3, width=32))


def said(numbers: list[int], sequences: list[int], *, version: int = 1, seed: int = 0) -> RecordBatch:
    n = len(numbers)
    batch = random_batch(np.random.default_rng(seed), numbers, versions=[version] * n, recorded_from=[version * 10] * n)
    return with_sequences(batch, sequences)


def order_of(namespace: NamespaceBank) -> list[bytes]:
    with namespace.view(EVERYTHING) as view:
        return [bytes(row) for row in view.memory_id(view.sequence_order())]


def loaded(batch: RecordBatch) -> NamespaceBank:
    fresh = Bank().open("fresh", 8)
    fresh.put(batch)
    return fresh


@settings(max_examples=80)
@given(
    rows=st.lists(st.tuples(st.sampled_from([0, 1, 5, 2**64 - 1]), values), max_size=40),
    weights=st.tuples(*[st.floats(-2, 2, width=32)] * 3),
    seed=st.integers(0, 99),
)
def test_the_kernel_says_what_the_reference_says(
    rows: list[tuple[int, float]], weights: tuple[float, float, float], seed: int
) -> None:
    """Whatever the order in which the memories came."""
    numbers = np.random.default_rng(seed).permutation(len(rows)).tolist()
    batch = said(numbers, [sequence for sequence, _ in rows])
    scores = np.array([score for _, score in rows], np.float32)
    ids = [bytes(row) for row in batch.memory_ids]
    expected = context_rows(scores, [sequence for sequence, _ in rows], ids, weights)
    with loaded(batch).view(EVERYTHING) as view:
        np.testing.assert_allclose(view.context_scores(scores, weights), expected, rtol=1e-5, atol=1e-5)


def test_a_conversation_ends_where_the_next_begins() -> None:
    order, starts = np.array([4, 2, 0, 3, 1]), np.array([1, 0, 0, 1, 0], np.uint8)
    scores = np.array([1, 2, 4, 8, 16], np.float32)
    out = context_scores(scores, order, starts, (0.5, 0.25, 0.125))
    assert out.tolist() == [1 + 2 + 4, 2 + 4, 4 + 8 + 0.125, 8 + 0.25, 16 + 0.5]
    assert scores.tolist() == [1, 2, 4, 8, 16]


def test_who_is_not_eligible_adds_nothing_and_gets_nothing() -> None:
    order, starts = np.arange(3), np.array([1, 0, 0], np.uint8)
    scores = np.array([1, -np.inf, 4], np.float32)
    assert context_scores(scores, order, starts, (1.0, 1.0, 1.0)).tolist() == [1, -np.inf, 5]


def test_without_conversations_the_scores_come_back() -> None:
    with loaded(said([1, 2, 3], [0, 0, 0])).view(EVERYTHING) as view:
        scores = np.ones(3, np.float32)
        assert view.context_scores(scores, (1.0, 1.0, 1.0)) is scores


def test_impossible_input_is_refused() -> None:
    scores = np.ones(3, np.float32)
    with pytest.raises(ValueError, match="starts"):
        context_scores(scores, np.arange(3), np.ones(2, np.uint8), (1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="finite"):
        context_scores(scores, np.arange(3), np.ones(3, np.uint8), (1.0, float("nan"), 1.0))


def test_the_order_is_the_same_however_the_bank_came_to_be() -> None:
    """Written one by one in any order with a question after each, edited, compacted: as if it were loaded whole."""
    rng = np.random.default_rng(7)
    batch = said(list(range(300)), rng.integers(0, 4, 300).tolist())
    grown = Bank().open("grown", 8)
    come = rng.permutation(300)
    for n, at in enumerate(come):
        grown.put(take(batch, np.array([at])))
        if n % 5 == 4:
            grown.put(take(batch, come[n - 3 : n - 2]))  # one row dies, one is written
        order = order_of(grown)
        assert len(set(order)) == len(order)
    edited = said(list(range(0, 300, 3)), rng.integers(0, 4, 100).tolist(), version=2)
    grown.put(edited)
    assert order_of(grown)
    grown.erase(batch.memory_ids[1:300:10])
    before = order_of(grown)
    grown.compact()
    assert order_of(grown) == before
    whole = loaded(batch)
    whole.put(edited)
    whole.erase(batch.memory_ids[1:300:10])
    assert order_of(grown) == order_of(whole)
    assert len(order_of(grown)) > 150


@pytest.mark.parametrize("half", [slice(0, 8), slice(8, 16)])
def test_ids_are_compared_byte_by_byte(half: slice) -> None:
    """Whichever half they differ in; with forty in place a single one is put in by bisection."""
    rng = np.random.default_rng(3)
    ids = np.full((80, 16), 7, np.uint8)
    ids[:, half] = rng.integers(0, 256, (80, 8))
    batch = replace(said(list(range(80)), [2**64 - 1] * 40 + [1] * 40), memory_ids=ids)
    namespace = loaded(take(batch, np.arange(0, 80, 2)))
    for at in range(1, 80, 2):
        namespace.put(take(batch, np.array([at])))
        order_of(namespace)
    assert order_of(namespace) == [*sorted(map(bytes, ids[40:])), *sorted(map(bytes, ids[:40]))]


def test_a_reader_that_started_earlier_keeps_its_order() -> None:
    namespace = loaded(said([1, 2, 3], [9, 9, 9]))
    first = said([1, 2, 3], [9, 9, 9]).memory_ids
    with namespace.view(EVERYTHING) as early:
        namespace.put(said([0], [9]))
        assert len(order_of(namespace)) == 4
        assert early.memory_id(early.sequence_order()).tolist() == first.tolist()


def test_the_versions_of_a_moment_stand_in_their_conversations() -> None:
    namespace = loaded(said([1, 2, 3], [9, 9, 9]))
    namespace.put(said([2], [9], version=2))
    assert len(order_of(namespace)) == 3
    with namespace.view(replace(EVERYTHING, as_of_us=15)) as view:
        order = view.sequence_order()
        assert view.column("versions", order).tolist() == [1, 1, 1]
        assert (np.diff(view.memory_id(order)[:, 7].astype(int)) > 0).all()
        assert view.slots_of(said([2], [0]).memory_ids).tolist() == [int(order[1])]
        assert int(view.column("recorded_to_us", order[1:2])[0]) < NEVER_US


def test_ranges_in_the_order_asked() -> None:
    batch = said(list(range(50)), [1] * 50)
    with loaded(batch).view(EVERYTHING) as view:
        slots = np.array([30, 2, 2, 49, 0])
        texts, offsets = view.ranges("texts", slots)
        for i, slot in enumerate(slots):
            expected = batch.texts[batch.text_offsets[slot] : batch.text_offsets[slot + 1]]
            assert texts["bytes"][offsets[i] : offsets[i + 1]].tolist() == expected.tolist()
        nothing, offsets = view.ranges("spans", np.empty(0, np.int64))
        assert nothing["bounds"].shape == (0, 2)
        assert offsets.tolist() == [0]
        with pytest.raises(KeyError):
            view.ranges("secrets", slots)
        with pytest.raises(IndexError):
            view.ranges("texts", np.array([50]))


def test_a_rewritten_memory_leaves_no_byte_of_its_old_vectors() -> None:
    bank = Bank()
    namespace = bank.open("ns", 8)
    old, new = np.full((1, 8), 0.34375, np.float16), np.full((1, 8), 0.125, np.float16)
    codes = np.array([[0xAB, 0xCD]], np.uint8)
    one = np.array([0, 1])
    first = replace(said([1], [5]), vectors=old, view_offsets=one, tokens=codes, token_offsets=one)
    second = replace(first, versions=np.array([2], np.int32), recorded_from_us=np.array([20]))
    namespace.put(first)
    namespace.put(second)
    for _ in range(2):  # the first time there is a dead row beside the live ones
        closed = replace(first, vectors=new, tokens=codes + 1, recorded_to_us=np.array([20]))
        namespace.rewrite(replace(second, vectors=new, tokens=codes + 1))
        namespace.rewrite(closed)
    held = b"".join(
        page.buffer.tobytes()
        for segment in (namespace._current, namespace._history)
        for pages in segment.lists
        for page in pages.table.pages
    )
    assert old.tobytes() not in held
    assert codes.tobytes() not in held
    with namespace.view(replace(EVERYTHING, as_of_us=15)) as view:
        assert view.eligible == 1
    assert sorted(f.version for f in namespace.fingerprints()) == [1, 2]
