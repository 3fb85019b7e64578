"""Having PostgreSQL count tables that have grown.

Its planner goes by what was counted when a table was last analysed. Autovacuum comes once a minute; until then a table
that was filled at once is taken for a small one, and a join may walk through the whole of it for each row of another:
some hundred memories that were written into an empty database kept a load busy for half a minute.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql
from sqlalchemy import Engine, text

# Small tables are read fast whatever the plan. Of one that has not grown much the planner knows enough: it scales what
# was counted by the size that the table has now.
_GROWN = text("""
SELECT relname FROM pg_class
WHERE oid = ANY (CAST(:tables AS regclass[]))
  AND pg_relation_size(oid) / current_setting('block_size')::bigint > 1 + 4 * relpages
""")


def analyse_grown(engine: Engine, tables: Sequence[str]) -> list[str]:
    """Analyses those of some tables that have grown to more than four times their size when they were analysed last.

    Never waits: a table that somebody else is analysing or altering is left to them. So is one that this role may
    not maintain.

    Returns:
        The tables that had grown.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        grown = list(connection.execute(_GROWN, {"tables": list(tables)}).scalars())
        driver = connection.connection.driver_connection
        for table in grown:
            driver.execute(sql.SQL("ANALYZE (SKIP_LOCKED) {}").format(sql.Identifier(table)))  # type: ignore[union-attr]
    return grown
