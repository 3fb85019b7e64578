"""Brings a database to the schema of this release, and refuses every database that is not ours to change."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, delete, func, insert, inspect, select

from memsvc.core.errors import StartupRefused
from memsvc.db import indexes, sqlite_file
from memsvc.db.tenancy import MAINTENANCE_SETTING
from memsvc.models import SchemaWindow

VERSION_TABLE = "alembic_version"
# Any constant serves; it only has to be the same in every release. Advisory locks are separate for each database.
_LOCK_KEY = 0x6D656D737663


class SchemaState(StrEnum):
    """Where a database stands against this release."""

    EMPTY = "empty"
    BEHIND = "behind"
    AT_HEAD = "at_head"
    AHEAD = "ahead"
    """Of a newer release, which says that this one works on it."""
    NEWER_OR_UNKNOWN = "newer_or_unknown"


WORKING = (SchemaState.AT_HEAD, SchemaState.AHEAD)
"""On which this release works."""


def check(engine: Engine) -> SchemaState:
    """Where the database stands. Changes nothing; reads an SQLite file whole to be sure that it is sound.

    Raises:
        StartupRefused: the file is unreadable or damaged, or the database holds tables of something else.
    """
    path = sqlite_file.database_path(engine)
    if path is not None and not sqlite_file.verify(path):
        return SchemaState.EMPTY
    with engine.connect() as connection:
        return _state(connection)


def require_head(engine: Engine) -> None:
    """Refuse to serve on any schema but this release's, or one that works with it.

    Raises:
        StartupRefused: the schema is older, too new, unknown, absent, or the database is not ours.
    """
    state = check(engine)
    if state is SchemaState.NEWER_OR_UNKNOWN:
        raise StartupRefused(_NEWER)
    if state not in WORKING:
        raise StartupRefused(f"the schema of the database is {state.replace('_', ' ')}; run `memsvc migrate` first")


def upgrade(engine: Engine) -> list[str]:
    """Apply every missing revision in one transaction; a second process that starts at once waits and finds nothing.

    Then indexes that are missing are made (`memsvc.db.indexes`). SQLite is protected by the owner's lock file, which
    the caller holds; PostgreSQL by an advisory lock.

    Returns:
        The revisions applied, oldest first; empty when the schema was at head, or ahead of this release.

    Raises:
        StartupRefused: the database is newer than this release, unknown, damaged or not ours.
    """
    path = sqlite_file.database_path(engine)
    if path is not None and not sqlite_file.verify(path):
        sqlite_file.create(path)
    with _exclusive(engine) as connection:
        match _state(connection):
            case SchemaState.NEWER_OR_UNKNOWN:
                raise StartupRefused(_NEWER)
            case SchemaState.AHEAD:
                return []
        config = make_config(connection)
        before = _heads(connection)
        missing = [
            script.revision
            for script in _revisions().iterate_revisions("head", before or "base")
            if script.revision not in before
        ]
        if missing:
            command.upgrade(config, "head")
            _open_window(connection)
            if connection.dialect.name == "postgresql":  # tables that they made, see revision 0014
                connection.exec_driver_sql("SELECT memsvc_secure_tables()")
    indexes.make_missing(engine)
    return missing[::-1]


def works(connection: Connection) -> bool:
    """Whether this release works on the schema, by what it says of itself: cheap enough for every readiness probe."""
    current = _heads(connection)
    return set(current) == _own_heads() or _is_ahead(connection, current)


@cache
def _own_heads() -> set[str]:
    return set(_revisions().get_heads())


@cache
def _revisions() -> ScriptDirectory:
    """This release's revisions. Read once: to read them is to run every script in the folder."""
    return ScriptDirectory.from_config(make_config())


def make_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, in code: the same from a checkout and from an installed wheel."""
    config = Config()
    config.set_main_option("script_location", str(_scripts()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _open_window(connection: Connection) -> None:
    """Keeps which releases the schema works with: all of which no revision says that it ends them.

    A revision that takes away what older code needs says so by `oldest_code`: the head of the first release that does
    without.
    """
    oldest = "0001"
    for script in reversed(list(_revisions().walk_revisions())):
        oldest = getattr(script.module, "oldest_code", oldest)
    (head,) = _own_heads()
    connection.execute(delete(SchemaWindow))
    connection.execute(insert(SchemaWindow).values(revision=head, oldest_code=oldest))


def _is_ahead(connection: Connection, current: tuple[str, ...]) -> bool:
    """Whether the schema is of a newer release, which says that this one works on it."""
    if len(current) != 1 or not inspect(connection).has_table(SchemaWindow.__tablename__):
        return False
    query = select(SchemaWindow.oldest_code).where(SchemaWindow.revision == current[0])
    return connection.execute(query).scalar_one_or_none() in _known()


@cache
def _known() -> frozenset[str]:
    return frozenset(script.revision for script in _revisions().walk_revisions())


_NEWER = (
    "the database was written by a newer or unknown release of memsvc; nothing was changed. "
    "Start that release, or restore a backup made before the upgrade"
)


def _scripts() -> Path:
    """`memsvc/_migrations` in an installed wheel, `migrations/` beside the package in a checkout."""
    spec = importlib.util.find_spec("memsvc")
    if spec is None or not spec.submodule_search_locations:
        raise StartupRefused("the package memsvc is not installed as files; install the wheel again")
    package = Path(next(iter(spec.submodule_search_locations)))
    for folder in (package / "_migrations", package.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise StartupRefused(f"the migrations are missing from the installation at {package}; install memsvc again")


def _heads(connection: Connection) -> tuple[str, ...]:
    return tuple(MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_heads())


def _state(connection: Connection) -> SchemaState:
    current = _heads(connection)
    tables = set(inspect(connection).get_table_names()) - {VERSION_TABLE}
    if not current:
        if not tables:
            return SchemaState.EMPTY
        raise StartupRefused(
            f"the database at {connection.engine.url.render_as_string(hide_password=True)} holds tables of something "
            "else; nothing was changed. Give memsvc a database of its own"
        )
    if not _known().issuperset(current):
        return SchemaState.AHEAD if _is_ahead(connection, current) else SchemaState.NEWER_OR_UNKNOWN
    return SchemaState.AT_HEAD if set(current) == _own_heads() else SchemaState.BEHIND


@contextmanager
def _exclusive(engine: Engine) -> Iterator[Connection]:
    """A connection inside the one transaction that all revisions share."""
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            with connection.begin():
                # The pool's own limits are meant for requests; here waiting for the first starter is right.
                connection.exec_driver_sql("SET LOCAL lock_timeout = '10min'")
                connection.exec_driver_sql("SET LOCAL statement_timeout = '10min'")
                connection.exec_driver_sql(f"SET LOCAL {MAINTENANCE_SETTING} = 'on'")
                connection.execute(select(func.pg_advisory_xact_lock(_LOCK_KEY)))
                yield connection
            return
        driver = connection.connection.driver_connection
        assert driver is not None  # noqa: S101 - only a closed connection has none
        # Rebuilding a table (batch mode) drops it for a moment; the switch has no effect inside a transaction.
        enforced = driver.execute("PRAGMA foreign_keys").fetchone()[0]
        driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                if not driver.in_transaction:  # left alone, Python's driver begins at the first row written, after DDL
                    driver.execute("BEGIN IMMEDIATE")
                yield connection
                if driver.execute("PRAGMA foreign_key_check").fetchone() is not None:
                    raise StartupRefused("a migration would break a foreign key; nothing was changed")
        finally:
            driver.execute(f"PRAGMA foreign_keys={int(enforced)}")
