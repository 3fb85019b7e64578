"""PostgreSQL keeps tenants apart by itself: what a statement without its condition on the tenant would show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, create_engine, delete, func, insert, make_url, select, text, update
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

from memsvc.core.clock import SystemClock
from memsvc.core.errors import StartupRefused
from memsvc.core.settings import Settings
from memsvc.db import migrate
from memsvc.db.engine import Database
from memsvc.db.roles import upgrade
from memsvc.db.tenancy import MAINTENANCE_SETTING, SERVICE, TENANT_SETTING
from memsvc.memories import repository
from memsvc.models import ApiKey, Base, Tenant
from memsvc.models.tables import EMBEDDING_SPACE, MEMORY, NAMESPACE, SCHEMA_WINDOW, VERSION
from tests.fixtures.operator import APP_ROLE, as_app
from tests.fixtures.service import Caller, Service, serving

OWNED = [table for table in Base.metadata.sorted_tables if table not in (EMBEDDING_SPACE, SCHEMA_WINDOW)]
OPEN_TO_SERVICE = {
    "tenant", "tenant_key", "api_key", "namespace", "job", "job_run", "erasure", "tombstone", "audit_head",
    "pending_embedding",
}  # fmt: skip


@pytest.fixture
def service(postgres_url: str, tmp_path: Path) -> Iterator[Service]:
    with serving(tmp_path, postgres_url, jobs="off") as made:
        yield made


@pytest.fixture
def pair(service: Service) -> tuple[Caller, Caller]:
    """Two tenants with a memory each, in namespaces of the same name."""
    callers = service.tenant("one"), service.tenant("two")
    for number, caller in enumerate(callers):
        caller.remember(f"Secret of tenant {number}.")
    return callers


def tenants(service: Service) -> dict[str, UUID]:
    with service.container.database.read(SERVICE) as connection:
        return {row.name: row.id for row in connection.execute(select(Tenant.name, Tenant.id))}


def test_every_table_of_tenants_has_forced_policies(service: Service) -> None:
    with service.look() as connection:
        rows = connection.execute(
            text("SELECT relname, relrowsecurity AND relforcerowsecurity AS forced FROM pg_class WHERE relkind = 'r'")
        )
        forced = {row.relname for row in rows if row.forced}
        policies = connection.execute(text("SELECT tablename, policyname, cmd FROM pg_policies")).all()
    assert forced == {table.name for table in OWNED}
    assert {row.tablename for row in policies if row.policyname == "memsvc_tenant"} == forced
    service_wide = {(row.tablename, row.cmd) for row in policies if row.policyname.startswith("memsvc_service")}
    assert service_wide == {(name, "SELECT") for name in OPEN_TO_SERVICE} | {("tenant", "INSERT")}


def test_the_service_works_as_a_role_that_owns_nothing_and_bypasses_nothing(service: Service) -> None:
    with service.container.database.read(SERVICE) as connection:
        role = connection.execute(
            text("SELECT rolname, rolsuper OR rolbypassrls OR rolcreaterole AS may FROM pg_roles"
                 " WHERE rolname = current_user")
        ).one()  # fmt: skip
        owned = connection.scalar(text("SELECT count(*) FROM pg_class WHERE pg_get_userbyid(relowner) = current_user"))
    assert (role.rolname, role.may, owned) == (APP_ROLE, False, 0)


def test_a_query_without_its_tenant_sees_nothing_of_another(pair: tuple[Caller, Caller], service: Service) -> None:
    """Of every table, with a row of both tenants in most of them."""
    both = tenants(service)
    with service.look() as connection:
        whole = {t.name: connection.scalar(select(func.count()).select_from(t)) for t in OWNED}
    assert whole["memory"] == whole["memory_version"] == whole["embedding"] == 2
    for table in OWNED:
        column = table.c.id if table.name == "tenant" else table.c.tenant_id
        for tenant in both.values():
            with service.container.database.read(tenant) as connection:
                assert set(connection.execute(select(column)).scalars()) <= {tenant}, table.name


def test_a_planted_missing_condition_leaks_nothing(
    pair: tuple[Caller, Caller], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The read of one memory forgets its tenant: the other tenant's key still does not see it."""
    ada, eve = pair
    secret = ada.list()["items"][0]["id"]

    def forgetful(connection: Connection, tenant_id: UUID, memory_id: UUID, **given: Any) -> Any:
        row = connection.execute(select(MEMORY.c.tenant_id).where(MEMORY.c.id == memory_id)).one_or_none()
        return None if row is None else located(connection, row.tenant_id, memory_id, **given)

    located = repository.located
    monkeypatch.setattr(repository, "located", forgetful)
    assert eve.get(secret).status_code == 404
    assert ada.get(secret).json()["content"] == "Secret of tenant 0."


def test_what_names_no_tenant_sees_and_changes_nothing(pair: tuple[Caller, Caller], service: Service) -> None:
    with service.container.database.engine.connect() as connection:
        for table in OWNED:
            assert connection.scalar(select(func.count()).select_from(table)) == 0, table.name
        assert connection.execute(update(MEMORY).values(pinned=True)).rowcount == 0
        assert connection.execute(delete(VERSION)).rowcount == 0


def test_the_service_reads_where_work_is_and_no_memory(pair: tuple[Caller, Caller], service: Service) -> None:
    with service.container.database.read(SERVICE) as connection:
        seen = {t.name for t in OWNED if connection.scalar(select(func.count()).select_from(t))}
    assert {"tenant", "api_key", "namespace"} <= seen <= OPEN_TO_SERVICE

    def unit(connection: Connection) -> int:
        return connection.execute(update(NAMESPACE).values(head_seq=0)).rowcount + connection.execute(
            delete(ApiKey)
        ).rowcount  # fmt: skip

    assert service.container.database.write(SERVICE, unit) == 0


def test_a_row_cannot_be_written_for_another_tenant(pair: tuple[Caller, Caller], service: Service) -> None:
    both = tenants(service)
    row = {"tenant_id": both["two"], "id": uuid4(), "path": "planted", "settings": {}, "head_seq": 0, "epoch": 0}
    row |= {"space_id": service.container.space_id, "created_at": service.clock.now(), "has_derived": False}
    with pytest.raises(ProgrammingError, match="row-level security"):
        service.container.database.write(both["one"], lambda c: c.execute(insert(NAMESPACE), row) and None)


def test_a_connection_comes_back_without_its_tenant(pair: tuple[Caller, Caller], service: Service) -> None:
    """Also after an error inside of the transaction, and of a pool with one connection."""
    database = service.container.database
    tenant = tenants(service)["one"]

    def failing(connection: Connection) -> None:
        connection.execute(text("SELECT 1 / 0"))

    with pytest.raises(Exception, match="division by zero"):
        database.write(tenant, failing)
    for _ in range(5):
        with database.read(tenant) as connection:
            assert connection.scalar(select(func.count()).select_from(MEMORY)) == 1
        with database.engine.connect() as connection:
            assert connection.scalar(select(func.count()).select_from(MEMORY)) == 0
            assert connection.scalar(text(f"SELECT coalesce(current_setting('{TENANT_SETTING}', true), '')")) == ""


def test_the_owner_is_bound_too_and_migrates_all_the_same(empty_postgres_url: str, tmp_path: Path) -> None:
    """An owner who is no superuser: makes the schema and the role of the service, and sees no tenant's row."""
    name = f"owner_{uuid4().hex[:12]}"
    app = f"app_{uuid4().hex[:12]}"
    operator = create_engine(empty_postgres_url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    database = make_url(empty_postgres_url).database
    with operator.connect() as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN CREATEROLE PASSWORD 'owner'"))
        connection.execute(text(f'ALTER DATABASE "{database}" OWNER TO {name}'))
    try:
        owner_url = make_url(empty_postgres_url).set(username=name, password="owner")
        app_url = owner_url.set(username=app, password="a p/w'")
        settings = Settings(
            data_dir=tmp_path,
            database_url=app_url.render_as_string(hide_password=False),
            migrate_database_url=owner_url.render_as_string(hide_password=False),
            embedder="hashing:64",
            reranker="none",
        )
        opened = Database(settings.url)
        try:
            assert "0014" in upgrade(settings, opened)
            assert upgrade(settings, opened) == []
            tenant = uuid4()
            made = {"id": tenant, "name": "one", "created_at": SystemClock().now()}
            opened.write(SERVICE, lambda c: c.execute(insert(Tenant), made) and None)
            with create_engine(owner_url, poolclass=NullPool).connect() as connection:
                assert connection.scalar(select(func.count()).select_from(Tenant)) == 0
                connection.execute(text(f"SET LOCAL {MAINTENANCE_SETTING} = 'on'"))
                assert connection.scalar(select(func.count()).select_from(Tenant)) == 1
            with opened.engine.connect() as connection:  # the service's own role has no such way
                connection.execute(text(f"SET LOCAL {MAINTENANCE_SETTING} = 'on'"))
                assert connection.scalar(select(func.count()).select_from(Tenant)) == 0
                with pytest.raises(ProgrammingError, match="must be owner"):
                    connection.execute(text("ALTER TABLE memory NO FORCE ROW LEVEL SECURITY"))
        finally:
            opened.close()
    finally:
        with operator.connect() as connection:
            connection.execute(text(f'ALTER DATABASE "{database}" OWNER TO CURRENT_USER'))
            for role in (app, name):
                connection.execute(text(f"DROP OWNED BY {role} CASCADE"))
                connection.execute(text(f"DROP ROLE {role}"))


def test_a_role_that_may_not_migrate_says_so(empty_postgres_url: str, postgres_template: str, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database_url=as_app(empty_postgres_url))
    opened = Database(settings.url)
    try:
        with pytest.raises(StartupRefused, match="MEMSVC_MIGRATE_DATABASE_URL"):
            upgrade(settings, opened)
    finally:
        opened.close()


def test_a_table_that_a_later_revision_makes_is_secured(empty_postgres_url: str) -> None:
    engine = create_engine(empty_postgres_url, poolclass=NullPool)
    migrate.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE later (tenant_id uuid PRIMARY KEY)"))
        connection.execute(text("SELECT memsvc_secure_tables()"))
        assert connection.scalar(text("SELECT relforcerowsecurity FROM pg_class WHERE relname = 'later'"))


def test_every_key_and_reference_leads_with_the_tenant() -> None:
    """A row can only refer to one of its own tenant, or to the catalogue of the server."""
    for table in OWNED:
        if table.name == "tenant":
            continue
        assert next(iter(table.primary_key.columns)).name == "tenant_id", table.name
        for key in table.foreign_key_constraints:
            target = key.referred_table.name
            if target == "embedding_space":
                continue
            first = key.elements[0]
            assert first.parent.name == "tenant_id", (table.name, key.name)
            assert first.column.name == ("id" if target == "tenant" else "tenant_id"), (table.name, key.name)
