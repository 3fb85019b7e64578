"""The pass over every channel says what its reference and the host's operations say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from gpu.bank.errors import PageOwnershipError
from gpu.bank.filters import NumberColumn, Range, ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.bank.records import RecordBatch, State
from gpu.device.attributes import DeviceAttributes
from gpu.device.mirror import DeviceRows
from gpu.device.pool import DevicePool
from gpu.ops.channel_pass import op
from gpu.ops.channel_pass.op import channel_pass, plan
from gpu.ops.channel_pass.questions import Groups, Listed, Question, Terms, pack
from gpu.ops.channel_pass.reference import best_rows, channel_rows
from tests.fixtures.bank_records import random_batch, with_entities
from tests.fixtures.channel_questions import random_question

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DIM = 8
EVERYTHING = ScanFilter(states=frozenset(State))
CLOSE = 2e-6


class Rows:
    """A namespace whose attributes are on the device, and its records in the order of their slots."""

    def __init__(self, pool: DevicePool, batch: RecordBatch) -> None:
        self.batch = batch
        self.bank = NamespaceBank(PagePool(), DIM)
        if len(batch):
            self.bank.put(batch)
        with self.bank.pinned() as seen:
            self.device = DeviceAttributes(pool, seen.current)
            self.device.follow(seen.current_rows)
            self.rows = DeviceRows(pool, seen.current)
            self.rows.follow(seen.current_rows)


def rows_of(pool: DevicePool, seed: int, n: int) -> Rows:
    return Rows(pool, random_batch(np.random.default_rng(seed), list(range(n)), dim=DIM))


def memory(size: int = 1 << 21) -> DevicePool:
    """A pool in which whatever nobody wrote is poison: as floats NaN, as slots and counts none that there are."""
    pool = DevicePool(DEVICE, size)
    pool.bytes.fill_(0xFF)
    return pool


def lists(
    rows: Sequence[Rows], questions: Sequence[Question], k: int
) -> list[dict[Listed, tuple[list[int], list[float]]]]:
    """What the device finds, without the places that are left over."""
    found = channel_pass(None, plan([one.device.attributes for one in rows], [pack(q) for q in questions]), k)
    out: list[dict[Listed, tuple[list[int], list[float]]]] = [{} for _ in rows]
    for (query, which), slots, scores in zip(
        found.listed, found.best.slots.tolist(), found.best.scores.tolist(), strict=True
    ):
        n = sum(slot >= 0 for slot in slots)
        assert slots[n:] == [-1] * (k - n)
        assert scores[n:] == [-np.inf] * (k - n)
        out[query][which] = (slots[:n], scores[:n])
    return out


def check(rows: Sequence[Rows], questions: Sequence[Question], k: int) -> None:
    for one, question, found in zip(rows, questions, lists(rows, questions, k), strict=True):
        wanted = channel_rows(one.batch, question)
        assert found.keys() == wanted.keys()
        for which, scores in wanted.items():
            _, best = best_rows(scores, k)
            np.testing.assert_allclose(found[which][1], best, atol=CLOSE, rtol=CLOSE)
            assert len(set(found[which][0])) == len(found[which][0])
            # Another memory may stand in a place only if its score is the same within rounding.
            np.testing.assert_allclose(scores[found[which][0]], best, atol=CLOSE, rtol=CLOSE)
            ties = np.array(found[which][1])
            for i in np.flatnonzero(np.diff(ties) == 0).tolist():
                assert found[which][0][i] < found[which][0][i + 1], "equal scores come by slot"


@pytest.mark.parametrize("seed", range(2))
def test_it_equals_the_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pool = memory()
    rows = [rows_of(pool, seed, n) for n in (0, 1, 36)]
    asked = [rows[i] for i in (2, 0, 1)]
    check(asked, [random_question(rng, one.batch.entity_ids[:9]) for one in asked], int(rng.integers(1, 6)))


def test_equal_scores_come_by_slot_across_groups_and_chunks() -> None:
    pool = memory()
    batch = random_batch(np.random.default_rng(3), list(range(170)), dim=DIM)
    holders = set(range(5, 170, 33)) | {166, 167}
    rows = Rows(pool, with_entities(batch, [[7] if i in holders else [] for i in range(170)]))
    question = Question(EVERYTHING, entities=Groups([np.array([7], np.uint64)], np.ones(1, np.float32)))
    # Each of the six groups has some: more than are looked into for so few.
    (found,) = lists([rows], [question], 2)
    assert found[Listed.ENTITY] == (sorted(holders)[:2], [1.0] * 2)


@pytest.mark.parametrize("seed", range(2))
def test_long_lists_are_chosen_another_way_and_are_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(op, "_SELECTED", 0)
    test_it_equals_the_reference(seed)
    test_equal_scores_come_by_slot_across_groups_and_chunks()


def test_more_ids_than_are_looked_up_at_a_time() -> None:
    rng = np.random.default_rng(4)
    rows = rows_of(memory(), 4, 20)
    terms = np.arange(11, dtype=np.uint32) * np.uint32(2654435761)
    aliases = np.unique(rows.batch.entity_ids)[:10]
    question = Question(
        ScanFilter(states=frozenset(State), any_pairs=(tuple(range(2**63, 2**63 + 10)),)),
        Terms(terms, rng.random(11).astype(np.float32), 1.2, 0.75, 30.0),
        Groups([np.append(np.arange(90, 99, dtype=np.uint64), aliases), aliases[:1]], np.array([1, 4], np.float32)),
    )
    check([rows], [question], 4)


def test_ids_of_one_bucket_and_equal_ids_of_several_arenas() -> None:
    batch = random_batch(np.random.default_rng(5), list(range(12)), dim=DIM)
    colliding = [(1 << 40) * i + 3 for i in range(12)]  # the same lowest bits, whatever the number of buckets
    rows = Rows(memory(), with_entities(batch, [colliding[: i + 1] for i in range(12)]))
    groups = Groups([np.array([one], np.uint64) for one in colliding[7:10]], np.array([1, 2, 4], np.float32))
    check([rows], [Question(EVERYTHING, entities=groups, places=groups)], 6)


def test_bounds_of_numbers_are_exact() -> None:
    batch = random_batch(np.random.default_rng(6), list(range(6)), dim=DIM)
    trusts = np.array([0.1, np.nextafter(np.float32(0.1), np.float32(0)), 0.3, 0.30000001, np.nan, 0.2], np.float32)
    rows = Rows(memory(), replace(batch, trusts=trusts, recorded_from_us=np.zeros(6, np.int64)))
    for low, high in ((0.1, 0.3), (float(trusts[0]), float(trusts[2])), (-np.inf, np.inf)):
        scan = ScanFilter(states=frozenset(State), ranges=(Range(NumberColumn.TRUST, low, high),))
        check([rows], [Question(scan, now_us=0)], 6)


def test_a_group_of_no_pairs_lets_nothing_through() -> None:
    rows = rows_of(memory(), 7, 5)
    scan = ScanFilter(states=frozenset(State), any_pairs=((),))
    check([rows], [Question(scan, now_us=0)], 2)


def test_a_mask_beside_the_filter_and_vectors_under_both() -> None:
    rows = rows_of(memory(), 8, 12)
    allowed = torch.from_numpy(np.arange(12) % 3 == 0).to(torch.uint8).to(DEVICE)
    question = Question(EVERYTHING, now_us=2_000_000)
    batch = plan([rows.device.attributes], [pack(question)], [rows.rows.rows], [allowed])
    vector = torch.ones((1, DIM), device=DEVICE)
    found = channel_pass(vector, batch, 12)
    slots = found.best.slots[0]
    alive = channel_rows(rows.batch, question)[Listed.RETENTION]
    assert sorted(slots[slots >= 0].tolist()) == [i for i in range(12) if i % 3 == 0 and alive[i] > -np.inf]
    assert found.dense is not None
    near = found.dense.slots[0]
    views = np.diff(rows.batch.view_offsets)
    assert sorted(near[near >= 0].tolist()) == [i for i in range(12) if i % 3 == 0 and views[i]]


def test_vectors_that_several_queries_share_are_under_the_filter_of_each() -> None:
    pool = memory()
    rows = [rows_of(pool, seed, n) for seed, n in ((12, 40), (13, 9))]
    which = [0, 0, 1, 0, 0]
    vectors = np.random.default_rng(12).standard_normal((len(which), DIM)).astype(np.float32)
    scans = [
        ScanFilter(states=frozenset(State), any_pairs=() if i == 1 else (tuple(range(2**63, 2**63 + 6 - i)),))
        for i in range(len(which))
    ]
    batch = plan(
        [rows[i].device.attributes for i in which],
        [pack(Question(scan, now_us=5)) for scan in scans],
        [rows[i].rows.rows for i in which],
    )
    assert batch.rows is not None
    assert batch.rows.order is not None, "the plan of the vectors has an order of its own"
    found = channel_pass(torch.from_numpy(vectors).to(DEVICE), batch, 6)
    assert found.dense is not None
    for i, scan in enumerate(scans):
        with rows[which[i]].bank.view(scan) as view:
            slots, scores = view.top(view.dense(vectors[i]), 6)
        n = len(slots)
        np.testing.assert_allclose(found.dense.scores[i, :n].cpu(), scores, atol=2e-5, rtol=2e-5)
        assert found.dense.slots[i, :n].tolist() == slots.tolist()
        assert found.dense.slots[i, n:].tolist() == [-1] * (6 - n)


def test_what_is_not_asked_for_gives_no_list() -> None:
    rows = rows_of(memory(), 9, 3)
    assert lists([rows, rows], [Question(), Question(EVERYTHING, now_us=0)], 2)[0] == {}


def test_a_page_of_somebody_else_is_refused() -> None:
    pool = memory()
    rows = rows_of(pool, 10, 5)
    terms = Terms(np.array([1], np.uint32), np.ones(1, np.float32), 1.2, 0.75, 30.0)
    batch = plan([rows.device.attributes], [pack(Question(EVERYTHING, terms))])
    rows.device.release()
    with pytest.raises(PageOwnershipError):
        channel_pass(None, batch, 2)
    rows_of(pool, 10, 5)  # takes the same place
    with pytest.raises(PageOwnershipError):
        channel_pass(None, batch, 2)


def test_what_does_not_fit_is_refused() -> None:
    rows = rows_of(memory(), 11, 3)
    with pytest.raises(ValueError, match="one pool"):
        plan([rows.device.attributes, rows_of(memory(), 11, 3).device.attributes], [pack(Question())] * 2)
    with pytest.raises(ValueError, match="a question for each"):
        plan([rows.device.attributes], [])
    with pytest.raises(ValueError, match="at least 1"):
        channel_pass(None, plan([rows.device.attributes], [pack(Question())]), 0)
    with pytest.raises(ValueError, match="closed versions"):
        pack(Question(ScanFilter(as_of_us=1)))
    with pytest.raises(ValueError, match="start before its end"):
        pack(Question(spans=np.array([[2, 2]], np.int64)))
    with pytest.raises(ValueError, match="weight for each"):
        pack(Question(places=Groups([], np.ones(1, np.float32))))
    with pytest.raises(ValueError, match="term ids"):
        pack(Question(terms=Terms(np.ones(2, np.uint32), np.ones(1, np.float32), 1.2, 0.75, 1.0)))
    with pytest.raises(ValueError, match="k1"):
        pack(Question(terms=Terms(np.ones(1, np.uint32), np.ones(1, np.float32), -1.0, 0.75, 1.0)))
