"""Whether PostgreSQL keeps what it has acknowledged."""

from __future__ import annotations

import structlog
from sqlalchemy import Connection, text

from memsvc.core.errors import StartupRefused
from memsvc.core.settings import Settings
from memsvc.db.engine import Database
from memsvc.db.tenancy import SERVICE

# Each is lost in another way: commits of the last moments, the whole file system cache, or halves of pages.
_NEEDED = ("synchronous_commit", "fsync", "full_page_writes")
_SETTINGS = text("SELECT name, setting FROM pg_settings WHERE name = ANY(:names)")

log = structlog.get_logger("memsvc")


def switched_off(connection: Connection) -> list[str]:
    """Settings without which a power cut loses acknowledged writes, those that are off."""
    found = {row.name: row.setting for row in connection.execute(_SETTINGS, {"names": list(_NEEDED)})}
    return [name for name in _NEEDED if found.get(name) == "off"]


def require(settings: Settings, database: Database) -> None:
    """Refuses to serve others from a PostgreSQL that forgets; on this machine alone it is only said.

    Raises:
        StartupRefused: some of these settings are off, and the service can be reached from elsewhere.
    """
    if database.is_sqlite:
        return  # its own settings are made with each connection
    with database.read(SERVICE) as connection:
        off = switched_off(connection)
    if not off:
        return
    if not settings.is_loopback:
        raise StartupRefused(
            f"PostgreSQL runs with {' and '.join(off)} off: a power cut would lose writes that were answered with "
            "success; switch it on (ALTER SYSTEM SET … = on)"
        )
    log.warning("database_forgets", switched_off=off)
