"""Near pairs on the host and on a device are those of the reference, however many there are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpu.bank.errors import PageOwnershipError
from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.bank.records import State
from gpu.large.namespace import LargeNamespace
from gpu.large.near_pairs import near_pairs_in_lists
from gpu.large.position_lists import PositionLists
from gpu.large.rules import LargeRules
from gpu.ops.near_pairs import device, op
from gpu.ops.near_pairs.device import TILE_PAIRS, near_pairs_on_device
from gpu.ops.near_pairs.op import near_pairs
from gpu.ops.near_pairs.partners import NearPairs
from gpu.ops.near_pairs.reference import near_pairs_rows
from tests.fixtures.bank_records import memory_id, random_batch
from tests.fixtures.device_rows import DEVICE, OnDevice, bank_in_steps, poisoned_pool, with_vectors

EVERYTHING = ScanFilter(states=frozenset(State))


def on_host(bank: NamespaceBank, threshold: float, most: int, mask: np.ndarray | None = None) -> NearPairs:
    with bank.pinned() as seen:
        return near_pairs(seen.current_rows, threshold, most, mask)


def check(
    found: tuple[torch.Tensor, torch.Tensor, torch.Tensor], wanted: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
) -> None:
    assert found[0].tolist() == wanted[0].tolist()
    assert found[1].tolist() == wanted[1].tolist()
    torch.testing.assert_close(found[2].double(), wanted[2], atol=2e-6, rtol=0)


def check_both(bank: NamespaceBank, threshold: float, most: int, mask: np.ndarray | None = None) -> int:
    """Compares host and device with the reference; how many pairs there are."""
    rows = OnDevice(poisoned_pool(), bank)
    on_device = rows.alive if mask is None else torch.from_numpy(mask).to(DEVICE)
    wanted = near_pairs_rows(rows.vectors, rows.slots, threshold, most, on_device)
    here = on_host(bank, threshold, most, mask)
    assert here.is_exact
    check(tuple(torch.from_numpy(of) for of in (here.first, here.second, here.scores)), tuple(w.cpu() for w in wanted))
    there = near_pairs_on_device(rows.device.rows, threshold, most, on_device)
    check((there.first, there.second, there.scores), wanted)
    return len(here)


def safe(vectors: torch.Tensor, wanted: float) -> float:
    """A threshold near the wanted one that no product is within rounding of: the middle of the widest gap there."""
    products = (vectors.double() @ vectors.double().T).flatten()
    near = products[(products - wanted).abs() < 0.02]
    near = torch.cat([near, near.new_tensor([wanted - 0.02, wanted + 0.02])]).sort().values
    at = int(torch.argmax(near.diff()))
    return float((near[at] + near[at + 1]) / 2)


@settings(max_examples=2, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(0, 100), st.integers(1, 40), st.floats(-0.2, 0.8), st.integers(1, 12), st.booleans(),
    st.integers(0, 2**32),
)  # fmt: skip
def test_they_are_those_of_the_reference(
    n: int, dim: int, threshold: float, most: int, is_masked: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    bank = bank_in_steps(rng, n, dim)
    if n > 3:  # some rows are replaced, some erased
        bank.put(random_batch(rng, list(range(0, n, 3)), dim=dim, versions=[2] * len(range(0, n, 3))))
        bank.erase(np.frombuffer(memory_id(1), np.uint8).reshape(1, 16))
    with bank.view(EVERYTHING) as view:
        mask = view.mask().copy()
    rows = OnDevice(poisoned_pool(), bank)
    chosen = mask & rng.integers(0, 2, mask.size).astype(np.uint8) if is_masked else None
    check_both(bank, safe(rows.vectors, threshold), most, chosen)


@pytest.mark.parametrize("n", [1, 2, 33, 128, 129])
def test_sizes_about_those_of_groups_and_tiles(n: int) -> None:
    rng = np.random.default_rng(n)
    bank = bank_in_steps(rng, n, 8, max_views=1)
    check_both(bank, safe(OnDevice(poisoned_pool(), bank).vectors, 0.6), 5)


def test_more_rows_than_a_square_of_tiles_and_blocks_that_do_not_divide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(op, "BLOCK_ROWS", 70)
    monkeypatch.setattr(op, "parts_for", lambda *_: 3)
    rng = np.random.default_rng(1)
    for n, side in ((200, 1), (300, 1), (400, 2)):  # two and three squares on a side: an even and an odd triangle
        monkeypatch.setattr(device, "MOST_SIDE", side)
        vectors = rng.standard_normal((n, 16))
        bank = NamespaceBank(PagePool(), 16)
        bank.put(
            with_vectors(random_batch(rng, list(range(n)), dim=16), vectors / np.linalg.norm(vectors, axis=1)[:, None])
        )
        assert check_both(bank, safe(OnDevice(poisoned_pool(), bank).vectors, 0.5), 4) > 10


@pytest.mark.parametrize("most", [1, 3])
def test_equal_memories_keep_the_first_ones_as_partners(most: int) -> None:
    rng = np.random.default_rng(2)
    n = 140
    bank = NamespaceBank(PagePool(), 8)
    bank.put(with_vectors(random_batch(rng, list(range(n)), dim=8), np.full((n, 8), 0.5)))
    found = on_host(bank, 0.9, most)
    wanted = [(a, b) for a in range(most) for b in range(a + 1, n)]
    assert list(zip(found.first.tolist(), found.second.tolist(), strict=True)) == wanted
    rows = OnDevice(poisoned_pool(), bank).device.rows
    for room in (TILE_PAIRS, 1 << 17):  # some, or all, of the pairs fit at a time
        there = near_pairs_on_device(rows, 0.9, most, room=room)
        assert list(zip(there.first.tolist(), there.second.tolist(), strict=True)) == wanted


def test_a_memory_of_many_vectors_is_one_partner() -> None:
    rng = np.random.default_rng(3)
    batch = random_batch(rng, list(range(40)), dim=8, max_views=1)
    counts = np.ones(40, np.int64)
    counts[7] = 200
    vectors = rng.standard_normal((int(counts.sum()), 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    bank = NamespaceBank(PagePool(), 8)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    bank.put(replace(batch, vectors=vectors.astype(np.float16), view_offsets=offsets))
    rows = OnDevice(poisoned_pool(), bank)
    found = check_both(bank, safe(rows.vectors, 0.7), 2)
    assert found >= 39, "every other memory is near to one of its vectors"


def test_a_page_of_somebody_else_is_refused() -> None:
    rng = np.random.default_rng(4)
    pool = poisoned_pool()
    mirror = OnDevice(pool, bank_in_steps(rng, 50, 8, max_views=1)).device
    rows = mirror.rows
    mirror.release()
    with pytest.raises(PageOwnershipError):
        near_pairs_on_device(rows, 0.5, 2)
    OnDevice(pool, bank_in_steps(rng, 50, 8, max_views=1))  # takes the same place
    with pytest.raises(PageOwnershipError):
        near_pairs_on_device(rows, 0.5, 2)


def test_what_cannot_be_asked_is_refused() -> None:
    rng = np.random.default_rng(5)
    bank = bank_in_steps(rng, 5, 8)
    rows = OnDevice(poisoned_pool(), bank).device.rows
    for threshold, most in ((np.nan, 1), (np.inf, 1), (0.5, 0)):
        with pytest.raises(ValueError, match="must be finite"):
            on_host(bank, threshold, most)
        with pytest.raises(ValueError, match="must be finite"):
            near_pairs_on_device(rows, threshold, most)
    with pytest.raises(ValueError, match="room"):
        near_pairs_on_device(rows, 0.5, 1, room=TILE_PAIRS - 1)


@pytest.mark.parametrize("n", [0, 1, 90, 400])
def test_with_all_lists_of_an_index_nothing_is_missed(n: int) -> None:
    faiss = pytest.importorskip("faiss")
    rng = np.random.default_rng(n)
    bank = bank_in_steps(rng, n, 8)
    with bank.pinned() as seen:
        index = PositionLists.built(faiss, seen.current_rows, lambda: True)
    assert index is not None
    if n > 50:  # rows newer than the index, replaced and erased ones
        bank.put(random_batch(rng, list(range(0, n + 30, 9)), dim=8, versions=[2] * len(range(0, n + 30, 9))))
        bank.erase(np.frombuffer(memory_id(1), np.uint8).reshape(1, 16))
    with bank.view(ScanFilter()) as view:
        (segment, _, mask), *_ = view.segments()
        exact = near_pairs(segment, 0.8, 3, mask)
        found = near_pairs_in_lists(index, segment, 0.8, 3, mask, near_lists=10_000)
        few = near_pairs_in_lists(index, segment, 0.8, 1_000, mask, near_lists=1)
        whole = near_pairs(segment, 0.8, 1_000, mask)
    assert (found.first.tolist(), found.second.tolist()) == (exact.first.tolist(), exact.second.tolist())
    assert not found.is_exact
    all_pairs = set(zip(whole.first.tolist(), whole.second.tolist(), strict=True))
    assert set(zip(few.first.tolist(), few.second.tolist(), strict=True)) <= all_pairs


def test_the_index_of_another_segment_is_refused() -> None:
    faiss = pytest.importorskip("faiss")
    with bank_in_steps(np.random.default_rng(6), 20, 8).pinned() as seen:
        index = PositionLists.built(faiss, seen.current_rows, lambda: True)
        assert index is not None
        with pytest.raises(ValueError, match="another segment"):
            near_pairs_in_lists(replace(index, owner=index.owner + 1), seen.current_rows, 0.5, 2)


def test_a_large_namespace_says_that_its_pairs_are_not_exact() -> None:
    pytest.importorskip("faiss")
    bank = bank_in_steps(np.random.default_rng(7), 60, 8)
    large = LargeNamespace(bank, LargeRules(large_from=1))
    with bank.view(EVERYTHING) as view:
        before = large.near_pairs(view, 0.5, 3)
        large.refresh(view)
        assert large.wait(20)
        assert before.is_exact
        assert not large.near_pairs(view, 0.5, 3).is_exact
    large.close()
