"""The revisions build exactly the schema of the models, and can be run twice, at once and backwards."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, create_engine, event, inspect, text

from memsvc.core.errors import StartupRefused
from memsvc.db import migrate
from memsvc.db.migrate import SchemaState
from memsvc.models import Base


@pytest.fixture
def engine(empty_database_url: str) -> Iterator[Engine]:
    engine = create_engine(empty_database_url)
    yield engine
    engine.dispose()


def differences(engine: Engine, metadata: MetaData) -> list[object]:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))


def constraint_names(engine: Engine) -> dict[str, set[str | None]]:
    inspector = inspect(engine)
    return {
        table: {inspector.get_pk_constraint(table)["name"]}
        | {key["name"] for key in inspector.get_foreign_keys(table)}
        | {unique["name"] for unique in inspector.get_unique_constraints(table)}
        | {index["name"] for index in inspector.get_indexes(table)}
        for table in inspector.get_table_names()
        if table != migrate.VERSION_TABLE
    }


def test_head_is_the_schema_of_the_models(engine: Engine) -> None:
    migrate.upgrade(engine)
    assert differences(engine, Base.metadata) == []


def test_the_comparison_would_see_a_missing_table_column_and_type(engine: Engine) -> None:
    migrate.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE tombstone"))
        connection.execute(text("ALTER TABLE idempotency DROP COLUMN outcome"))
        connection.execute(text("ALTER TABLE memory_link DROP COLUMN created_at"))
        connection.execute(text("ALTER TABLE memory_link ADD COLUMN created_at VARCHAR(10)"))
    found = str(differences(engine, Base.metadata))
    assert "add_table" in found
    assert "add_column" in found
    assert "modify_type" in found


def test_the_models_and_the_revisions_name_every_constraint_alike(engine: Engine) -> None:
    migrate.upgrade(engine)
    migrated = constraint_names(engine)
    with engine.begin() as connection:
        command.downgrade(migrate.make_config(connection), "base")
    Base.metadata.create_all(engine)
    assert constraint_names(engine) == migrated
    assert all(None not in names for names in migrated.values())


def test_upgrading_twice_does_nothing_the_second_time(engine: Engine) -> None:
    assert migrate.check(engine) is SchemaState.EMPTY
    applied = migrate.upgrade(engine)
    assert applied[-1] == ScriptDirectory.from_config(migrate.make_config()).get_current_head()
    assert migrate.check(engine) is SchemaState.AT_HEAD
    migrate.require_head(engine)
    assert migrate.upgrade(engine) == []


def test_downgrading_to_base_leaves_no_table(engine: Engine) -> None:
    migrate.upgrade(engine)
    with engine.begin() as connection:
        command.downgrade(migrate.make_config(connection), "base")
    assert set(inspect(engine).get_table_names()) <= {migrate.VERSION_TABLE}
    assert migrate.check(engine) is SchemaState.EMPTY
    assert migrate.upgrade(engine) != []


def test_an_empty_database_is_not_served(engine: Engine) -> None:
    with pytest.raises(StartupRefused, match="memsvc migrate"):
        migrate.require_head(engine)


def test_an_unknown_revision_is_refused_and_untouched(engine: Engine) -> None:
    migrate.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'ffff'"))
    assert migrate.check(engine) is SchemaState.NEWER_OR_UNKNOWN
    for attempt in (migrate.upgrade, migrate.require_head):
        with pytest.raises(StartupRefused, match="newer or unknown"):
            attempt(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "ffff"


def test_a_database_of_something_else_is_refused_and_untouched(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE invoices (id INTEGER)"))
    for attempt in (migrate.check, migrate.upgrade):
        with pytest.raises(StartupRefused, match="something else"):
            attempt(engine)
    assert inspect(engine).get_table_names() == ["invoices"]


def test_a_revision_that_fails_leaves_nothing_behind(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    class PowerCut(Exception):
        pass

    def cut(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if "CREATE TABLE embedding " in statement:
            raise PowerCut

    event.listen(engine, "before_cursor_execute", cut)
    with pytest.raises(PowerCut):
        migrate.upgrade(engine)
    event.remove(engine, "before_cursor_execute", cut)
    assert inspect(engine).get_table_names() == []
    assert migrate.upgrade(engine) != []
    assert migrate.check(engine) is SchemaState.AT_HEAD


def test_two_upgraders_at_once_on_postgresql(empty_postgres_url: str) -> None:
    together = Barrier(2)

    def start() -> list[str]:
        engine = create_engine(empty_postgres_url)
        try:
            together.wait(timeout=10)
            return migrate.upgrade(engine)
        finally:
            engine.dispose()

    with ThreadPoolExecutor(2) as pool:
        first, second = [future.result() for future in [pool.submit(start), pool.submit(start)]]
    assert sorted([bool(first), bool(second)]) == [False, True]
