"""The disk is full: writes are refused with a reason, reads go on, and once there is room it goes on as before."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from benchmarks._audit import faults
from benchmarks._killable import WITHOUT_MODELS, ServerProcess
from memsvc.core.errors import StorageFull
from memsvc.db.tenancy import SERVICE
from memsvc.http.problem import from_database
from tests.fixtures.storage_service import service_on

_MOUNT = 'mount -t tmpfs -o size=8m none "$0" && exec "$@"'


def _can_mount() -> bool:
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        return False
    tried = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
    return tried.returncode == 0


def _limit(pages: int) -> object:
    return lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count={pages}") and None


def test_a_full_database_refuses_writes_and_answers_reads(sqlite_url: str, tmp_path: Path) -> None:
    """SQLite itself says that it is full; one writer's large text does not take the others' answers away for good."""
    with service_on(sqlite_url, tmp_path) as service:
        kept = service.add("kept before the disk was full")
        database = service.container.database
        used = database.write(SERVICE, lambda c: int(c.exec_driver_sql("PRAGMA page_count").scalar_one()))
        database.write(SERVICE, _limit(used + 4))
        with pytest.raises(OperationalError) as refused:
            service.remember([f"{n} " + "word " * 2000 for n in range(50)])
        assert isinstance(from_database(refused.value), StorageFull)
        assert kept in service.found("kept before the disk was full")
        assert service.differences() == 0
        database.write(SERVICE, _limit(1_000_000))
        later = service.add("written when there was room again")
        assert later in service.found("written when there was room again")
        with database.read(SERVICE) as connection:
            assert faults(connection) == {}


@pytest.mark.slow
@pytest.mark.skipif(not _can_mount(), reason="this system lets nobody mount a small disk for a test")
def test_the_server_on_a_full_disk(tmp_path: Path) -> None:
    """A real file system of 8 MiB, filled up: 507, reads go on, then it recovers without a restart."""
    disk = tmp_path / "disk"
    disk.mkdir()
    server = ServerProcess(disk / "data", WITHOUT_MODELS, prefix=("unshare", "-rm", "sh", "-c", _MOUNT, str(disk)))
    server._log = tmp_path / "server.log"
    server.start()
    seen = Path(f"/proc/{server.pid}/root{disk}")  # the disk, as the server sees it
    try:
        with server.client() as http:
            kept = [_write(http, n, "short")[1] for n in range(20)]
            with contextlib.suppress(OSError), (seen / "filler").open("wb") as filler:
                while True:
                    filler.write(b"\0" * 4096)
                    filler.flush()
            statuses = []
            for n in range(300):
                begun = time.monotonic()
                status, memory, body = _write_all(http, 1000 + n, "word " * 2000)
                statuses.append(status)
                if memory is not None:
                    kept.append(memory)
                if status != 201:
                    assert time.monotonic() - begun < 5
                    assert body["code"] == "storage_full"
                if statuses[-5:] == [507] * 5:
                    break
            assert statuses[-5:] == [507] * 5
            assert set(statuses) <= {201, 507}
            for memory in kept:
                assert http.get(f"/v1/memories/{memory}").status_code == 200
            hits = http.post("/v1/recall", json={"namespace": "a", "query": "unique0 short"}).raise_for_status().json()
            assert hits["hits"]
            os.unlink(seen / "filler")
            assert _write_all(http, 5000, "room")[0] == 201
            for memory in kept:
                assert http.get(f"/v1/memories/{memory}").status_code == 200
        copy = tmp_path / "copy"
        copy.mkdir()
        for path in (seen / "data").glob("memsvc.db*"):
            shutil.copyfile(path, copy / path.name)
        server.send(signal.SIGTERM)
        assert server.wait() == 0
    finally:
        server.kill()
    engine = create_engine(f"sqlite:///{copy / 'memsvc.db'}")
    with engine.connect() as connection:
        assert faults(connection) == {}
    engine.dispose()


def _write_all(http: object, number: int, text: str) -> tuple[int, UUID | None, dict[str, object]]:
    answer = http.post("/v1/memories", json={"namespace": "a", "content": f"unique{number} {text}"})  # type: ignore[attr-defined]
    body = answer.json()
    return answer.status_code, UUID(body["memory"]["id"]) if answer.status_code == 201 else None, body


def _write(http: object, number: int, text: str) -> tuple[int, UUID]:
    status, memory, body = _write_all(http, number, text)
    assert memory is not None, (status, body)
    return status, memory
