"""Having PostgreSQL let go of deleted rows.

A deleted row stays in its page until VACUUM takes it out, and VACUUM can only do so once no transaction is left that
may still see it. After that its bytes lie in free space of the page until something else is written over them; `VACUUM
FULL` writes the tables anew and leaves nothing, but locks each one while it does. Neither reaches the write-ahead log,
which PostgreSQL recycles by itself, nor replicas' archives of it, nor backups.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic, sleep
from typing import Any

from psycopg import Connection as Driver
from psycopg import sql
from sqlalchemy import Engine

_WAIT_S = 5.0
_PAUSE_S = 0.05
# Sessions that may still see rows deleted before transaction X. Others' sessions show no backend_xmin to a role that
# may not look at them; rows that only those see wait for the next VACUUM of PostgreSQL's own.
_OLDER = """
SELECT count(*) FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND datname = current_database()
  AND backend_xmin IS NOT NULL AND age(backend_xmin) > age(%s::xid)
"""


def vacuum(engine: Engine, tables: Sequence[str], *, full: bool) -> bool:
    """Vacuums tables, outside of any transaction.

    Returns:
        Whether it is done: not if a transaction that may see the deleted rows outlasts a wait of 5 s, nor if the role
        may not.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        driver: Any = connection.connection.driver_connection
        warnings: list[str] = []

        def listen(diagnostic: Any) -> None:
            if diagnostic.severity_nonlocalized == "WARNING":
                warnings.append(str(diagnostic.sqlstate))

        driver.add_notice_handler(listen)
        try:
            # A large table takes longer than any request may. How long it waits for a lock stays bounded.
            driver.execute("SET statement_timeout = 0")
            if not _nobody_older(driver):
                return False
            how = sql.SQL("VACUUM (FULL)" if full else "VACUUM")
            for table in tables:
                driver.execute(sql.SQL("{} {}").format(how, sql.Identifier(table)))
        finally:
            driver.remove_notice_handler(listen)
            driver.execute("RESET statement_timeout")
    return not warnings


def _nobody_older(driver: Driver[Any]) -> bool:
    (now,) = driver.execute("SELECT pg_current_xact_id()::xid::text").fetchone() or ("",)
    until = monotonic() + _WAIT_S
    while True:
        (older,) = driver.execute(_OLDER, (now,)).fetchone() or (0,)
        if not older:
            return True
        if monotonic() >= until:
            return False
        sleep(_PAUSE_S)
