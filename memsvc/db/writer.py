"""How a transaction becomes durable: grouped by one thread on SQLite, one by one from a pool on PostgreSQL.

An SQLite commit with `synchronous=FULL` costs an fsync, some milliseconds. One thread takes every write that waits and
commits them together, each inside its own savepoint, so that one that fails takes nothing with it. Nobody is answered
before the commit has returned.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import structlog
import tenacity
from sqlalchemy import Connection, Engine

from memsvc.core.errors import Unavailable
from memsvc.db.faults import is_full, is_of_sqlite, is_passing, is_unsynced
from memsvc.db.reserve import Reserve
from memsvc.db.tenancy import Whose

T = TypeVar("T")
Unit = Callable[[Connection], T]

log = structlog.get_logger()

_CLOSING = Unavailable("the service is shutting down; try again", retry_after_s=2)
_FAILED = Unavailable("the disk failed, and the service starts again; try again", retry_after_s=5)


class Writer(Protocol):
    """Runs a unit of work in one transaction."""

    def write(self, whose: Whose, unit: Unit[T], *, scrub: bool, frees: bool) -> T:
        """Result of `unit`, once it is durable. See `Database.write`."""
        ...

    def empty_log(self) -> bool:
        """Whether no byte of what was deleted is in the database's own log any more. See `Database.overwrite`."""
        ...

    def rewrite(self) -> bool:
        """Whether the file was written anew, without a byte of what was deleted. See `Database.overwrite`."""
        ...

    def close(self) -> None:
        """Finish what waits; later writes are refused."""
        ...


@dataclass(slots=True)
class _Waiting:
    unit: Unit[Any]
    scrub: bool
    future: Future[Any]
    rewrite: bool = False
    frees: bool = False


class GroupCommitWriter:
    """The one thread that writes an SQLite database.

    Args:
        engine: makes its connection.
        group_max: most writes of one commit.
        on_group: called with the size of each group that is durable.
        reserve: room that is given up for writes that free some.
        on_unsynced: called when an fsync has failed. No write is accepted any more then: the next commit would rest on
            one of which nobody knows how much the disk has.
    """

    def __init__(
        self,
        engine: Engine,
        group_max: int,
        on_group: Callable[[int], None],
        reserve: Reserve,
        on_unsynced: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._group_max = group_max
        self._on_group = on_group
        self._reserve = reserve
        self._on_unsynced = on_unsynced
        self._has_failed = False
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._guard = threading.Lock()
        self._scrub_is_due = False
        self._rewrite_failed = False
        self._thread = threading.Thread(target=self._run, name="memsvc-writer", daemon=True)
        self._thread.start()

    def write(self, whose: Whose, unit: Unit[T], *, scrub: bool, frees: bool) -> T:
        """Hand the unit to the writing thread and wait for its commit. Whose it is makes no difference here."""
        result: T = self._done(_Waiting(unit, scrub, Future(), frees=frees or scrub))
        return result

    def empty_log(self) -> bool:
        """Empty the write-ahead log; False if a reader was in the way for too long."""
        self._done(_Waiting(lambda connection: None, scrub=True, future=Future()))
        return not self._scrub_is_due

    def rewrite(self) -> bool:
        """Write the file anew and empty the log; False if there is no room, or a reader was in the way for too long.

        SQLite overwrites the rows that it deletes, but not the copies that it left in unused parts of pages when it
        moved rows between them. Other writes wait meanwhile, readers do not.
        """
        self._done(_Waiting(lambda connection: None, scrub=True, future=Future(), rewrite=True))
        return not self._scrub_is_due and not self._rewrite_failed

    def close(self) -> None:
        """Commit what waits, then end the thread."""
        with self._guard:
            if not self._closing.is_set():
                self._closing.set()
                self._queue.put(None)
        self._thread.join()

    def _done(self, waiting: _Waiting) -> Any:
        with self._guard:  # nothing may enter the queue behind the sentinel: it would never be answered
            if self._closing.is_set():
                raise _CLOSING
            self._queue.put(waiting)
        return waiting.future.result()

    def _run(self) -> None:
        connection: Connection | None = None
        while True:
            group, last = self._next_group()
            if group:
                connection = self._commit(group, connection)
            if last:
                break
        if connection is not None:
            connection.close()

    def _next_group(self) -> tuple[list[_Waiting], bool]:
        """Everything that waits now (at least one), and whether the end was reached."""
        group: list[_Waiting] = []
        item = self._queue.get()
        while item is not None:
            group.append(item)
            if len(group) >= self._group_max:
                return group, False
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _commit(self, group: list[_Waiting], connection: Connection | None) -> Connection | None:
        """Run the group in one transaction and answer everybody. Returns the connection to go on with."""
        results: list[tuple[_Waiting, Any]] = []
        try:
            connection = connection or self._connected()
            with connection.begin():
                results = [(w, self._run_one(connection, w)) for w in group]
        except Exception as error:  # noqa: BLE001 - whatever broke the commit is the answer to all who wait for it
            log.warning("commit_failed", error=type(error).__name__, writes=len(group))
            if connection is not None:
                connection.invalidate()
                connection.close()
            return self._not_committed(group, error)
        if any(w.rewrite for w in group):
            self._rewrite(connection)
        if self._scrub_is_due or any(w.scrub for w in group):
            self._scrub(connection)
        self._on_group(len(group))
        for waiting, result in results:
            if isinstance(result, _Failed):
                waiting.future.set_exception(result.error)
            else:
                waiting.future.set_result(result)
        return connection

    def _not_committed(self, group: list[_Waiting], error: Exception) -> Connection | None:
        """Answer a group whose commit failed. What frees room is tried again where the reserve can be given up."""
        freeing = [w for w in group if w.frees] if is_full(error) else []
        has_room = bool(freeing) and self._reserve.give_up()
        for waiting in group:
            if not (has_room and waiting.frees):
                waiting.future.set_exception(error)
        if is_unsynced(error):
            self._fail()
        if not has_room:
            return None
        self._scrub_is_due = True  # what the log takes is for the reserve again
        connection = self._commit(freeing, None)
        self._reserve.take_back()  # before anybody else writes
        return connection

    def _connected(self) -> Connection:
        if self._has_failed:
            raise _FAILED
        return self._engine.connect()

    def _fail(self) -> None:
        if not self._has_failed:
            self._has_failed = True
            self._on_unsynced()

    def _scrub(self, connection: Connection) -> None:
        """Empty the log. The commit stands whatever happens here; what a reader held up is made up for later."""
        try:
            self._scrub_is_due = not _empty_log(connection)
            self._reserve.take_back()
        except sqlite3.Error as error:
            self._scrub_is_due = True
            if is_unsynced(error):
                self._fail()
            log.warning("log_not_emptied", error=type(error).__name__)

    def _rewrite(self, connection: Connection) -> None:
        """Write the file anew. The commit stands whatever happens here."""
        try:
            _driver(connection).execute("VACUUM")
            self._rewrite_failed = False
        except sqlite3.Error as error:  # no room for a second copy
            self._rewrite_failed = True
            if is_unsynced(error):
                self._fail()
            log.warning("file_not_rewritten", error=type(error).__name__)

    def _run_one(self, connection: Connection, waiting: _Waiting) -> Any:
        savepoint = connection.begin_nested()
        try:
            result = waiting.unit(connection)
            savepoint.commit()
        except Exception as error:
            if not _driver(connection).in_transaction or is_of_sqlite(error):
                # Takes the whole group with it. A full disk makes SQLite undo the others' statements, too, and the
                # savepoint with them: going back to it would fail and hide the reason.
                raise
            savepoint.rollback()
            return _Failed(error)
        return result


@dataclass(frozen=True, slots=True)
class _Failed:
    error: Exception


def _driver(connection: Connection) -> sqlite3.Connection:
    driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
    return driver


def _empty_log(connection: Connection) -> bool:
    """Copy the write-ahead log into the file and cut it to nothing. False if a reader was in the way for too long."""
    is_busy, _, _ = _driver(connection).execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not is_busy


class PooledWriter:
    """Writes on PostgreSQL: each unit is a transaction of its own, in the caller's thread."""

    def __init__(self, connect: Callable[[Whose], Connection]) -> None:
        self._connect = connect
        self._closed = False

    def write(self, whose: Whose, unit: Unit[T], *, scrub: bool, frees: bool) -> T:
        """Run the unit; a deadlock or serialization failure is tried again."""
        if self._closed:
            raise _CLOSING
        for attempt in tenacity.Retrying(
            retry=tenacity.retry_if_exception(is_passing),
            stop=tenacity.stop_after_attempt(4),
            wait=tenacity.wait_random_exponential(multiplier=0.01, max=0.2),
            reraise=True,
        ):
            with attempt, self._connect(whose) as connection, connection.begin():
                return unit(connection)
        raise AssertionError("unreachable")

    def empty_log(self) -> bool:
        """Never: PostgreSQL recycles its log by itself."""
        return False

    def rewrite(self) -> bool:
        """Never: see `memsvc.db.vacuum`."""
        return False

    def close(self) -> None:
        """Refuse further writes."""
        self._closed = True
