"""Settings in files: read, and never passed over."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from memsvc.commands import server
from memsvc.core.errors import StartupRefused
from memsvc.core.settings import Settings, load_settings

LONG = "s" * 40


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("MEMSVC_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEMSVC_SECRETS_DIR", str(tmp_path))
    return tmp_path


def test_files_are_settings_without_the_space_around_them(folder: Path) -> None:
    (folder / "memsvc_secret").write_text(f"{LONG}\n")
    (folder / "memsvc_database_url").write_text("postgresql://u:p@db/m\n")
    (folder / "memsvc_channels_off").write_text('["spreading"]')
    settings = load_settings()
    assert settings.secret is not None
    assert settings.secret.get_secret_value() == LONG
    assert settings.url == "postgresql://u:p@db/m"
    assert settings.channels_off == ("spreading",)


def test_the_command_line_goes_before_the_environment_and_that_before_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "memsvc_port").write_text("1001")
    assert load_settings().port == 1001
    monkeypatch.setenv("MEMSVC_PORT", "1002")
    assert load_settings().port == 1002
    assert load_settings(port=1003).port == 1003


def test_files_of_others_are_left_alone(folder: Path) -> None:
    (folder / "metrics_key").write_bytes(b"\xff")
    (folder / "..data").mkdir()
    assert load_settings().database_url is None


@pytest.mark.parametrize("name", ["memsvc_databse_url", "MEMSVC_NOTHING", "memsvc_secrets_dir", "memsvc_"])
def test_a_name_of_no_setting_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_text(LONG)
    with pytest.raises(StartupRefused, match="named like no setting"):
        load_settings()


def test_what_cannot_be_read_is_refused_and_never_shown(folder: Path) -> None:
    secret = folder / "memsvc_secret"
    for content, reason in ((b"\xff\xfe" + LONG.encode(), "is not text"), (b" \n", "is empty")):
        secret.write_bytes(content)
        with pytest.raises(StartupRefused, match=reason):
            load_settings()
    secret.write_text("short")
    with pytest.raises(StartupRefused, match="MEMSVC_SECRET") as refused:
        load_settings()
    assert "short" not in str(refused.value)
    secret.unlink()
    secret.mkdir()  # what an engine makes where the file to mount is missing
    with pytest.raises(StartupRefused, match="cannot read the setting"):
        load_settings()


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMSVC_SECRETS_DIR", str(tmp_path / "gone"))
    with pytest.raises(StartupRefused, match="cannot read"):
        load_settings()


def test_a_list_that_is_no_json_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMSVC_CHANNELS_OFF", "spreading")
    with pytest.raises(StartupRefused, match="channels_off"):
        load_settings()


def test_what_came_out_of_a_file_does_not_get_into_the_environment_of_workers(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "memsvc_database_url").write_text("postgresql://u:hidden@db/m")
    settings = load_settings(port=0)
    environment: dict[str, str] = {}
    monkeypatch.setattr(server.os, "environ", environment)
    monkeypatch.setattr(server.Multiprocess, "run", lambda self: None)
    options = {"host": "127.0.0.1", "port": 0, "data_dir": None, "database_url": None}
    server.run_server(settings, 2, lambda text: None, options)
    assert environment == {"MEMSVC_HOST": "127.0.0.1", "MEMSVC_PORT": "0"}


def test_settings_without_a_folder_look_for_no_files() -> None:
    assert Settings().secrets_dir is None
