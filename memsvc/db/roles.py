"""Two roles on PostgreSQL: the owner of the tables, who changes the schema, and the one that the service works as.

The second owns nothing, so that row-level security binds it; it reads and writes rows, and that is all. It may
VACUUM and ANALYZE from PostgreSQL 17 on, where that is a right of its own (an erasure has bytes overwritten).
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from memsvc.core.errors import StartupRefused
from memsvc.core.settings import Settings
from memsvc.db import migrate
from memsvc.db.engine import Database
from memsvc.models import Base

_MAINTAIN_FROM = 170000
_INSUFFICIENT = "42501"
_LOCK_NOT_AVAILABLE = "55P03"


def upgrade(settings: Settings, database: Database) -> list[str]:
    """Brings the schema to this release, by the owner of the tables if the settings name one.

    Returns:
        The revisions applied, oldest first.

    Raises:
        StartupRefused: see `migrate.upgrade`; or the role may not change the schema; or a table is not let go of.
    """
    try:
        return _upgrade(settings, database)
    except DBAPIError as error:
        match getattr(error.orig, "sqlstate", None):
            case _ if database.is_sqlite:
                raise
            case code if code == _INSUFFICIENT and settings.migrate_database_url is None:
                raise StartupRefused(
                    "the role of MEMSVC_DATABASE_URL may not change the schema, which is older than this release; run "
                    "`memsvc migrate` with MEMSVC_MIGRATE_DATABASE_URL first"
                ) from None
            case code if code == _LOCK_NOT_AVAILABLE:
                raise StartupRefused(
                    "somebody uses a table for so long that the schema cannot be changed without holding up everybody "
                    "else; nothing was changed. Run it again (pg_stat_activity shows who it is)"
                ) from None
            case _:
                raise


def _upgrade(settings: Settings, database: Database) -> list[str]:
    if database.is_sqlite or settings.migrate_database_url is None:
        return migrate.upgrade(database.engine)
    owner = _owner_engine(settings.migrate_database_url)
    try:
        applied = migrate.upgrade(owner)
        _let_work(owner, make_url(settings.url))
    finally:
        owner.dispose()
    return applied


def let_work(owner: Engine, role: str, password: str | None) -> None:
    """Lets a role do the service's work on the tables that are there, and nothing more; makes it if there is none.

    Args:
        owner: connections of the role that owns the tables.
        role: to let work.
        password: of a role that has to be made.

    Raises:
        StartupRefused: there is no such role, and the owner may not make one.
    """
    with owner.begin() as connection:
        driver: Any = connection.connection.driver_connection
        _make(driver, role, password)
        to = sql.Identifier(role)
        rights = "SELECT, INSERT, UPDATE, DELETE"
        if driver.info.server_version >= _MAINTAIN_FROM:
            rights += ", MAINTAIN"
        tables = sql.SQL(", ").join(sql.Identifier(table.name) for table in Base.metadata.sorted_tables)
        schema = sql.Identifier(_schema(connection))
        driver.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, to))
        driver.execute(sql.SQL("GRANT " + rights + " ON {} TO {}").format(tables, to))
        version = sql.Identifier(migrate.VERSION_TABLE)
        driver.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(version, to))


def _let_work(owner: Engine, url: URL) -> None:
    if url.username is None or url.username == owner.url.username:
        return
    let_work(owner, url.username, url.password)


def _make(driver: Any, role: str, password: str | None) -> None:
    """Make a role that may log in, unless it is there. Its password leaves this process as the server keeps it."""
    if driver.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is not None:
        return
    secret: sql.Composable = sql.SQL("")
    if password is not None:
        kept = driver.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
        secret = sql.SQL(" PASSWORD {}").format(sql.Literal(kept))
    statement = sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS{}")
    try:
        with driver.transaction():
            driver.execute(statement.format(sql.Identifier(role), secret))
    except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        return  # another process was faster
    except psycopg.errors.InsufficientPrivilege:
        raise StartupRefused(
            f"there is no role {role}, and the role of MEMSVC_MIGRATE_DATABASE_URL may not make one; have an "
            f"administrator run: CREATE ROLE {role} LOGIN PASSWORD '...'"
        ) from None


def _schema(connection: Connection) -> str:
    return str(connection.exec_driver_sql("SELECT current_schema()").scalar_one())


def _owner_engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "postgresql":
        raise StartupRefused("MEMSVC_MIGRATE_DATABASE_URL must be a postgresql:// URL")
    return create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        connect_args={"application_name": "memsvc migrate", "connect_timeout": 5},
    )
