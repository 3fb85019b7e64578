"""An index that reads every list answers like the exact scan, whatever was written, erased, moved or asked before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gpu.bank.filters import ScanFilter
from gpu.bank.nearest import EXACT
from gpu.large.namespace import LargeNamespace
from gpu.large.position_lists import PositionLists
from gpu.large.scans import distinct_best
from tests.fixtures.large import EVERYTHING, bank_of, memories, query, segment_of

pytest.importorskip("faiss")


class LargeModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.large = LargeNamespace(bank_of(memories(1, list(range(80)))), replace(EVERYTHING, catch_up_from=7))
        self.version = 1
        self.build()

    def teardown(self) -> None:
        self.large.close()

    @rule()
    def build(self) -> None:
        self.large.refresh()
        assert self.large.wait(30)

    @rule(numbers=st.lists(st.integers(0, 150), min_size=1, max_size=25, unique=True), seed=st.integers(0, 2**32 - 1))
    def put(self, numbers: list[int], seed: int) -> None:
        self.version += 1
        self.large.bank.put(memories(seed, numbers, version=self.version))

    @rule(numbers=st.lists(st.integers(0, 150), min_size=1, max_size=10, unique=True))
    def erase(self, numbers: list[int]) -> None:
        self.large.bank.erase(memories(1, numbers).memory_ids)

    @rule(numbers=st.lists(st.integers(0, 150), min_size=1, max_size=5, unique=True), seed=st.integers(0, 2**32 - 1))
    def rewrite(self, numbers: list[int], seed: int) -> None:
        self.version += 1
        self.large.bank.rewrite(memories(seed, numbers, version=self.version))

    @rule()
    def compact(self) -> None:
        self.large.bank.compact()

    @rule(seed=st.integers(0, 1000), limit=st.integers(0, 40), data=st.data())
    def ask(self, seed: int, limit: int, data: Any) -> None:
        scan = ScanFilter(
            any_pairs=data.draw(st.sampled_from([(), ((2**63 + 1, 2**63 + 2),)])),
            as_of_us=data.draw(st.none() | st.integers(0, self.version)),
        )
        with self.large.bank.view(scan) as view:
            found, true = self.large.search(view, query(seed), limit), EXACT.search(view, query(seed), limit)
            assert found.slots.tolist() == true.slots.tolist()
            assert found.scores.tolist() == true.scores.tolist()
            every = np.arange(view.n_slots)[::-1]
            assert found.score_of(every).tolist() == true.score_of(every).tolist()
        assert self.large.wait(30)

    @invariant()
    def nothing_of_an_erased_memory_is_left(self) -> None:
        index = self.large._index
        if not isinstance(index, PositionLists):
            return
        segment = segment_of(self.large.bank)
        assert index.owner == segment.codes.owner
        assert index.without_erased(segment) is index
        assert index.offsets[-1] == index.positions.shape[0] == index.slots.shape[0]


TestLargeModel = LargeModel.TestCase
TestLargeModel.settings = settings(max_examples=30, stateful_step_count=15, suppress_health_check=list(HealthCheck))


@given(
    rows=st.lists(st.tuples(st.integers(0, 12), st.sampled_from([0.0, 0.25, 0.5, 1.0])), max_size=40),
    limit=st.integers(0, 15),
)
def test_distinct_best_has_every_memory_that_could_be_among_the_best(rows: list[tuple[int, float]], limit: int) -> None:
    slots = np.array([slot for slot, _ in rows], np.int64)
    scores = np.array([score for _, score in rows], np.float32)
    best: dict[int, float] = {}
    for slot, score in rows:
        best[slot] = max(score, best.get(slot, -1.0))
    expected = sorted(best, key=lambda slot: (-best[slot], slot))[:limit]
    found = distinct_best(slots, scores, limit).tolist()
    assert found == sorted(set(found))
    assert set(expected) <= set(found)
