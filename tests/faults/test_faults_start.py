"""A database that cannot be read is refused at the start. It is never replaced, and not a byte of it changes."""

from __future__ import annotations

import hashlib
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks._killable import WITHOUT_MODELS, ServerProcess
from memsvc.core.errors import StartupRefused
from memsvc.models.change import ChangeOp
from tests.fixtures.service import assert_problem, serving
from tests.fixtures.storage_service import open_service, service_on


def _truncated(content: bytes) -> bytes:
    return content[: len(content) // 2 + 100]


def _headless(content: bytes) -> bytes:
    return b"\0" * 100 + content[100:]


def _zeroed_page(content: bytes) -> bytes:
    middle = len(content) // 2 // 4096 * 4096
    return content[:middle] + b"\0" * 4096 + content[middle + 4096 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "text": lambda content: b"this is not a database\n" * 100,
    "truncated": _truncated,
    "headless": _headless,
    "noise": lambda content: random.Random(1).randbytes(len(content)),
    "zeroed schema": lambda content: content[:100] + b"\0" * (4096 - 100) + content[4096:],
}


@pytest.fixture
def filled(sqlite_url: str, tmp_path: Path) -> Path:
    with service_on(sqlite_url, tmp_path) as service:
        service.remember([f"memory number {n} of a life" for n in range(200)])
    return Path(sqlite_url.removeprefix("sqlite:///"))


def digest(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.glob("memsvc.db*")
        if not path.name.endswith(".lock")
    }


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_refused_and_left_alone(filled: Path, tmp_path: Path, damage: str) -> None:
    filled.write_bytes(DAMAGE[damage](filled.read_bytes()))
    before = digest(tmp_path)
    for _ in range(2):  # the second try finds what the first one left
        with pytest.raises(StartupRefused) as refused:
            open_service(f"sqlite:///{filled}", tmp_path)
        assert str(filled) in str(refused.value)
        assert digest(tmp_path) == before


def test_a_page_that_was_zeroed_is_refused(filled: Path, tmp_path: Path) -> None:
    filled.write_bytes(_zeroed_page(filled.read_bytes()))
    before = digest(tmp_path)
    with pytest.raises(StartupRefused):
        open_service(f"sqlite:///{filled}", tmp_path)
    assert digest(tmp_path) == before


def test_a_missing_file_beside_its_log_is_refused(filled: Path, tmp_path: Path) -> None:
    shutil.copyfile(filled, f"{filled}-wal")
    filled.unlink()
    with pytest.raises(StartupRefused, match="without its log"):
        open_service(f"sqlite:///{filled}", tmp_path)
    assert not filled.exists()


@pytest.mark.parametrize("value", [5, 1.5, "no bytes", b"odd"])
def test_a_row_of_another_kind_is_refused(tmp_path: Path, value: object) -> None:
    """A flipped bit may say that a column holds something else: SQLite takes any value in any column."""
    with serving(tmp_path) as service:
        service.tenant().remember("a life")
    path = tmp_path / "memsvc.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE memory_version SET pairs = ?", (value,))
        connection.commit()
    with pytest.raises(StartupRefused) as refused, serving(tmp_path):
        pass
    assert str(path) in str(refused.value)
    assert "backup" in str(refused.value)


def test_a_row_of_another_kind_that_comes_by_the_log_is_no_failure_of_ours(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        tenant = service.tenant()
        tenant.remember("a life")
        with closing(sqlite3.connect(tmp_path / "memsvc.db")) as connection:
            connection.execute("UPDATE memory_version SET pairs = 'no bytes'")
            connection.execute(
                "INSERT INTO change SELECT tenant_id, namespace_id, seq + 1, ?, memory_id, version, recorded_at "
                "FROM change",
                (ChangeOp.RETIER,),
            )
            connection.execute("UPDATE namespace SET head_seq = head_seq + 1")
            connection.commit()
        for _ in range(2):
            answer = tenant.ask("POST", "/v1/recall", json={"namespace": tenant.namespace, "query": "a life"})
            assert_problem(answer, 409, "unreadable")


@pytest.mark.slow
def test_the_server_does_not_start_on_what_it_cannot_read(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "memsvc.db").write_bytes(b"precious but unreadable" * 1000)
    before = digest(data)
    server = ServerProcess(data, WITHOUT_MODELS)
    with pytest.raises(RuntimeError, match="the server ended with 1"):
        server.start()
    assert "is not an SQLite database" in server.said()
    assert "Traceback" not in server.said()
    assert digest(data) == before
