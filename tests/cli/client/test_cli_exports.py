"""`memsvc export` and `memsvc import`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.client.conftest import Memsvc
from tests.unit.client.recorder import Answer, Recorder, problem


def test_an_export_is_whole_or_not_there(memsvc: Memsvc, service: Recorder, tmp_path: Path) -> None:
    file = tmp_path / "ada.tar"
    code, out, _ = memsvc("export", str(file), "--json")
    assert (code, json.loads(out)) == (0, {"file": str(file), "bytes": 9})
    assert file.read_bytes() == b"an export"
    assert file.stat().st_mode & 0o077 == 0

    assert memsvc("export", str(file))[0] == 2
    service.default = lambda seen: Answer(404, problem(404, "not_found"))
    assert memsvc("export", str(tmp_path / "none.tar"))[0] == 1
    assert [one.name for one in tmp_path.iterdir()] == ["ada.tar"]


def test_an_import_says_what_came_of_it(memsvc: Memsvc, service: Recorder, tmp_path: Path) -> None:
    file = tmp_path / "ada.tar"
    file.write_bytes(b"an export")
    code, out, _ = memsvc("import", str(file), "-n", "user/bo", "--json")
    assert (code, json.loads(out)["memories"]) == (0, 3)
    assert service.last.query == {"namespace": "user/bo"}
    assert service.last.raw == b"an export"
    assert memsvc("import", str(tmp_path / "none.tar"))[0] == 2


def test_somebody_who_watches_sees_how_far_it_is(
    memsvc: Memsvc, service: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    file = tmp_path / "ada.tar"
    code, _, err = memsvc("export", str(file))
    assert code == 0
    assert "Exporting" in err
    assert "9/" in err or "9 bytes" in err
    code, _, err = memsvc("import", str(file))
    assert (code, service.last.raw) == (0, b"an export")
    assert service.last.headers["content-length"] == "9"
    assert "9/9 bytes" in err
    assert "Exporting" not in memsvc("export", str(tmp_path / "b.tar"), "--json")[2]
