"""A PostgreSQL that is slow, full or locked: refused quickly and cleanly, never a 500, and nothing is left locked."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from memsvc.commands.doctor import Finding, examine
from memsvc.core.errors import StartupRefused
from memsvc.core.settings import Settings
from memsvc.db import durability
from memsvc.db.engine import Database
from memsvc.db.limits import Limits
from memsvc.db.tenancy import SERVICE
from memsvc.http.problem import from_database
from tests.fixtures.operator import as_app
from tests.fixtures.service import Service, assert_problem, serving

SHORT = {"database_statement_timeout_s": 2.0, "database_lock_timeout_s": 0.3, "database_pool_timeout_s": 2.0}


@pytest.fixture
def service(postgres_url: str, tmp_path: Path) -> Iterator[Service]:
    with serving(tmp_path, postgres_url, jobs="off", database_pool=1, **SHORT) as made:
        yield made


def test_a_pool_with_nothing_left_is_a_503_that_says_when_to_come_again(service: Service) -> None:
    caller = service.tenant()
    caller.remember("The kettle is blue.")
    database = service.container.database
    with database.read(SERVICE), database.read(SERVICE):  # one kept open, one more under load
        begun = time.monotonic()
        answer = caller.write("The kettle is red.")
        assert time.monotonic() - begun < 5
    assert_problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert caller.write("The kettle is red.").status_code == 201


def test_a_lock_that_does_not_come_free_is_a_503(service: Service, postgres_url: str) -> None:
    caller = service.tenant()
    memory = caller.remember("The kettle is blue.")
    operator = create_engine(postgres_url, poolclass=NullPool)
    with operator.begin() as connection:
        connection.execute(text("SELECT 1 FROM namespace FOR UPDATE"))
        answer = caller.write("The kettle is red.")
    assert_problem(answer, 503, "unavailable")
    assert caller.write("The kettle is red.").status_code == 201
    assert caller.get(memory["id"]).status_code == 200


def test_a_statement_may_take_longer_than_a_server_may_be_silent(postgres_url: str) -> None:
    database = Database(postgres_url, limits=Limits(silence_s=0.6))
    try:
        assert database.write(SERVICE, lambda c: c.execute(text("SELECT 'slept' FROM pg_sleep(1.5)")).scalar_one())
    finally:
        database.close()


def test_a_server_that_accepts_and_says_nothing_is_a_503() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database = Database(f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/nothing")
        begun = time.monotonic()
        with pytest.raises(OperationalError) as raised, database.read(SERVICE):
            pytest.fail("it was read from")
        assert time.monotonic() - begun < 5
        database.close()
    refused = from_database(raised.value)
    assert refused is not None
    assert (refused.status, bool(refused.retry_after_s)) == (503, True)


def test_limits_reach_the_server(postgres_url: str) -> None:
    database = Database(
        as_app(postgres_url), limits=Limits(pool=1, statement_timeout_s=0.2, idle_timeout_s=7.5, name="me")
    )
    try:
        with database.read(SERVICE) as connection:
            shown = {
                name: connection.exec_driver_sql(f"SHOW {name}").scalar()
                for name in (
                    "idle_in_transaction_session_timeout",
                    "lock_timeout",
                    "application_name",
                    "random_page_cost",
                )
            }
            assert shown == {
                "idle_in_transaction_session_timeout": "7500ms",
                "lock_timeout": "10s",
                "application_name": "me",
                "random_page_cost": "1.1",
            }
            with pytest.raises(OperationalError, match="statement timeout"):
                connection.execute(text("SELECT pg_sleep(5)"))
    finally:
        database.close()


def test_a_transaction_that_sleeps_is_ended_and_holds_nothing(postgres_url: str) -> None:
    database = Database(postgres_url, limits=Limits(pool=2, idle_timeout_s=0.2))
    asleep = threading.Event()

    def sleep(connection: Connection) -> None:
        connection.execute(text("LOCK TABLE job IN ACCESS EXCLUSIVE MODE"))
        asleep.set()
        time.sleep(1.5)
        connection.execute(text("SELECT 1"))

    failed: list[SQLAlchemyError] = []

    def run() -> None:
        try:
            database.write(SERVICE, sleep)
        except SQLAlchemyError as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert asleep.wait(10)
    begun = time.monotonic()
    database.write(SERVICE, lambda c: c.execute(text("SELECT count(*) FROM job")) and None)
    assert time.monotonic() - begun < 1.4
    thread.join()
    (error,) = failed
    refusal = from_database(error)
    assert refusal is not None
    assert refusal.status == 503
    database.close()


def test_a_lost_connection_is_replaced_at_the_next_transaction(postgres_url: str) -> None:
    database = Database(postgres_url, limits=Limits(pool=1))
    try:
        with database.read(SERVICE) as connection:
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with create_engine(postgres_url, poolclass=NullPool).begin() as operator:
            operator.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        time.sleep(0.2)
        with database.read(SERVICE) as connection:
            assert connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one() != pid
    finally:
        database.close()


def found(url: str, folder: Path, **given: object) -> dict[str, Finding]:
    settings = Settings(data_dir=folder, database_url=url, **given)  # type: ignore[arg-type]
    return {finding.check: finding for finding in examine(settings)}


def test_the_doctor_looks_at_postgresql(postgres_url: str, tmp_path: Path) -> None:
    seen = found(as_app(postgres_url), tmp_path)
    levels = {name: seen[name].level for name in ("schema", "text", "clocks", "role", "row security", "vacuum")}
    assert set(levels.values()) == {"ok"}, levels
    assert seen["postgresql"].level in ("ok", "note")
    operator = found(postgres_url, tmp_path)["role"]
    assert operator.level == "note"
    assert "MEMSVC_MIGRATE_DATABASE_URL" in operator.message


def test_the_doctor_names_what_is_wrong(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with create_engine(postgres_url, poolclass=NullPool).begin() as connection:
        connection.execute(text("ALTER TABLE memory NO FORCE ROW LEVEL SECURITY"))
    monkeypatch.setattr("memsvc.commands.doctor_postgres.switched_off", lambda connection: ["fsync"])
    url = as_app(postgres_url)
    there = found(url, tmp_path, host="0.0.0.0", database_pool=5000)  # noqa: S104
    assert there["row security"].level == "fail"
    assert "memory" in there["row security"].message
    assert there["durability"].level == "fail"
    assert "MEMSVC_DATABASE_POOL" in there["connections"].message
    assert found(url, tmp_path)["durability"].level == "note"


def test_a_database_that_forgets_serves_this_machine_alone(postgres_url: str, tmp_path: Path) -> None:
    with create_engine(postgres_url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off',"
                                " current_database()); END $$"))  # fmt: skip
    database = Database(as_app(postgres_url), limits=Limits(pool=1))
    try:
        with database.read(SERVICE) as connection:
            assert "synchronous_commit" in durability.switched_off(connection)
        durability.require(Settings(data_dir=tmp_path), database)
        with pytest.raises(StartupRefused, match="synchronous_commit"):
            durability.require(Settings(data_dir=tmp_path, host="0.0.0.0"), database)  # noqa: S104
    finally:
        database.close()
