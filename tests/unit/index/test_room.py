"""The bank stays within its memory: idle namespaces leave, those in use and those being read do not."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from uuid import UUID, uuid4

from gpu.bank.bank import Bank
from gpu.large.namespace import LargeNamespace
from memsvc.index.room import Room
from tests.fixtures.service import Caller, serving


def test_the_one_not_used_for_longest_leaves() -> None:
    now, left = [100.0], list[tuple[UUID, UUID]]()
    bank = Bank()
    keys = [(uuid4(), uuid4()) for _ in range(4)]
    size = bank.open(keys[0], 8).memory_bytes()
    room = Room(bank, 2 * size, left.append, idle_s=10, now_s=lambda: now[0])

    def ask(key: tuple[UUID, UUID]) -> None:
        now[0] += 1
        room.used(key)
        room.take(key, bank.open(key, 8))

    ask(keys[0])
    ask(keys[1])
    ask(keys[2])
    assert left == []  # too much, but all three are in use
    now[0] += 11
    room.used(keys[0])
    ask(keys[3])
    assert left == [keys[1], keys[2]]
    assert set(bank.keys()) == {keys[0], keys[3]}


def test_whoever_reads_a_namespace_that_leaves_can_finish() -> None:
    bank = Bank()
    held = bank.open("a", 8)
    bank.let_go("a")
    assert len(held) == 0
    assert bank.open("a", 8) is not held


def test_one_that_left_takes_no_memory_from_then_on() -> None:
    bank = Bank(nearest=LargeNamespace)
    held = weakref.ref(bank.open("a", 8))
    gc.disable()
    try:
        bank.let_go("a")
        assert held() is None
    finally:
        gc.enable()


def test_freed_memory_is_given_back_now_and_then() -> None:
    now, trimmed = [100.0], list[float]()
    bank = Bank()
    keys = [(uuid4(), uuid4()) for _ in range(4)]
    room = Room(bank, 1, lambda key: None, idle_s=0, now_s=lambda: now[0], trim=lambda: trimmed.append(now[0]))
    for key in keys:
        now[0] += 0.75
        room.used(key)
        room.take(key, bank.open(key, 8))
    assert trimmed == [101.5, 103.0]


def test_answers_stay_the_same_under_a_budget(tmp_path: Path) -> None:
    with serving(tmp_path, bank_bytes=1) as service:
        service.container.keeper._room._idle_s = 0.0
        caller = service.tenant()
        callers = [Caller(service, caller.secret, f"n/{i}") for i in range(3)]
        for i, one in enumerate(callers):
            one.remember(f"The number is {i}.")
        for _ in range(2):
            for i, one in enumerate(callers):
                assert one.found("number") == [f"The number is {i}."]
        assert len(service.container.bank.keys()) == 1
