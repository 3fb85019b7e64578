"""What a recall, a write and a start read from SQLite is found by key, however much the tenant holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, event

from memsvc.db import migrate
from memsvc.db.engine import Database
from memsvc.db.limits import Limits
from memsvc.db.tenancy import SERVICE
from memsvc.index.loader import load_namespace, load_versions
from memsvc.memories import repository
from memsvc.namespaces.repository import NamespaceRow

KEYS = [(UUID(int=i), 1 + i % 3) for i in range(25)]
NAMESPACE = NamespaceRow(UUID(int=1), UUID(int=2), "a", UUID(int=3), 0, datetime(2026, 1, 1, tzinfo=UTC), {})
BY_MEMORY = ("memory_version", "text", "analysis", "embedding", "token_embedding", "memory_link")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'memsvc.db'}", limits=Limits(pool=1))
    migrate.upgrade(opened.engine)
    yield opened
    opened.close()


READS: dict[str, Callable[[Connection], Any]] = {
    "recall": lambda connection: repository.versions(connection, NAMESPACE.tenant_id, KEYS),
    "write": lambda connection: load_versions(connection, NAMESPACE, 4, KEYS),
    "start": lambda connection: list(load_namespace(connection, NAMESPACE, 4)),
    "context": lambda connection: repository.last_of_sequence(
        connection, *NAMESPACE.key, 7, KEYS[0][0], now=NAMESPACE.created_at
    ),
    "ids": lambda connection: repository.by_ids(connection, *NAMESPACE.key, [key[0] for key in KEYS]),
    "merged": lambda connection: repository.merged_of(connection, *NAMESPACE.key, [key[0] for key in KEYS]),
    "readers": lambda connection: repository.read_in_light_of(connection, NAMESPACE.tenant_id, [KEYS[0][0]]),
}


def explained(database: Database, name: str) -> list[str]:
    """The steps of SQLite's plans."""
    steps: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        raw = connection.connection.dbapi_connection
        steps.extend(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

    event.listen(database.engine, "before_cursor_execute", explain)
    with database.read(SERVICE) as connection:
        READS[name](connection)
    return steps


@pytest.mark.parametrize("name", READS)
def test_versions_are_found_by_their_memory(database: Database, name: str) -> None:
    steps = explained(database, name)
    looked_up = [step for step in steps if step.split()[1] in BY_MEMORY]
    assert looked_up
    for step in looked_up:
        assert step.startswith("SEARCH"), step
        assert any(f"{name}=?" in step for name in ("memory_id", "from_id", "context_id")), step


@pytest.mark.parametrize("name", ["ids", "merged"])
def test_many_ids_are_looked_up(database: Database, name: str) -> None:
    steps = [step for step in explained(database, name) if step.split()[1] == "memory"]
    assert steps
    assert all("(tenant_id=? AND id=?)" in step for step in steps), steps


def test_the_memory_before_one_and_what_was_read_after_it_are_found_by_index(database: Database) -> None:
    steps = explained(database, "context")
    assert any("ix_memory_tenant_id_namespace_id_sequence_id_id" in step for step in steps), steps
    assert not any("TEMP B-TREE" in step for step in steps), steps
    assert any("ix_token_embedding_tenant_id_context_id" in step for step in explained(database, "readers"))
