"""The bank on a device gives the lists of the host's operations, whatever is written or pushed off it meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pytest
import torch

from gpu.bank.errors import DimensionError
from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.bank.records import State
from gpu.device import copies, host_channels
from gpu.device.bank import DeviceBank
from gpu.device.best import Best
from gpu.device.copies import DeviceCopies, Hits, Task
from gpu.device.pool import DevicePool
from gpu.device.query import ChannelQuery, Query
from gpu.ops.channel_pass import op as channel_pass
from gpu.ops.channel_pass.questions import Groups, Question
from tests.fixtures.bank_records import memory_id, random_batch
from tests.fixtures.channel_questions import groups_of, random_question

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DIM = 8
EVERYTHING = ScanFilter(states=frozenset(State))
CLOSE = 2e-6
T = TypeVar("T")


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


def locked(lock: threading.Lock, function: Callable[..., T]) -> Callable[..., T]:
    def alone(*arguments: object) -> T:
        with lock:
            return function(*arguments)

    return alone


def pinned_pool(size: int) -> DevicePool:
    return DevicePool(torch.device("cpu"), size, in_host_memory=True)


def test_attributes_come_back_from_pinned_memory_and_are_erased_there() -> None:
    rng = np.random.default_rng(8)
    banks = [bank_of(seed, 20) for seed in (8, 9, 13)]
    asked = [(bank, Question(EVERYTHING, places=groups_of(rng, np.arange(1, 20)), now_us=5)) for bank in banks]
    alone = DeviceBank(DevicePool(DEVICE, 1 << 20))
    check(alone, asked[:1], 2)
    waiting = pinned_pool(1 << 20)
    device = DeviceBank(DevicePool(DEVICE, int(2.6 * alone.residency.device_bytes)), pinned=waiting)
    check(device, asked, 2)
    assert (device.residency.pinned, device.residency.evicted) == (1, 1)
    (copy,) = device._copies(banks[0], 0)
    assert copy.attributes is not None, "they left with the vectors"
    before = waiting.bytes.clone()
    banks[0].erase(np.frombuffer(memory_id(3), np.uint8).reshape(1, 16))
    assert not torch.equal(waiting.bytes, before), "the group was written anew"
    banks[0].put(random_batch(rng, [5, 40], dim=DIM, versions=[2, 2]))
    check(device, asked[:1], 2)
    assert device.residency.returned == 1
    assert device.residency.searched_on_host == 0
    for bank in banks:
        bank.clear()
    assert not waiting.bytes.any()


def test_many_devices_and_a_namespace_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    if not torch.cuda.is_available():  # the interpreter of kernels is for one thread
        lock = threading.Lock()
        monkeypatch.setattr(channel_pass, "channel_pass", locked(lock, channel_pass.channel_pass))
        monkeypatch.setattr(copies, "searched", locked(lock, copies.searched))
    banks = [bank_of(seed, 20) for seed in (10, 11)]
    huge = NamespaceBank(PagePool(), DIM)
    for at in range(0, 600, 60):
        huge.put(random_batch(np.random.default_rng(at), list(range(at, at + 60)), dim=DIM))
    device = DeviceBank(*(DevicePool(DEVICE, 32 << 10) for _ in range(2)))
    question = Question(EVERYTHING, now_us=5)
    check(device, [(bank, question) for bank in (*banks, huge)], 3)
    assert device.residency.searched_on_host == 1, "the host answers for a namespace in parts"
    assert [len(set(one.places())) for one in device._devices] == [1, 1]
    device.search([Query(huge, EVERYTHING, np.ones(DIM, np.float32), 2)])
    assert device.residency.searched_on_host == 1
    assert len(device._spread.starts(huge)) > 1
    assert device.channels([]) == []
    device.close()


def test_a_device_that_fails_is_left_out_and_a_wrong_question_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    device, bank = DeviceBank(*(DevicePool(DEVICE, 1 << 20) for _ in range(2))), bank_of(12, 8)
    question = Question(EVERYTHING, now_us=5)
    with pytest.raises(ValueError, match="weight for each group"):
        ChannelQuery(
            bank, replace(question, places=Groups([np.array([1], np.uint64)], np.empty(0, np.float32))), None, 2
        )
    with pytest.raises(DimensionError):
        ChannelQuery(bank, question, np.zeros(DIM + 1, np.float32), 2)
    broken = device._devices[0]
    works = DeviceCopies._launch_channels

    def fails(self: DeviceCopies, tasks: Sequence[Task[ChannelQuery]]) -> list[Hits]:
        if self is broken:
            raise RuntimeError("an illegal memory access was encountered")
        return works(self, tasks)

    monkeypatch.setattr(DeviceCopies, "_launch_channels", fails)
    check(device, [(bank, question)], 2)
    assert device.residency.lost == 1
    assert device.residency.searched_on_host == 0
    device.close()
