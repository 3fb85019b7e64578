"""What the bank reads from a PostgreSQL that nobody has analysed yet is found by key, not by looking at everything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Integer, String, column, event, select, table, text

from memsvc.index.loader import load_namespace, load_versions
from memsvc.memories.draft import Draft
from memsvc.models.tables import VERSION
from memsvc.namespaces import repository as namespaces
from tests.fixtures.storage_service import PATH, Service, service_on

N = 300
DIM = 64
ROWS_EACH = 30
"""Rows that a plan may look at for each row that it gives; one that goes through all of a table looks at `N`."""


@pytest.fixture
def service(postgres_url: str, tmp_path: Path) -> Iterator[Service]:
    with service_on(postgres_url, tmp_path, jobs="off") as made:
        yield made


def looked_at(plan: dict[str, Any]) -> float:
    """Rows that the steps of an executed plan gave or threw away, in all their loops."""
    thrown = sum(float(value) for name, value in plan.items() if name.startswith("Rows Removed by"))
    own = (plan["Actual Rows"] + thrown) * plan["Actual Loops"]
    return float(own) + sum(map(looked_at, plan.get("Plans", ())))


def costs(service: Service) -> dict[str, float]:
    """Rows that each statement of a whole load, and of one by keys, looks at."""
    found: dict[str, float] = {}

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        with connection.connection.dbapi_connection.cursor() as other:
            other.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
            told = other.fetchone()[0]
        (plan,) = json.loads(told) if isinstance(told, str) else told
        found[statement] = looked_at(plan["Plan"])

    def read(connection: Connection) -> None:
        namespace = namespaces.find(connection, service.tenant_id, PATH)
        assert namespace is not None
        keys = [tuple(row) for row in connection.execute(select(VERSION.c.memory_id, VERSION.c.version))]
        event.listen(connection, "before_cursor_execute", explain)
        assert sum(len(batch) for batch in load_namespace(connection, namespace, DIM)) == N
        assert len(load_versions(connection, namespace, DIM, keys)) == N

    with service.look() as connection:
        read(connection)
    return found


@pytest.mark.parametrize("before", [0, 1])
def test_a_first_batch_is_read_by_key(service: Service, before: int) -> None:
    for n in range(before):
        service.add(f"text {n}")
    service.remember(
        [Draft(f"what was said about matter {n}", {"session_id": f"s{n // 25}"}) for n in range(N - before)]
    )
    costly = {statement: cost for statement, cost in costs(service).items() if cost > N * ROWS_EACH}
    assert not costly


def test_only_tables_that_have_grown_are_analysed(service: Service) -> None:
    tables = ("memory", "memory_version", "analysis")

    def undisturbed(connection: Connection) -> None:
        for name in tables:  # else PostgreSQL analyses them by itself when a minute is over
            connection.execute(text(f"ALTER TABLE {name} SET (autovacuum_enabled = false)"))

    def analysed() -> dict[str, int]:
        sizes = table("pg_class", column("relname", String), column("relpages", Integer))
        query = select(sizes).where(sizes.c.relname.in_(tables))
        with service.look() as connection:
            return {row.relname: row.relpages for row in connection.execute(query)}

    service.meddle(undisturbed)
    service.add("one")
    assert set(analysed().values()) == {0}
    service.remember([Draft(f"text {n}") for n in range(N)])
    first = analysed()
    assert min(first.values()) > 0
    service.remember([Draft(f"more {n}") for n in range(N)])
    assert analysed() == first
