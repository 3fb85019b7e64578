"""Looks at an SQLite file before anything opens it for writing: what cannot be read is refused, never replaced."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Engine

from memsvc.core.errors import StartupRefused

_MAGIC = b"SQLite format 3\x00"


def database_path(engine: Engine) -> Path | None:
    """The file behind an engine, or None where there is none (PostgreSQL, SQLite in memory)."""
    name = engine.url.database
    if engine.dialect.name != "sqlite" or not name or name == ":memory:":
        return None
    return Path(name)


def verify(path: Path) -> bool:
    """Read the whole file once, without changing a byte of it. Cost: one pass over the file.

    Returns:
        Whether the file exists; a missing one is a first start.

    Raises:
        StartupRefused: the file is not a sound database, or it is missing while its log is still there.
    """
    if not path.exists():
        for beside in (_beside(path, "-wal"), _beside(path, "-journal")):
            if beside.exists():
                raise StartupRefused(
                    f"{path} is missing while {beside} is there: the database was moved or deleted without its log. "
                    "Put it back, or move the log away to start anew"
                )
        return False
    _refuse_unreadable(path)
    # Without a log the file is taken as it lies there (`immutable`), so that looking leaves no new files beside it.
    mode = "mode=ro" if _beside(path, "-wal").exists() else "mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?{mode}", uri=True)) as connection:
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        raise StartupRefused(f"{path} cannot be read as a database ({error}); {_RESTORE}") from error
    if found != "ok":
        raise StartupRefused(f"{path} is damaged ({found}); {_RESTORE}")
    return True


def create(path: Path) -> None:
    """Make a valid database without tables, whole or not at all: a crash here never leaves an empty file behind.

    Raises:
        StartupRefused: the folder cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with closing(sqlite3.connect(draft)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        draft.chmod(0o600)
        os.link(draft, path)  # unlike a rename it never replaces a file that appeared meanwhile
    except FileExistsError:
        return
    except (OSError, sqlite3.Error) as error:
        raise StartupRefused(f"cannot create {path} ({error}); check that its folder exists and is writable") from error
    finally:
        for leftover in (draft, _beside(draft, "-wal"), _beside(draft, "-shm")):
            leftover.unlink(missing_ok=True)


_RESTORE = "nothing was changed. Restore it from a backup, or recover what is left with `sqlite3 <file> .recover`"


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _refuse_unreadable(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except OSError as error:
        raise StartupRefused(f"{path} cannot be read ({error.strerror}); nothing was changed") from error
    if not head:
        raise StartupRefused(
            f"{path} is empty (0 bytes), which a database never is; nothing was changed. "
            "Restore it from a backup, or delete it if no memories were ever kept there"
        )
    if head != _MAGIC:
        raise StartupRefused(f"{path} is not an SQLite database; nothing was changed. Point the data folder elsewhere")
