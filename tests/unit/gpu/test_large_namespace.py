"""The index of a large namespace: what it finds, when it is used, and what it lets go of."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gpu import faiss_library as library
from gpu.bank.errors import DimensionError
from gpu.bank.filters import ScanFilter, pair_hash
from gpu.bank.nearest import EXACT
from gpu.bank.proposed import sample
from gpu.large import namespace as large_namespace
from gpu.large import position_lists
from gpu.large.namespace import LargeNamespace
from gpu.large.position_lists import PositionLists
from gpu.large.rules import LargeRules
from tests.fixtures.bank_records import random_batch
from tests.fixtures.large import DIM, EVERYTHING, FEW, bank_of, indexed, memories, query, segment_of

pytest.importorskip("faiss")
ALL = ScanFilter()
N = 400


def lists_of(large: LargeNamespace) -> PositionLists:
    assert isinstance(large._index, PositionLists)
    return large._index


def assert_same(large: LargeNamespace, scan: ScanFilter = ALL, limit: int = 20, *, by_index: bool = True) -> None:
    with large.bank.view(scan) as view:
        for seed in range(5):
            found, true = large.search(view, query(seed), limit), EXACT.search(view, query(seed), limit)
            assert found.is_exact != by_index
            assert found.slots.tolist() == true.slots.tolist()
            assert found.scores.tolist() == true.scores.tolist()
            every = np.arange(view.n_slots)
            assert found.score_of(every).tolist() == true.score_of(every).tolist()


def held(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> tuple[threading.Event, threading.Event]:
    """A function that tells when it is called, and goes on when it is let."""
    reached, go_on = threading.Event(), threading.Event()
    work: Callable[..., Any] = getattr(module, name)

    def waits(*arguments: Any) -> Any:
        done = work(*arguments)
        reached.set()
        assert go_on.wait(30)
        return done

    monkeypatch.setattr(module, name, waits)
    return reached, go_on


def test_with_every_list_it_finds_what_the_exact_scan_finds() -> None:
    large = indexed(bank_of(memories(1, list(range(N)))))
    assert_same(large)
    assert_same(large, limit=0)
    assert_same(large, limit=1)
    assert_same(large, limit=2 * N)


def test_with_few_lists_scores_are_exact_and_most_is_found() -> None:
    large = indexed(bank_of(memories(1, list(range(N)), max_views=1)), FEW)
    with large.bank.view(ALL) as view:
        shares = []
        for seed in range(30):
            vector = view.ranges("vectors", np.array([seed]))[0]["vectors"]
            if not vector.shape[0]:
                continue
            found = large.search(view, vector[0].astype(np.float32), 5)
            true = EXACT.search(view, vector[0].astype(np.float32), 5)
            assert not found.is_exact
            assert found.scores.tolist() == true.score_of(found.slots).tolist()
            assert (np.diff(found.scores) <= 0).all()
            shares.append(np.isin(true.slots, found.slots).mean())
        assert 0.6 < np.mean(shares) <= 1


def test_small_namespace_gets_no_index() -> None:
    large = LargeNamespace(bank_of(memories(1, list(range(40)))), replace(EVERYTHING, large_from=1000))
    large.refresh()
    assert large.wait(10)
    assert large.state().covered == 0
    assert_same(large, by_index=False)


def test_same_rows_give_the_same_index() -> None:
    one, other = (lists_of(indexed(bank_of(memories(1, list(range(N)))))) for _ in range(2))
    for name in ("centroids", "offsets", "positions"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_filters_are_kept_and_narrow_ones_go_to_the_exact_scan() -> None:
    large = indexed(bank_of(memories(1, list(range(N)))))
    some = ScanFilter(any_pairs=((2**63 + 1, 2**63 + 2),))
    assert_same(large, some)
    assert_same(large, ScanFilter(any_pairs=((pair_hash("nobody", "has"),),)), by_index=False)
    large.rules = replace(EVERYTHING, least_compared=40, cost_of_jump=2)
    with large.bank.view(some) as view:
        assert 0 < view.eligible < 2 * 40 + 2 * 16 + N
        found = large.search(view, query(1), 10)
        assert found.is_exact == (not large.rules.is_worth_it(view.eligible, 40, 0))


def test_what_the_filter_hides_is_never_proposed() -> None:
    large = indexed(bank_of(memories(1, list(range(N)))), FEW)
    with large.bank.view(ScanFilter(any_pairs=((2**63 + 1,),))) as view:
        mask = view.mask()
        for seed in range(20):
            assert mask[lists_of(large).candidates(query(seed), segment_of(large.bank), mask, 60, 30)].all()
            found = large.search(view, query(seed), 30)
            assert mask[found.slots].all()
            hidden = np.flatnonzero(mask == 0)
            assert (found.score_of(hidden) == -np.inf).all()


def test_moments_are_those_of_a_fixed_sample_of_eligible_memories() -> None:
    large = indexed(bank_of(memories(1, list(range(N)))), replace(EVERYTHING, sampled=150))
    with large.bank.view(ALL) as view:
        one, again = (large.search(view, query(1), 5) for _ in range(2))
        true = EXACT.search(view, query(1), 5)
        assert (one.mean, one.std) == (again.mean, again.std)
        assert abs(one.mean - true.mean) < 0.25 * true.std
        assert one.std == pytest.approx(true.std, rel=0.25)


def test_sample_is_spread_and_eligible() -> None:
    mask = (np.arange(100_000) % 3 == 0).astype(np.uint8)
    slots = sample(mask, int(mask.sum()), 1000)
    assert mask[slots].all()
    assert 800 < slots.shape[0] <= 1200
    assert np.abs(np.histogram(slots, 10, (0, 100_000))[0] - 100).max() < 45
    assert sample(mask[:90], 30, 1000).tolist() == list(range(0, 90, 3))


def test_newer_rows_are_found_before_and_after_they_are_added() -> None:
    large = indexed(bank_of(memories(1, list(range(N)))))
    before = large.state().covered
    large.bank.put(memories(2, list(range(N, N + 5))))
    assert_same(large)
    assert large.state().covered == before
    large.bank.put(memories(3, list(range(N + 5, N + 60))))
    assert_same(large)
    assert large.wait(10)
    state = large.state()
    assert state.covered == segment_of(large.bank).n_views > before
    assert state.newer == 0
    assert_same(large)


def test_replaced_memories_are_found_as_they_are_now() -> None:
    large = indexed(bank_of(memories(1, list(range(N)))))
    large.bank.put(memories(5, list(range(60)), version=2))
    assert large.state().dead == 60
    assert_same(large)


def test_view_of_an_earlier_moment_sees_closed_versions_and_not_later_rows() -> None:
    large = indexed(bank_of(memories(1, list(range(N)))))
    with large.bank.view(ALL) as earlier:
        large.bank.put(memories(5, list(range(60)), version=2))
        large.bank.put(memories(6, list(range(N, N + 50)), version=3))
        large.refresh()
        assert large.wait(10)
        found, true = large.search(earlier, query(3), 50), EXACT.search(earlier, query(3), 50)
        assert found.slots.tolist() == true.slots.tolist()
    for at_us in (1, 2, 3):
        assert_same(large, ScanFilter(as_of_us=at_us))


def test_grown_index_is_trained_anew() -> None:
    large = indexed(bank_of(memories(1, list(range(100)), max_views=1)))
    trained_on = lists_of(large).trained_on
    large.bank.put(memories(2, list(range(100, 600)), max_views=1))
    large.refresh()
    assert large.wait(10)
    assert lists_of(large).trained_on > 2 * trained_on
    assert_same(large)


def test_erased_vectors_are_gone_before_the_erasure_returns() -> None:
    batch = memories(1, list(range(N)), max_views=1)
    large = indexed(bank_of(batch))
    lists = lists_of(large)
    slots = np.flatnonzero(np.diff(batch.view_offsets))[:7]
    positions = batch.view_offsets[:-1][slots]
    owner_list = np.repeat(np.arange(lists.offsets.shape[0] - 1), np.diff(lists.offsets))
    touched = np.unique(owner_list[np.isin(lists.positions, positions)])
    before = lists.centroids.copy()
    large.bank.erase(batch.memory_ids[slots])
    after = lists_of(large)
    assert not np.isin(after.positions, positions).any()
    changed = np.flatnonzero((before != after.centroids).any(axis=1))
    assert changed.tolist() == touched.tolist()
    # Who still has the earlier index has nothing of them either.
    np.testing.assert_array_equal(lists.centroids, after.centroids)
    segment = segment_of(large.bank)
    for number in touched:
        own = after.positions[after.offsets[number] : after.offsets[number + 1]].astype(np.int64)
        rows = batch.vectors[own].astype(np.float32).sum(axis=0)
        expected = rows / max(float(np.linalg.norm(rows)), 1e-9)
        np.testing.assert_allclose(after.centroids[number].astype(np.float32), expected, atol=2e-3)
    assert segment.n_views == after.covered
    assert_same(large)


def test_list_of_one_row_is_empty_once_that_is_erased() -> None:
    batch = memories(1, list(range(N)), max_views=1)
    large = indexed(bank_of(batch), replace(EVERYTHING, large_from=50))
    lists = lists_of(large)
    shortest = int(np.argmin(np.where(np.diff(lists.offsets) > 0, np.diff(lists.offsets), N)))
    own = lists.positions[lists.offsets[shortest] : lists.offsets[shortest + 1]]
    slots = np.searchsorted(batch.view_offsets, own, side="right") - 1
    large.bank.erase(batch.memory_ids[slots])
    assert not lists_of(large).centroids[shortest].any()


def test_rewritten_vectors_leave_the_index() -> None:
    large = indexed(bank_of(memories(1, list(range(N)))))
    count = lists_of(large).positions.shape[0]
    large.bank.rewrite(memories(8, list(range(10))))
    assert lists_of(large).positions.shape[0] < count
    assert_same(large)


def test_clear_drops_and_zeroes_the_index() -> None:
    large = indexed(bank_of(memories(1, list(range(N)))))
    lists = lists_of(large)
    large.bank.clear()
    assert not lists.centroids.any()
    assert large.memory_bytes() == 0
    assert_same(large, by_index=False)


def test_compaction_drops_the_index_and_a_new_one_is_built() -> None:
    large = indexed(bank_of(memories(1, list(range(N)))))
    owner = lists_of(large).owner
    large.bank.put(memories(5, list(range(200)), version=2))  # a third of the rows is dead: the bank compacts
    assert large.state().covered == 0
    large.refresh()
    assert large.wait(10)
    assert lists_of(large).owner != owner
    assert_same(large)


def test_searches_during_a_build_are_exact_and_rows_appended_meanwhile_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reached, go_on = held(monkeypatch, position_lists.clusters, "trained")
    large = LargeNamespace(bank_of(memories(1, list(range(N)))), EVERYTHING)
    assert_same(large, by_index=False)
    assert reached.wait(10)
    assert large.state().is_building
    large.bank.put(memories(2, list(range(N, N + 10))))
    assert_same(large, by_index=False)
    go_on.set()
    assert large.wait(10)
    assert 0 < large.state().covered < segment_of(large.bank).n_views
    assert_same(large)


def test_rows_erased_during_a_build_are_not_in_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    reached, go_on = held(monkeypatch, position_lists.clusters, "means")
    batch = memories(1, list(range(N)), max_views=1)
    large = LargeNamespace(bank_of(batch), EVERYTHING)
    large.refresh()
    assert reached.wait(10)
    slots = np.flatnonzero(np.diff(batch.view_offsets))[:3]
    large.bank.erase(batch.memory_ids[slots])
    go_on.set()
    assert large.wait(10)
    lists = lists_of(large)
    assert not np.isin(lists.positions, batch.view_offsets[:-1][slots]).any()
    for number in range(lists.centroids.shape[0]):
        own = lists.positions[lists.offsets[number] : lists.offsets[number + 1]].astype(np.int64)
        rows = batch.vectors[own].astype(np.float32).sum(axis=0)
        expected = rows / max(float(np.linalg.norm(rows)), 1e-9)
        np.testing.assert_allclose(lists.centroids[number].astype(np.float32), expected, atol=2e-3)
    assert_same(large)


def test_build_of_rows_that_were_moved_meanwhile_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    reached, go_on = held(monkeypatch, position_lists.clusters, "trained")
    large = LargeNamespace(bank_of(memories(1, list(range(N)))), EVERYTHING)
    large.refresh()
    assert reached.wait(10)
    large.bank.put(memories(5, list(range(200)), version=2))
    go_on.set()
    assert large.wait(10)
    assert large.state().covered == 0


def test_without_faiss_every_search_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    assert library.faiss() is None
    large = LargeNamespace(bank_of(memories(1, list(range(N)))), EVERYTHING)
    assert_same(large, by_index=False)
    assert large.wait(10)
    assert_same(large, by_index=False)
    assert large.state().covered == 0
    assert not large.state().is_building


def test_failed_build_is_logged_and_not_tried_at_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries = []

    def fails(*_: Any) -> None:
        tries.append(1)
        raise RuntimeError("no memory left")

    monkeypatch.setattr(large_namespace, "build", fails)
    large = LargeNamespace(bank_of(memories(1, list(range(N)))), EVERYTHING)
    for _ in range(3):
        assert_same(large, by_index=False)
        assert large.wait(10)
    assert tries == [1]
    assert "no memory left" in caplog.text


def test_index_that_is_dropped_while_it_grows_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    large = indexed(bank_of(memories(1, list(range(N)))))
    reached, go_on = held(monkeypatch, position_lists.clusters, "assigned")
    large.bank.put(memories(2, list(range(N, N + 50))))
    large.refresh()
    assert reached.wait(10)
    large.drop()
    go_on.set()
    assert large.wait(10)
    assert large.state().covered == 0
    large.refresh()
    assert large.wait(10)
    assert lists_of(large).centroids.any(axis=1).all()
    assert_same(large)


def test_closed_one_builds_nothing_and_the_bank_forgets_it() -> None:
    large = indexed(bank_of(memories(1, list(range(N)))))
    large.close()
    assert_same(large, by_index=False)
    assert large.memory_bytes() == 0
    assert large.bank._watchers == ()


def test_wrong_arguments_are_refused() -> None:
    large = indexed(bank_of(memories(1, list(range(N)))))
    with large.bank.view(ALL) as view:
        with pytest.raises(DimensionError):
            large.search(view, np.ones(DIM + 1, np.float32), 5)
        with pytest.raises(ValueError, match="negative"):
            large.search(view, query(1), -1)


def test_memories_without_any_vector_are_not_found() -> None:
    bare = random_batch(np.random.default_rng(1), list(range(N, N + 30)), dim=DIM, max_views=0)
    large = indexed(bank_of(memories(1, list(range(N))), bare))
    assert_same(large, limit=2 * N)


def test_rules() -> None:
    rules = LargeRules()
    assert rules.compared(10_000, 10) == 4_000
    assert rules.compared(1_000_000, 10) == 10_000
    assert rules.compared(10_000, 500) == 25_000
    assert not rules.is_worth_it(20_000, 4_000, 0)
    assert rules.is_worth_it(100_000, 4_000, 0)
    assert not rules.is_worth_it(100_000, 4_000, 100_000)
    assert rules.is_worn(100, 200)
    assert not rules.is_worn(100, 199)


def test_searches_of_several_threads_beside_a_writer() -> None:
    large = indexed(bank_of(memories(1, list(range(N)))), FEW)
    stop, errors = threading.Event(), []

    def searches(seed: int) -> None:
        try:
            while not stop.is_set():
                with large.bank.view(ALL) as view:
                    found = large.search(view, query(seed), 10)
                    assert np.isfinite(found.scores).all()
                    assert np.unique(found.slots).shape == found.slots.shape
                    assert view.mask()[found.slots].all()
        except Exception as error:  # noqa: BLE001 - reported by the main thread
            errors.append(error)

    threads = [threading.Thread(target=searches, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    rng = np.random.default_rng(4)
    ends = time.monotonic() + 1.5
    version = 1
    while time.monotonic() < ends:
        version += 1
        numbers = rng.choice(2 * N, 40, replace=False).tolist()
        large.bank.put(memories(version, numbers, version=version))
        large.bank.erase(memories(1, numbers[:3]).memory_ids)
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors, errors
    assert large.wait(10)
    large.rules = EVERYTHING
    large.refresh()
    assert large.wait(10)
    assert_same(large)
