"""The lists of a namespace by way of a device are those of the host's operations, as an open view has the memories."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.bank.records import State
from gpu.bank.view import BankView
from gpu.device.bank import DeviceBank
from gpu.device.lists import DeviceLists
from gpu.device.pool import DevicePool
from gpu.device.rules import DeviceRules
from gpu.device.searches import DeviceSearches
from gpu.ops.channel_pass.questions import Groups, Question, Terms
from tests.fixtures.bank_records import memory_id, random_batch
from tests.fixtures.host_lists import HostLists

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DIM = 8
EVERYTHING = ScanFilter(states=frozenset(State))
RULES = DeviceRules(lists_from=10)


@pytest.fixture
def searches() -> Iterator[DeviceSearches]:
    searches = DeviceSearches(DeviceBank(DevicePool(DEVICE, 1 << 20)))
    yield searches
    searches.close()


def bank_of(n: int, seed: int = 1) -> NamespaceBank:
    bank = NamespaceBank(PagePool(), DIM)
    bank.put(random_batch(np.random.default_rng(seed), list(range(n)), dim=DIM))
    return bank


def question(scan: ScanFilter) -> Question:
    terms = np.arange(1, 4, dtype=np.uint32) * np.uint32(2654435761)
    places = Groups([np.array([1, 2], np.uint64), np.array([3], np.uint64)], np.ones(2, np.float32))
    return Question(scan, Terms(terms, np.array([1.5, 0.5, 2.5], np.float32), 0.9, 0.4, 20.0), places, places)


def check(lists: DeviceLists, view: BankView, limit: int) -> None:
    """The same memories, whatever else they are, where no score is at the edge."""
    found, true = lists.find(view, question(view.scan), limit), HostLists(limit).find(view, question(view.scan), limit)
    assert found is not None
    assert true is not None
    assert found.keys() == true.keys()
    for which, best in true.items():
        assert found[which].is_complete == best.is_complete
        assert found[which].most_of_others == pytest.approx(best.most_of_others, rel=1e-5)
        if best.is_complete:
            np.testing.assert_array_equal(found[which].slots, best.slots)
        else:
            assert found[which].slots.size == best.slots.size == limit


@pytest.mark.parametrize("limit", [3, 200])
def test_a_device_makes_the_lists_of_the_host(searches: DeviceSearches, limit: int) -> None:
    bank, counted = bank_of(20), []
    lists = DeviceLists(bank, searches, RULES, counted.append)
    with bank.view(EVERYTHING) as view:
        check(lists, view, limit)
    assert counted == [True]
    assert searches.bank.residency.searched_on_host == 0


def test_few_memories_earlier_times_and_a_rule_of_never_are_left_to_the_host(searches: DeviceSearches) -> None:
    bank = bank_of(20)
    few = ScanFilter(allowed=np.frombuffer(memory_id(3), np.uint8)[None], states=EVERYTHING.states)
    for scan, rules in (
        (few, RULES),
        (ScanFilter(states=EVERYTHING.states, as_of_us=400), RULES),
        (EVERYTHING, DeviceRules(lists_from=0)),
    ):
        with bank.view(scan) as view:
            assert DeviceLists(bank, searches, rules).find(view, question(scan), 5) is None
    assert searches.bank.residency.resident == 0


def test_an_open_view_has_no_memory_that_is_newer_and_those_that_were_edited(searches: DeviceSearches) -> None:
    bank = bank_of(20)
    lists = DeviceLists(bank, searches, RULES)
    with bank.view(EVERYTHING) as view:
        same = np.random.default_rng(1)  # what had a word keeps it
        bank.put(random_batch(same, list(range(20)), dim=DIM, versions=[2] * 20, recorded_from=[900] * 20))
        bank.put(random_batch(np.random.default_rng(5), list(range(50, 54)), dim=DIM))
        check(lists, view, 200)
    with bank.view(EVERYTHING) as view:
        check(lists, view, 200)


def test_lists_and_nearest_memories_of_many_threads_share_their_launches(searches: DeviceSearches) -> None:
    banks = [bank_of(16, seed) for seed in range(2)]

    def ask(number: int) -> None:
        bank = banks[number % 2]
        with bank.view(EVERYTHING) as view:
            if number % 3:
                check(DeviceLists(bank, searches, RULES), view, 200)
            else:
                vector = np.random.default_rng(number).standard_normal(DIM).astype(np.float32)
                slots, _ = view.top(view.dense(vector), 4)
                found = searches.search(bank, EVERYTHING, vector, 4)
                np.testing.assert_array_equal(found.memory_ids, view.memory_id(slots))

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(ask, number) for number in range(6)]:
            done.result(120)


def test_a_device_that_fails_makes_none_and_is_counted(
    searches: DeviceSearches, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank, counted = bank_of(20), []

    def fail(*_: object) -> None:
        raise RuntimeError("an illegal memory access was encountered")

    monkeypatch.setattr(searches.bank, "channels", fail)
    with bank.view(EVERYTHING) as view:
        for _ in range(2):
            assert DeviceLists(bank, searches, RULES, counted.append).find(view, question(EVERYTHING), 5) is None
    assert counted == [False, False]
    assert searches.is_lost
