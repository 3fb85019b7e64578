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
from gpu.ops.coarse_search import op, triton_kernel
from gpu.ops.coarse_search.op import Plan, candidates_of, coarse_search, plan
from gpu.ops.coarse_search.reference import coarse_search_rows, group_bests
from gpu.ops.paged_search.op import GROUP
from gpu.ops.paged_search.reference import paged_search_rows
from gpu.tiers.codecs import dot, encode
from gpu.tiers.ranking import corrected
from gpu.tiers.rotation import rotation
from tests.fixtures.bank_records import random_batch

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DIM = 40
CODED = (Tier.INT8, Tier.INT4, Tier.BIT1)


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
            step = min(n - at, int(rng.integers(max(1, n // 3), max(2, n // 2) + 1)))
            self.bank.put(random_batch(rng, list(range(at, at + step)), dim=dim, max_views=max_views))
            at += step
        with self.bank.pinned() as seen:
            self.exact = DeviceRows(exact_pool or pool, seen.current)
            self.coded = CodedRows(pool, seen.current, tier=tier)
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
        dim = self.bank.dim
        self.vectors = np.concatenate([*vectors, np.empty((0, dim), np.float32)])
        self.slots = np.concatenate([*slots, np.empty(0, np.int32)])
        self.pages = [(page.capacity, m) for page, m in pages]
        if died:
            self.slots[np.concatenate(died)[self.slots] <= rows.epoch] = -1

    def parts(self, size: int) -> NDArray[np.int64]:
        """The part of each row, int64 `[n]`: parts of so many rows, numbered group by group."""
        numbers, first = [np.empty(0, np.int64)], 0
        for capacity, m in self.pages:
            numbers.append(first + np.arange(m) // size)
            first += -(-capacity // GROUP) * (GROUP // size)
        return np.concatenate(numbers)

    def estimates(self, query: NDArray[np.float32], whole: int = 127) -> NDArray[np.float32]:
        """Of every row, with a query that is rounded to whole numbers up to `whole`."""
        turned = rotation(self.bank.dim)
        rows = turned.turn(self.vectors) - self.coded.coded.centre.cpu().numpy()
        codes = corrected(encode(rows, self.coded.tier), np.einsum("ij,ij->i", rows, rows))
        asked = turned.turn(query)
        unit = np.abs(asked).max() / np.float32(whole)
        asked = np.floor(asked / unit + np.float32(0.5)) * unit
        return dot(asked, codes).astype(np.float32)


def pool(size: int = 1 << 23) -> DevicePool:
    return DevicePool(DEVICE, size)


def there(values: NDArray[np.generic]) -> torch.Tensor:
    return torch.from_numpy(values).to(DEVICE)


def queries_of(rng: np.random.Generator, b: int, dim: int = DIM) -> torch.Tensor:
    return there(rng.standard_normal((b, dim)).astype(np.float32))


def planned(
    rows: Sequence[Rows],
    k: int,
    masks: Sequence[torch.Tensor | None] | None = None,
    candidates: int | None = None,
    part: int | None = None,
) -> Plan:
    return plan([one.coded.coded for one in rows], [one.exact.rows for one in rows], k, masks, candidates, part)


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
    part: int = GROUP,
) -> None:
    """The chosen parts are those with the best estimates to within a level; the rest is exact."""
    batch = planned(rows, k, masks, wanted, part)
    found = coarse_search(queries, batch, k)
    order = list(range(len(rows))) if batch.order is None else batch.order.tolist()
    vectors, slots = [there(one.vectors) for one in rows], [there(one.slots) for one in rows]
    narrowed = []
    for i, one in enumerate(rows):
        at = order.index(i)
        is_alone = not any(run.first <= at < run.first + run.count for run in batch.shared)
        whole = 7 if is_alone and one.coded.tier is Tier.BIT1 else 127
        estimates = one.estimates(queries[i].cpu().numpy(), whole)
        best = group_bests(
            torch.from_numpy(estimates), slots[i].cpu(), torch.from_numpy(one.parts(part)),
            None if masks is None or masks[i] is None else masks[i].cpu(),
        )  # fmt: skip
        chosen = chosen_parts(batch, at, one)
        assert len(set(chosen)) == len(chosen) <= wanted
        length = float(queries[i].norm())
        level = 2 / triton_kernel.LEVELS * length * one.coded.coded.longest
        missed = np.setdiff1d(np.flatnonzero(np.isfinite(best.numpy())), chosen)
        if missed.size and len(chosen):
            assert best[missed].max() <= best[chosen].min() + level * (1 + 1e-3)
            assert (best >= best[missed].max() - 1.001 * level).sum() > wanted, "the next level would have fitted"
        assert missed.size == 0 or len(chosen) > 0
        if missed.size == 0:
            assert bool(found.complete[i])
        narrowed.append(
            torch.where(torch.isin(there(one.parts(part)), there(np.array(chosen, np.int64))), slots[i], -1)
        )
    wanted_slots, wanted_scores = paged_search_rows(queries, vectors, narrowed, k, masks)
    torch.testing.assert_close(found.scores, wanted_scores, atol=1e-5, rtol=1e-5)
    assert is_same(found.slots, wanted_slots, wanted_scores)
    exact_slots, exact_scores = paged_search_rows(queries, vectors, slots, k, masks)
    for i in torch.nonzero(found.complete).flatten().tolist():
        assert is_same(found.slots[i : i + 1], exact_slots[i : i + 1], exact_scores[i : i + 1])


def chosen_parts(batch: Plan, at: int, one: Rows) -> list[int]:
    """The numbers of the parts that were looked at; their records are what they must be."""
    count, parts, dim = int(batch.rescored.rows[1, at]), GROUP // batch.part, one.bank.dim
    wanted = {}
    for number, (vector_at, slot_at, page, generation, rows, _) in enumerate(one.exact.rows.records.tolist()):
        for i, first in enumerate(range(0, rows, batch.part)):
            place = vector_at + first * dim // 8
            own = [place, slot_at + first // 4, page, generation, min(batch.part, rows - first), 0]
            wanted[place] = (number * parts + i, own)
    found = batch.chosen[at, :count].tolist()
    assert found == [wanted[record[0]][1] for record in found]
    return [wanted[record[0]][0] for record in found]


@pytest.mark.parametrize(("tier", "few"), [(Tier.INT8, 2048), (Tier.INT8, 0), (Tier.BIT1, 0)])
def test_it_equals_the_reference(tier: Tier, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(op, "_FEW_ROWS", few)
    rng = np.random.default_rng(1)
    memory = pool()
    some, few, none = (Rows(memory, rng, n, tier) for n in (40, 6, 0))
    mask = there(rng.integers(0, 2, 100).astype(np.uint8))
    check(queries_of(rng, 3), [some, none, few], 3, 6, [mask, None, None], part=4)


@pytest.mark.parametrize(
    ("tier", "count"), [(Tier.INT8, 1), (Tier.INT4, 1), (Tier.BIT1, 1), (Tier.INT8, 4), (Tier.BIT1, 4)]
)
def test_levels_are_those_of_the_best_estimates(tier: Tier, count: int) -> None:
    rng = np.random.default_rng(12)
    rows = Rows(pool(), rng, 40, tier)
    queries = queries_of(rng, count)
    batch = planned([rows] * count, 1, part=4)
    parts = op.STRETCHES[tier] // 4
    levels = torch.full((batch.first_stretches[-1], parts), -2, dtype=torch.int16, device=DEVICE)
    histogram = torch.zeros((count, triton_kernel.LEVELS), dtype=torch.int32, device=DEVICE)
    broken = torch.zeros(1, dtype=torch.int32, device=DEVICE)
    asked = op._Asked(batch.bounds[0], *torch.empty((4, count), device=DEVICE))
    floors = torch.zeros(count, dtype=torch.int32, device=DEVICE)
    op._scan(queries @ op.turning(DIM, DEVICE), batch, asked, (levels, histogram), floors, broken)
    whole = 7 if count == 1 and tier is Tier.BIT1 else 127
    for i, query in enumerate(queries.cpu().numpy()):
        best = group_bests(
            torch.from_numpy(rows.estimates(query, whole)),
            torch.from_numpy(rows.slots),
            torch.from_numpy(rows.parts(4)),
        )
        most = np.linalg.norm(query) * rows.coded.coded.longest
        wanted = torch.floor((best[torch.isfinite(best)] / most + 1) * triton_kernel.LEVELS / 2)
        own = levels[batch.first_stretches[i] : batch.first_stretches[i + 1]].cpu()
        found = own[own >= 0].float()  # the parts of a namespace that count, in order
        assert (found - wanted).abs().max() <= 1
        counted = torch.bincount(found.long(), minlength=triton_kernel.LEVELS)
        assert histogram[i].tolist() == counted.tolist()


def test_levels_of_no_use_are_not_counted_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(13)
    rows = Rows(pool(), rng, 120, Tier.BIT1)
    queries = queries_of(rng, 1)
    batch = planned([rows], 3, candidates=2, part=4)
    assert batch.first_stretches[-1] > 1
    answers = []
    for every in (0, 1):
        monkeypatch.setitem(op._RAISED_EVERY, Tier.BIT1, every)
        found = coarse_search(queries, batch, 3)
        chosen = batch.chosen[0, :, 0].sort().values.tolist()
        answers.append((found.slots.tolist(), found.scores.tolist(), chosen))
    assert answers[0] == answers[1]
    parts = op.STRETCHES[Tier.BIT1] // 4
    levels = torch.full((batch.first_stretches[-1], parts), -2, dtype=torch.int16, device=DEVICE)
    histogram = torch.zeros((1, triton_kernel.LEVELS), dtype=torch.int32, device=DEVICE)
    floors, broken = torch.zeros((2, 1), dtype=torch.int32, device=DEVICE)
    asked = op._Asked(batch.bounds[0], *torch.empty((4, 1), device=DEVICE))
    op._scan(queries @ op.turning(DIM, DEVICE), batch, asked, (levels, histogram), floors, broken)
    own = levels[levels >= 0].long()
    counted = torch.bincount(own, minlength=triton_kernel.LEVELS)
    floor = int(floors)
    assert floor > 0
    assert histogram[0, floor:].tolist() == counted[floor:].tolist()
    assert int(histogram[0, floor - 1 :].sum()) > batch.candidates


def test_many_queries_of_one_namespace_beside_others() -> None:
    rng = np.random.default_rng(2)
    memory, tier = pool(), Tier.INT4
    many, one = Rows(memory, rng, 60, tier), Rows(memory, rng, 5, tier)
    mask = there(rng.integers(0, 2, 60).astype(np.uint8))
    rows = [many, many, one, many, many]
    check(queries_of(rng, 5), rows, 2, 2, [None, mask, None, None, mask])


@pytest.mark.parametrize(
    ("tier", "dim"),
    [(Tier.BIT1, 1), (Tier.INT8, 7), (Tier.INT8, 200), (Tier.INT4, 300), (Tier.BIT1, 300), (Tier.BIT1, 520)],
)
def test_dimensions_that_fill_no_word_and_no_block(tier: Tier, dim: int) -> None:
    rng = np.random.default_rng(dim)
    check(queries_of(rng, 1, dim), [Rows(pool(), rng, 30, tier, dim=dim)], 1, 1)


def test_nothing_is_missing_where_every_group_is_looked_at() -> None:
    rng = np.random.default_rng(3)
    rows = Rows(pool(), rng, 20, Tier.BIT1)
    check(queries_of(rng, 1), [rows], 20, 16)


def test_what_is_proved_to_be_all_is_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(op._TILES, Tier.INT8, 32)  # so that small pages take several steps
    rng = np.random.default_rng(4)
    rows = Rows(pool(), rng, 200, Tier.INT8, max_views=1)
    query = there(rows.vectors[rows.slots >= 0][:1].copy())
    batch = planned([rows], 1, candidates=2)
    found = coarse_search(query, batch, 1)
    assert int(batch.rescored.rows[1, 0]) < rows.coded.coded.n_groups
    assert found.complete.all(), "a row is its own nearest by far more than a code of 8 bits can be off"
    assert found.scores[0, 0] > 0.99
    assert not coarse_search(query, batch, 9).complete.any(), "two groups cannot be proved to hold the best nine"


@pytest.mark.parametrize("few", [2048, 0])
def test_where_one_level_is_crowded_some_of_it_are_taken(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(op, "_FEW_ROWS", few)
    rng = np.random.default_rng(5)
    memory = pool()
    rows = Rows(memory, rng, 100, Tier.BIT1, max_views=1)
    for mirror, column, value in ((rows.exact, "vectors", 0x3C), (rows.coded, "codes", 0xFF)):
        for page in mirror._pages:
            places = page.place(column, np.array([0, page.capacity]))
            memory.bytes[int(places[0]) : int(places[1])] = value
    for page in rows.coded._pages:
        places = page.place("scale", np.array([0, page.capacity]))
        memory.bytes[int(places[0]) : int(places[1])].view(torch.float32)[:] = 0.1
    batch = planned([rows], 5, candidates=2)
    found = coarse_search(queries_of(rng, 1), batch, 5)
    assert int(batch.rescored.rows[1, 0]) == 2
    assert not found.complete.any()
    assert len(set(found.slots[0].tolist())) == 5
    assert found.scores[0].unique().numel() == 1


@pytest.mark.parametrize(("part", "dim"), [(4, 6), (8, 5)])
def test_exact_rows_may_lie_in_host_memory_and_few_are_read(part: int, dim: int) -> None:
    rng = np.random.default_rng(6)
    on_host = DevicePool(DEVICE, 1 << 22, in_host_memory=True)
    assert on_host.bytes.device.type == "cpu"
    rows = Rows(pool(), rng, 50, Tier.BIT1, dim=dim, exact_pool=on_host)
    check(queries_of(rng, 1, dim), [rows], 2, 3, part=part)
    if DEVICE.type == "cuda":
        assert planned([rows], 2).part == part
    with pytest.raises(ValueError, match="16 bytes"):
        planned([rows], 2, part=part // 2)


def test_a_query_of_zeros_has_an_answer() -> None:
    rng = np.random.default_rng(7)
    rows = Rows(pool(), rng, 10, Tier.BIT1)
    found = coarse_search(torch.zeros((1, DIM), device=DEVICE), planned([rows], 3), 3)
    assert (found.scores == 0).all()
    assert (found.slots >= 0).all()


@pytest.mark.parametrize("lost", ["coded", "exact"])
def test_a_page_of_somebody_else_is_refused(lost: str) -> None:
    rng = np.random.default_rng(8)
    memory = pool()
    rows = Rows(memory, rng, 5, Tier.INT8, max_views=1)
    batch = planned([rows], 1)
    getattr(rows, lost).release()
    with pytest.raises(PageOwnershipError):
        coarse_search(queries_of(rng, 1), batch, 1)
    Rows(memory, rng, 5, Tier.INT8)  # takes the same place
    with pytest.raises(PageOwnershipError):
        coarse_search(queries_of(rng, 1), batch, 1)


def test_what_does_not_fit_is_refused() -> None:
    rng = np.random.default_rng(9)
    memory = pool()
    rows, other, coarse = (Rows(memory, rng, 5, tier) for tier in (Tier.INT8, Tier.INT8, Tier.BIT1))
    with pytest.raises(ValueError, match="one pool"):
        planned([rows, Rows(pool(), rng, 5, Tier.INT8)], 1)
    with pytest.raises(ValueError, match="one tier"):
        planned([rows, coarse], 1)
    with pytest.raises(DimensionError):
        planned([rows, Rows(memory, rng, 5, Tier.INT8, dim=8)], 1)
    with pytest.raises(ValueError, match="not those"):
        plan([other.coded.coded], [replace(rows.exact.rows, records=rows.exact.rows.records[:0])], 1)
    batch = planned([rows], 1)
    with pytest.raises(ValueError, match="float32"):
        coarse_search(queries_of(rng, 1).double(), batch, 1)
    with pytest.raises(ValueError, match="at least 1"):
        coarse_search(queries_of(rng, 1), batch, 0)
    with pytest.raises(DimensionError):
        coarse_search(queries_of(rng, 2), batch, 1)


def test_the_rule_asks_for_more_where_there_is_more_to_confuse() -> None:
    for tier in CODED:
        asked = [candidates_of(tier, 10, n) for n in (0, 1, 100, 31_250, 312_500)]
        assert asked == sorted(asked)
        assert asked[0] >= 10
    wanted = [candidates_of(tier, 10, 312_500) for tier in CODED]
    assert wanted == sorted(wanted)


def test_one_launch_finishes_what_another_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(op, "_FINISHING", 5)
    monkeypatch.setattr(op, "_SHARES", (64, 64))  # so that small namespaces take several programs and steps
    rng, memory = np.random.default_rng(14), pool()
    rows = [Rows(memory, rng, n, Tier.INT8) for n in (60, 3)]
    batch = planned(rows, 4, candidates=3, part=8)
    assert batch.counters is not None
    monkeypatch.setattr(op, "_FEW_ROWS", 0)
    by_five = planned(rows, 4, candidates=3, part=8)
    for _ in range(2):
        queries = queries_of(rng, 2)
        found, wanted = coarse_search(queries, batch, 4), coarse_search(queries, by_five, 4)
        assert found.slots.tolist() == wanted.slots.tolist()
        assert found.complete.tolist() == wanted.complete.tolist()
        assert not batch.counters.any()


def test_one_part_is_the_one_that_the_reference_takes() -> None:
    rng = np.random.default_rng(10)
    rows = Rows(pool(), rng, 60, Tier.INT8)
    query = queries_of(rng, 1)
    estimates = there(rows.estimates(query[0].cpu().numpy()))
    slots, scores = coarse_search_rows(
        query, [there(rows.vectors)], [there(rows.slots)], [there(rows.parts(GROUP))], [estimates], 3, 1
    )
    batch = planned([rows], 3, candidates=1)
    found = coarse_search(query, batch, 3)
    assert is_same(found.slots, slots, scores)


@pytest.mark.skipif(DEVICE.type == "cpu", reason="an interpreter would take minutes over so many rows")
@pytest.mark.parametrize("tier", CODED)
@pytest.mark.parametrize("count", [1, 40])
def test_rows_that_fill_tiles_and_stretches(tier: Tier, count: int) -> None:
    rng = np.random.default_rng(11)
    rows = Rows(pool(1 << 28), rng, 30_000, tier, dim=384, max_views=1)
    queries = there(rows.vectors[rows.slots >= 0][:count].copy())
    check(queries, [rows] * count, 10, 200)
    found = coarse_search(queries, planned([rows] * count, 10), 10)
    exact_slots, _ = paged_search_rows(queries, [there(rows.vectors)] * count, [there(rows.slots)] * count, 10)
    assert (found.slots[:, 0] == exact_slots[:, 0]).all()
