"""Copies of rows: what is marked when, where they wait, and how they come back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import gpu.device.masks
from gpu.bank.errors import DimensionError, PageOwnershipError
from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.bank.records import State
from gpu.bank.segment import SegmentSnapshot
from gpu.device.bank import DeviceBank
from gpu.device.kept_plan import KeptPlan
from gpu.device.masks import DeviceMasks
from gpu.device.mirror import DeviceRows
from gpu.device.names import names_of
from gpu.device.pinned import PinnedCopies
from gpu.device.pool import DeviceMemoryFullError, DevicePool
from gpu.device.query import Query
from gpu.device.segment_copy import SegmentCopy
from gpu.device.staging import Staging
from gpu.ops.filter_scan.op import FilterPlan
from tests.fixtures.bank_records import memory_id, random_batch
from tests.fixtures.plain_paged_search import plain_searched

HAS_DEVICE = torch.cuda.is_available()
DEVICE = torch.device("cuda" if HAS_DEVICE else "cpu")
DIM = 16
EVERYTHING = ScanFilter(states=frozenset(State))


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    if not HAS_DEVICE:
        monkeypatch.setattr("gpu.device.copies.searched", plain_searched)


def bank_of(rng: np.random.Generator, n: int) -> NamespaceBank:
    bank = NamespaceBank(PagePool(), DIM)
    bank.put(random_batch(rng, list(range(n)), dim=DIM, max_views=2))
    return bank


def pinned(size: int) -> DevicePool:
    return DevicePool(torch.device("cpu"), size, in_host_memory=True)


def slots_in(rows: DeviceRows) -> list[int]:
    """Slots of the vectors in the records of a copy, in their order."""
    memory = rows.rows.pool.cpu()
    return [
        slot
        for _, slot_at, _, _, n, _ in rows.rows.records.tolist()
        for slot in memory[slot_at * 16 :][: 4 * n].view(torch.int32).tolist()
    ]


def views_of(bank: NamespaceBank, number: int) -> list[bytes]:
    with bank.view(EVERYTHING) as view:
        slots = view.slots_of(np.frombuffer(memory_id(number), np.uint8)[None])
        return [row.tobytes() for row in view.ranges("vectors", slots)[0]["vectors"]]


def holds(pool: DevicePool, vectors: list[bytes]) -> bool:
    return bool(vectors) and all(vector in pool.bytes.cpu().numpy().tobytes() for vector in vectors)


def search(device: DeviceBank, banks: list[NamespaceBank], seed: int = 3) -> list[list[bytes]]:
    vector = np.random.default_rng(seed).standard_normal(DIM).astype(np.float32)
    return [
        [row.tobytes() for row in best.memory_ids]
        for best in device.search([Query(bank, EVERYTHING, vector, 9) for bank in banks])
    ]


def room_for(bank: NamespaceBank) -> int:
    device = DeviceBank(DevicePool(DEVICE, 1 << 20))
    search(device, [bank])
    return device.residency.device_bytes


def test_a_death_that_a_snapshot_does_not_know_is_not_marked_yet() -> None:
    rng = np.random.default_rng(1)
    bank = bank_of(rng, 40)
    with bank.pinned() as before:
        bank.put(random_batch(rng, [0, 1, 2], dim=DIM, versions=[2] * 3))  # nobody writes deaths down yet
        rows = DeviceRows(DevicePool(DEVICE, 1 << 20), before.current)
        rows.follow(before.current_rows)
        whole = slots_in(rows)
        assert -1 not in whole
        bank.put(random_batch(rng, [3, 4], dim=DIM, versions=[2] * 2))
        rows.follow(before.current_rows)
        assert slots_in(rows) == whole
        with bank.pinned() as after:
            rows.follow(after.current_rows)
            dead = {slot for slot in whole if slot < 5}
            assert slots_in(rows)[: len(whole)] == [-1 if slot in dead else slot for slot in whole]


def test_what_died_before_it_was_copied_is_marked() -> None:
    rng = np.random.default_rng(2)
    bank = bank_of(rng, 40)
    bank.put(random_batch(rng, [0, 1], dim=DIM, versions=[2] * 2))
    with bank.pinned() as seen:
        rows = DeviceRows(DevicePool(DEVICE, 1 << 20), seen.current)
        rows.follow(seen.current_rows)
    assert not {0, 1} & set(slots_in(rows))


def test_what_leaves_comes_back_as_it_was_and_follows_what_happened_meanwhile() -> None:
    rng = np.random.default_rng(3)
    banks = [bank_of(rng, 100) for _ in range(3)]
    device = DeviceBank(DevicePool(DEVICE, int(1.5 * room_for(banks[0]))), pinned=pinned(1 << 20))
    before = search(device, banks)
    told = device.residency
    assert (told.resident, told.evicted, told.returned, told.pinned) == (1, 2, 0, 2)
    assert told.pinned_bytes > 0
    assert search(device, banks) == before
    assert device.residency.returned == 3
    banks[0].put(random_batch(rng, [5, 300], dim=DIM, versions=[2] * 2))  # while the last one is on the device
    found = search(device, banks[:1], seed=8)
    assert found == search(DeviceBank(DevicePool(DEVICE, 1 << 20)), banks[:1], seed=8)
    assert device.residency.returned == 4
    assert device.residency.searched_on_host == 0


def test_what_is_erased_is_erased_in_pinned_memory_at_once() -> None:
    rng = np.random.default_rng(4)
    banks = [bank_of(rng, 100) for _ in range(2)]
    memory = pinned(1 << 20)
    device = DeviceBank(DevicePool(DEVICE, int(1.5 * room_for(banks[0]))), pinned=memory)
    search(device, banks)
    number = next(i for i in range(100) if views_of(banks[0], i))
    views = views_of(banks[0], number)
    assert holds(memory, views)
    banks[0].erase(np.frombuffer(memory_id(number), np.uint8)[None])
    assert not any(view in memory.bytes.numpy().tobytes() for view in views)
    (found,) = search(device, banks[:1])
    assert memory_id(number) not in found
    search(device, banks[1:])
    banks[0].compact()  # rows that lie elsewhere now are of no use
    assert device.residency.pinned == 0
    assert not memory.bytes.any()
    search(device, banks)
    banks[0].clear()
    banks[1].clear()
    assert not memory.bytes.any()


def test_pinned_memory_is_bounded_and_the_oldest_makes_room() -> None:
    rng = np.random.default_rng(5)
    banks = [bank_of(rng, 100) for _ in range(5)]
    one = room_for(banks[0])
    memory = pinned(int(2.5 * one))
    device = DeviceBank(DevicePool(DEVICE, int(1.5 * one)), pinned=memory)
    before = search(device, banks)
    assert 1 <= device.residency.pinned <= 2
    assert device.residency.pinned_bytes <= memory.bytes.numel()
    assert search(device, banks) == before
    nowhere = DeviceBank(DevicePool(DEVICE, int(1.5 * one)), pinned=pinned(512))
    assert search(nowhere, banks) == before
    assert nowhere.residency.pinned == nowhere.residency.pinned_bytes == 0


def test_a_copy_that_does_not_fit_stays_where_it_is() -> None:
    rng = np.random.default_rng(6)
    bank = bank_of(rng, 200)
    rows, home = _copied(bank)
    before = slots_in(rows)
    with pytest.raises(DeviceMemoryFullError):
        rows.move_to(DevicePool(DEVICE, 4096))
    assert slots_in(rows) == before
    with bank.pinned() as seen:
        copy = SegmentCopy(home, seen.current)
        copy.follow(seen.current_rows, None, attributes=True)
    keeper = PinnedCopies(pinned(copy.rows.memory_bytes + 4096))  # the attributes are too much for it
    assert not keeper.keep((bank, 0), copy)
    assert len(keeper) == 0
    assert slots_in(copy.rows) == before
    rows.release()
    copy.release()
    assert not home.bytes.any()


def test_a_copy_moves_into_what_is_free_in_pieces() -> None:
    rng = np.random.default_rng(7)
    bank = bank_of(rng, 200)
    rows, _ = _copied(bank)
    whole = slots_in(rows)
    crowded = DevicePool(DEVICE, 1 << 20)
    taken = [crowded.take(2048) for _ in range(crowded.bytes.numel() // 2048)]
    for place in taken[::2]:
        crowded.give_back(place, 2048)
    small, _ = _copied(bank_of(rng, 30))
    size = max(page.size for page in small._pages)
    assert size < 2048
    small.move_to(crowded)
    for place in taken[1::2]:
        crowded.give_back(place, 2048)
    rows.move_to(crowded)
    with bank.pinned() as seen:
        rows.follow(seen.current_rows)
    assert slots_in(rows) == whole


def _copied(bank: NamespaceBank) -> tuple[DeviceRows, DevicePool]:
    pool = DevicePool(DEVICE, 1 << 20)
    with bank.pinned() as seen:
        rows = DeviceRows(pool, seen.current)
        rows.follow(seen.current_rows)
    return rows, pool


def test_a_mask_costs_a_look_at_new_rows_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(8)
    bank = NamespaceBank(PagePool(), DIM)
    for at in range(0, 3000, 500):
        bank.put(random_batch(rng, list(range(at, at + 500)), dim=DIM))
    masks, looked = DeviceMasks(DEVICE), []
    through = gpu.device.masks.filter_scan

    def counted(segment: SegmentSnapshot, wanted: FilterPlan, out: NDArray[np.uint8], first_page: int) -> int:
        looked.append(out.size)
        return through(segment, wanted, out, first_page)

    monkeypatch.setattr(gpu.device.masks, "filter_scan", counted)
    scan = ScanFilter(now_us=-1)
    with bank.pinned() as seen:
        first = masks.mask(bank, seen, scan)
        assert max(looked) == 3000
        looked.clear()
        assert masks.mask(bank, seen, ScanFilter(now_us=-5)) is first
        assert not looked
    bank.put(random_batch(rng, [9000], dim=DIM))
    with bank.pinned() as seen:
        again = masks.mask(bank, seen, scan)
        assert 0 < max(looked) < 2000
        with bank.view_of(seen, scan) as view:
            assert again is not None
            np.testing.assert_array_equal(again[: view.n_slots].cpu().numpy(), view.mask())


def test_a_plan_is_kept_while_rows_and_masks_lie_where_they_were() -> None:
    rng = np.random.default_rng(13)
    bank = bank_of(rng, 40)
    rows, _ = _copied(bank)
    kept = KeptPlan()
    first = kept.plan([rows.rows], [None])
    bank.put(random_batch(rng, [9000], dim=DIM, max_views=1))
    with bank.pinned() as seen:
        rows.follow(seen.current_rows)
        assert kept.plan([rows.rows], [None]) is first, "a row within the last group changes no plan"
    mask = torch.ones(100, dtype=torch.uint8, device=DEVICE)
    masked = kept.plan([rows.rows], [mask])
    assert masked.masks == (mask,)
    assert kept.plan([rows.rows] * 2, [mask, None]).masks == (mask, None)
    bank.put(random_batch(rng, list(range(9001, 9080)), dim=DIM, max_views=1))
    with bank.pinned() as seen:
        rows.follow(seen.current_rows)
    more = kept.plan([rows.rows], [mask])
    assert more.rows[1, 0] == rows.rows.records.shape[0] > masked.rows[1, 0]
    kept.forget()
    assert kept.plan([rows.rows], [mask]) is not more


def test_no_mask_where_every_living_row_counts() -> None:
    rng = np.random.default_rng(9)
    bank = bank_of(rng, 60)
    bank.put(random_batch(rng, [1, 2], dim=DIM, versions=[2] * 2))
    masks = DeviceMasks(DEVICE)
    with bank.pinned() as seen:
        assert masks.mask(bank, seen, EVERYTHING) is None
        assert masks.mask(bank, seen, ScanFilter(allowed=np.empty((0, 16), np.uint8))) is not None


def test_names_of_a_batch_are_those_of_the_views() -> None:
    rng = np.random.default_rng(10)
    banks = [bank_of(rng, n) for n in (300, 1, 40)]
    asked = [0, 2, 0, 1]
    slots = np.stack([rng.integers(-1, len(banks[i]), 6) for i in asked])
    slots[:, 3] = -1
    seen = [bank._published.current_rows for bank in banks]
    ids, versions = names_of([seen[i].attributes for i in asked], slots)
    for row, number in enumerate(asked):
        with banks[number].view(EVERYTHING) as view:
            there = slots[row] >= 0
            np.testing.assert_array_equal(ids[row][there], view.memory_id(slots[row][there]))
            np.testing.assert_array_equal(versions[row][there], view.column("versions", slots[row][there]))
            assert not ids[row][~there].any()
    banks[0].clear()
    with pytest.raises(PageOwnershipError):
        names_of([seen[0].attributes], np.zeros((1, 1), np.int64))
    assert names_of([], np.empty((0, 3), np.int64))[0].shape == (0, 3, 16)


def test_a_vector_of_another_dimension_is_no_query() -> None:
    bank = bank_of(np.random.default_rng(11), 3)
    with pytest.raises(DimensionError):
        Query(bank, EVERYTHING, np.zeros(DIM + 1, np.float32), 3)


@pytest.mark.parametrize("size", [64, 1 << 20])
def test_values_arrive_however_small_the_room_is(size: int) -> None:
    staging = Staging(DEVICE, size)
    rng = np.random.default_rng(12)
    target = torch.zeros(5000, dtype=torch.uint8, device=DEVICE)
    wanted = np.zeros(5000, np.uint8)
    at = 0
    for n in (16, 1, 33, 200, 8, 40, 40, 7):
        first, second = rng.integers(0, 256, n, np.uint8), rng.standard_normal(n).astype(np.float16)
        end = at + first.nbytes + second.nbytes
        staging.write(target[at:end], (first, second))
        wanted[at:end] = np.concatenate([first, second.view(np.uint8)])
        at = end
    np.testing.assert_array_equal(target.cpu().numpy(), wanted)
    staging.wipe()
    assert not staging._room.any()
