"""A backup from before an erasure, and the tombstones of what came after it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import func, select

from memsvc.commands import store
from memsvc.core.errors import StartupRefused
from memsvc.core.settings import Settings
from memsvc.models.tables import VERSION
from tests.fixtures.service import serving


def test_what_was_erased_after_the_backup_does_not_come_back(sqlite_url: str, tmp_path: Path) -> None:
    folder, backup, secret = tmp_path / "data", tmp_path / "backup.db", "s" * 40
    with serving(folder, jobs="off", secret=secret) as service:
        ada = service.tenant()
        gone = [ada.remember(f"Secret {n}.")["id"] for n in range(3)]
        stays = ada.remember("This stays.")["id"]
    shutil.copyfile(folder / "memsvc.db", backup)
    with serving(folder, jobs="off", secret=secret) as service:
        ada.service = service
        for one in gone:
            assert ada.erase(one).status_code in (200, 204)
    settings = Settings(data_dir=folder, secret=secret)
    file = tmp_path / "tombstones"
    assert store.save_tombstones(settings, file) == 3
    assert file.stat().st_mode & 0o777 == 0o600
    assert not any(one.encode() in file.read_bytes() for one in gone)
    with pytest.raises(StartupRefused, match="File exists"):
        store.save_tombstones(settings, file)

    restored = tmp_path / "restored"
    restored.mkdir(mode=0o700)
    shutil.copyfile(backup, restored / "memsvc.db")
    again = Settings(data_dir=restored, secret=secret)
    assert store.load_tombstones(again, file) == 3
    assert store.load_tombstones(again, file) == 0
    with serving(restored, jobs="off", secret=secret) as service:
        ada.service = service
        assert [ada.get(one).status_code for one in gone] == [404] * 3
        assert ada.get(stays).status_code == 200
        with service.look() as connection:
            assert connection.scalar(select(func.count()).select_from(VERSION)) == 1


@pytest.mark.parametrize("line", [b"{}\n", b"nonsense\n", b'{"tenant": 1, "digest": "00", "erased_at": "x"}\n'])
def test_another_file_is_refused_in_words(sqlite_url: str, tmp_path: Path, line: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(line)
    settings = Settings(data_dir=tmp_path)
    with pytest.raises(StartupRefused, match="line 1 is no tombstone"):
        store.load_tombstones(settings, file)
    with pytest.raises(StartupRefused, match="No such file"):
        store.load_tombstones(settings, tmp_path / "nowhere")


def test_tombstones_of_unknown_tenants_are_let_go(sqlite_url: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text(
        '{"tenant": "018f0000-0000-7000-8000-000000000000", "digest": "' + "00" * 32 + '",'
        ' "erased_at": "2026-01-01T00:00:00+00:00", "erasure": null}\n'
    )
    assert store.load_tombstones(Settings(data_dir=tmp_path), file) == 0
