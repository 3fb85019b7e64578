"""The nearest memories by way of a device are those of the host, whatever happens meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bank.nearest import EXACT
from gpu.bank.pages import PagePool
from gpu.bank.records import State
from gpu.bank.view import BankView
from gpu.device.bank import DeviceBank
from gpu.device.errors import DeviceLostError
from gpu.device.found import NoDeviceError, open_device
from gpu.device.nearest import DeviceNearest
from gpu.device.pool import DevicePool
from gpu.device.rules import DeviceRules
from gpu.device.searches import DeviceSearches
from tests.fixtures.bank_records import memory_id, random_batch

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DIM = 16
EVERYTHING = ScanFilter(states=frozenset(State))
RULES = DeviceRules(device_from=10)


@pytest.fixture
def searches() -> Iterator[DeviceSearches]:
    searches = DeviceSearches(DeviceBank(DevicePool(DEVICE, 1 << 20)))
    yield searches
    searches.close()


def bank_of(searches: DeviceSearches, n: int, seed: int = 1) -> NamespaceBank:
    bank = NamespaceBank(PagePool(), DIM)
    bank.nearest = DeviceNearest(bank, searches, EXACT, RULES)
    bank.put(random_batch(np.random.default_rng(seed), list(range(n)), dim=DIM))
    return bank


def query(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(DIM).astype(np.float32)


def check(view: BankView, seed: int, limit: int) -> None:
    found, true = view.nearest(query(seed), limit), EXACT.search(view, query(seed), limit)
    np.testing.assert_array_equal(found.slots, true.slots)
    np.testing.assert_array_equal(found.scores, true.scores)
    some = np.arange(0, view.n_slots, 3)
    np.testing.assert_array_equal(found.score_of(some), true.score_of(some))


@pytest.mark.parametrize("limit", [1, 7, 50])
def test_it_finds_what_comparing_all_finds(searches: DeviceSearches, limit: int) -> None:
    bank = bank_of(searches, 40)
    with bank.view(EVERYTHING) as view:
        check(view, 3, limit)
        assert not view.nearest(query(3), limit).is_exact  # the device was asked
    assert searches.bank.residency.resident == 1


def test_few_memories_and_earlier_times_are_left_to_the_host(searches: DeviceSearches) -> None:
    bank = bank_of(searches, 200)
    for scan in (
        ScanFilter(allowed=np.frombuffer(memory_id(3), np.uint8)[None]),
        ScanFilter(states=EVERYTHING.states, as_of_us=400),
    ):
        with bank.view(scan) as view:
            assert view.nearest(query(1), 5).is_exact
    assert searches.bank.residency.resident == 0


def test_a_view_keeps_what_was_edited_after_it_was_opened(searches: DeviceSearches) -> None:
    bank = bank_of(searches, 100)
    with bank.view(EVERYTHING) as view:
        same = np.random.default_rng(1)  # vectors as before: what had one keeps one
        bank.put(random_batch(same, list(range(100)), dim=DIM, versions=[2] * 100, recorded_from=[900] * 100))
        assert set(view.nearest(query(2), 100).slots.tolist()) == set(EXACT.search(view, query(2), 100).slots.tolist())
    with bank.view(EVERYTHING) as view:
        check(view, 2, 10)


def test_what_is_erased_is_in_no_answer(searches: DeviceSearches) -> None:
    bank = bank_of(searches, 100)
    with bank.view(EVERYTHING) as view:
        best = view.memory_id(view.nearest(query(1), 1).slots)
    bank.erase(best)
    with bank.view(EVERYTHING) as view:
        found = view.memory_id(view.nearest(query(1), 100).slots)
        assert best.tobytes() not in {row.tobytes() for row in found}
        check(view, 1, 100)


def test_many_threads_share_launches(searches: DeviceSearches) -> None:
    banks = [bank_of(searches, 40, seed) for seed in range(3)]
    go = threading.Barrier(8)

    def ask(number: int) -> None:
        go.wait(30)
        for turn in range(2):
            with banks[(number + turn) % len(banks)].view(EVERYTHING) as view:
                check(view, number, 5)

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(ask, number) for number in range(8)]:
            done.result(120)


def test_a_device_that_fails_is_left_alone(
    searches: DeviceSearches, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bank = bank_of(searches, 100)

    def fail(*_: object) -> None:
        raise RuntimeError("an illegal memory access was encountered")

    monkeypatch.setattr(searches.bank, "search", fail)
    with bank.view(EVERYTHING) as view:
        check(view, 1, 10)
        assert view.nearest(query(1), 10).is_exact
    assert searches.is_lost
    assert "illegal memory access" in caplog.text
    with pytest.raises(DeviceLostError):
        searches.search(bank, EVERYTHING, query(1), 3)


def test_a_namespace_that_closes_leaves_the_device(searches: DeviceSearches) -> None:
    bank = bank_of(searches, 100)
    with bank.view(EVERYTHING) as view:
        view.nearest(query(1), 5)
    bank.nearest.close()
    assert searches.bank.residency.resident == 0
    assert searches.bank.residency.device_bytes == 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a device")
def test_no_device_says_why() -> None:
    with pytest.raises(NoDeviceError, match="there is no driver for one"):
        open_device(0.5)


def test_every_device_that_gives_memory_is_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[int] = []

    def free(device: torch.device) -> tuple[int, int]:
        asked.append(device.index)
        if device.index == 1:
            raise RuntimeError("it is somebody else's")
        return 1 << 20, 1 << 21

    monkeypatch.setattr("gpu.device.found.ctypes.CDLL", lambda name: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "mem_get_info", free)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "made up")
    monkeypatch.setattr("gpu.device.pool.DevicePool", lambda device, size, **_: DevicePool(torch.device("cpu"), size))
    all_of_them = open_device(0.5)
    assert asked == [0, 1, 2, 3]
    assert all_of_them.memory_bytes == 3 << 19
    assert all_of_them.name == "3 devices (made up)"
    assert "somebody else" in caplog.text
    assert open_device(0.5, most_devices=1, pinned_bytes=4096).name == "made up"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: free(torch.device("cuda", 1)))
    with pytest.raises(NoDeviceError, match="gives no memory: it is somebody"):
        open_device(0.5)
