"""Indexes that the models have and the database has not: made beside whoever reads and writes.

On PostgreSQL a revision may make no index on a table that is there: it would stop every write until it is done. What
the models declare is made here instead, after the revisions, without a lock that anybody waits for. Interrupted, it
leaves an index that is not valid, which the next time is made anew.
"""

from __future__ import annotations

from collections.abc import Iterator

import structlog
from sqlalchemy import Connection, Engine, Index, MetaData, inspect, text
from sqlalchemy.schema import CreateIndex, DropIndex

from memsvc.models import Base

log = structlog.get_logger("memsvc.db")

# Not the one that upgrades wait for: who waits there would be waited for here.
_LOCK_KEY = 0x6D656D69647863


def missing(connection: Connection) -> list[Index]:
    """Indexes of the models that are not there, or not valid, by name; of tables that are there."""
    if connection.dialect.name == "postgresql":
        query = "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indisvalid"
        query += " AND c.relnamespace = current_schema()::regnamespace"
    else:
        query = "SELECT name FROM sqlite_master WHERE type = 'index'"
    there = set(connection.execute(text(query)).scalars())
    tables = set(inspect(connection).get_table_names())
    return sorted((one for one in _declared() if one.name not in there and _table(one) in tables), key=_name)


def make_missing(engine: Engine) -> list[str]:
    """Makes what is missing; returns the names. Where another process is at it, or the role may not, nothing."""
    with engine.connect() as connection:
        if not missing(connection):
            return []
    if engine.dialect.name != "postgresql":
        with engine.begin() as connection:
            wanted = missing(connection)
            for index in wanted:
                connection.execute(CreateIndex(index))
            return [_name(index) for index in wanted]
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK_KEY}).scalar_one():
            return []
        try:
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text("SET lock_timeout = 0"))  # it waits for every transaction that is older
            wanted = missing(connection)
            if not _may(connection):
                log.warning("indexes_missing", names=[_name(index) for index in wanted])
                return []
            for index in wanted:
                beside = _concurrently(index)
                connection.execute(DropIndex(beside, if_exists=True))  # one that is not valid
                connection.execute(CreateIndex(beside))
            return [_name(index) for index in wanted]
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK_KEY})
            connection.execute(text("RESET statement_timeout"))
            connection.execute(text("RESET lock_timeout"))


def _may(connection: Connection) -> bool:
    """Whether the role owns the tables."""
    query = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('memory')"
    return bool(connection.execute(text(query)).scalar_one_or_none())


def _declared() -> Iterator[Index]:
    return (index for table in Base.metadata.sorted_tables for index in table.indexes)


def _name(index: Index) -> str:
    return str(index.name)


def _table(index: Index) -> str | None:
    return None if index.table is None else str(index.table.name)


def _concurrently(index: Index) -> Index:
    """The same, to be made and dropped beside whoever writes."""
    if index.table is None:
        raise ValueError("the index of a table is meant")
    table = index.table.to_metadata(MetaData())
    found = next(one for one in table.indexes if one.name == index.name)
    found.dialect_options["postgresql"]["concurrently"] = True
    return found
