"""Commands that work on the database from the local machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from memsvc.audit import trail
from memsvc.audit.chain import verified
from memsvc.auth.keys import create_tenant_with_admin_key
from memsvc.auth.record import KeyRecord
from memsvc.core.clock import SystemClock
from memsvc.core.errors import InvalidInput, StartupRefused
from memsvc.core.secrets import load_secrets
from memsvc.core.settings import Settings
from memsvc.db import migrate as schema
from memsvc.db.engine import Database
from memsvc.db.limits import Limits
from memsvc.db.roles import upgrade
from memsvc.db.tenancy import SERVICE
from memsvc.erasures import carried
from memsvc.models import Tenant


def migrate(settings: Settings) -> list[str]:
    """Apply what is missing. Returns the revisions applied, oldest first.

    Raises:
        StartupRefused: the database is not ours, newer, owned by another process, or not to be reached.
    """
    with _opened(settings) as database:
        return upgrade(settings, database)


def admin_key(settings: Settings, tenant: str, name: str) -> tuple[KeyRecord, str]:
    """Make a key with every role, and its tenant if there is none of this name. Returns it with its secret.

    Raises:
        StartupRefused: see `migrate`; or a name is empty or too long.
    """
    if not all(text.strip() and len(text) <= 200 for text in (tenant, name)):
        raise StartupRefused("give names of 1 to 200 characters")
    with _opened(settings) as database:
        upgrade(settings, database)
        return create_tenant_with_admin_key(database, load_secrets(settings), SystemClock(), tenant, name)


def save_tombstones(settings: Settings, file: Path) -> int:
    """Write every tombstone into a new file that only its owner may read; returns how many.

    Raises:
        StartupRefused: see `migrate`; or the file is there already or cannot be written.
    """
    count = 0
    with _opened(settings) as database, _refused_files():
        schema.require_head(database.engine)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            for line in carried.saved(database):
                out.write(line)
                count += 1
            out.flush()
            os.fsync(out.fileno())
    return count


def load_tombstones(settings: Settings, file: Path) -> int:
    """Add the tombstones of a file; the next start erases what bears them. Returns how many were new.

    Raises:
        StartupRefused: see `migrate`; or the file cannot be read or holds something else.
    """
    with _opened(settings) as database, _refused_files():
        upgrade(settings, database)
        with file.open("rb") as lines:
            try:
                return carried.load(database, lines)
            except InvalidInput as wrong:
                raise StartupRefused(f"{file}: {wrong}; what came before it was loaded") from None


def verify_audit(settings: Settings, tenant: str | None) -> dict[str, dict[str, Any]]:
    """What a look at the audit trail of a tenant, or of each one, found: see `memsvc.audit.chain.Finding`.

    Raises:
        StartupRefused: see `migrate`; or there is no such tenant.
    """
    found: dict[str, dict[str, Any]] = {}
    with _opened(settings) as database:
        schema.require_head(database.engine)
        with database.read(SERVICE) as connection:
            tenants = {row.name: row.id for row in connection.execute(select(Tenant.name, Tenant.id))}
        if tenant is not None and tenant not in tenants:
            raise StartupRefused("there is no tenant of this name")
        for name in sorted(tenants) if tenant is None else [tenant]:
            with database.read(tenants[name]) as connection:
                finding = verified(trail.every(connection, tenants[name]), trail.head(connection, tenants[name]))
            found[name] = asdict(finding)
    return found


@contextmanager
def _refused_files() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StartupRefused(f"the file cannot be used: {error.strerror or type(error).__name__}") from None


@contextmanager
def _opened(settings: Settings) -> Iterator[Database]:
    try:
        database = Database(settings.url, limits=Limits.of(settings, "memsvc", pool=1))
        try:
            yield database
        finally:
            database.close()
    except OperationalError as error:
        raise StartupRefused(f"the database does not answer ({type(error.orig).__name__}); check the URL") from None
