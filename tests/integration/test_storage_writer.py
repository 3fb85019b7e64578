"""How writes become durable: grouped on SQLite, pooled on PostgreSQL, answered only after the commit."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import IntegrityError, OperationalError

from memsvc.core.errors import StartupRefused, Unavailable
from memsvc.db.engine import Database
from memsvc.db.tenancy import SERVICE
from tests.fixtures.storage_service import at_once, looker


def insert_note(number: int) -> Callable[[Connection], int]:
    def unit(connection: Connection) -> int:
        connection.execute(text("INSERT INTO note (id) VALUES (:id)"), {"id": number})
        return number

    return unit


def make_notes(database: Database) -> None:
    database.write(SERVICE, lambda c: c.execute(text("CREATE TABLE note (id INTEGER PRIMARY KEY)")) and None)


def notes(url: str) -> set[int]:
    engine = looker(url)
    try:
        with engine.connect() as connection:
            return set(connection.execute(text("SELECT id FROM note")).scalars())
    finally:
        engine.dispose()


@pytest.fixture
def groups() -> list[int]:
    return []


@pytest.fixture
def database(sqlite_url: str, groups: list[int]) -> Iterator[Database]:
    made = Database(sqlite_url, on_group=groups.append)
    make_notes(made)
    groups.clear()
    yield made
    made.close()


@pytest.fixture
def either(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    make_notes(made)
    yield made
    made.close()


def held_writer(database: Database) -> tuple[threading.Thread, threading.Event]:
    """A write that keeps the writing thread busy until the event is set; what comes meanwhile waits together."""
    entered, released = threading.Event(), threading.Event()

    def unit(connection: Connection) -> None:
        entered.set()
        assert released.wait(30)

    thread = threading.Thread(target=lambda: at_once([lambda: database.write(SERVICE, unit)]), daemon=True)
    thread.start()
    assert entered.wait(30)
    return thread, released


def waiting(database: Database) -> int:
    return int(database.writer._queue.qsize())  # type: ignore[attr-defined]


def start_waiting(database: Database, units: list[Callable[[Connection], Any]]) -> tuple[list[Any], threading.Thread]:
    """Hand units to a busy writer, and return once all of them wait."""
    results: list[Any] = []
    calls = [lambda unit=unit: database.write(SERVICE, unit) for unit in units]
    runner = threading.Thread(target=lambda: results.extend(at_once(calls)), daemon=True)
    runner.start()
    until = time.monotonic() + 30
    while waiting(database) < len(units):
        assert time.monotonic() < until
        time.sleep(0.002)
    return results, runner


def finish(thread: threading.Thread) -> None:
    thread.join(30)
    assert not thread.is_alive()


def failing(code: int) -> Callable[[Connection], None]:
    """A unit on which SQLite reports this extended code."""

    def unit(connection: Connection) -> None:
        error = sqlite3.OperationalError("made")
        error.sqlite_errorcode = code
        raise OperationalError("made", None, error)

    return unit


def test_nothing_is_written_after_a_failed_fsync(sqlite_url: str) -> None:
    """Whoever waits with it is refused, too, and everybody after it, whatever the next fsync would say."""
    ended: list[str] = []
    database = Database(sqlite_url, on_unsynced=lambda: ended.append("unsynced"))
    make_notes(database)
    busy, released = held_writer(database)
    results, runner = start_waiting(database, [insert_note(1), failing(sqlite3.SQLITE_IOERR_FSYNC), insert_note(2)])
    released.set()
    finish(runner)
    finish(busy)
    assert [type(one) for one in results] == [OperationalError] * 3
    with pytest.raises(Unavailable):
        database.write(SERVICE, insert_note(3))
    database.close()
    assert ended == ["unsynced"]
    assert notes(sqlite_url) == set()


def test_another_fault_of_the_disk_refuses_one_group(sqlite_url: str) -> None:
    database = Database(sqlite_url, on_unsynced=lambda: pytest.fail("the process was ended"))
    make_notes(database)
    with pytest.raises(OperationalError):
        database.write(SERVICE, failing(sqlite3.SQLITE_IOERR_WRITE))
    database.write(SERVICE, insert_note(1))
    database.close()
    assert notes(sqlite_url) == {1}


def test_what_frees_room_is_tried_again_without_the_reserve(sqlite_url: str) -> None:
    """Others that waited with it are refused, and the reserve is there again for the next one."""
    database = Database(sqlite_url, reserve_bytes=1 << 20)
    make_notes(database)
    reserve = Path(f"{database.engine.url.database}.reserve")
    held: list[int] = []

    def erasing(connection: Connection) -> str:
        held.append(reserve.stat().st_size)
        if held[-1]:
            failing(sqlite3.SQLITE_FULL)(connection)
        return "erased"

    assert reserve.stat().st_size == 1 << 20
    busy, released = held_writer(database)
    results: list[Any] = []
    calls = [lambda: database.write(SERVICE, insert_note(1)), lambda: database.write(SERVICE, erasing, frees=True)]
    runner = threading.Thread(target=lambda: results.extend(at_once(calls)), daemon=True)
    runner.start()
    while waiting(database) < 2:
        time.sleep(0.002)
    released.set()
    finish(runner)
    finish(busy)
    assert isinstance(results[0], OperationalError)
    assert results[1] == "erased"
    assert database.write(SERVICE, erasing, scrub=True) == "erased"
    assert held == [1 << 20, 0, 1 << 20, 0]
    database.close()
    assert reserve.stat().st_size == 1 << 20
    assert notes(sqlite_url) == set()


def test_writes_that_wait_share_one_commit(database: Database, groups: list[int], sqlite_url: str) -> None:
    busy, released = held_writer(database)
    results, runner = start_waiting(database, [insert_note(n) for n in range(20)])
    released.set()
    finish(runner)
    finish(busy)
    assert sorted(results) == list(range(20))
    assert groups == [1, 20]
    assert notes(sqlite_url) == set(range(20))


def test_a_group_is_no_larger_than_allowed(sqlite_url: str, groups: list[int]) -> None:
    database = Database(sqlite_url, commit_group_max=8, on_group=groups.append)
    make_notes(database)
    groups.clear()
    busy, released = held_writer(database)
    _, runner = start_waiting(database, [insert_note(n) for n in range(20)])
    released.set()
    finish(runner)
    finish(busy)
    database.close()
    assert groups == [1, 8, 8, 4]


def test_a_failing_unit_takes_nothing_with_it(database: Database, groups: list[int], sqlite_url: str) -> None:
    """Its own statements are undone, the others of its group are durable."""

    def half(connection: Connection) -> None:
        insert_note(100)(connection)
        insert_note(0)(connection)  # taken

    def unwilling(connection: Connection) -> None:
        insert_note(101)(connection)
        raise ValueError("no")

    def wrong(connection: Connection) -> None:
        insert_note(102)(connection)
        connection.execute(text("SELECT * FROM there_is_no_such_table"))

    database.write(SERVICE, insert_note(0))
    busy, released = held_writer(database)
    results, runner = start_waiting(database, [insert_note(1), half, insert_note(2), unwilling, wrong, insert_note(3)])
    groups.clear()
    released.set()
    finish(runner)
    finish(busy)
    assert groups == [1, 6]
    assert [r if isinstance(r, int) else type(r) for r in results] == [
        1, IntegrityError, 2, ValueError, OperationalError, 3,
    ]  # fmt: skip
    assert notes(sqlite_url) == {0, 1, 2, 3}


def test_nobody_is_answered_before_the_commit(either: Database, database_url: str) -> None:
    """A second connection sees every row at the moment its write returns."""
    missing: list[int] = []
    engine = looker(database_url)

    def write(number: int) -> None:
        for n in range(number * 20, number * 20 + 20):
            either.write(SERVICE, insert_note(n))
            with engine.connect() as connection:
                if connection.execute(text("SELECT 1 FROM note WHERE id = :id"), {"id": n}).first() is None:
                    missing.append(n)

    results = at_once([lambda n=n: write(n) for n in range(8)])
    engine.dispose()
    assert results == [None] * 8
    assert missing == []


def test_a_commit_that_fails_is_a_failure_for_all_who_wait(database: Database, sqlite_url: str) -> None:
    failing = threading.Event()
    failing.set()

    def break_commit(connection: Connection) -> None:
        if failing.is_set():
            raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))

    event.listen(database._write_engine, "commit", break_commit)
    busy, released = held_writer(database)
    results, runner = start_waiting(database, [insert_note(n) for n in range(5)])
    released.set()
    finish(runner)
    finish(busy)
    assert [type(r) for r in results] == [OperationalError] * 5
    assert notes(sqlite_url) == set()
    failing.clear()
    assert database.write(SERVICE, insert_note(9)) == 9  # a new connection, and on it goes
    assert notes(sqlite_url) == {9}


def test_closing_finishes_what_waits_and_refuses_the_rest(database: Database, sqlite_url: str) -> None:
    busy, released = held_writer(database)
    results, runner = start_waiting(database, [insert_note(n) for n in range(5)])
    closer = threading.Thread(target=database.close, daemon=True)
    closer.start()
    until = time.monotonic() + 30
    while True:
        try:
            assert time.monotonic() < until
            # Not through this thread: before the writer closes, a write waits for the one that is held.
            if database.writer._closing.wait(0.05):  # type: ignore[attr-defined]
                break
        except Unavailable:
            break
    with pytest.raises(Unavailable):
        database.write(SERVICE, insert_note(99))
    released.set()
    finish(closer)
    finish(runner)
    finish(busy)
    assert sorted(results) == list(range(5))
    assert notes(sqlite_url) == set(range(5))


def test_closing_refuses_on_both_databases(either: Database) -> None:
    either.close()
    with pytest.raises(Unavailable):
        either.write(SERVICE, insert_note(1))


def test_the_writer_outlives_a_checkpoint_that_fails(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Erasing empties the log after the commit; if that fails, later writes must not wait for ever."""
    from memsvc.db import writer

    def fail(connection: Connection) -> bool:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(writer, "_empty_log", fail)
    assert at_once([lambda: database.write(SERVICE, insert_note(1), scrub=True)]) == [1]
    assert at_once([lambda: database.write(SERVICE, insert_note(2))]) == [2]


def test_an_emptied_log_is_made_up_for_when_a_reader_was_in_the_way(database: Database, sqlite_url: str) -> None:
    """What was deleted leaves the log with the first later commit that can empty it."""
    log = Path(sqlite_url.removeprefix("sqlite:///") + "-wal")
    database.write(SERVICE, insert_note(1))
    database.write(SERVICE, lambda c: c.exec_driver_sql("PRAGMA busy_timeout=100") and None)
    with database.read(SERVICE) as reader:
        reader.execute(text("SELECT * FROM note")).all()  # holds its snapshot
        database.write(SERVICE, insert_note(2), scrub=True)
        assert log.stat().st_size > 0
    database.write(SERVICE, insert_note(3))
    assert log.stat().st_size == 0


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("secure_delete", 1), ("foreign_keys", 1), ("mmap_size", 0)],
)
def test_pragmas_are_in_force_where_it_reads_and_where_it_writes(database: Database, pragma: str, value: Any) -> None:
    def ask(connection: Connection) -> Any:
        return connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()

    assert database.write(SERVICE, ask) == value
    with database.read(SERVICE) as connection:
        assert ask(connection) == value


def test_the_file_is_private(database: Database, sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    assert path.stat().st_mode & 0o077 == 0
    assert Path(f"{path}-wal").stat().st_mode & 0o077 == 0


def test_a_second_process_is_refused(database: Database, sqlite_url: str) -> None:
    script = (
        "import sys; from memsvc.db.engine import Database; from memsvc.core.errors import StartupRefused\n"
        "try: Database(sys.argv[1])\n"
        "except StartupRefused as e: print(e); sys.exit(7)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, sqlite_url], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 7, run.stderr
    assert "another process owns" in run.stdout


def test_the_lock_goes_with_its_owner(sqlite_url: str) -> None:
    Database(sqlite_url).close()
    Database(sqlite_url).close()


def test_a_database_in_memory_is_refused() -> None:
    with pytest.raises(StartupRefused):
        Database("sqlite:///:memory:")


def test_erased_bytes_leave_the_log_and_the_file(database: Database, sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    database.write(
        SERVICE, lambda c: c.execute(text("CREATE TABLE words (id INTEGER PRIMARY KEY, body TEXT)")) and None
    )
    database.write(SERVICE, lambda c: c.execute(text("INSERT INTO words VALUES (1, 'canary-5e0f')")) and None)
    assert b"canary-5e0f" in path.read_bytes() + Path(f"{path}-wal").read_bytes()
    database.write(SERVICE, lambda c: c.execute(text("DELETE FROM words")) and None, scrub=True)
    assert b"canary-5e0f" not in path.read_bytes() + Path(f"{path}-wal").read_bytes()


def test_a_deadlock_is_tried_again(postgres_url: str) -> None:
    """Two transactions that take two rows in opposite order: PostgreSQL ends one, which then succeeds."""
    database = Database(postgres_url)
    make_notes(database)
    for n in (1, 2):
        database.write(SERVICE, insert_note(n))
    together = threading.Barrier(2)
    tries: list[int] = []

    def unit(first: int, second: int) -> Callable[[Connection], int]:
        is_first_try = [True]

        def run(connection: Connection) -> int:
            tries.append(first)
            lock = text("SELECT id FROM note WHERE id = :id FOR UPDATE")
            connection.execute(lock, {"id": first})
            if is_first_try[0]:
                is_first_try[0] = False
                together.wait(timeout=20)
            connection.execute(lock, {"id": second})
            return first

        return run

    results = at_once([lambda: database.write(SERVICE, unit(1, 2)), lambda: database.write(SERVICE, unit(2, 1))])
    database.close()
    assert results == [1, 2]
    assert len(tries) >= 3  # who is ended may be back before the other has its second row, and end that one


def test_what_keeps_failing_is_not_tried_for_ever(postgres_url: str) -> None:
    database = Database(postgres_url)
    tries: list[int] = []

    def run(connection: Connection) -> None:
        tries.append(1)
        connection.execute(text("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$"))

    with pytest.raises(OperationalError):
        database.write(SERVICE, run)
    database.close()
    assert len(tries) == 4


def test_a_postgres_writer_is_not_tried_again_for_its_own_faults(postgres_url: str) -> None:
    database = Database(postgres_url)
    make_notes(database)
    database.write(SERVICE, insert_note(1))
    with pytest.raises(IntegrityError):
        database.write(SERVICE, insert_note(1))
    database.close()
    assert notes(postgres_url) == {1}
