"""The server is killed in the middle of its work and nothing that it had promised is gone. Long runs: benchmarks/."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from benchmarks._audit import faults
from benchmarks._kill_clients import Client, Known, Ledger
from benchmarks._kill_lookup import Lookup
from benchmarks._killable import WITHOUT_MODELS
from benchmarks.kill_server import Report, run
from tests.fixtures.storage_service import Service, service_on


@pytest.mark.slow
def test_two_kills_lose_nothing(tmp_path: Path) -> None:
    report = run("sqlite", 2, seed=7, folder=tmp_path, settings=WITHOUT_MODELS)
    figures = json.dumps(report.figures())
    assert report.kills == 2
    assert report.acknowledged > 0, figures
    assert report.is_clean, figures


# --- the looking itself can fail -----------------------------------------------------------------------------------


@pytest.fixture
def damaged(sqlite_url: str, tmp_path: Path) -> Callable[[str], dict[str, int]]:
    """What the audit finds after a statement has been carried out on a sound database."""
    with service_on(sqlite_url, tmp_path) as service:
        _fill(service)

    def look(statement: str) -> dict[str, int]:
        path = tmp_path / "damaged.db"
        shutil.copyfile(sqlite_url.removeprefix("sqlite:///"), path)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.executescript(statement)
        engine = create_engine(f"sqlite:///{path}")
        try:
            with engine.connect() as connection:
                return faults(connection)
        finally:
            engine.dispose()

    return look


def _fill(service: Service) -> None:
    for n in range(3):
        memory = service.add(f"memory {n}")
        service.edit(memory, f"memory {n} changed")
    service.forget(memory)
    service.erase(service.add("gone"))


def test_the_audit_finds_nothing_in_a_sound_database(damaged: Callable[[str], dict[str, int]]) -> None:
    assert damaged("SELECT 1;") == {}


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM memory_version WHERE rowid = (SELECT max(rowid) FROM memory_version);",
        "DELETE FROM analysis WHERE rowid = (SELECT max(rowid) FROM analysis);",
        "DELETE FROM embedding WHERE rowid = (SELECT max(rowid) FROM embedding);",
        "DELETE FROM change WHERE seq = 3;",
        "UPDATE namespace SET head_seq = head_seq + 1;",
        "UPDATE memory SET state = 1 WHERE rowid = 1;",
        "UPDATE memory_version SET recorded_to = recorded_to + 5 WHERE version = 1;",
        "UPDATE memory_version SET recorded_to = NULL WHERE version = 1;",
        "UPDATE memory_version SET content = NULL WHERE version = 1;",
        "DELETE FROM tombstone;",
        "UPDATE change SET memory_id = (SELECT id FROM memory LIMIT 1) WHERE op = 1;",
    ],
)
def test_the_audit_finds_damage(damaged: Callable[[str], dict[str, int]], statement: str) -> None:
    assert damaged(f"PRAGMA foreign_keys=OFF; {statement}") != {}


def _row(memory: Known, **other: object) -> dict[str, object]:
    row = {"id": memory.id, "content": memory.content, "version": memory.version, "state": memory.state}
    return row | other


@pytest.mark.parametrize(
    ("state", "rows", "finding"),
    [
        ("active", [{}], None),
        ("active", [], "lost"),
        ("active", [{"content": "older"}], "lost"),
        ("active", [{"version": 3}], "lost"),
        ("active", [{"state": "forgotten"}], "lost"),
        ("active", [{}, {"id": "another"}], "duplicated"),
        ("erased", [], None),
        ("erased", [{"state": "active"}], "resurrected"),
    ],
)
def test_the_lookup_finds_broken_promises(state: str, rows: list[dict[str, object]], finding: str | None) -> None:
    memory = Known("id", "user/ada", "tok1x1", "tok1x1 hello", 2, state)  # type: ignore[arg-type]
    report = Report("sqlite")
    Lookup._compare(memory, [_row(memory, **other) for other in rows], report)
    counted = {name: getattr(report, name) for name in ("lost", "duplicated", "resurrected")}
    assert counted == {name: int(name == finding) for name in counted}


def test_the_ledger_is_written_before_the_request(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    client = Client(0, 1, ledger)

    class Gone:
        def request(self, *args: object, **given: object) -> None:
            raise ConnectionError

    with pytest.raises(ConnectionError):
        client._create(Gone())  # type: ignore[arg-type]
    ledger.close()
    (line,) = (tmp_path / "ledger").read_text().splitlines()
    assert json.loads(line)["intent"] == "0-1"
    assert client.doubt is not None
    assert client.acknowledged == 0
