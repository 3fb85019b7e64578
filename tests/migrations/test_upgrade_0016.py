"""What namespaces hold is counted once for those that are there; going back takes only the counts."""

from __future__ import annotations

from alembic import command
from sqlalchemy import create_engine

from memsvc.db import migrate
from tests.migrations.test_upgrade_0002 import everything, fill


def test_namespaces_that_are_there_are_counted(empty_database_url: str) -> None:
    engine = create_engine(empty_database_url)
    try:
        with engine.begin() as connection:
            command.upgrade(migrate.make_config(connection), "0001")
            fill(connection)
            command.upgrade(migrate.make_config(connection), "0015")
        with engine.connect() as connection:
            before = everything(connection)
        with engine.begin() as connection:
            command.upgrade(migrate.make_config(connection), "0016")
        with engine.connect() as connection:
            after = everything(connection)
        memories, versions = before["memory"], before["memory_version"]
        assert memories
        for row in after["namespace"]:
            mine = [one["content"] for one in versions if one["namespace_id"] == row["id"]]
            assert row.pop("n_memories") == sum(one["namespace_id"] == row["id"] for one in memories)
            assert row.pop("n_bytes") == sum(len((content or "").encode()) for content in mine)
        assert [row.pop("limits") for row in after["tenant"]] == [None] * len(before["tenant"])
        for row in after.get("api_key", ()):
            assert row.pop("limits") is None
        assert after == before
        with engine.begin() as connection:
            command.downgrade(migrate.make_config(connection), "0015")
        with engine.connect() as connection:
            assert everything(connection) == before
    finally:
        engine.dispose()
