"""Paged search says what its reference says, whatever lies in the pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpu.bank.errors import DimensionError, PageOwnershipError
from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.device.mirror import DeviceRows
from gpu.device.pool import DevicePool
from gpu.ops.paged_search.op import paged_search, plan
from gpu.ops.paged_search.reference import paged_search_rows
from tests.fixtures.bank_records import random_batch

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DIM = 24


class Rows:
    """A namespace on the device, and the same rows as plain tensors."""

    def __init__(self, pool: DevicePool, rng: np.random.Generator, n: int, dim: int = DIM, max_views: int = 3) -> None:
        self.bank = NamespaceBank(PagePool(), dim)
        at = 0
        while at < n:  # in steps, so that there are pages of several sizes
            step = min(n - at, int(rng.integers(1, max(2, n // 2) + 1)))
            self.bank.put(random_batch(rng, list(range(at, at + step)), dim=dim, max_views=max_views))
            at += step
        with self.bank.pinned() as seen:
            self.device = DeviceRows(pool, seen.current)
            self.device.follow(seen.current_rows)
            table = seen.current_rows.codes
            pages = [(page, min(page.capacity, seen.current_rows.n_views - page.start)) for page in table.pages]
            vectors = [page.column("vectors")[:m].astype(np.float32) for page, m in pages]
            slots = [page.column("slot")[:m] for page, m in pages]
        self.vectors = torch.from_numpy(np.concatenate([*vectors, np.empty((0, dim), np.float32)])).to(DEVICE)
        self.slots = torch.from_numpy(np.concatenate([*slots, np.empty(0, np.int32)])).to(DEVICE)


def pool(size: int = 1 << 22) -> DevicePool:
    return DevicePool(DEVICE, size)


def check(
    queries: torch.Tensor, rows: Sequence[Rows], k: int, masks: Sequence[torch.Tensor | None] | None = None
) -> None:
    found = paged_search(queries, plan([one.device.rows for one in rows], masks), k)
    slots, scores = paged_search_rows(queries, [r.vectors for r in rows], [r.slots for r in rows], k, masks)
    torch.testing.assert_close(found.scores, scores, atol=1e-5, rtol=1e-5)
    close = torch.zeros_like(scores, dtype=torch.bool)  # equal within rounding to a neighbour: either may come first
    close[:, 1:] |= (scores[:, 1:] - scores[:, :-1]).abs() < 1e-5
    close[:, :-1] |= close[:, 1:].clone()
    assert ((found.slots == slots) | close).all()
    for own in found.slots.tolist():
        named = [slot for slot in own if slot >= 0]
        assert len(set(named)) == len(named)


def queries_of(rng: np.random.Generator, b: int, dim: int = DIM) -> torch.Tensor:
    return torch.from_numpy(rng.standard_normal((b, dim)).astype(np.float32)).to(DEVICE)


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.integers(0, 70), min_size=1, max_size=4), st.integers(1, 12), st.integers(1, 40), st.integers(0, 2**32)
)
def test_it_equals_the_reference(sizes: list[int], k: int, dim: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    memory = pool()
    rows = [Rows(memory, rng, n, dim) for n in sizes]
    masks = [
        None if rng.random() < 0.5 else torch.from_numpy(rng.integers(0, 2, max(n, 1)).astype(np.uint8)).to(DEVICE)
        for n in sizes
    ]
    check(queries_of(rng, len(sizes), dim), rows, k, masks)


@pytest.mark.parametrize("n", [1, 31, 32, 33, 128, 129, 1500])
@pytest.mark.parametrize("k", [1, 10])
def test_sizes_about_those_of_groups_and_chunks(n: int, k: int) -> None:
    rng = np.random.default_rng(n)
    check(queries_of(rng, 1), [Rows(pool(), rng, n, max_views=1)], k)


def test_as_many_as_there_are() -> None:
    rng = np.random.default_rng(3)
    rows = Rows(pool(), rng, 90)
    check(queries_of(rng, 1), [rows], 90)
    check(queries_of(rng, 1), [rows], 120)


def test_several_queries_of_one_namespace_beside_empty_ones() -> None:
    rng = np.random.default_rng(4)
    memory = pool()
    empty, some, other = Rows(memory, rng, 0), Rows(memory, rng, 200), Rows(memory, rng, 3)
    check(queries_of(rng, 7), [empty, some, empty, some, other, some, empty], 5)


def test_a_dimension_beyond_one_block() -> None:
    rng = np.random.default_rng(5)
    memory = pool()
    check(queries_of(rng, 2, 384), [Rows(memory, rng, 60, 384), Rows(memory, rng, 40, 384)], 10)


def test_equal_scores_come_by_slot() -> None:
    rng = np.random.default_rng(6)
    memory = pool()
    rows = Rows(memory, rng, 300, max_views=1)
    for page in rows.device._pages:
        at = int(page.place("vectors", np.array([0]))[0])
        memory.bytes[at : at + 2 * DIM * page.capacity].view(torch.float16)[:] = 0.5
    found = paged_search(queries_of(rng, 1), plan([rows.device.rows]), 10)
    assert found.slots[0].tolist() == sorted(rows.slots.tolist())[:10]


def test_a_memory_with_many_vectors_takes_no_place_of_others() -> None:
    rng = np.random.default_rng(7)
    memory = pool()
    bank = NamespaceBank(PagePool(), DIM)
    batch = random_batch(rng, list(range(60)), dim=DIM, max_views=1)
    direction = np.full(DIM, DIM**-0.5, np.float32)
    counts = np.diff(batch.view_offsets)
    counts[5] = 700
    vectors = rng.standard_normal((int(counts.sum()), DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    start = int(counts[:5].sum())
    vectors[start : start + 700] = direction + 0.01 * rng.standard_normal((700, DIM))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    bank.put(replace(batch, vectors=vectors.astype(np.float16), view_offsets=offsets))
    with bank.pinned() as seen:
        device = DeviceRows(memory, seen.current)
        device.follow(seen.current_rows)
    query = torch.from_numpy(direction[None]).to(DEVICE)
    found = paged_search(query, plan([device.rows]), 10)
    slots = np.repeat(np.arange(60, dtype=np.int32), counts)
    wanted, _ = paged_search_rows(
        query, [torch.from_numpy(vectors.astype(np.float16)).to(DEVICE)], [torch.from_numpy(slots).to(DEVICE)], 10
    )
    assert found.slots.tolist() == wanted.tolist()


def test_a_page_of_somebody_else_is_refused() -> None:
    rng = np.random.default_rng(8)
    memory = pool()
    rows = Rows(memory, rng, 50)
    batch = plan([rows.device.rows])
    rows.device.release()
    with pytest.raises(PageOwnershipError):
        paged_search(queries_of(rng, 1), batch, 5)
    Rows(memory, rng, 50)  # takes the same place
    with pytest.raises(PageOwnershipError):
        paged_search(queries_of(rng, 1), batch, 5)


@pytest.mark.parametrize(("count", "dim", "k"), [(4, 100, 6), (17, 24, 6), (66, 8, 2)])
def test_many_queries_of_one_namespace_beside_others(count: int, dim: int, k: int) -> None:
    rng = np.random.default_rng(count)
    memory = pool()
    rows = [Rows(memory, rng, n, dim) for n in (70, 0, 40)]
    asked = [rows[i] for i in [*[0] * count, 1, 2, 1, 1, 1, *[2] * 3]]
    rng.shuffle(asked)
    masks = [
        None if rng.random() < 0.5 else torch.from_numpy(rng.integers(0, 2, 70).astype(np.uint8)).to(DEVICE)
        for _ in asked
    ]
    check(queries_of(rng, len(asked), dim), asked, k, masks)


def test_queries_that_do_not_fit_are_refused() -> None:
    rng = np.random.default_rng(9)
    with pytest.raises(ValueError, match="one pool"):
        plan([Rows(pool(), rng, 5).device.rows, Rows(pool(), rng, 5).device.rows])
    batch = plan([Rows(pool(), rng, 5).device.rows])
    with pytest.raises(ValueError, match="float32"):
        paged_search(queries_of(rng, 1).double(), batch, 5)
    with pytest.raises(ValueError, match="at least 1"):
        paged_search(queries_of(rng, 1), batch, 0)
    with pytest.raises(DimensionError):
        paged_search(queries_of(rng, 1, DIM + 1), batch, 5)
