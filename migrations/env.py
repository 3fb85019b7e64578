"""How Alembic runs the revisions: on the connection it is handed, else on `-x url=...` (for authors)."""

from __future__ import annotations

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import JSON, Connection, create_engine

from memsvc.core.errors import StartupRefused
from memsvc.models.base import Base, Instant


def _render_item(kind: str, item: object, _: AutogenContext) -> str | Literal[False]:
    """Revisions stand alone: they name the column types of today, not our classes, which may change."""
    if kind == "type" and isinstance(item, Instant):
        return "sa.BigInteger()"
    if kind == "type" and isinstance(item, JSON):
        return 'sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")'
    return False


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        render_as_batch=connection.dialect.name == "sqlite",
        render_item=_render_item,
        # SQLite rolls DDL back too once the transaction was begun by hand, which memsvc.db.migrate does.
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _main() -> None:
    if context.is_offline_mode():
        raise StartupRefused("revisions look at the database they change; there is no offline mode")
    connection = context.config.attributes.get("connection")
    if connection is not None:
        _run(connection)
        return
    url = context.get_x_argument(as_dictionary=True).get("url") or context.config.get_main_option("sqlalchemy.url")
    if not url:
        raise StartupRefused("name the database: alembic -x url=sqlite:///scratch.db ...")
    engine = create_engine(url)
    try:
        with engine.begin() as own:
            _run(own)
    finally:
        engine.dispose()


_main()
