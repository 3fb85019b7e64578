"""Large namespaces are searched by codes on a device, and not left to the host where these do not fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gpu.bank.filters import ScanFilter
from gpu.bank.layouts import Tier
from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.bank.records import State
from gpu.device.bank import DeviceBank
from gpu.device.copies import DeviceCopies
from gpu.device.pool import DevicePool
from gpu.device.query import Query
from gpu.device.rules import CodeRules
from tests.fixtures.bank_records import memory_id, random_batch

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DIM = 16
EVERYTHING = ScanFilter(states=frozenset(State))
RULES = CodeRules(Tier.INT8, 30)


def bank_of(n: int, seed: int = 1) -> NamespaceBank:
    bank = NamespaceBank(PagePool(), DIM)
    bank.put(random_batch(np.random.default_rng(seed), list(range(n)), dim=DIM))
    return bank


def check(device: DeviceBank, banks: list[NamespaceBank], scan: ScanFilter = EVERYTHING, k: int = 4) -> None:
    """So few rows are all candidates: the answer is that of comparing all."""
    vectors = np.random.default_rng(k).standard_normal((len(banks), DIM)).astype(np.float32)
    queries = [Query(bank, scan, vector, k) for bank, vector in zip(banks, vectors, strict=True)]
    for query, found in zip(queries, device.search(queries), strict=True):
        with query.namespace.view(scan) as view:
            slots, scores = view.top(view.dense(query.vector), k)
            np.testing.assert_array_equal(found.memory_ids, view.memory_id(slots))
            np.testing.assert_allclose(found.scores, scores, atol=1e-4)


def by_codes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many queries each search by codes had."""
    asked: list[int] = []
    search = DeviceCopies._by_codes

    def counted(self: DeviceCopies, tasks: list[object]) -> object:
        asked.append(len(tasks))
        return search(self, tasks)  # type: ignore[arg-type]

    monkeypatch.setattr(DeviceCopies, "_by_codes", counted)
    return asked


def test_large_ones_are_searched_by_codes_and_small_ones_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = by_codes(monkeypatch)
    large, small = bank_of(40), bank_of(10, 2)
    device = DeviceBank(DevicePool(DEVICE, 1 << 20), codes=RULES)
    check(device, [large, small])
    assert asked == [1]
    large.put(random_batch(np.random.default_rng(3), [3, 70], dim=DIM, versions=[2, 2]))
    large.erase(np.frombuffer(memory_id(5), np.uint8).reshape(1, 16))
    few = np.frombuffer(b"".join(memory_id(i) for i in (3, 9, 70)), np.uint8).reshape(-1, 16)
    check(device, [large], ScanFilter(states=EVERYTHING.states, allowed=few))
    assert asked == [1, 1]
    device.close()


def test_codes_make_room_for_the_vectors_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = by_codes(monkeypatch)
    alone = DeviceBank(DevicePool(DEVICE, 1 << 20))
    bank = bank_of(40)
    check(alone, [bank])
    pool = DevicePool(DEVICE, alone.residency.device_bytes + 1_024)
    device = DeviceBank(pool, codes=RULES)
    check(device, [bank])
    check(device, [bank])
    assert not asked
    assert device.residency.searched_on_host == 0
    bank.clear()
    assert not pool.bytes.any(), "nothing of a cleared namespace may be left"


def test_codes_leave_with_their_vectors_and_come_back_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = by_codes(monkeypatch)
    banks = [bank_of(40), bank_of(40, 2)]
    alone = DeviceBank(DevicePool(DEVICE, 1 << 20), codes=RULES)
    check(alone, banks[:1])
    waiting = DevicePool(torch.device("cpu"), 1 << 20, in_host_memory=True)
    device = DeviceBank(DevicePool(DEVICE, int(1.5 * alone.residency.device_bytes)), pinned=waiting, codes=RULES)
    for bank in (*banks, banks[0]):
        check(device, [bank])
    assert asked == [1, 1, 1, 1]
    assert (device.residency.returned, device.residency.evicted) == (1, 2)
    for bank in banks:
        bank.clear()
    assert not waiting.bytes.any()
