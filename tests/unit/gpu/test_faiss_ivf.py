"""The inverted file that faiss keeps by itself, on the CPU: the same rules as the lists of positions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bank.nearest import EXACT
from gpu.large import index as index_module
from gpu.large.faiss_ivf import FaissIvf
from gpu.large.namespace import LargeNamespace
from tests.fixtures.large import EVERYTHING, FEW, bank_of, memories, query, segment_of

faiss = pytest.importorskip("faiss")
N = 400


@pytest.fixture(autouse=True)
def _chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with a device, but that faiss stays on the CPU."""

    def build(library: Any, segment: Any, wanted: Any) -> FaissIvf | None:
        return FaissIvf.built(library, segment, wanted)

    monkeypatch.setattr("gpu.large.namespace.build", build)


def indexed(bank: NamespaceBank) -> LargeNamespace:
    large = LargeNamespace(bank, EVERYTHING)
    large.refresh()
    assert large.wait(30)
    assert isinstance(large._index, FaissIvf)
    return large


def assert_same(large: LargeNamespace, scan: ScanFilter = ScanFilter()) -> None:  # noqa: B008 - never changed
    with large.bank.view(scan) as view:
        for seed in range(5):
            found, true = large.search(view, query(seed), 10), EXACT.search(view, query(seed), 10)
            assert not found.is_exact
            assert found.slots.tolist() == true.slots.tolist()
            assert found.scores.tolist() == true.scores.tolist()


def test_with_every_list_it_finds_what_the_exact_scan_finds() -> None:
    large = indexed(bank_of(memories(1, list(range(N)))))
    assert_same(large)
    assert_same(large, ScanFilter(any_pairs=((2**63 + 1, 2**63 + 2),)))


def test_newer_rows_are_found_and_added() -> None:
    large = indexed(bank_of(memories(1, list(range(N)))))
    large.bank.put(memories(2, list(range(N, N + 60))))
    assert_same(large)
    assert large.wait(10)
    assert large.state().newer == 0
    assert_same(large)


def test_rows_that_the_index_takes_in_during_a_search_are_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    large = indexed(bank_of(memories(1, list(range(N)))))
    monkeypatch.setattr(large, "refresh", lambda view=None: None)  # it grows just when this test says so
    large.bank.put(memories(2, list(range(N, N + 60))))
    index = large._index
    assert isinstance(index, FaissIvf)
    covered_at_first = index.covered

    def candidates(*args: Any) -> Any:
        slots = FaissIvf.candidates(index, *args)
        index.covered = segment_of(large.bank).n_views  # what growing in place sets at its end
        return slots

    monkeypatch.setattr(index, "candidates", candidates)
    with large.bank.view(ScanFilter()) as view:
        for seed in range(5):
            index.covered = covered_at_first
            found, true = large.search(view, query(seed), 10), EXACT.search(view, query(seed), 10)
            assert found.slots.tolist() == true.slots.tolist()


def test_more_is_asked_for_until_there_are_enough_memories() -> None:
    segment = segment_of(bank_of(memories(1, list(range(N)))))
    index = FaissIvf.built(faiss, segment, lambda: True)
    assert index is not None
    few = np.zeros(segment.n_slots, np.uint8)
    few[::17] = 1
    slots = index.candidates(query(1), segment, few, 1, 15)
    assert slots.shape[0] >= 15
    assert few[slots].all()
    assert (np.diff(slots) > 0).all()


def test_erasure_zeroes_the_copies_and_drops_the_index() -> None:
    batch = memories(1, list(range(N)), max_views=1)
    large = indexed(bank_of(batch))
    index = large._index
    assert isinstance(index, FaissIvf)
    lists = index._index.invlists
    sizes = [(lists.get_codes(i), lists.list_size(i) * index._index.code_size) for i in range(index._index.nlist)]
    views = [faiss.rev_swig_ptr(at, size) for at, size in sizes if size]
    assert any(view.any() for view in views)
    large.bank.erase(batch.memory_ids[:1] if np.diff(batch.view_offsets)[0] else batch.memory_ids[:20])
    assert not any(view.any() for view in views)  # the buffers are still there: faiss keeps what a list once took
    assert large._index is None
    assert index._index.ntotal == 0


def test_build_that_is_not_wanted_any_more_is_given_up() -> None:
    segment = segment_of(bank_of(memories(1, list(range(N)))))
    assert FaissIvf.built(faiss, segment, lambda: False) is None


def test_memory_is_counted() -> None:
    large = indexed(bank_of(memories(1, list(range(N)))))
    assert large.memory_bytes() > segment_of(large.bank).n_views * 16 * 2


def test_lists_of_positions_are_chosen_without_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    from gpu.large.position_lists import PositionLists

    segment = segment_of(bank_of(memories(1, list(range(N)))))
    assert isinstance(index_module.build(faiss, segment, lambda: True), PositionLists)
    monkeypatch.setattr(index_module, "graphics_cards", lambda _library: 1)
    assert isinstance(index_module.build(faiss, segment, lambda: True), FaissIvf)
    assert FEW.large_from
