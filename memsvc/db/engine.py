"""The database of this process: reading connections for everybody, one way to write.

SQLite has one owning process (a lock file says who) and one writing thread; PostgreSQL has as many as its pool. Callers
see the same two calls: `read()` and `write()`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import structlog
from filelock import FileLock, Timeout
from psycopg import Error as PostgresError
from sqlalchemy import Connection, Dialect, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, QueuePool

from gpu import tracing
from memsvc.core.errors import StartupRefused
from memsvc.db.analyse import analyse_grown
from memsvc.db.compiled import compiled_statements
from memsvc.db.limits import Limits
from memsvc.db.pulse import CONNECT_S, Pulse, WatchedConnection
from memsvc.db.reserve import Reserve
from memsvc.db.tenancy import Whose, begin
from memsvc.db.unsynced import end_unsynced
from memsvc.db.vacuum import vacuum
from memsvc.db.writer import GroupCommitWriter, PooledWriter, Unit, Writer
from memsvc.models.sealed import give_keyring
from memsvc.models.tables import MEMORY_KEY
from memsvc.sealing.keyring import Keyring

T = TypeVar("T")

log = structlog.get_logger()

_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA secure_delete=ON",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=5000",
    "PRAGMA mmap_size=0",
)
# Options of a connection that say what its next transaction is for.
_WHOSE, _IS_READ = "memsvc_whose", "memsvc_is_read"


class Database:
    """Connections to one database.

    Args:
        url: SQLAlchemy URL (`sqlite:///...` or `postgresql://...`).
        limits: connections kept open, and how long anything on PostgreSQL may take.
        keyring: opens what is encrypted, and has what is written encrypted; None: nothing is.
        commit_group_max: most writes that share one commit on SQLite.
        reserve_bytes: room kept beside an SQLite file, which is given up for writes that free some on a full disk.
        on_group: called with the size of each commit group.
        on_transaction: called with `read` or `write` and the seconds that it took, waiting for its turn included.
        on_unsynced: called when an fsync of SQLite's has failed, after which nothing is written any more.

    Raises:
        StartupRefused: another process owns the SQLite file, or the URL names another kind of database.
    """

    def __init__(
        self,
        url: str,
        *,
        limits: Limits | None = None,
        keyring: Keyring | None = None,
        commit_group_max: int = 64,
        reserve_bytes: int = 0,
        on_group: Callable[[int], None] = lambda size: None,
        on_transaction: Callable[[str, float], None] = lambda what, seconds: None,
        on_unsynced: Callable[[], None] = end_unsynced,
    ) -> None:
        self._on_transaction = on_transaction
        self._lock: FileLock | None = None
        self._pulse: Pulse | None = None
        limits = limits or Limits()
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            self._lock = _own_file(parsed)
            self.engine = _sqlite_engine(parsed, QueuePool, limits)
            self._write_engine = _sqlite_engine(parsed, NullPool, None, begin="BEGIN IMMEDIATE")
            reserve = Reserve(Path(f"{parsed.database}.reserve"), reserve_bytes)
            reserve.take()
            self.writer: Writer = GroupCommitWriter(
                self._write_engine, commit_group_max, on_group, reserve, on_unsynced
            )
        elif parsed.get_backend_name() == "postgresql":
            self._pulse = Pulse(partial(_connected, parsed), limits.silence_s)
            self.engine = self._write_engine = _postgres_engine(parsed, limits, self._pulse)
            self.writer = PooledWriter(lambda whose: self._write_engine.connect().execution_options(**{_WHOSE: whose}))
        else:
            raise StartupRefused("MEMSVC_DATABASE_URL must be a postgresql:// or sqlite:/// URL")
        self.keyring = keyring
        if keyring is not None:
            for engine in (self.engine, self._write_engine):
                give_keyring(engine, keyring)

    @property
    def name(self) -> str:
        """How people call it: its file, or its URL without the password."""
        url = self.engine.url
        return str(url.database) if self.is_sqlite else url.render_as_string(hide_password=True)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self, whose: Whose) -> Iterator[Connection]:
        """A connection for reading, on which every statement sees the same moment; rolled back at the end.

        Args:
            whose: rows it sees, see `memsvc.db.tenancy`.

        Raises:
            sqlalchemy.exc.TimeoutError: no connection became free in time.
        """
        with (
            self._timed("read"),
            self.engine.connect().execution_options(**{_WHOSE: whose, _IS_READ: True}) as connection,
        ):
            yield connection

    def write(self, whose: Whose, unit: Unit[T], *, scrub: bool = False, frees: bool = False) -> T:
        """Run `unit` in one transaction and return its result once it is durable.

        Args:
            whose: rows it sees and may write, see `memsvc.db.tenancy`.
            unit: does its statements on the connection it gets and returns a value. It may run more than once, so it
                has no other effect, and it never commits.
            scrub: whether deleted bytes must leave the write-ahead log too before this returns; it `frees`, then.
            frees: whether there is more room after it than before: on a full disk it may use the reserve.

        Raises:
            Whatever `unit` raises; its statements are undone then.
            Unavailable: the database is being closed.
        """
        with self._timed("write"):
            return self.writer.write(whose, unit, scrub=scrub, frees=frees)

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            with tracing.step(f"database {what}"):
                yield
        finally:
            self._on_transaction(what, time.perf_counter() - begun)

    @property
    def connections(self) -> int:
        """Connections of the pool that are in use now."""
        pool = self.engine.pool
        return pool.checkedout() if isinstance(pool, QueuePool) else 0

    def overwrite(self, tables: Sequence[str], *, full: bool = False) -> str | None:
        """Have the bytes of deleted rows leave the database's files.

        Args:
            tables: that rows were deleted from.
            full: write them anew, so that nothing is left anywhere in a page: PostgreSQL these tables
                (`memsvc.db.vacuum`), SQLite the whole file (`GroupCommitWriter.rewrite`).

        Returns:
            How it was done (`checkpoint`, `vacuum`, `vacuum full`), or None if it could not be now: try again later.
        """
        if self.is_sqlite:
            if full:
                return "vacuum" if self.writer.rewrite() else None
            return "checkpoint" if self.writer.empty_log() else None
        try:
            done = vacuum(self.engine, tables, full=full)
            if done and not full and self.keyring is not None:  # whatever is left of rows is noise without their keys
                done = vacuum(self.engine, [MEMORY_KEY.name], full=True)
        except (DBAPIError, PostgresError) as error:  # a lock did not come free, or the server went away
            log.warning("not_vacuumed", error=type(error).__name__)
            return None
        return ("vacuum full" if full else "vacuum") if done else None

    def count_anew(self, tables: Sequence[str]) -> None:
        """Have PostgreSQL count those tables that have grown, so that it plans for what they are; nothing on SQLite."""
        if self.is_sqlite:
            return
        try:
            analyse_grown(self.engine, tables)
        except (DBAPIError, PostgresError) as error:  # what is read next says what is wrong, if anything is
            log.warning("not_analysed", error=type(error).__name__)

    def close(self) -> None:
        """Finish waiting writes and let go of every connection and of the lock."""
        self.writer.close()
        self.engine.dispose()
        self._write_engine.dispose()
        if self._pulse is not None:
            self._pulse.close()
        if self._lock is not None:
            self._lock.release()


def _own_file(url: URL) -> FileLock | None:
    """Take the lock beside an SQLite file: one process owns it."""
    if not url.database or url.database == ":memory:":
        raise StartupRefused("an in-memory SQLite database cannot keep anything; give a file")
    path = Path(url.database)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = FileLock(f"{path}.lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise StartupRefused(
            f"another process owns {path}; stop it, or use PostgreSQL to run several (MEMSVC_DATABASE_URL)"
        ) from None
    return lock


def _sqlite_engine(url: URL, pool: type[QueuePool | NullPool], limits: Limits | None, begin: str = "BEGIN") -> Engine:
    sized: dict[str, Any] = {}
    if limits is not None:
        sized = {"pool_size": limits.pool, "max_overflow": 0, "pool_timeout": limits.pool_timeout_s}
        sized["pool_use_lifo"] = True
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        poolclass=pool,
        connect_args={"check_same_thread": False},
        execution_options={"compiled_cache": compiled_statements},
        hide_parameters=True,
        **sized,
    )

    @event.listens_for(engine, "connect")
    def configure(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        if url.database and os.path.exists(url.database):
            os.chmod(url.database, 0o600)  # before the log is made, which takes over the mode
        connection.isolation_level = None  # transactions begin where we say, not at the first write
        cursor = connection.cursor()
        for pragma in _SQLITE_PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _connected(url: URL) -> None:
    """Connect to PostgreSQL and let go again; raises what psycopg does."""
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    psycopg.connect(plain, connect_timeout=CONNECT_S, application_name="memsvc pulse").close()


# A connection whose other end is gone without a word (a machine lost, a route cut) is found out in about this time.
_KEEPALIVES = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2, "tcp_user_timeout": 15_000}


def _postgres_engine(url: URL, limits: Limits, pulse: Pulse) -> Engine:
    given = url.normalized_query
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        # Neither the driver nor SQLAlchemy begins a transaction: `start` does, and says whose rows it sees.
        isolation_level="AUTOCOMMIT",
        pool_size=limits.pool,
        max_overflow=limits.pool,
        pool_timeout=limits.pool_timeout_s,
        pool_pre_ping=True,
        pool_use_lifo=True,
        execution_options={"compiled_cache": compiled_statements},
        hide_parameters=True,
        connect_args={
            "options": limits.options(),
            "application_name": limits.name,
            "connect_timeout": CONNECT_S,
            "prepare_threshold": 3,
            **{name: value for name, value in _KEEPALIVES.items() if name not in given},
        },
    )

    @event.listens_for(engine, "do_connect")
    def watch(dialect: Dialect, record: ConnectionPoolEntry, given: Sequence[Any], named: dict[str, Any]) -> Any:
        pulse.check()
        connection = WatchedConnection.connect(*given, **named)
        connection.check = pulse.check
        return connection

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("isolation_level") == "AUTOCOMMIT":
            return  # asked for by what cannot run inside of a transaction
        statements = begin(options.get(_WHOSE), is_read=options.get(_IS_READ, False))
        driver: Any = connection.connection.driver_connection
        try:
            driver.execute(statements, prepare=False)  # several statements cannot be prepared
        except psycopg.Error as error:
            connection.invalidate(error)
            raise OperationalError(statements, None, error, connection_invalidated=True) from error

    return engine
