"""The bank on a device gives the lists of the host's operations, whatever is written or pushed off it meanwhile."""

from __future__ import annotations

import numpy as np
import torch

from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.bank.records import State
from gpu.device import host_channels
from gpu.device.bank import DeviceBank
from gpu.device.best import Best
from gpu.device.pool import DevicePool
from gpu.device.query import ChannelQuery, Query
from gpu.ops.channel_pass.questions import Question
from tests.fixtures.bank_records import memory_id, random_batch
from tests.fixtures.channel_questions import groups_of, random_question

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DIM = 8
EVERYTHING = ScanFilter(states=frozenset(State))
CLOSE = 2e-6


def bank_of(seed: int, n: int) -> NamespaceBank:
    bank = NamespaceBank(PagePool(), DIM)
    if n:
        bank.put(random_batch(np.random.default_rng(seed), list(range(n)), dim=DIM))
    return bank


def check(device: DeviceBank, asked: list[tuple[NamespaceBank, Question]], k: int) -> None:
    vectors = np.random.default_rng(k).standard_normal((len(asked), DIM)).astype(np.float32)
    queries = [ChannelQuery(*one, vector, k) for one, vector in zip(asked, vectors, strict=True)]
    for query, found in zip(queries, device.channels(queries), strict=True):
        with query.namespace.view(query.scan) as view:
            assert found.dense is not None
            assert query.vector is not None
            slots, scores = view.top(view.dense(query.vector), k)
            same(found.dense, view.memory_id(slots), scores)
            wanted = host_channels.channels(view, query.question, k)
            assert found.lists.keys() == wanted.keys()
            for which, (slots, scores) in wanted.items():
                same(found.lists[which], view.memory_id(slots), scores)


def same(best: Best, ids: np.ndarray, scores: np.ndarray) -> None:
    """Equal scores, and the same memories but where scores are equal within rounding."""
    np.testing.assert_allclose(best.scores, scores, atol=CLOSE, rtol=CLOSE)
    close = np.zeros(len(scores), np.bool_)
    close[1:] |= np.abs(np.diff(scores)) < CLOSE
    close[:-1] |= close[1:].copy()
    if len(scores):
        close |= np.abs(scores - scores[-1]) < CLOSE  # of equal ones at the end others may be left out
    assert ((best.memory_ids == ids).all(axis=1) | close).all()


def test_it_answers_as_the_host_does_after_each_write() -> None:
    rng = np.random.default_rng(1)
    device, bank = DeviceBank(DevicePool(DEVICE, 1 << 20)), bank_of(1, 16)
    mentions = np.arange(1, 9, dtype=np.uint64)
    for step in range(2):
        check(device, [(bank, random_question(rng, mentions))], 2)
        numbers = sorted(rng.choice(24, 6, replace=False).tolist())
        bank.put(random_batch(rng, numbers, dim=DIM, versions=[step + 2] * len(numbers)))
        bank.erase(np.frombuffer(memory_id(step), np.uint8).reshape(1, 16))
    bank.compact()
    check(device, [(bank, random_question(rng, mentions))], 2)


def test_a_set_of_memories_found_elsewhere() -> None:
    rng = np.random.default_rng(2)
    device, bank = DeviceBank(DevicePool(DEVICE, 1 << 20)), bank_of(2, 20)
    allowed = np.frombuffer(b"".join(memory_id(i) for i in (3, 4, 9, 15)), np.uint8).reshape(-1, 16)
    scan = ScanFilter(states=frozenset(State), allowed=allowed)
    check(device, [(bank, Question(scan, places=groups_of(rng, np.arange(1, 20)), now_us=5))], 6)


def test_what_does_not_fit_or_is_of_the_past_is_answered_by_the_host() -> None:
    device = DeviceBank(DevicePool(DEVICE, 1 << 13))
    bank, small = bank_of(3, 60), bank_of(4, 2)
    bank.put(random_batch(np.random.default_rng(3), [1, 2], dim=DIM, versions=[2, 2], recorded_from=[1500, 1500]))
    past = Question(ScanFilter(as_of_us=900, states=frozenset(State)), now_us=2_000_000)
    check(device, [(bank, Question(EVERYTHING, now_us=5)), (small, Question(EVERYTHING)), (small, past)], 3)
    check(device, [(bank, past)], 60)
    assert device.residency.searched_on_host == 3
    assert device.residency.evicted == 0
    device.search([Query(bank, EVERYTHING, np.ones(DIM, np.float32), 2)])
    assert device.residency.searched_on_host == 3, "vectors stay where attributes find no room"


def test_attributes_make_room_and_are_only_there_once_they_are_needed() -> None:
    banks = [bank_of(seed, 20) for seed in (5, 6, 7)]
    question = Question(EVERYTHING, now_us=5)
    alone = DeviceBank(DevicePool(DEVICE, 1 << 20))
    alone.search([Query(banks[0], EVERYTHING, np.ones(DIM, np.float32), 2)])
    vectors = alone.residency.device_bytes
    assert alone.channels([ChannelQuery(banks[0], question, None, 2)])[0].dense is None
    both = alone.residency.device_bytes
    assert both > vectors
    pool = DevicePool(DEVICE, int(2.3 * both))
    device = DeviceBank(pool)
    check(device, [(bank, question) for bank in banks], 2)
    assert device.residency.evicted > 0
    assert device.residency.searched_on_host == 0
    for bank in banks:
        bank.clear()
    assert not pool.bytes.any(), "nothing of a cleared namespace may be left"
