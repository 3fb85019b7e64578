"""The server's secret."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from memsvc.core.errors import StartupRefused
from memsvc.core.secrets import Secrets, load_secrets
from memsvc.core.settings import Settings


def test_it_is_made_once_and_private(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "new")
    first = load_secrets(settings).derive("a")
    assert (tmp_path / "new" / "secret").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert load_secrets(settings).derive("a") == first
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["secret"]


def test_processes_that_start_together_get_the_same(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    made: list[bytes] = []
    gate = threading.Barrier(8)

    def start() -> None:
        gate.wait()
        made.append(load_secrets(settings).derive("a"))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(made)) == 1


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    settings = Settings(data_dir=tmp_path)
    load_secrets(settings)
    (tmp_path / "secret").chmod(mode)
    with pytest.raises(StartupRefused, match="chmod 600"):
        load_secrets(settings)


def test_a_short_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("short")
    (tmp_path / "secret").chmod(0o600)
    with pytest.raises(StartupRefused, match="shorter"):
        load_secrets(Settings(data_dir=tmp_path))


def test_a_given_secret_needs_no_file(tmp_path: Path) -> None:
    given = load_secrets(Settings(data_dir=tmp_path, secret="x" * 32))  # type: ignore[arg-type]
    assert given.derive("a") != load_secrets(Settings(data_dir=tmp_path, secret="y" * 32)).derive("a")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_each_use_has_its_own_key() -> None:
    secrets = Secrets(b"r" * 32)
    signature = secrets.sign("cursor", b"m")
    assert secrets.verify("cursor", b"m", signature)
    assert not secrets.verify("api-key", b"m", signature)
    assert not secrets.verify("cursor", b"n", signature)
    assert not secrets.verify("cursor", b"m", signature[:-1])
