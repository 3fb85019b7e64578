"""The attributes on a device are those of the host's rows, whatever is written and erased meanwhile."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
import torch

from gpu.bank.layouts import ARENAS, LIVE_EPOCH
from gpu.bank.namespace import NamespaceBank, Published
from gpu.bank.pages import PagePool
from gpu.bank.records import RecordBatch
from gpu.bank.segment import gather, read_ranges
from gpu.device.attributes import DeviceAttributes
from gpu.device.pool import DeviceMemoryFullError, DevicePool
from gpu.ops.channel_pass.layout import ARENA_SHIFT, COLUMNS, OFFSETS, TILE_BYTES, UNIT, entries_at
from gpu.ops.channel_pass.questions import Held
from gpu.ops.paged_search.op import GROUP
from tests.fixtures.bank_records import memory_id, random_batch

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DIM = 4
Row = tuple[dict[str, Any], set[tuple[int, int, int]], list[tuple[int, int]]]
"""Columns of a row, what it holds as (arena, id, frequency), and its spans."""


def on_device(pool: DevicePool, device: DeviceAttributes) -> list[Row]:
    """The rows, read from the bytes of the pool."""
    data, out = pool.bytes.cpu().numpy(), []
    for tile_at, slots_at, page_at, generation, count, buckets in device.attributes.records.cpu().tolist():
        assert slots_at == tile_at + OFFSETS["slot"] // UNIT
        header = data[page_at * UNIT : page_at * UNIT + 16].view(np.int64).tolist()
        assert header == [device.attributes.owner, generation]
        tile = data[tile_at * UNIT :]
        columns = {
            name: tile[at : at + GROUP * COLUMNS[name].itemsize].view(COLUMNS[name]) for name, at in OFFSETS.items()
        }
        words = tile[TILE_BYTES:]
        directory = words[: 4 * (buckets + 1)].view(np.int32)
        entries = words[entries_at(buckets) * UNIT :][: directory[-1] * UNIT].view(np.uint32).reshape(-1, 4)
        held = defaultdict(set)
        for b in range(buckets):
            for low, high, rows, about in entries[directory[b] : directory[b + 1]].tolist():
                assert low & (buckets - 1) == b
                entry = (about >> ARENA_SHIFT, high << 32 | low, about & ((1 << ARENA_SHIFT) - 1))
                for row in range(GROUP):
                    if rows >> row & 1:
                        assert entry not in held[row], "an entry stands there once"
                        held[row].add(entry)
        assert max(held, default=0) < count
        for row in range(count):
            first = columns["first_span"][row] * UNIT
            spans = words[first : first + UNIT * columns["n_spans"][row]].view(np.int64).reshape(-1, 2)
            own = {name: column[row].item() for name, column in columns.items() if name != "first_span"}
            out.append((own, held[row], [tuple(span) for span in spans.tolist()]))
    return out


def on_host(seen: Published) -> list[Row]:
    """The same from the pages of the host."""
    rows, slots = seen.current_rows, np.arange(seen.current_rows.n_slots)
    names = (*(n for n in COLUMNS if n not in ("fresh_us", "slot", "first_span")), "last_recalled_us", "died")
    columns = gather(rows.attributes, names, slots)
    columns["fresh_us"] = np.maximum(columns["recorded_from_us"], columns.pop("last_recalled_us"))
    columns["slot"] = np.where(columns.pop("died") > rows.epoch, slots, -1)
    held: dict[int, set[tuple[int, int, int]]] = defaultdict(set)
    for arena in Held:
        values, offsets = read_ranges(rows, ARENAS[arena.name.lower()], slots)
        for row in slots.tolist():
            for i in range(offsets[row], offsets[row + 1]):
                frequency = int(values["freqs"][i]) if arena is Held.TERMS else 1
                held[row].add((int(arena), int(values["ids"][i]), frequency))
    spans, offsets = read_ranges(rows, ARENAS["spans"], slots)
    bounds = [tuple(span) for span in spans["bounds"].tolist()]
    return [
        ({n: c[row].item() for n, c in columns.items()}, held[row], bounds[offsets[row] : offsets[row + 1]])
        for row in slots.tolist()
    ]


def check(pool: DevicePool, device: DeviceAttributes, bank: NamespaceBank) -> None:
    with bank.pinned() as seen:
        device.follow(seen.current_rows)
        assert on_device(pool, device) == on_host(seen)
    nothing_else(pool, device)


def nothing_else(pool: DevicePool, device: DeviceAttributes) -> None:
    """Beside the headers and the groups there are only zeros: nothing is left of how groups were before."""
    data = pool.bytes.cpu().numpy().copy()
    for page in device._pages:
        data[page.at : page.at + 16] = 0
    for tile_at, _, _, _, _, buckets in device.attributes.records.cpu().tolist():
        at, size = tile_at * UNIT, TILE_BYTES + entries_at(buckets) * UNIT
        n_entries = data[at + TILE_BYTES :][4 * buckets : 4 * buckets + 4].view(np.int32)[0]
        n_spans = data[at + OFFSETS["n_spans"] :][: 4 * GROUP].view(np.int32).sum()
        data[at : at + size + (n_entries + n_spans) * UNIT] = 0
    assert not data.any()


def copy_of(pool: DevicePool, bank: NamespaceBank) -> DeviceAttributes:
    with bank.pinned() as seen:
        return DeviceAttributes(pool, seen.current)


def records(rng: np.random.Generator, numbers: list[int], version: int = 1) -> RecordBatch:
    return random_batch(rng, numbers, dim=DIM, versions=[version] * len(numbers))


def ids_of(*numbers: int) -> np.ndarray[Any, Any]:
    return np.frombuffer(b"".join(memory_id(i) for i in numbers), np.uint8).reshape(-1, 16)


@pytest.mark.parametrize("steps", [[1] * 34, [31, 1, 1], [64, 3, 200], [5, 0, 500]])
def test_it_follows_what_is_appended(steps: list[int]) -> None:
    rng = np.random.default_rng(sum(steps))
    pool, bank = DevicePool(DEVICE, 1 << 20), NamespaceBank(PagePool(), DIM)
    device = copy_of(pool, bank)
    n = 0
    for step in steps:
        if step:
            bank.put(records(rng, list(range(n, n + step))))
        n += step
        check(pool, device, bank)
    device.release()
    assert pool.free_bytes == pool.bytes.numel()
    assert not pool.bytes.any()


def test_it_follows_edits_and_erasure() -> None:
    rng = np.random.default_rng(2)
    pool, bank = DevicePool(DEVICE, 1 << 20), NamespaceBank(PagePool(), DIM)
    bank.put(records(rng, list(range(90))))
    bank.put(records(rng, [3, 40], 2))  # died before anything was copied
    device = copy_of(pool, bank)
    for version in range(3, 6):
        check(pool, device, bank)
        bank.put(records(rng, sorted(rng.choice(100, 6, replace=False).tolist()), version))
        bank.erase(ids_of(int(rng.integers(0, 90)), 70 + version))
    check(pool, device, bank)


def test_what_is_erased_leaves_no_byte() -> None:
    rng = np.random.default_rng(3)
    pool, bank = DevicePool(DEVICE, 1 << 20), NamespaceBank(PagePool(), DIM)
    device = copy_of(pool, bank)
    bank.put(records(rng, list(range(60))))
    check(pool, device, bank)
    bank.erase(ids_of(*range(20, 40)))
    with bank.pinned() as seen:
        device.bury(seen.current_rows)
    rows = on_device(pool, device)
    assert [not held and not spans and own["slot"] == -1 for own, held, spans in rows[20:40]] == [True] * 20
    assert not any(value for own, _, _ in rows[20:40] for name, value in own.items() if name != "slot")
    check(pool, device, bank)


def test_a_death_counts_from_the_snapshot_on_that_shows_it() -> None:
    rng = np.random.default_rng(4)
    pool, bank = DevicePool(DEVICE, 1 << 20), NamespaceBank(PagePool(), DIM)
    bank.put(records(rng, list(range(40))))
    device = copy_of(pool, bank)
    with bank.pinned() as before:
        device.follow(before.current_rows)
        bank.put(records(rng, [7], 2))
        device.follow(before.current_rows)
        assert on_device(pool, device)[7][0]["slot"] == 7, "a reader of before still sees it"
        fresh = DeviceAttributes(pool, before.current)
        fresh.follow(before.current_rows)
        assert on_device(pool, fresh)[7][0]["slot"] == 7
        fresh.release()
    check(pool, device, bank)
    assert on_device(pool, device)[7][0]["slot"] == -1


def test_a_death_before_deaths_were_recorded_is_known_to_a_later_snapshot() -> None:
    rng = np.random.default_rng(7)
    pool, bank = DevicePool(DEVICE, 1 << 20), NamespaceBank(PagePool(), DIM)
    bank.put(records(rng, list(range(40))))
    with bank.pinned() as before:
        bank.put(records(rng, [7], 2))
        device = DeviceAttributes(pool, before.current)
        device.follow(before.current_rows)
        bank.erase(ids_of(8))
        device.follow(before.current_rows)  # the group is written anew, and row 7 is still to die
        assert [row[0]["slot"] for row in on_device(pool, device)[6:9]] == [6, 7, -1]
    check(pool, device, bank)


def test_it_moves_to_other_memory_and_is_looked_after_there() -> None:
    rng = np.random.default_rng(8)
    home, away, bank = (
        DevicePool(DEVICE, 1 << 20),
        DevicePool(torch.device("cpu"), 1 << 20),
        NamespaceBank(PagePool(), DIM),
    )
    device = copy_of(home, bank)
    for at in (0, 70, 140):
        bank.put(records(rng, list(range(at, at + 70))))
        check(home, device, bank)
    assert len(device._pages) > 1
    away.take(512)
    with pytest.raises(DeviceMemoryFullError):
        device.move_to(DevicePool(torch.device("cpu"), 1 << 10))
    check(home, device, bank)
    device.move_to(away)
    assert not home.bytes.any()
    bank.erase(ids_of(5, 80))
    bank.put(records(rng, [6, 90], 2))
    with bank.pinned() as seen:
        device.bury(seen.current_rows)
    home.take(256)
    device.move_to(home)
    assert not away.bytes.any()
    check(home, device, bank)


def test_it_goes_on_where_the_memory_was_full() -> None:
    rng = np.random.default_rng(5)
    pool, bank = DevicePool(DEVICE, 1 << 16), NamespaceBank(PagePool(), DIM)
    taken = pool.take(40 << 10)
    bank.put(records(rng, list(range(20))))
    device = copy_of(pool, bank)
    check(pool, device, bank)
    bank.put(records(rng, list(range(20, 150))))
    with bank.pinned() as seen, pytest.raises(DeviceMemoryFullError):
        device.follow(seen.current_rows)
    assert on_device(pool, device) == on_host(seen)[: len(on_device(pool, device))]
    pool.give_back(taken, 40 << 10)
    check(pool, device, bank)


def test_rows_with_very_much_and_with_nothing() -> None:
    rng = np.random.default_rng(6)
    pool, bank = DevicePool(DEVICE, 1 << 22), NamespaceBank(PagePool(), DIM)
    device = copy_of(pool, bank)
    batch = records(rng, list(range(3)))
    columns = {f: getattr(batch, f) for f in batch.__dataclass_fields__}
    columns["term_ids"] = np.arange(5000, dtype=np.uint32)
    columns["term_freqs"] = np.full(5000, 65535, np.uint16)
    columns["term_offsets"] = np.array([0, 0, 5000, 5000])
    bank.put(RecordBatch(**columns))
    check(pool, device, bank)
    with bank.pinned() as seen:
        assert (gather(seen.current_rows.attributes, ("died",), np.arange(3))["died"] == LIVE_EPOCH).all()
