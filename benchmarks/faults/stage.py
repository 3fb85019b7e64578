"""What rows play on: a folder, a seed, servers and a PostgreSQL, shared where starting them anew shows nothing."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Engine, create_engine, make_url

from benchmarks._killable import WITHOUT_MODELS, ServerProcess
from benchmarks.faults.forked import ForkedServer
from benchmarks.faults.postgres import Postgres

SECRET = "faults-benchmark-" + "0" * 16


class Say(Protocol):
    """Told how it goes."""

    def __call__(self, text: str, /) -> None:
        """A line."""
        ...


class Stage:
    """One run of one or more rows.

    Args:
        folder: everything that is written goes there; it is kept if a promise was broken.
        seed: of every random choice.
        planted: faults that every server gets (`benchmarks.faults.plants`).
        is_fresh: start servers as an operator does, and not as copies of a warm process.
        say: told how it goes.
    """

    def __init__(
        self,
        folder: Path,
        seed: int,
        *,
        planted: Sequence[str] = (),
        is_fresh: bool = False,
        say: Say = lambda text: None,
    ) -> None:
        self.folder = folder
        self.seed = seed
        self.planted = tuple(planted)
        self.is_fresh = is_fresh
        self.say = say
        self._open = ExitStack()
        self._postgres: Postgres | None = None
        self._made = 0

    def chance(self, of: str) -> random.Random:
        """Random choices of a row: the same for the same seed, whatever ran before."""
        return random.Random(f"{self.seed} {of}")

    def place(self, name: str) -> Path:
        """A new folder."""
        self._made += 1
        path = self.folder / f"{name}-{self._made}"
        path.mkdir(parents=True)
        return path

    @property
    def postgres(self) -> Postgres:
        """A PostgreSQL, started when it is first asked for."""
        if self._postgres is None:
            self._postgres = Postgres()
            self._open.callback(self._postgres.close)
            self._postgres.sync(is_on=self.is_fresh)  # no row but one looks at the disk
        return self._postgres

    def server(
        self,
        name: str,
        *,
        url: str | None = None,
        before: Callable[..., None] | None = None,
        given: tuple[Any, ...] = (),
        **settings: object,
    ) -> ServerProcess:
        """A server that is ready; ended with the stage at the latest.

        Args:
            name: of its folder.
            url: of PostgreSQL; else it has an SQLite file of its own.
            before, given: see `ForkedServer`.
            settings: each is `MEMSVC_<NAME>`.
        """
        made = self.unstarted(name, url=url, before=before, given=given, **settings)
        made.start()
        return made

    def unstarted(
        self,
        name: str,
        *,
        url: str | None = None,
        before: Callable[..., None] | None = None,
        given: tuple[Any, ...] = (),
        **settings: object,
    ) -> ServerProcess:
        """As `server`, not started yet."""
        environment = WITHOUT_MODELS | {"MEMSVC_SECRET": SECRET}
        environment |= {f"MEMSVC_{key.upper()}": str(value) for key, value in settings.items()}
        if url is not None:
            environment["MEMSVC_DATABASE_URL"] = url
        data = self.place(name) / "data"
        made: ServerProcess
        if self.is_fresh and before is None and not self.planted:
            made = ServerProcess(data, environment)
        else:
            made = ForkedServer(data, environment, self.planted, before, given)
        self._open.callback(made.kill)
        return made

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *raised: object) -> None:
        self._open.close()


def looking(url: str) -> Engine:
    """A connection of our own, beside those of the servers."""
    parsed = make_url(url)
    driver = "sqlite+pysqlite" if parsed.get_backend_name() == "sqlite" else "postgresql+psycopg"
    return create_engine(parsed.set(drivername=driver))


def sqlite_of(server: ServerProcess) -> str:
    """URL of a server's SQLite file."""
    return f"sqlite:///{server.data_dir / 'memsvc.db'}"
