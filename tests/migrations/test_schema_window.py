"""A schema that is newer than the code: works where the schema says so, and is refused elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Engine, create_engine, inspect, text

from memsvc.core.errors import StartupRefused
from memsvc.core.settings import Settings
from memsvc.db import indexes, migrate, roles
from memsvc.db.engine import Database
from memsvc.db.limits import Limits
from memsvc.db.migrate import SchemaState


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


def _become(engine: Engine, revision: str, oldest_code: str) -> None:
    """As if a newer release had been here."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})
        values = {"to": revision, "oldest": oldest_code}
        connection.execute(text("UPDATE schema_window SET revision = :to, oldest_code = :oldest"), values)


def test_a_newer_schema_that_works_with_this_release_is_served(engine: Engine) -> None:
    with engine.connect() as connection:
        own = connection.execute(text("SELECT revision FROM schema_window")).scalar_one()
    assert own == migrate._revisions().get_current_head()
    _become(engine, "9999", own)
    assert migrate.check(engine) is SchemaState.AHEAD
    migrate.require_head(engine)
    assert migrate.upgrade(engine) == []
    with engine.connect() as connection:
        assert migrate.works(connection)
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"


@pytest.mark.parametrize(("window", "oldest"), [("9999", "9998"), ("9998", "0021")])
def test_a_schema_that_has_left_this_release_behind_is_refused(engine: Engine, window: str, oldest: str) -> None:
    _become(engine, window, oldest)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert migrate.check(engine) is SchemaState.NEWER_OR_UNKNOWN
    with pytest.raises(StartupRefused, match="newer or unknown"):
        migrate.upgrade(engine)
    with engine.connect() as connection:
        assert not migrate.works(connection)


def test_an_index_that_is_missing_is_made(engine: Engine) -> None:
    name = "ix_memory_tenant_id_nearest_id"
    with engine.begin() as connection:
        connection.execute(text(f"DROP INDEX {name}"))
    with engine.connect() as connection:
        assert [one.name for one in indexes.missing(connection)] == [name]
    assert migrate.upgrade(engine) == []
    assert name in {one["name"] for one in inspect(engine).get_indexes("memory")}
    assert indexes.make_missing(engine) == []


def test_an_index_that_is_not_valid_is_made_anew_beside_a_writer(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    name = "ix_memory_tenant_id_nearest_id"
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = CAST(:name AS regclass)"), {"name": name}
        )
    with engine.connect() as beside:
        beside.execute(text("SELECT pg_advisory_lock(:key)"), {"key": indexes._LOCK_KEY})
        assert indexes.make_missing(engine) == []  # somebody else is at it
    assert indexes.make_missing(engine) == [name]
    with engine.connect() as connection:
        assert indexes.missing(connection) == []
    engine.dispose()


def test_an_index_waits_for_older_transactions_longer_than_requests_wait(postgres_url: str) -> None:
    limits = Limits(lock_timeout_s=0.2)
    engine = create_engine(postgres_url, connect_args={"options": limits.options()})
    name = "ix_memory_tenant_id_nearest_id"
    with engine.begin() as connection:
        connection.execute(text(f"DROP INDEX {name}"))
    with ThreadPoolExecutor(1) as beside, engine.connect() as older:
        older.execute(text("LOCK TABLE memory IN ROW EXCLUSIVE MODE"))
        making = beside.submit(indexes.make_missing, engine)
        with pytest.raises(TimeoutError):
            making.result(timeout=3 * limits.lock_timeout_s)
        older.rollback()
        assert making.result(timeout=30) == [name]
    with engine.connect() as connection:
        assert connection.execute(text("SHOW lock_timeout")).scalar_one() == "200ms"
    engine.dispose()


def test_a_table_that_is_in_use_holds_up_the_upgrade_and_nobody_else(empty_postgres_url: str, tmp_path: Path) -> None:
    engine = create_engine(empty_postgres_url)
    head = migrate.upgrade(engine)[-1]
    with engine.begin() as connection:
        command.downgrade(migrate.make_config(connection), "-1")
    database = Database(empty_postgres_url)
    settings = Settings(data_dir=tmp_path, database_url=empty_postgres_url)
    with engine.connect() as busy:
        busy.execute(text("LOCK TABLE alembic_version IN SHARE MODE"))
        with pytest.raises(StartupRefused, match="nothing was changed"):  # after the 4 s of a revision
            roles.upgrade(settings, database)
    assert migrate.check(engine) is SchemaState.BEHIND
    with engine.connect() as reader:
        reader.execute(text("LOCK TABLE alembic_version IN ACCESS SHARE MODE"))
        assert roles.upgrade(settings, database) == [head]  # who only reads holds nothing up that only adds
    database.close()
    engine.dispose()
