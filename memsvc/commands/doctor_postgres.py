"""The part of `memsvc doctor` that looks at PostgreSQL. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import Connection, text

from memsvc.commands.finding import Finding, Level
from memsvc.core.clock import SystemClock, from_us
from memsvc.core.settings import Settings
from memsvc.db import indexes
from memsvc.db.durability import switched_off
from memsvc.db.limits import Limits
from memsvc.models import Base

_OLDEST, _MAINTAIN_FROM = 14, 17
_SKEW, _TOO_MUCH_SKEW = timedelta(seconds=1), timedelta(seconds=30)
"""Leases last 60 s: two machines that are half of that apart take each other's work away."""


def examine(connection: Connection, settings: Settings, *, is_at_head: bool) -> Iterator[Finding]:
    """All checks of a PostgreSQL that answers.

    Args:
        is_at_head: whether the tables are those of this release; without them there is less to see.
    """
    major = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10_000
    yield _version(major)
    yield _durability(connection, settings)
    yield _text(connection)
    yield _clocks(connection)
    yield _connections(connection, settings)
    yield _role(connection)
    if is_at_head:
        yield _row_security(connection)
        yield _indexes(connection)
        if major >= _MAINTAIN_FROM:
            yield _maintenance(connection)


def _indexes(connection: Connection) -> Finding:
    names = [str(index.name) for index in indexes.missing(connection)]
    if not names:
        return Finding("indexes", "ok", "all are there and valid")
    told = f"{', '.join(names)} missing or not valid, and what they are for is slow; run: memsvc migrate"
    return Finding("indexes", "note", told)


def _version(major: int) -> Finding:
    if major < _OLDEST:
        return Finding("postgresql", "fail", f"{major}; {_OLDEST} or later is needed: move the database to a newer one")
    if major < _MAINTAIN_FROM:
        return Finding(
            "postgresql",
            "note",
            f"{major}; before 17 only the owner of a table may vacuum it: bytes of what was erased wait for autovacuum",
        )
    return Finding("postgresql", "ok", str(major))


def _durability(connection: Connection, settings: Settings) -> Finding:
    off = switched_off(connection)
    if not off:
        return Finding("durability", "ok", "what is acknowledged is on disk")
    level: Level = "note" if settings.is_loopback else "fail"
    what = " and ".join(off)
    return Finding(
        "durability", level, f"{what} off: a power cut loses acknowledged writes; run: ALTER SYSTEM SET {off[0]} = on"
    )


def _text(connection: Connection) -> Finding:
    row = connection.execute(
        text(
            "SELECT pg_encoding_to_char(encoding) AS encoding, datcollversion AS made,"
            " pg_database_collation_actual_version(oid) AS now FROM pg_database WHERE datname = current_database()"
            if _knows_collation_versions(connection)
            else "SELECT pg_encoding_to_char(encoding) AS encoding, NULL AS made, NULL AS now FROM pg_database"
            " WHERE datname = current_database()"
        )
    ).one()
    if row.encoding != "UTF8":
        return Finding(
            "text", "fail", f"the database is {row.encoding}; make one with ENCODING 'UTF8' and restore there"
        )
    if row.made != row.now:
        return Finding(
            "text",
            "fail",
            f"the order of texts changed since the database was made ({row.made}, now {row.now}), and its indexes no "
            "longer agree with it; run: REINDEX DATABASE; ALTER DATABASE … REFRESH COLLATION VERSION",
        )
    return Finding("text", "ok", "UTF8, in the order that its indexes were made with")


def _knows_collation_versions(connection: Connection) -> bool:
    known = "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'pg_database'::regclass AND attname = :name)"
    return bool(connection.execute(text(known), {"name": "datcollversion"}).scalar_one())


def _clocks(connection: Connection) -> Finding:
    clock = SystemClock()
    before = clock.now()
    theirs = from_us(connection.scalar(text("SELECT (extract(epoch FROM clock_timestamp()) * 1e6)::bigint")) or 0)
    after = clock.now()
    apart = max(before - theirs, theirs - after, timedelta())  # what the way there and back does not account for
    if apart < _SKEW:
        return Finding("clocks", "ok", "of this machine and the database agree")
    level: Level = "note" if apart < _TOO_MUCH_SKEW else "fail"
    return Finding(
        "clocks",
        level,
        f"of this machine and the database are {apart.total_seconds():.0f} s apart: times of memories and leases of "
        "jobs go wrong; have both follow the same time server",
    )


def _connections(connection: Connection, settings: Settings) -> Finding:
    most = 2 * Limits.of(settings, "memsvc doctor").pool
    room, used = connection.execute(
        text(
            "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,"
            " (SELECT sum(numbackends)::int FROM pg_stat_database)"
        )
    ).one()
    if most <= room - used:
        return Finding("connections", "ok", f"{used} of {room} in use; a process opens up to {most}")
    return Finding(
        "connections",
        "note",
        f"{used} of {room} in use, and one process opens up to {most}: raise max_connections, or lower "
        "MEMSVC_DATABASE_POOL",
    )


def _role(connection: Connection) -> Finding:
    row = connection.execute(
        text(
            "SELECT rolname, rolsuper OR rolbypassrls AS bypasses, EXISTS (SELECT FROM pg_class WHERE relkind = 'r'"
            " AND relowner = pg_roles.oid AND relnamespace = current_schema()::regnamespace) AS owns"
            " FROM pg_roles WHERE rolname = current_user"
        )
    ).one()
    way = "serve as a role of its own: MEMSVC_MIGRATE_DATABASE_URL for the owner, then `memsvc migrate`"
    if row.bypasses:
        return Finding("role", "note", f"{row.rolname} is not bound by row-level security; {way}")
    if row.owns:
        return Finding("role", "note", f"{row.rolname} owns the tables and could switch their protection off; {way}")
    return Finding("role", "ok", f"{row.rolname} owns nothing and is bound by row-level security")


def _row_security(connection: Connection) -> Finding:
    tables = [
        table.name for table in Base.metadata.sorted_tables if table.name == "tenant" or "tenant_id" in table.columns
    ]
    forced = text(
        "SELECT relname FROM pg_class WHERE relname = ANY(:tables) AND relrowsecurity AND relforcerowsecurity"
    )
    open_ = sorted(set(tables) - set(connection.execute(forced, {"tables": tables}).scalars()))
    if not open_:
        return Finding("row security", "ok", f"is forced on all {len(tables)} tables of tenants")
    return Finding(
        "row security",
        "fail",
        f"is not forced on: {', '.join(open_)}; as their owner run: SELECT memsvc_secure_tables()",
    )


def _maintenance(connection: Connection) -> Finding:
    may = connection.scalar(text("SELECT has_table_privilege('memory', 'MAINTAIN')"))
    if may:
        return Finding("vacuum", "ok", "the role may vacuum and analyse the tables")
    return Finding(
        "vacuum",
        "note",
        "the role may not vacuum the tables: bytes of what was erased wait for autovacuum; run `memsvc migrate` with "
        "MEMSVC_MIGRATE_DATABASE_URL, which gives it the right",
    )
