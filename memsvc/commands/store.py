"""Commands that work on the database from the local machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import Connection, select
from sqlalchemy.exc import OperationalError

from memsvc.audit import trail
from memsvc.audit.chain import verified
from memsvc.auth.keys import OPERATOR, create_tenant_with_admin_key
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
from memsvc.limits import repository as limits
from memsvc.limits.limits import of_tenant, told
from memsvc.memories.residue import TOUCHED
from memsvc.models import Tenant
from memsvc.models.tables import TENANT_KEY
from memsvc.sealing import keys
from memsvc.sealing.conversion import encrypt_all
from memsvc.sealing.keyring import Keyring, load_keyring


def migrate(settings: Settings) -> list[str]:
    """Apply what is missing. Returns the revisions applied, oldest first.

    Raises:
        StartupRefused: the database is not ours, newer, owned by another process, or not to be reached.
    """
    with opened(settings) as database:
        return upgrade(settings, database)


def admin_key(settings: Settings, tenant: str, name: str) -> tuple[KeyRecord, str]:
    """Make a key with every role, and its tenant if there is none of this name. Returns it with its secret.

    Raises:
        StartupRefused: see `migrate`; or a name is empty or too long.
    """
    if not all(text.strip() and len(text) <= 200 for text in (tenant, name)):
        raise StartupRefused("give names of 1 to 200 characters")
    with opened(settings) as database:
        upgrade(settings, database)
        return create_tenant_with_admin_key(database, load_secrets(settings), SystemClock(), tenant, name)


def save_tombstones(settings: Settings, file: Path) -> int:
    """Write every tombstone into a new file that only its owner may read; returns how many.

    Raises:
        StartupRefused: see `migrate`; or the file is there already or cannot be written.
    """
    count = 0
    with opened(settings) as database, _refused_files():
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
    with opened(settings) as database, _refused_files():
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
    with opened(settings) as database:
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


def encrypt(settings: Settings, say: Callable[[str], None]) -> tuple[int, bool]:
    """Encrypt what is not yet. Returns how many memories, and whether what they were in the clear has left the files.

    Raises:
        StartupRefused: see `migrate`; or there is no root key, or another one than before.
    """
    with opened(settings) as database:
        _require_keyring(settings, database)
        count = encrypt_all(database, SystemClock(), lambda done: say(f"{done} memories encrypted"))
        return count, database.overwrite([table.name for table in TOUCHED], full=True) is not None


def rotate_root(settings: Settings) -> int:
    """Have MEMSVC_ROOT_KEY wrap what MEMSVC_ROOT_KEY_FORMER has wrapped. Returns the keys of how many tenants.

    Raises:
        StartupRefused: see `encrypt`.
    """
    with opened(settings) as database:
        count = keys.rewrap(database, _require_keyring(settings, database))
        database.overwrite([TENANT_KEY.name], full=True)
        return count


def _require_keyring(settings: Settings, database: Database) -> Keyring:
    upgrade(settings, database)
    keys.require(database)
    if database.keyring is None:
        raise StartupRefused("MEMSVC_ROOT_KEY is not given; make one (32 characters or more) and keep it safe")
    return database.keyring


@contextmanager
def _refused_files() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StartupRefused(f"the file cannot be used: {error.strerror or type(error).__name__}") from None


def tenant_limits(settings: Settings, tenant: str, wanted: str | None) -> tuple[dict[str, Any], dict[str, int]]:
    """The limits of a tenant that are in force, and what it uses.

    Args:
        wanted: JSON of those to set in the place of what was set before; None: change nothing.

    Raises:
        StartupRefused: see `migrate`; or there is no such tenant, or these are no limits.
    """
    # Not at the top: what requests look like brings half of the server along, which the other commands do without.
    from memsvc.limits.schemas import TenantLimitsIn

    try:
        stored = None if wanted is None else TenantLimitsIn.model_validate_json(wanted).model_dump(exclude_unset=True)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'it'}: {e['msg']}" for e in error.errors())
        raise StartupRefused(f"these are no limits: {wrong}") from None
    with opened(settings) as database:
        upgrade(settings, database)
        with database.read(SERVICE) as connection:
            tenant_id = limits.tenant_named(connection, tenant)
        if tenant_id is None:
            raise StartupRefused("there is no tenant of this name")
        if stored is not None:
            database.write(tenant_id, partial(_set_limits, tenant_id=tenant_id, wanted=stored))
        with database.read(tenant_id) as connection:
            of_database, _ = limits.stored(connection, tenant_id, None)
            used = limits.used(connection, tenant_id)
    return asdict(of_tenant(settings, of_database)), asdict(used)


def _set_limits(connection: Connection, tenant_id: UUID, wanted: limits.Stored) -> None:
    limits.store_of_tenant(connection, tenant_id, wanted)
    trail.append(connection, tenant_id, "tenant.limits", OPERATOR, SystemClock().now(), facts=told(wanted))


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """The database of the settings; an SQLite file is this process's alone meanwhile.

    Raises:
        StartupRefused: it is owned by another process, or does not answer.
    """
    try:
        database = Database(settings.url, limits=Limits.of(settings, "memsvc", pool=1), keyring=load_keyring(settings))
        try:
            yield database
        finally:
            database.close()
    except OperationalError as error:
        raise StartupRefused(f"the database does not answer ({type(error.orig).__name__}); check the URL") from None
