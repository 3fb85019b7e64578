"""The attributes on a device are those of the host's rows, whatever is written and erased meanwhile."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
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
from gpu.ops.channel_pass.layout import (
    ABSENT,
    ARENA_SHIFT,
    BASES_AT,
    COLUMNS,
    COLUMNS_AT,
    DEAD,
    FORM_COLUMNS,
    UNIT,
    column_units,
    directory_units,
)
from gpu.ops.channel_pass.questions import Held
from gpu.ops.paged_search.op import GROUP
from tests.fixtures.bank_records import memory_id, random_batch

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DIM = 4
Row = tuple[dict[str, Any], set[tuple[int, int, int]], list[tuple[int, int]]]
"""Columns of a row that lives, what it holds as (arena, id, frequency), and its spans."""


class Group:
    """One group, read from its bytes."""

    def __init__(self, data: np.ndarray[Any, Any], record: list[int]) -> None:
        at, form, _, _, rows, more = record
        self.rows, n_spans = rows & 0xFFFFFFFF, rows >> 32
        own = data[at * UNIT :]
        self.states = own[: self.rows]
        bases = own[BASES_AT : BASES_AT + 8 * len(COLUMNS)].view(np.int64)
        widths = [form >> 8 * i & 0xFF for i in range(FORM_COLUMNS)]
        *others, longs, shorts, shift = [more >> 8 * i & 0xFF for i in range(len(COLUMNS) - FORM_COLUMNS + 3)]
        widths += others
        bits = np.unpackbits(own[COLUMNS_AT : COLUMNS_AT + 4 * sum(widths)], bitorder="little")
        self.columns: dict[str, list[Any]] = {}
        self.codes: dict[str, list[int]] = {}
        for (name, dtype), base, width in zip(COLUMNS.items(), bases.tolist(), widths, strict=True):
            column, bits = bits[: GROUP * width].reshape(GROUP, width), bits[GROUP * width :]
            codes = [sum(int(bit) << i for i, bit in enumerate(row)) for row in column]
            self.codes[name] = codes
            assert not any(codes[self.rows :])
            values = [base + code for code in codes]
            if name in ABSENT and width:
                values = [
                    ABSENT[name] if code == (1 << width) - 1 else v for v, code in zip(values, codes, strict=True)
                ]
            wrapped = np.array([value & (1 << 64) - 1 for value in values], np.uint64).view(np.int64)
            column = wrapped.astype(np.uint32).view(dtype) if dtype == np.float32 else wrapped.astype(dtype)
            self.columns[name] = column.tolist()
        at_spans = COLUMNS_AT + column_units(sum(widths)) * UNIT
        self.spans = own[at_spans : at_spans + n_spans * UNIT].view(np.int64).reshape(-1, 2).tolist()
        at_directory, (longs, shorts) = at_spans + n_spans * UNIT, (1 << longs, 1 << shorts)
        directory = own[at_directory:][: 2 * (longs + shorts + 2)].view(np.uint16).astype(np.int64) << shift
        at_entries = at_directory + directory_units(longs, shorts) * UNIT
        self.held: dict[int, set[tuple[int, int, int]]] = defaultdict(set)
        for b in range(longs):
            words = own[at_entries:][directory[b] * 16 : directory[b + 1] * 16].view(np.uint32).reshape(-1, 4)
            for low, high, own_rows, about in words.tolist():
                assert not own_rows or low & (longs - 1) == b
                self._add(own_rows, (about >> ARENA_SHIFT, high << 32 | low, about & (1 << ARENA_SHIFT) - 1))
        for b, (first, end) in enumerate(zip(directory[longs + 1 : -1], directory[longs + 2 :], strict=True)):
            for low, own_rows in own[at_entries:][first * 8 : end * 8].view(np.uint32).reshape(-1, 2).tolist():
                assert not own_rows or low & (shorts - 1) == b
                self._add(own_rows, (int(Held.TERMS), low, 1))
        assert max(self.held, default=0) < self.rows
        self.end = -(-(at * UNIT + at_entries + int(directory[-1]) * 8) // UNIT) * UNIT

    def _add(self, rows: int, entry: tuple[int, int, int]) -> None:
        for row in range(GROUP):
            if rows >> row & 1:
                assert entry not in self.held[row], "an entry stands there once"
                self.held[row].add(entry)


def on_device(pool: DevicePool, device: DeviceAttributes) -> list[Row]:
    """The rows, read from the bytes of the pool."""
    data, out = pool.bytes.cpu().numpy(), []
    for record in device.attributes.records.cpu().tolist():
        header = data[record[2] * UNIT : record[2] * UNIT + 16].view(np.int64).tolist()
        assert header == [device.attributes.owner, record[3]]
        group = Group(data, record)
        first = 0
        for row in range(group.rows):
            last = first + group.columns["n_spans"][row]
            own = {name: column[row] for name, column in group.columns.items()} | {"states": int(group.states[row])}
            spans = [tuple(span) for span in group.spans[first:last]]
            out.append((own if own["states"] != DEAD else {}, group.held[row], spans))
            first = last
        assert first == len(group.spans)
    return out


def on_host(seen: Published) -> list[Row]:
    """The same from the pages of the host."""
    rows, slots = seen.current_rows, np.arange(seen.current_rows.n_slots)
    derived = ("recalled_after_us", "n_spans")
    columns = gather(rows.attributes, (*(n for n in COLUMNS if n not in derived), "states"), slots)
    recorded, recalled, died = (
        gather(rows.attributes, (name,), slots)[name] for name in ("recorded_from_us", "last_recalled_us", "died")
    )
    columns["recalled_after_us"] = np.maximum(recorded, recalled) - recorded
    held: dict[int, set[tuple[int, int, int]]] = defaultdict(set)
    for arena in Held:
        values, offsets = read_ranges(rows, ARENAS[arena.name.lower()], slots)
        for row in slots.tolist():
            for i in range(offsets[row], offsets[row + 1]):
                frequency = int(values["freqs"][i]) if arena is Held.TERMS else 1
                held[row].add((int(arena), int(values["ids"][i]), frequency))
    spans, offsets = read_ranges(rows, ARENAS["spans"], slots)
    columns["n_spans"] = np.diff(offsets)
    bounds = [tuple(span) for span in spans["bounds"].tolist()]
    return [
        (
            {n: c[row].item() for n, c in columns.items()} if died[row] > rows.epoch else {},
            held[row],
            bounds[offsets[row] : offsets[row + 1]],
        )
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
    whole = data.copy()
    for record in device.attributes.records.cpu().tolist():
        data[record[0] * UNIT : Group(whole, record).end] = 0
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
    assert rows[20:40] == [({}, set(), [])] * 20
    first, last = (Group(pool.bytes.cpu().numpy(), record) for record in device.attributes.records.cpu().tolist())
    for name in COLUMNS:
        assert not any(first.codes[name][20:])
        assert not any(last.codes[name][:8])
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
        assert on_device(pool, device)[7][0], "a reader of before still sees it"
        fresh = DeviceAttributes(pool, before.current)
        fresh.follow(before.current_rows)
        assert on_device(pool, fresh)[7][0]
        fresh.release()
    check(pool, device, bank)
    assert not on_device(pool, device)[7][0]


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
        assert [bool(row[0]) for row in on_device(pool, device)[6:9]] == [True, True, False]
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
    columns["term_ids"] = np.arange(1 << 15, dtype=np.uint32) * np.uint32(7)
    columns["term_freqs"] = np.where(np.arange(1 << 15) % 3 == 0, 2, 1).astype(np.uint16)
    columns["term_offsets"] = np.array([0, 0, 1 << 14, 1 << 15])
    columns["memory_ids"] = ids_of(3, 4, 5)
    bank.put(RecordBatch(**columns))  # more than 16 bits of the directory count
    check(pool, device, bank)
    with bank.pinned() as seen:
        assert (gather(seen.current_rows.attributes, ("died",), np.arange(6))["died"] == LIVE_EPOCH).all()


@pytest.mark.parametrize("column", ["occurred_us", "valid_to_us", "recorded_from_us", "last_recalled_us"])
def test_columns_of_any_width_are_exact(column: str) -> None:
    rng = np.random.default_rng(9)
    pool, bank = DevicePool(DEVICE, 1 << 20), NamespaceBank(PagePool(), DIM)
    device = copy_of(pool, bank)
    low, high = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    for at, values in enumerate(
        (
            [low, high],
            [low, low + 1, high - 1, high],
            [5, low, 6],
            [high, 5],
            [0, (1 << 45) - 1],
            [3, 3 + (1 << 31)],
            [7],
        )
    ):
        batch = records(rng, list(range(at * 40, at * 40 + 33)))
        drawn = rng.choice(np.array(values, np.int64), 33)
        bank.put(replace(batch, **{column: drawn}))
        check(pool, device, bank)
        bank.erase(ids_of(at * 40 + 1, at * 40 + 20))
        check(pool, device, bank)
