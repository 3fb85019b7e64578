"""Commands that work on the database from the local machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import OperationalError

from memsvc.auth.keys import KeyRecord, create_tenant_with_admin_key
from memsvc.core.clock import SystemClock
from memsvc.core.errors import StartupRefused
from memsvc.core.secrets import load_secrets
from memsvc.core.settings import Settings
from memsvc.db.engine import Database
from memsvc.db.limits import Limits
from memsvc.db.roles import upgrade


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
