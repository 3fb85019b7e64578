"""Copies of a namespace inside of PostgreSQL: what it has in every table, under other ids.

For databases that are to be large soon. The rows are those that the service wrote for the first one, so that a copy
loads, recalls and changes as the first one does; that its memories say the same as those of others is the difference.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine, Table, text

from memsvc.models.tables import (
    ANALYSIS,
    CHANGE,
    EMBEDDING,
    LINK,
    MEMORY,
    NAMESPACE,
    TOKEN_EMBEDDING,
    VERSION,
)

_TABLES = (NAMESPACE, MEMORY, VERSION, CHANGE, ANALYSIS, EMBEDDING, TOKEN_EMBEDDING, LINK)
_MEMORIES = frozenset({"memory_id", "nearest_id", "merged_into", "context_id", "from_id", "to_id"})
"""Columns that hold the id of a memory; `memory.id` is another one."""
MOST = 0xFF


def copy_namespace(engine: Engine, path: str, copies: list[str]) -> None:
    """Copy a namespace to other paths, and have the database look at its tables anew.

    Args:
        engine: as a superuser, for whom neither policies nor keys between tables are looked at: these are copies of
            rows that were.
        path: of the only namespace there is.
        copies: at most `MOST` paths.

    Raises:
        ValueError: too many copies.
        RuntimeError: there was another namespace, or a table does not hold the same number of rows for each.
    """
    if len(copies) > MOST:
        raise ValueError(f"at most {MOST} copies")
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        if connection.execute(text("SELECT array_agg(path) FROM namespace")).scalar_one() != [path]:
            raise RuntimeError(f"{path} is not the only namespace")
        rows = {table: _set_aside(connection, table) for table in _TABLES}
        inserts = [text(_insert(table)) for table in _TABLES]
        for number, one in enumerate(copies, start=1):
            for insert in inserts:
                connection.execute(insert, {"path": one, "mark": f"{number:04x}"})
            if number % 20 == 0:
                print(f"  {number} of {len(copies)} copies", flush=True)
        for table, each in rows.items():
            if _count(connection, table.name) != each * (len(copies) + 1):
                raise RuntimeError(f"{table.name} does not hold {each} rows for each copy")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM (ANALYZE)")
        connection.exec_driver_sql("CHECKPOINT")


def _set_aside(connection: Connection, table: Table) -> int:
    """Keep the first namespace's rows in a table of their own: the real one grows, and would be searched each time."""
    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE first_{table.name} ON COMMIT DROP AS TABLE {table.name}")
    return _count(connection, f"first_{table.name}")


def _count(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one())  # noqa: S608 - one of our tables


def _insert(table: Table) -> str:
    names = [column.name for column in table.columns]
    columns, values = ", ".join(f'"{name}"' for name in names), ", ".join(_value(table, name) for name in names)
    return f"INSERT INTO {table.name} ({columns}) SELECT {values} FROM first_{table.name}"  # noqa: S608 - our tables


def _value(table: Table, name: str) -> str:
    if table is NAMESPACE and name == "path":
        return "CAST(:path AS text)"
    if name in _MEMORIES or name == "namespace_id" or (name == "id" and table in (MEMORY, NAMESPACE)):
        # The first digits of a UUIDv7 tell a span of 49 days. With the copy's number there ids differ, stand in the
        # order of the first ones, and before those of what is written later.
        return f'CAST(overlay(CAST("{name}" AS text) PLACING CAST(:mark AS text) FROM 1) AS uuid)'
    return f'"{name}"'
