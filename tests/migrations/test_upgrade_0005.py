"""The column of what memories tell of names comes and goes without touching what is there."""

from __future__ import annotations

from alembic import command
from sqlalchemy import create_engine

from memsvc.db import migrate
from tests.migrations.test_upgrade_0002 import everything, fill


def test_memories_that_are_there_tell_nothing_yet(empty_database_url: str) -> None:
    engine = create_engine(empty_database_url)
    try:
        with engine.begin() as connection:
            command.upgrade(migrate.make_config(connection), "0001")
            fill(connection)
            command.upgrade(migrate.make_config(connection), "0004")
        with engine.connect() as connection:
            before = everything(connection)
        with engine.begin() as connection:
            command.upgrade(migrate.make_config(connection), "0005")
        with engine.connect() as connection:
            after = everything(connection)
        assert len(before["analysis"]) > 0
        assert [row.pop("told") for row in after["analysis"]] == [None] * len(before["analysis"])
        assert after == before
        with engine.begin() as connection:
            command.downgrade(migrate.make_config(connection), "0004")
        with engine.connect() as connection:
            assert everything(connection) == before
    finally:
        engine.dispose()
