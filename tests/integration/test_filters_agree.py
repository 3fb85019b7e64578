"""A filter lets through the same memories in SQL (either database), in the scan with its rest, and by its meaning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, insert, select

from memsvc.core.clock import EPOCH
from memsvc.filters.grammar import parse
from memsvc.filters.scan import split
from memsvc.filters.sql import where
from memsvc.models import EmbeddingSpaceRow, Memory, MemoryVersion, Namespace, Tenant
from tests.fixtures.filter_cases import filters, memories
from tests.fixtures.filter_meaning import passes, scan_passes

TENANT, NAMESPACE, SPACE = uuid4(), uuid4(), uuid4()
_MEMORY = {
    "tenant_id": TENANT,
    "namespace_id": NAMESPACE,
    "version": 1,
    "content_version": 1,
    "updated_at": EPOCH,
    "stability_s": 1.0,
    "recall_count": 0,
}
_VERSION = {
    "tenant_id": TENANT,
    "namespace_id": NAMESPACE,
    "version": 1,
    "content_version": 1,
    "content": "",
    "recorded_from": EPOCH,
    "reason": "create",
    "writer": "test",
    "pairs": b"",
}


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        connection.execute(insert(Tenant), {"id": TENANT, "name": "t", "created_at": EPOCH})
        connection.execute(insert(EmbeddingSpaceRow), {"id": SPACE, "model": "m", "dim": 1, "created_at": EPOCH})
        connection.execute(
            insert(Namespace).values(
                tenant_id=TENANT, id=NAMESPACE, path="n", space_id=SPACE, head_seq=0, settings={}, created_at=EPOCH
            )
        )
        connection.commit()
        yield connection
    engine.dispose()


def store(connection: Connection, described: list[dict[str, Any]]) -> dict[UUID, dict[str, Any]]:
    """Write the memories, each with one version; external ids are made unique."""
    rows = {uuid4(): dict(row) for row in described}
    seen: set[str] = set()
    for row in rows.values():
        if row["external_id"] in seen:
            row["external_id"] = None
        seen.add(row["external_id"])
    own = ("external_id", "recorded_at")
    connection.execute(insert(Memory.__table__), [{**_MEMORY, **row, "id": id} for id, row in rows.items()])  # type: ignore[arg-type]
    connection.execute(
        insert(MemoryVersion.__table__),  # type: ignore[arg-type]
        [{**_VERSION, **{k: v for k, v in row.items() if k not in own}, "memory_id": id} for id, row in rows.items()],
    )
    return rows


# One database serves all examples: each writes into a transaction that is rolled back.
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(described=st.lists(memories, min_size=1, max_size=6), asked=st.lists(filters, min_size=1, max_size=6))
def test_every_way_of_evaluating_a_filter_agrees(
    connection: Connection, described: list[dict[str, Any]], asked: list[dict[str, Any]]
) -> None:
    rows = store(connection, described)
    try:
        for wanted in asked:
            node = parse(wanted)
            meant = {id for id, row in rows.items() if passes(node, row)}
            assert set(connection.scalars(select(Memory.id).where(where(node, Memory)))) == meant, "memories"
            versions = select(MemoryVersion.memory_id).where(where(node, MemoryVersion))
            assert set(connection.scalars(versions)) == meant, "versions"
            scan, rest = split(node)
            scanned = {id for id, row in rows.items() if scan_passes(scan, row)}
            if rest is not None:
                scanned &= set(connection.scalars(select(Memory.id).where(where(rest, Memory))))
            assert scanned == meant, "scan and rest"
    finally:
        connection.rollback()


def test_a_version_can_be_filtered_beside_its_memory(connection: Connection) -> None:
    """Fields that only the memory has are looked up without getting in the way of a query that joins it."""
    base = {"tags": [], "importance": 0.5, "trust": 1.0, "pinned": False, "metadata": {}, "kind": 0, "state": 0}
    rows = store(
        connection,
        [{**base, "external_id": "a", "recorded_at": EPOCH}, {**base, "external_id": "b", "recorded_at": EPOCH}],
    )
    query = (
        select(MemoryVersion.memory_id)
        .join(Memory, (Memory.tenant_id == MemoryVersion.tenant_id) & (Memory.id == MemoryVersion.memory_id))
        .where(where(parse({"external_id": "b"}), MemoryVersion))
    )
    assert [rows[id]["external_id"] for id in connection.scalars(query)] == ["b"]


@pytest.mark.parametrize(
    "key", ["a')) or 1=1--", "$.x[*]", 'k" OR "1"="1', "k'; DROP TABLE memory; --", "%(x)s", ":x", "?", "{0}", "k]"]
)
def test_a_hostile_key_finds_what_lies_under_it_and_nothing_else(connection: Connection, key: str) -> None:
    base = {"tags": [], "importance": 0.5, "trust": 1.0, "pinned": False, "kind": 0, "state": 0, "recorded_at": EPOCH}
    rows = store(
        connection,
        [
            {**base, "external_id": "under", "metadata": {key: "v"}},
            {**base, "external_id": "beside", "metadata": {"k": "v", "x": "v", "a": "v"}},
        ],
    )
    name = "metadata." + key.replace(".", "\\.")
    for wanted in (
        {name: "v"},
        {name: {"exists": True}},
        {name: {"gte": "u"}},
        {name: {"ne": "w"}, "external_id": "under"},
    ):
        found = connection.scalars(select(Memory.id).where(where(parse(wanted), Memory)))
        assert [rows[id]["external_id"] for id in found] == ["under"]


def test_a_full_list_is_within_what_both_databases_take(connection: Connection) -> None:
    values = [f"v{n}" for n in range(1000)]
    base = {"importance": 0.5, "trust": 1.0, "pinned": False, "kind": 0, "state": 0, "recorded_at": EPOCH}
    rows = store(
        connection,
        [
            {**base, "external_id": "yes", "tags": ["v999"], "metadata": {"k": "v999"}, "user_id": "v999"},
            {**base, "external_id": "no", "tags": ["w"], "metadata": {"k": "w"}, "user_id": "w"},
        ],
    )
    for name in ("tags", "metadata.k", "user_id"):
        found = connection.scalars(select(Memory.id).where(where(parse({name: {"in": values}}), Memory)))
        assert [rows[id]["external_id"] for id in found] == ["yes"]
