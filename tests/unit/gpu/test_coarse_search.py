"""Coarse search finds the best of the candidates that its codes name, and says truly when that is all there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gpu.bank.errors import DimensionError, PageOwnershipError
from gpu.bank.layouts import Tier
from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.device.coded import CodedRows
from gpu.device.mirror import DeviceRows
from gpu.device.pool import DevicePool
from gpu.ops.coarse_search import triton_kernel
from gpu.ops.coarse_search.op import Plan, candidate_groups, coarse_search, plan
from gpu.ops.coarse_search.reference import coarse_search_rows, group_bests
from gpu.ops.paged_search.op import GROUP
from gpu.ops.paged_search.reference import paged_search_rows
from gpu.tiers.codecs import dot, encode
from gpu.tiers.ranking import corrected
from gpu.tiers.rotation import rotation
from tests.fixtures.bank_records import memory_id, random_batch

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DIM = 40
CODED = (Tier.INT8, Tier.INT4, Tier.BIT1)
EVERYTHING = 1 << 20
"""More groups than any namespace here has."""


class Rows:
    """A namespace on the device, exact and coded, and the same rows as plain tensors."""

    def __init__(
        self,
        pool: DevicePool,
        rng: np.random.Generator,
        n: int,
        tier: Tier,
        *,
        dim: int = DIM,
        max_views: int = 2,
        exact_pool: DevicePool | None = None,
    ) -> None:
        self.bank = NamespaceBank(PagePool(), dim)
        at = 0
        while at < n:  # in steps, so that there are pages of several sizes
            step = min(n - at, int(rng.integers(1, max(2, n // 2) + 1)))
            self.bank.put(random_batch(rng, list(range(at, at + step)), dim=dim, max_views=max_views))
            at += step
        with self.bank.pinned() as seen:
            self.exact = DeviceRows(exact_pool or pool, seen.current)
            self.coded = CodedRows(pool, seen.current, tier)
        self.follow()

    def follow(self) -> None:
        with self.bank.pinned() as seen:
            self.exact.follow(seen.current_rows)
            self.coded.follow(seen.current_rows)
            rows = seen.current_rows
            pages = [(page, min(page.capacity, rows.n_views - page.start)) for page in rows.codes.pages]
            vectors = [page.column("vectors")[:m].astype(np.float32) for page, m in pages]
            slots = [page.column("slot")[:m].astype(np.int32) for page, m in pages]
            died = [page.column("died") for page in rows.attributes.pages]
        groups, first = [], 0
        for page, m in pages:
            groups.append(first + np.arange(m) // GROUP)
            first += -(-page.capacity // GROUP)
        dim = self.bank.dim
        self.vectors = np.concatenate([*vectors, np.empty((0, dim), np.float32)])
        self.slots = np.concatenate([*slots, np.empty(0, np.int32)])
        if died:
            self.slots[np.concatenate(died)[self.slots] <= rows.epoch] = -1
        self.groups = np.concatenate([*groups, np.empty(0, np.int64)])

    def estimates(self, query: NDArray[np.float32]) -> NDArray[np.float32]:
        turned = rotation(self.bank.dim)
        centre = self.coded._centre
        rows = turned.turn(self.vectors) - centre
        codes = corrected(encode(rows, self.coded.tier), np.einsum("ij,ij->i", rows, rows))
        return dot(turned.turn(query), codes).astype(np.float32)


def pool(size: int = 1 << 23) -> DevicePool:
    return DevicePool(DEVICE, size)


def there(values: NDArray[np.generic]) -> torch.Tensor:
    return torch.from_numpy(values).to(DEVICE)


def queries_of(rng: np.random.Generator, b: int, dim: int = DIM) -> torch.Tensor:
    return there(rng.standard_normal((b, dim)).astype(np.float32))


def planned(
    rows: Sequence[Rows], k: int, masks: Sequence[torch.Tensor | None] | None = None, candidates: int | None = None
) -> Plan:
    return plan([one.coded.coded for one in rows], [one.exact.rows for one in rows], k, masks, candidates)


def is_same(found: torch.Tensor, slots: torch.Tensor, scores: torch.Tensor) -> bool:
    close = torch.zeros_like(scores, dtype=torch.bool)  # equal within rounding to a neighbour: either may come first
    close[:, 1:] |= (scores[:, 1:] - scores[:, :-1]).abs() < 1e-5
    close[:, :-1] |= close[:, 1:].clone()
    return bool(((found == slots) | close).all())


def check(
    queries: torch.Tensor,
    rows: Sequence[Rows],
    k: int,
    wanted: int,
    masks: Sequence[torch.Tensor | None] | None = None,
    rounding: float = 0.0,
) -> None:
    """The chosen groups are those with the best estimates to within a level and `rounding`; the rest is exact."""
    batch = planned(rows, k, masks, wanted)
    found = coarse_search(queries, batch, k)
    order = list(range(len(rows))) if batch.order is None else batch.order.tolist()
    vectors, slots = [there(one.vectors) for one in rows], [there(one.slots) for one in rows]
    narrowed = []
    for i, one in enumerate(rows):
        at = order.index(i)
        estimates = one.estimates(queries[i].cpu().numpy())
        best = group_bests(
            torch.from_numpy(estimates), slots[i].cpu(), torch.from_numpy(one.groups),
            None if masks is None or masks[i] is None else masks[i].cpu(),
        )  # fmt: skip
        chosen = chosen_groups(batch, at, one)
        assert len(set(chosen)) == len(chosen) <= wanted
        length = float(queries[i].norm())
        level = 2 / triton_kernel.LEVELS * length * one.coded._longest
        missed = np.setdiff1d(np.flatnonzero(np.isfinite(best.numpy())), chosen)
        if missed.size and len(chosen):
            assert best[missed].max() <= best[chosen].min() + level + (rounding + 1e-5) * length * one.coded._longest
        assert missed.size == 0 or len(chosen) > 0
        if missed.size == 0:
            assert bool(found.complete[i])
        narrowed.append(torch.where(torch.isin(there(one.groups), there(np.array(chosen, np.int64))), slots[i], -1))
    wanted_slots, wanted_scores = paged_search_rows(queries, vectors, narrowed, k, masks)
    torch.testing.assert_close(found.scores, wanted_scores, atol=1e-5, rtol=1e-5)
    assert is_same(found.slots, wanted_slots, wanted_scores)
    exact_slots, exact_scores = paged_search_rows(queries, vectors, slots, k, masks)
    for i in torch.nonzero(found.complete).flatten().tolist():
        assert is_same(found.slots[i : i + 1], exact_slots[i : i + 1], exact_scores[i : i + 1])


def chosen_groups(batch: Plan, at: int, one: Rows) -> list[int]:
    count = int(batch.rescored.rows[1, at])
    places = {int(place): number for number, place in enumerate(one.exact.records[:, 0].tolist())}
    return [places[place] for place in batch.chosen[at, :count, 0].tolist()]


@pytest.mark.parametrize("tier", CODED)
@pytest.mark.parametrize("n", [0, 1, 33, 260])
def test_it_equals_the_reference(tier: Tier, n: int) -> None:
    rng = np.random.default_rng(n)
    memory = pool()
    rows = [Rows(memory, rng, size, tier) for size in (n, 40, 0)]
    mask = there(rng.integers(0, 2, 300).astype(np.uint8))
    rounding = 0.3 if tier is Tier.BIT1 else 0.0
    check(queries_of(rng, 3), rows, 5, 3, [mask, None, mask], rounding)


@pytest.mark.parametrize("tier", CODED)
@pytest.mark.parametrize("dim", [1, 8, 100])
def test_dimensions_that_fill_no_word_and_no_block(tier: Tier, dim: int) -> None:
    rng = np.random.default_rng(dim)
    check(queries_of(rng, 1, dim), [Rows(pool(), rng, 70, tier, dim=dim)], 4, 2, rounding=0.3)


