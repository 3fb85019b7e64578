"""The bank on a device answers as the host's does, whatever is written, erased, or pushed off it meanwhile."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.bank.records import State
from gpu.device.bank import DeviceBank
from gpu.device.best import Best
from gpu.device.pool import DeviceMemoryFullError, DevicePool
from gpu.device.query import Query
from tests.fixtures.bank_records import memory_id, random_batch

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DIM = 16
EVERYTHING = ScanFilter(states=frozenset(State))


def bank_of(rng: np.random.Generator, n: int, dim: int = DIM) -> NamespaceBank:
    bank = NamespaceBank(PagePool(), dim)
    bank.put(random_batch(rng, list(range(n)), dim=dim))
    return bank


def on_host(bank: NamespaceBank, query: np.ndarray, scan: ScanFilter, k: int) -> list[bytes]:
    with bank.view(scan) as view:
        slots, _ = view.top(view.dense(query), k)
        return [row.tobytes() for row in view.memory_id(slots)]


def ids(best: Best) -> list[bytes]:
    return [row.tobytes() for row in best.memory_ids]


def query_of(rng: np.random.Generator, dim: int = DIM) -> np.ndarray:
    return rng.standard_normal(dim).astype(np.float32)


def bytes_on_device(bank: NamespaceBank) -> int:
    device = DeviceBank(DevicePool(DEVICE, 1 << 20))
    device.search([Query(bank, EVERYTHING, np.ones(bank.dim, np.float32), 1)])
    return device.residency.device_bytes


def check(device: DeviceBank, rng: np.random.Generator, banks: list[NamespaceBank], scan: ScanFilter, k: int) -> None:
    queries = [Query(bank, scan, query_of(rng, bank.dim), k) for bank in banks]
    found = device.search(queries)
    assert [ids(one) for one in found] == [on_host(q.namespace, q.vector, scan, k) for q in queries]


@pytest.mark.parametrize("scan", [ScanFilter(), EVERYTHING, ScanFilter(now_us=500), ScanFilter(as_of_us=400)])
def test_it_answers_as_the_host_does(scan: ScanFilter) -> None:
    rng = np.random.default_rng(1)
    banks = [bank_of(rng, n) for n in (60, 0, 200, 1)]
    device = DeviceBank(DevicePool(DEVICE, 1 << 20))
    check(device, rng, banks, scan, 7)
    assert device.residency.resident <= len(banks)


def test_writes_are_seen_by_the_next_search() -> None:
    rng = np.random.default_rng(2)
    bank = bank_of(rng, 40)
    device = DeviceBank(DevicePool(DEVICE, 1 << 20))
    for step in range(6):
        check(device, rng, [bank], EVERYTHING, 10)
        numbers = sorted(rng.choice(80, 12, replace=False).tolist())
        bank.put(random_batch(rng, numbers, dim=DIM, versions=[step + 2] * len(numbers)))
    bank.compact()
    check(device, rng, [bank], EVERYTHING, 10)


def test_what_is_erased_is_gone_from_the_device_at_once() -> None:
    rng = np.random.default_rng(3)
    pool = DevicePool(DEVICE, 1 << 20)
    device = DeviceBank(pool)
    bank = NamespaceBank(PagePool(), DIM)
    batch = random_batch(rng, list(range(200)), dim=DIM, max_views=2)
    bank.put(batch)
    check(device, rng, [bank], EVERYTHING, 5)
    views = [batch.vectors[batch.view_offsets[i] : batch.view_offsets[i + 1]] for i in range(200)]
    assert all(held(pool, view) for view in views)
    bank.erase(np.frombuffer(b"".join(memory_id(i) for i in (3, 4, 5)), np.uint8).reshape(3, 16))
    assert [i for i in range(200) if not held(pool, views[i])] == [i for i in (3, 4, 5) if views[i].size]
    check(device, rng, [bank], EVERYTHING, 5)
    bank.clear()
    assert not pool.bytes.any(), "nothing of a cleared namespace may be left"


def held(pool: DevicePool, vectors: np.ndarray) -> bool:
    """Whether the pool holds all of some vectors, which may lie in two pages."""
    everything = pool.bytes.cpu().numpy().tobytes()
    return all(vector.tobytes() in everything for vector in vectors)


def test_namespaces_make_room_for_each_other() -> None:
    rng = np.random.default_rng(4)
    banks = [bank_of(rng, 60) for _ in range(5)]
    device = DeviceBank(DevicePool(DEVICE, int(2.6 * bytes_on_device(banks[0]))))
    for _ in range(2):
        check(device, rng, banks, EVERYTHING, 5)  # more than fit at once: in several parts
    assert device.residency.evicted > 0
    assert device.residency.searched_on_host == 0
    assert device.residency.resident <= 2


def test_what_never_fits_is_searched_by_the_host() -> None:
    rng = np.random.default_rng(5)
    device = DeviceBank(DevicePool(DEVICE, 4096))
    banks = [bank_of(rng, 300), bank_of(rng, 4)]
    check(device, rng, banks, EVERYTHING, 5)
    assert device.residency.searched_on_host == 1
    assert device.residency.resident == 1


def test_searches_beside_a_writer_see_whole_writes() -> None:
    rng = np.random.default_rng(6)
    bank = bank_of(rng, 30)
    device = DeviceBank(DevicePool(DEVICE, 1 << 20))
    stop = threading.Event()

    def write() -> None:
        own = np.random.default_rng(7)
        version = 2
        while not stop.is_set():
            bank.put(random_batch(own, list(range(30)), dim=DIM, versions=[version] * 30, max_views=1))
            version += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(8):
            (best,) = device.search([Query(bank, EVERYTHING, query_of(rng), 30)])
            assert len(set(best.versions.tolist()) - {1}) <= 1, "a search saw half of a write"
            assert len(set(ids(best))) == len(best.scores)
    finally:
        stop.set()
        writer.join()


def test_a_pool_joins_what_comes_back_and_zeroes_it() -> None:
    pool = DevicePool(DEVICE, 4096)
    places = [pool.take(1000) for _ in range(4)]
    with pytest.raises(DeviceMemoryFullError):
        pool.take(1)
    pool.bytes.fill_(7)
    for place in (places[1], places[0], places[3], places[2]):
        pool.give_back(place, 1000)
    assert pool.free_bytes == 4096
    assert pool.take(4096) == 0
    assert not pool.bytes.any()
