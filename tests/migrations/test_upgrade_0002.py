"""A database of the first release, with memories in it, comes to the second revision whole, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from alembic import command
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Uuid, bindparam, create_engine, inspect, text

from memsvc.db import migrate
from memsvc.memories.sequence import sequence_of

TENANT, SPACE, NAMESPACE = (UUID(int=n) for n in (1, 2, 3))
_JSON = ("tags", "metadata", "settings", "mentions")
SESSIONS: list[tuple[str | None, dict[str, Any]]] = [
    ("s1", {}), (None, {"session": "s1"}), (None, {"thread_id": 7}), (None, {"colour": "red"}),
]  # fmt: skip
DESCRIBED = {
    "kind": 0, "state": 0, "tags": "[]", "importance": 0.5, "trust": 1.0, "pinned": False, "tenant_id": TENANT,
    "namespace_id": NAMESPACE, "content_version": 1,
}  # fmt: skip


@pytest.fixture
def engine(empty_database_url: str) -> Iterator[Engine]:
    engine = create_engine(empty_database_url)
    with engine.begin() as connection:
        command.upgrade(migrate.make_config(connection), "0001")
    with engine.begin() as connection:
        fill(connection)
    yield engine
    engine.dispose()


def insert(connection: Connection, table: str, values: dict[str, Any]) -> None:
    """Plain SQL: the models are those of today."""
    sqlite = connection.dialect.name == "sqlite"
    places = [f"CAST(:{name} AS JSONB)" if name in _JSON and not sqlite else f":{name}" for name in values]
    statement = text(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(places)})")  # noqa: S608
    uuids = [bindparam(name, type_=Uuid()) for name, value in values.items() if isinstance(value, UUID)]
    connection.execute(statement.bindparams(*uuids), values)


def fill(connection: Connection) -> None:
    """Memories with two versions each, in conversations and in none; all columns that have no default."""
    insert(connection, "embedding_space", {"id": SPACE, "model": "m", "dim": 4, "created_at": 0})
    insert(connection, "tenant", {"id": TENANT, "name": "t", "created_at": 0})
    namespace = {"tenant_id": TENANT, "id": NAMESPACE, "path": "p", "space_id": SPACE, "head_seq": 0, "created_at": 0}
    insert(connection, "namespace", {**namespace, "settings": "{}"})
    for number, (session_id, metadata) in enumerate(SESSIONS):
        memory = UUID(int=100 + number)
        described = {**DESCRIBED, "session_id": session_id, "metadata": json.dumps(metadata)}
        times = {"recorded_at": number, "updated_at": number, "stability_s": 1.0, "recall_count": 0}
        insert(connection, "memory", {**described, **times, "id": memory, "version": 2})
        for version in (1, 2):
            content = {"content": f"text {number}" if version == 1 else None, "recorded_from": version}
            history = {"reason": "created", "writer": "w", "pairs": b"p"}
            insert(
                connection,
                "memory_version",
                {**described, **content, **history, "memory_id": memory, "version": version},
            )
        key = {"tenant_id": TENANT, "memory_id": memory, "version": 1}
        found = {"analyser_version": 1, "length": 2, "term_ids": b"t", "term_freqs": b"f", "mentions": "[]"}
        insert(connection, "analysis", {**key, **found, "mention_ids": b"m"})
        insert(connection, "embedding", {**key, "space_id": SPACE, "view": 0, "vector": b"v"})


def everything(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, in the order of the keys."""
    inspector = inspect(connection)
    found = {}
    for table in inspector.get_table_names():
        if table == migrate.VERSION_TABLE:
            continue
        key = ", ".join(inspector.get_pk_constraint(table)["constrained_columns"])
        rows = connection.execute(text(f"SELECT * FROM {table} ORDER BY {key}"))  # noqa: S608
        found[table] = [dict(row._mapping) for row in rows]
    return found


def test_nothing_is_lost_and_conversations_are_found(engine: Engine) -> None:
    with engine.connect() as connection:
        before = everything(connection)
    with engine.begin() as connection:
        command.upgrade(migrate.make_config(connection), "0002")
    with engine.connect() as connection:
        after = everything(connection)
    assert len(before["memory_version"]) == 2 * len(SESSIONS)
    for table, rows in before.items():
        kept = [{name: row[name] for name in old} for old, row in zip(rows, after[table], strict=True)]
        assert kept == rows, table
    expected = [sequence_of(session_id, metadata) for session_id, metadata in SESSIONS]
    assert expected[0] == expected[1] is not None
    assert expected[3] is None
    assert [row["sequence_id"] for row in after["memory"]] == expected
    assert [row["sequence_id"] for row in after["memory_version"]] == [s for s in expected for _ in range(2)]
    for row in after["analysis"]:
        assert (bytes(row["spans"]), bytes(row["place_ids"])) == (b"", b"")
        assert isinstance(row["spans"], bytes)
    assert after["token_embedding"] == []
    with engine.begin() as connection:
        command.downgrade(migrate.make_config(connection), "0001")
    with engine.connect() as connection:
        assert everything(connection) == before


def test_conversations_are_filled_in_portions(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows at a time give what all at once give."""
    revision = ScriptDirectory.from_config(migrate.make_config()).get_revision("0002").module
    with engine.begin() as connection:
        config = migrate.make_config(connection)
        command.upgrade(config, "0002")
        connection.execute(text("UPDATE memory_version SET sequence_id = NULL"))
        monkeypatch.setattr(revision, "_PORTION", 3)
        with Operations.context(MigrationContext.configure(connection)):
            revision._fill_sequences("memory_version", "memory_id", "version")
        filled = connection.execute(text("SELECT sequence_id FROM memory_version ORDER BY memory_id, version"))
        expected = [sequence_of(session_id, metadata) for session_id, metadata in SESSIONS]
        assert list(filled.scalars()) == [s for s in expected for _ in range(2)]
