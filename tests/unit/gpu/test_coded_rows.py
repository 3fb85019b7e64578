"""Coded pages on a device hold what the codecs say of the segment's rows, whatever is written, replaced or erased."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gpu.bank.layouts import BITS, Tier, code_bytes, codes
from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.device import coded
from gpu.device.coded import CodedRows
from gpu.device.mirror import DeviceRows
from gpu.device.page_mirror import UNIT
from gpu.device.pool import DeviceMemoryFullError, DevicePool
from gpu.ops.coarse_search.op import STRETCHES, coarse_search, plan
from gpu.ops.paged_search.op import GROUP
from gpu.tiers import device_codecs
from gpu.tiers.codecs import Codes, decode, encode
from gpu.tiers.ranking import corrected, estimates
from gpu.tiers.rotation import rotation
from tests.fixtures.bank_records import memory_id, random_batch

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
CODED = (Tier.INT8, Tier.INT4, Tier.BIT1)


def bank_of(rng: np.random.Generator, sizes: list[int], dim: int) -> NamespaceBank:
    bank = NamespaceBank(PagePool(), dim)
    at = 0
    for n in sizes:
        bank.put(random_batch(rng, list(range(at, at + n)), dim=dim, max_views=1))
        at += n
    return bank


def follow(rows: CodedRows | DeviceRows, bank: NamespaceBank) -> None:
    with bank.pinned() as seen:
        rows.follow(seen.current_rows)


def mirrored(pool: DevicePool, bank: NamespaceBank, tier: Tier) -> CodedRows:
    with bank.pinned() as seen:
        rows = CodedRows(pool, seen.current, tier=tier)
    follow(rows, bank)
    return rows


def held(rows: CodedRows) -> dict[str, NDArray[Any]]:
    """Every column of the rows that are there."""
    memory = rows.coded.pool.cpu().numpy()
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in rows.layout.columns}
    for page in rows._pages:
        n = min(page.capacity, rows._length - page.start)
        for name, column in rows.layout.columns.items():
            first, end = page.place(name, np.array([0, n])).tolist()
            values = memory[first:end].view(column.dtype)
            parts[name].append(values.reshape(n, column.width) if column.width else values)
    return {name: np.concatenate(of) for name, of in parts.items()}


def on_host(bank: NamespaceBank) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Vectors and slots as they lie in the segment."""
    with bank.pinned() as seen:
        table, n = seen.current_rows.codes, seen.current_rows.n_views
        vectors = np.concatenate([page.column("vectors") for page in table.pages])[:n].astype(np.float32)
        return vectors, np.concatenate([page.column("slot") for page in table.pages])[:n].astype(np.int32)


def encoded(rows: NDArray[np.float32], tier: Tier, centre: NDArray[np.float32]) -> Codes:
    left = left_of(rows, centre)
    return corrected(encode(left, tier), np.einsum("ij,ij->i", left, left))


def check_codes(found: dict[str, NDArray[Any]], wanted: Codes, rows: NDArray[np.float32]) -> None:
    """The reference's codes but for rounding at borders, and true of the rows wherever they differ.

    Args:
        found: columns of as many rows as the other two have.
        wanted: corrected.
        rows: what was encoded, rotated and less the centre.
    """
    n_bytes = wanted.values.shape[1]
    own = np.ascontiguousarray(found["codes"][:, :n_bytes])
    assert not found["codes"][:, n_bytes:].any()
    same = (own == wanted.values.view(np.uint8)).all(axis=1)
    assert same.mean() > 0.95
    np.testing.assert_allclose(found["scale"][same], wanted.scales[same], rtol=1e-5)
    np.testing.assert_allclose(found["error"][same], wanted.errors[same], rtol=1e-3, atol=1e-9)
    np.testing.assert_allclose(found["error"], wanted.errors, rtol=0.01, atol=1e-9)
    decoded = decode(Codes(wanted.tier, wanted.dim, own.view(wanted.values.dtype), found["scale"], found["error"]))
    np.testing.assert_allclose(np.square(decoded - rows).sum(axis=1), found["error"], rtol=1e-3, atol=1e-9)


def left_of(rows: NDArray[np.float32], centre: NDArray[np.float32]) -> NDArray[np.float32]:
    turned: NDArray[np.float32] = rotation(rows.shape[1]).turn(rows) - centre
    return turned


@pytest.mark.parametrize("tier", CODED)
@pytest.mark.parametrize("dim", [1, 24, 100])
def test_pages_hold_the_codes_of_the_rows(tier: Tier, dim: int) -> None:
    rng = np.random.default_rng(dim)
    bank = bank_of(rng, [1, 40, 100], dim)
    rows = mirrored(DevicePool(DEVICE, 1 << 20), bank, tier)
    bank.put(random_batch(rng, list(range(200, 230)), dim=dim))  # into a page that is not full
    follow(rows, bank)
    vectors, slots = on_host(bank)
    centre, found = np.zeros(dim, np.float32), held(rows)
    np.testing.assert_array_equal(found["slot"], slots)
    check_codes(found, encoded(vectors, tier, centre), left_of(vectors, centre))
    assert rows.memory_bytes == sum(page.size for page in rows._pages)


@pytest.mark.parametrize("tier", CODED)
def test_records_say_where_rows_lie_and_which_exact_groups_they_are(tier: Tier) -> None:
    rng = np.random.default_rng(1)
    pool = DevicePool(DEVICE, 1 << 20)
    bank = bank_of(rng, [1, 40, 700], 8)
    rows = mirrored(pool, bank, tier)
    with bank.pinned() as seen:
        exact = DeviceRows(pool, seen.current)
    follow(exact, bank)
    records, groups = rows.coded.records.cpu().numpy(), exact.rows.records.cpu().numpy()
    memory = pool.bytes.cpu().numpy()
    slots = []
    for _, slot_at, _, page, generation, n, first, _ in records.tolist():
        assert memory[page * UNIT :][:16].view(np.int64).tolist() == [rows.coded.owner, generation]
        assert n <= STRETCHES[tier]
        own = memory[slot_at * UNIT :][: 4 * n].view(np.int32)
        slots.append(own)
        for i in range(0, n, GROUP):
            _, exact_slots, _, _, count, _ = groups[first + i // GROUP].tolist()
            np.testing.assert_array_equal(memory[exact_slots * UNIT :][: 4 * count].view(np.int32), own[i : i + count])
    np.testing.assert_array_equal(np.concatenate(slots), on_host(bank)[1])
    assert rows.coded.n_groups == len(groups)


def test_every_column_begins_where_sixteen_bytes_can_be_loaded() -> None:
    for tier in CODED:
        for dim in (1, 7, 384, 1000):
            layout = codes(tier, dim)
            assert code_bytes(tier, dim) * 8 >= dim * BITS[tier]
            for capacity in (16, 48, 4096):
                for name, (_, _, at) in layout.placed(capacity).items():
                    assert (at + GROUP * layout.columns[name].itemsize) % UNIT == at % UNIT == 0


def test_the_dead_are_marked_and_the_erased_overwritten() -> None:
    rng = np.random.default_rng(2)
    pool = DevicePool(DEVICE, 1 << 20)
    bank = NamespaceBank(PagePool(), 24)
    bank.put(random_batch(rng, list(range(200)), dim=24, max_views=2))
    rows = mirrored(pool, bank, Tier.INT4)
    before, (_, slots) = held(rows), on_host(bank)
    bank.put(random_batch(rng, [7], dim=24, versions=[2]))
    bank.erase(np.frombuffer(memory_id(9) + memory_id(150), np.uint8).reshape(2, 16))
    with bank.pinned() as seen:
        rows.bury(seen.current_rows)
    after = held(rows)
    erased, dead = np.isin(slots, [9, 150]), np.isin(slots, [7, 9, 150])
    assert erased.any()
    assert (after["slot"][dead] == -1).all()
    for name in ("scale", "error", "codes"):
        assert not after[name][erased].any()
        np.testing.assert_array_equal(after[name][~erased], before[name][~erased])
    np.testing.assert_array_equal(after["slot"][~dead], slots[~dead])
    rows.release()
    assert not pool.bytes.any()


def test_a_centre_is_taken_off_once_there_are_rows_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coded, "_CENTRED_FROM", 64)
    rng = np.random.default_rng(3)
    pool = DevicePool(DEVICE, 1 << 20)
    bank = NamespaceBank(PagePool(), 24)
    bank.put(random_batch(rng, list(range(30)), dim=24, max_views=1))
    rows = mirrored(pool, bank, Tier.BIT1)
    assert not rows.coded.centre.any()
    bank.put(random_batch(rng, list(range(30, 200)), dim=24, max_views=1))
    bank.erase(np.frombuffer(memory_id(3), np.uint8).reshape(1, 16))
    follow(rows, bank)
    vectors, _ = on_host(bank)
    centre = rotation(24).turn(vectors).mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(rows.coded.centre.cpu(), centre, atol=1e-6)
    taken, found = rows.coded.centre.cpu().numpy(), held(rows)
    kept = found["slot"] >= 0
    assert kept.sum() == len(vectors) - 1
    found = {name: of[kept] for name, of in found.items()}
    wanted = encoded(vectors[kept], Tier.BIT1, taken)
    check_codes(found, wanted, left_of(vectors[kept], taken))
    lengths = np.linalg.norm(left_of(vectors[kept], taken), axis=1)
    assert rows.coded.left_out >= float(np.sqrt(wanted.errors.max())) * (1 - 1e-5)
    assert rows.coded.longest >= float((lengths + np.sqrt(wanted.errors)).max()) * (1 - 1e-5)
    assert pool.free_bytes == pool.bytes.numel() - sum(-(-page.size // 256) * 256 for page in rows._pages)


def test_what_lies_beside_the_rows_is_never_counted() -> None:
    rng = np.random.default_rng(4)
    pool = DevicePool(DEVICE, 1 << 20)
    bank = bank_of(rng, [20], 24)
    rows = mirrored(pool, bank, Tier.INT8)
    with bank.pinned() as seen:
        exact = DeviceRows(pool, seen.current)
    follow(exact, bank)
    query = torch.from_numpy(rng.standard_normal((1, 24)).astype(np.float32)).to(DEVICE)
    clean = coarse_search(query, plan([rows.coded], [exact.rows], 30), 30)
    used = torch.zeros_like(pool.bytes, dtype=torch.bool)
    for mirror in (rows, exact):
        for page in mirror._pages:
            used[page.at : page.at + 64] = True
            for name in mirror.layout.columns:
                first, end = page.place(name, np.array([0, mirror._length - page.start])).tolist()
                used[first : min(end, page.at + page.size)] = True
    pool.bytes[~used] = 0xFF  # NaN as a float, -1 as a whole number
    found = coarse_search(query, plan([rows.coded], [exact.rows], 30), 30)
    assert found.slots.tolist() == clean.slots.tolist()
    assert (found.slots >= 0).any()
    torch.testing.assert_close(found.scores, clean.scores)


def test_codes_move_to_host_memory_and_back_and_are_searched_as_before() -> None:
    rng = np.random.default_rng(8)
    pool = DevicePool(DEVICE, 1 << 20)
    aside = DevicePool(torch.device("cpu"), 1 << 20, in_host_memory=True)
    bank = bank_of(rng, [20, 40], 24)
    rows = mirrored(pool, bank, Tier.INT4)
    before = rows.coded
    rows.move_to(aside)
    assert not pool.bytes.any()
    assert (len(rows.coded.records), rows.coded.n_groups) == (0, 0)
    bank.erase(np.frombuffer(memory_id(9), np.uint8).reshape(1, 16))
    with bank.pinned() as seen:
        rows.bury(seen.current_rows)
    rows.move_to(pool)
    follow(rows, bank)
    assert rows.coded.centre.device == pool.bytes.device
    assert rows.coded.n_groups == before.n_groups
    vectors, slots = on_host(bank)
    centre, found = np.zeros(24, np.float32), held(rows)
    kept = slots != 9
    np.testing.assert_array_equal(found["slot"], np.where(kept, slots, -1))
    alive = {name: of[kept] for name, of in found.items()}
    check_codes(alive, encoded(vectors[kept], Tier.INT4, centre), left_of(vectors[kept], centre))
    assert not any(found[name][~kept].any() for name in ("scale", "error", "codes"))


def test_a_part_of_a_namespace_has_codes_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coded, "_CENTRED_FROM", 64)
    rng = np.random.default_rng(9)
    pool = DevicePool(DEVICE, 1 << 20)
    bank = bank_of(rng, [16, 100, 100], 24)
    with bank.pinned() as seen:
        table = seen.current_rows.codes
        start, end = (table.pages[number].start for number in (1, -1))
        rows, exact = CodedRows(pool, seen.current, start, tier=Tier.INT8), DeviceRows(pool, seen.current, start)
        for mirror in (rows, exact):
            mirror.follow(seen.current_rows, end)
    vectors, slots = on_host(bank)
    vectors, slots = vectors[start:end], slots[start:end]
    centre = rotation(24).turn(vectors).mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(rows.coded.centre.cpu(), centre, atol=1e-6)
    taken, found = rows.coded.centre.cpu().numpy(), held(rows)
    np.testing.assert_array_equal(found["slot"], slots)
    check_codes(found, encoded(vectors, Tier.INT8, taken), left_of(vectors, taken))
    assert rows.coded.records[0, 6] == 0
    assert rows.coded.n_groups == len(exact.rows.records)


def test_where_there_is_no_room_the_next_call_goes_on() -> None:
    rng = np.random.default_rng(5)
    bank = bank_of(rng, [600], 24)
    pool = DevicePool(DEVICE, 6144)
    taken = pool.take(4096)
    with bank.pinned() as seen:
        rows = CodedRows(pool, seen.current, tier=Tier.INT4)
    with pytest.raises(DeviceMemoryFullError):
        follow(rows, bank)
    pool.give_back(taken, 4096)
    with pytest.raises(DeviceMemoryFullError):
        follow(rows, bank)
    vectors, _ = on_host(bank)
    found = held(rows)
    assert 0 < len(found["slot"]) < len(vectors)
    there, centre = vectors[: len(found["slot"])], np.zeros(24, np.float32)
    check_codes(found, encoded(there, Tier.INT4, centre), left_of(there, centre))


def test_rows_that_are_on_the_device_are_encoded_from_there() -> None:
    rng = np.random.default_rng(10)
    pool = DevicePool(DEVICE, 1 << 20)
    bank = bank_of(rng, [20, 300], 24)
    with bank.pinned() as seen:
        exact = DeviceRows(pool, seen.current)
        rows = CodedRows(pool, seen.current, tier=Tier.INT8, exact=exact)
    follow(exact, bank)
    there = exact.vectors_at(0, 16)
    assert there is not None
    there[3] = 0.125  # which the host does not have
    follow(rows, bank)
    bank.put(random_batch(rng, list(range(400, 450)), dim=24, max_views=1))
    follow(rows, bank)  # further than the exact rows: the rest comes from the host
    assert exact.vectors_at(exact._length - 1, 2) is None
    vectors, slots = on_host(bank)
    vectors[3] = 0.125
    found, centre = held(rows), np.zeros(24, np.float32)
    np.testing.assert_array_equal(found["slot"], slots)
    check_codes(found, encoded(vectors, Tier.INT8, centre), left_of(vectors, centre))


def test_rows_in_host_memory_are_brought_to_the_device_to_be_encoded() -> None:
    rng = np.random.default_rng(11)
    bank = bank_of(rng, [40], 24)
    aside = DevicePool(DEVICE, 1 << 20, in_host_memory=True)
    with bank.pinned() as seen:
        exact = DeviceRows(aside, seen.current)
        rows = CodedRows(DevicePool(DEVICE, 1 << 20), seen.current, tier=Tier.BIT1, exact=exact)
    for mirror in (exact, rows):
        follow(mirror, bank)
    vectors, centre = on_host(bank)[0], np.zeros(24, np.float32)
    check_codes(held(rows), encoded(vectors, Tier.BIT1, centre), left_of(vectors, centre))


def test_rows_of_zeros_stay_zeros() -> None:
    for tier in CODED:
        found = device_codecs.encode(torch.zeros((2, 9), device=DEVICE), tier)
        reference = corrected(encode(np.zeros((2, 9), np.float32), tier), np.zeros(2, np.float32))
        assert not found.scales.any()
        assert not found.errors.any()
        width = reference.values.shape[1]
        np.testing.assert_array_equal(found.values.cpu()[:, :width], reference.values.view(np.uint8))


def test_half_precision_is_no_code() -> None:
    with pytest.raises(ValueError, match="half precision"):
        device_codecs.encode(torch.zeros((1, 8), device=DEVICE), Tier.FP16)
    bank = bank_of(np.random.default_rng(6), [1], 8)
    with bank.pinned() as seen, pytest.raises(ValueError, match="half precision"):
        CodedRows(DevicePool(DEVICE, 4096), seen.current, tier=Tier.FP16)


@pytest.mark.parametrize("tier", CODED)
def test_corrected_codes_need_no_further_correction(tier: Tier) -> None:
    rng = np.random.default_rng(7)
    rows = rng.standard_normal((50, 96)).astype(np.float32) * 0.05
    squares = np.einsum("ij,ij->i", rows, rows)
    query = rng.standard_normal(96).astype(np.float32)
    raw = encode(rows, tier)
    found = corrected(raw, squares)
    levels = raw.values.astype(np.float64)
    if tier is not Tier.INT8:
        planes = 8 // BITS[tier]
        levels = np.stack([raw.values >> (BITS[tier] * p) & (2 ** BITS[tier] - 1) for p in range(planes)], axis=2)
        levels = 2.0 * levels.reshape(50, -1)[:, :96] - (2 ** BITS[tier] - 1)
    decoded = levels * found.scales[:, None]
    told = estimates(levels @ query * raw.scales, raw.errors, tier, 96, squares=squares)
    np.testing.assert_allclose(decoded @ query, told.values, atol=1e-5)
    np.testing.assert_allclose(np.square(decoded - rows).sum(axis=1), found.errors, rtol=2e-3, atol=1e-7)
    off = np.abs(decoded @ query - rows @ query)
    assert (off <= np.linalg.norm(query) * np.sqrt(found.errors) * 1.001 + 1e-6).all()
