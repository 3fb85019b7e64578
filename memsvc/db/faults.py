"""What an error of a database says about the database."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError

_FULL = frozenset({"53100", "53200"})
_PASSING = frozenset({"40001", "40P01"})
# Faults of a statement. After every other code of SQLite (full, I/O error, corrupt) nothing in the transaction can be
# trusted any more.
_OWN_FAULTS = frozenset(
    {
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_RANGE,
        sqlite3.SQLITE_TOOBIG,
    }
)
_UNSYNCED = frozenset({sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC})


def is_full(error: BaseException) -> bool:
    """Whether there was no room to write."""
    original = getattr(error, "orig", error)
    # The index of SQLite's log is a file as well, and no code of its own says that there was no room for it.
    code = _sqlite_code(error)
    full = code is not None and (code & 0xFF == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE)
    return full or getattr(original, "sqlstate", None) in _FULL


def is_unsynced(error: BaseException) -> bool:
    """Whether SQLite was told that what it wrote may not be on the disk.

    The system forgets such pages, so that a second fsync succeeds and proves nothing.
    """
    return _sqlite_code(error) in _UNSYNCED


def is_of_sqlite(error: BaseException) -> bool:
    """Whether SQLite itself failed, and not what was asked of it."""
    if not isinstance(error, DBAPIError):
        return False
    code = _sqlite_code(error)
    return code is None or code & 0xFF not in _OWN_FAULTS


def is_passing(error: BaseException) -> bool:
    """Whether PostgreSQL asks to try the transaction again: serialization failure or deadlock."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _PASSING


def _sqlite_code(error: BaseException) -> int | None:
    code: int | None = getattr(getattr(error, "orig", error), "sqlite_errorcode", None)
    return code
