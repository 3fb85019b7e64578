"""A bank over several devices answers as one device does, whatever moves, fails or does not fit."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

import gpu.device.copies
from gpu.bank.filters import NumberColumn, Range, ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.bank.records import State
from gpu.device.bank import DeviceBank
from gpu.device.copies import DeviceCopies
from gpu.device.errors import DeviceLostError
from gpu.device.pool import DevicePool
from gpu.device.query import Query
from gpu.device.spread import parts_of
from tests.fixtures.bank_records import memory_id, random_batch, with_vectors
from tests.fixtures.plain_paged_search import plain_searched

HAS_DEVICE = torch.cuda.is_available()
N_DEVICES = torch.cuda.device_count()
DIM = 16
EVERYTHING = ScanFilter(states=frozenset(State))
FILTERS = (
    EVERYTHING,
    ScanFilter(),
    ScanFilter(now_us=300),
    ScanFilter(now_us=301),
    ScanFilter(ranges=(Range(NumberColumn.TRUST, 0.2, 0.9),)),
    ScanFilter(states=EVERYTHING.states, allowed=np.frombuffer(b"".join(map(memory_id, range(0, 90, 2))), np.uint8)
               .reshape(-1, 16)),
    ScanFilter(states=EVERYTHING.states, as_of_us=400),
)  # fmt: skip


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a device the reference stands in for the kernels, which have tests of their own."""
    if not HAS_DEVICE:
        monkeypatch.setattr(gpu.device.copies, "searched", plain_searched)


def pool(size: int, number: int = 0) -> DevicePool:
    return DevicePool(torch.device("cuda", number % N_DEVICES) if HAS_DEVICE else torch.device("cpu"), size)


def pinned(size: int) -> DevicePool:
    return DevicePool(torch.device("cpu"), size, in_host_memory=True)


@pytest.fixture
def opened() -> Iterator[list[DeviceBank]]:
    banks: list[DeviceBank] = []
    yield banks
    for bank in banks:
        bank.close()


def bank_of(rng: np.random.Generator, n: int, dim: int = DIM) -> NamespaceBank:
    bank = NamespaceBank(PagePool(), dim)
    for at in range(0, n, 64):  # in steps, so that there are several pages
        bank.put(random_batch(rng, list(range(at, min(at + 64, n))), dim=dim))
    return bank


def query_of(rng: np.random.Generator, bank: NamespaceBank, scan: ScanFilter = EVERYTHING, k: int = 7) -> Query:
    return Query(bank, scan, rng.standard_normal(bank.dim).astype(np.float32), k)


def on_host(query: Query) -> list[tuple[bytes, int]]:
    with query.namespace.view(query.scan) as view:
        slots, _ = view.top(view.dense(query.vector), query.limit)
        versions = view.column("versions", slots).tolist()
        return [(row.tobytes(), version) for row, version in zip(view.memory_id(slots), versions, strict=True)]


def check(device: DeviceBank, queries: Sequence[Query]) -> None:
    for query, best in zip(queries, device.search(queries), strict=True):
        found = [(row.tobytes(), version) for row, version in zip(best.memory_ids, best.versions.tolist(), strict=True)]
        assert found == on_host(query)
        assert best.scores.shape == best.slots.shape == (len(found),)


@pytest.mark.parametrize("seed", range(4))
def test_many_devices_answer_as_the_host_does_through_writes_moves_and_splits(
    seed: int, opened: list[DeviceBank]
) -> None:
    rng = np.random.default_rng(seed)
    sizes = [int(n) for n in rng.integers(0, 300, 8)] + [1, 600]
    banks = [bank_of(rng, n, int(rng.choice([8, 16, 24]))) for n in sizes]
    sizes_of_pools = [int(n) << 10 for n in rng.integers(14, 40, 3)]
    device = DeviceBank(
        *(pool(n, i) for i, n in enumerate(sizes_of_pools)), pinned=pinned(int(rng.integers(8, 60)) << 10)
    )
    opened.append(device)
    for step in range(10):
        asked = [banks[int(i)] for i in rng.integers(0, len(banks), 12)]
        check(
            device,
            [query_of(rng, b, FILTERS[int(rng.integers(len(FILTERS)))], int(rng.integers(1, 40))) for b in asked],
        )
        bank = banks[int(rng.integers(len(banks)))]
        match int(rng.integers(4)):
            case 0:
                bank.erase(np.frombuffer(memory_id(int(rng.integers(60))), np.uint8)[None])
            case 1:
                bank.compact()
            case 2:
                device.drop(bank)
            case _:
                numbers = sorted(rng.choice(700, 20, replace=False).tolist())
                bank.put(random_batch(rng, numbers, dim=bank.dim, versions=[step + 2] * 20))
    told = device.residency
    assert told.evicted > 0
    assert told.lost == 0


def test_a_huge_namespace_lies_on_several_devices_and_a_memory_in_two_parts_counts_once(
    opened: list[DeviceBank],
) -> None:
    rng = np.random.default_rng(5)
    bank = NamespaceBank(PagePool(), DIM)
    near = rng.standard_normal(DIM).astype(np.float32)
    for at in range(0, 400, 50):
        bank.put(random_batch(rng, list(range(at, at + 50)), dim=DIM))
    many = np.stack([near * scale for scale in np.linspace(0.1, 0.9, 500)])  # one memory over several pages
    bank.put(with_vectors(random_batch(rng, [900, 901], dim=DIM), [many, near[None] * 0.5]))
    device = DeviceBank(pool(40_960, 0), pool(40_960, 1), pool(40_960, 2))
    opened.append(device)
    check(device, [Query(bank, EVERYTHING, near, k) for k in (1, 2, 30)])
    places = [list(one.places()) for one in device._devices]
    assert all(places), "every device has a part"
    assert sum(map(len, places)) > 3
    assert device.residency.resident == 1
    bank.erase(np.frombuffer(memory_id(900), np.uint8)[None])
    check(device, [Query(bank, EVERYTHING, near, 30)])
    numbers = list(range(1000, 1200))
    bank.put(random_batch(rng, numbers, dim=DIM))
    check(device, [Query(bank, EVERYTHING, near, 30)])
    device.drop(bank)
    assert all(not one.pool.bytes.any() for one in device._devices)


def test_parts_stay_what_they_are_while_a_namespace_grows() -> None:
    rng = np.random.default_rng(6)
    bank = NamespaceBank(PagePool(), DIM)
    known: list[int] = []
    for at in range(0, 900, 45):
        bank.put(random_batch(rng, list(range(at, at + 45)), dim=DIM))
        with bank.pinned() as seen:
            rows = seen.current_rows
            parts = parts_of(rows.codes, rows.n_views, 3000)
            starts = [start for start, _ in parts]
            assert starts[: len(known)] == known or len(known) == 1
            assert [end for _, end in parts] == [*starts[1:], None]
            assert set(starts) <= set(rows.codes.entries[:, 1].tolist())
            assert parts_of(rows.codes, rows.n_views, None) == [(0, None)]
            known = starts
    assert len(known) > 5


def test_a_namespace_stays_where_it_is_and_new_ones_go_where_there_is_most_room(opened: list[DeviceBank]) -> None:
    rng = np.random.default_rng(7)
    banks = [bank_of(rng, 100) for _ in range(4)]
    device = DeviceBank(pool(1 << 20, 0), pool(1 << 20, 1))
    opened.append(device)
    check(device, [query_of(rng, bank) for bank in banks])
    where = [set(one.places()) for one in device._devices]
    assert [len(one) for one in where] == [2, 2]
    check(device, [query_of(rng, bank) for bank in reversed(banks)])
    assert [set(one.places()) for one in device._devices] == where


def test_devices_work_at_the_same_time(monkeypatch: pytest.MonkeyPatch, opened: list[DeviceBank]) -> None:
    rng = np.random.default_rng(8)
    banks = [bank_of(rng, 60) for _ in range(3)]
    device = DeviceBank(*(pool(1 << 20, i) for i in range(3)))
    opened.append(device)
    meeting = threading.Barrier(3)
    through = DeviceCopies.search

    def met(self: DeviceCopies, tasks: Sequence[gpu.device.copies.Task]) -> object:
        meeting.wait(30)
        return through(self, tasks)

    monkeypatch.setattr(DeviceCopies, "search", met)
    check(device, [query_of(rng, bank) for bank in banks])
    assert device.residency.lost == 0


def test_nothing_is_missed_beside_a_writer(opened: list[DeviceBank]) -> None:
    rng = np.random.default_rng(12)
    numbers = list(range(40))
    banks = [NamespaceBank(PagePool(), DIM) for _ in range(4)]

    def write(bank: NamespaceBank, version: int) -> None:
        batch = random_batch(np.random.default_rng(version), numbers, dim=DIM, versions=[version] * len(numbers))
        views = np.random.default_rng(version).standard_normal((len(numbers), 1, DIM))
        bank.put(with_vectors(batch, list(views)))

    def keep_writing() -> None:
        version = 2
        while not stop.is_set():
            for bank in banks:
                write(bank, version)
            version += 1

    for bank in banks:
        write(bank, 1)
    device = DeviceBank(pool(5 << 10, 0), pool(4 << 10, 1), pinned=pinned(8 << 10))
    opened.append(device)
    stop = threading.Event()
    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        for _ in range(20):
            for best in device.search([query_of(rng, bank, k=60) for bank in banks]):
                assert len(best.scores) == len({row.tobytes() for row in best.memory_ids}) == len(numbers)
                assert len(set(best.versions.tolist())) == 1, "a search saw half of a write"
    finally:
        stop.set()
        writer.join()
    assert device.residency.evicted > 0
    assert device.residency.lost == 0


@pytest.mark.parametrize("size", [1 << 20, 40_960])
def test_what_was_on_a_device_that_fails_is_answered_by_the_others(
    size: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, opened: list[DeviceBank]
) -> None:
    rng = np.random.default_rng(9)
    banks = [bank_of(rng, n) for n in (80, 80, 80, 300)]
    device = DeviceBank(*(pool(size, i) for i in range(3)), pinned=pinned(1 << 16))
    opened.append(device)
    queries = [query_of(rng, bank) for bank in banks]
    check(device, queries)
    works = DeviceCopies._launch

    def fails(self: DeviceCopies, tasks: Sequence[gpu.device.copies.Task]) -> list[gpu.device.copies.Hits]:
        if self in broken:
            raise RuntimeError("an illegal memory access was encountered")
        return works(self, tasks)

    broken = [device._devices[1]]
    monkeypatch.setattr(DeviceCopies, "_launch", fails)
    for _ in range(2):
        check(device, queries)
        assert device.residency.lost == 1
    assert "illegal memory access" in caplog.text
    banks[0].put(random_batch(rng, [1, 2, 3], dim=DIM, versions=[2] * 3))
    banks[1].erase(np.frombuffer(memory_id(1), np.uint8)[None])
    broken.append(device._devices[0])
    check(device, queries)
    broken.append(device._devices[2])
    with pytest.raises(DeviceLostError):
        device.search(queries)
    assert device.residency.lost == 3
    banks[2].erase(np.frombuffer(memory_id(1), np.uint8)[None])  # a writer does not mind


def test_a_device_without_memory_for_a_launch_takes_less_at_once(
    monkeypatch: pytest.MonkeyPatch, opened: list[DeviceBank]
) -> None:
    rng = np.random.default_rng(10)
    banks = [bank_of(rng, 60) for _ in range(7)]
    device = DeviceBank(pool(1 << 20))
    opened.append(device)
    works, most = DeviceCopies._launch, 3

    def small(self: DeviceCopies, tasks: Sequence[gpu.device.copies.Task]) -> list[gpu.device.copies.Hits]:
        if len(tasks) > most:
            raise torch.OutOfMemoryError
        return works(self, tasks)

    monkeypatch.setattr(DeviceCopies, "_launch", small)
    check(device, [query_of(rng, bank) for bank in banks])
    assert device.residency.searched_on_host == 0
    most = 0
    check(device, [query_of(rng, bank) for bank in banks])
    assert device.residency.searched_on_host == len(banks)
    assert device.residency.lost == 0


def test_nothing_asked_is_nothing_found(opened: list[DeviceBank]) -> None:
    device = DeviceBank(pool(4096))
    opened.append(device)
    assert device.search([]) == []


def test_a_filter_follows_its_namespace_and_the_time(opened: list[DeviceBank]) -> None:
    rng = np.random.default_rng(11)
    bank = bank_of(rng, 200)
    device = DeviceBank(pool(1 << 20))
    opened.append(device)
    masks = device._devices[0]._masks
    for now in (0, 400, 450, 451, 450, 990):  # back in time, too
        check(device, [query_of(rng, bank, replace(scan, now_us=now), 40) for scan in FILTERS[:2]])
        bank.put(random_batch(rng, [now], dim=DIM, versions=[now + 2]))
    assert masks.memory_bytes() > 0
    for kinds in range(10):  # more filters than are kept
        check(device, [query_of(rng, bank, ScanFilter(no_pairs=(kinds,)))])
    assert len(masks._of[bank].masks) <= 8
    device.drop(bank)
    assert masks.memory_bytes() == 0
