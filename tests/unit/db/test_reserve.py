"""Room that is there when there is none: half of what is free at first, what was given up again afterwards."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from memsvc.db import reserve as module
from memsvc.db.reserve import Reserve

MIB = 1 << 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memsvc.db.reserve"


def taken(path: Path) -> int:
    return path.stat().st_blocks * 512


def test_it_takes_room_and_gives_it_back(path: Path) -> None:
    reserve = Reserve(path, MIB)
    reserve.take()
    assert taken(path) >= MIB
    assert path.stat().st_mode & 0o777 == 0o600
    assert reserve.give_up()
    assert taken(path) == 0
    assert not reserve.give_up()
    reserve.take_back()
    assert taken(path) >= MIB


def test_it_leaves_half_of_a_small_disk_to_writes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reserve, "_room", lambda self: MIB)
    reserve = Reserve(path, 4 * MIB)
    reserve.take()
    assert path.stat().st_size == MIB // 2
    reserve.take_back()  # nothing was given up
    assert path.stat().st_size == MIB // 2


def test_it_takes_back_what_there_is_and_the_rest_later(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = [MIB]

    def allocate(file: int, at: int, size: int) -> None:
        if at + size > room[0]:
            raise OSError(28, "no space")
        os.ftruncate(file, at + size)

    reserve = Reserve(path, MIB)
    reserve.take()
    reserve.give_up()
    monkeypatch.setattr(module, "_allocate", allocate)
    room[0] = 300_000
    reserve.take_back()
    assert 300_000 - 2 * 65_536 < path.stat().st_size <= 300_000
    room[0] = 2 * MIB
    reserve.take_back()
    assert path.stat().st_size == MIB


def test_none_is_none(path: Path) -> None:
    reserve = Reserve(path, 0)
    reserve.take()
    assert not reserve.give_up()
    reserve.take_back()
    assert not path.exists()
