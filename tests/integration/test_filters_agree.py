"""A filter lets through the same memories in SQL (either database), in the scan with its rest, and by its meaning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, insert, select

from memsvc.core.clock import EPOCH, from_us
from memsvc.filters.grammar import parse
from memsvc.filters.meaning import passes
from memsvc.filters.scan import split
from memsvc.filters.sql import where
from memsvc.models import EmbeddingSpaceRow, Memory, MemoryVersion, Namespace, Tenant
from tests.fixtures.extent import rounds
from tests.fixtures.filter_cases import filters, memories
from tests.fixtures.scan_meaning import scan_passes

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


def assert_agree(connection: Connection, rows: dict[UUID, dict[str, Any]], wanted: dict[str, Any]) -> set[UUID]:
    """The memories that pass, found in every way."""
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
    return meant


# One database serves all examples: each writes into a transaction that is rolled back.
@settings(max_examples=rounds(30, 1_000), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(described=st.lists(memories, min_size=1, max_size=6), asked=st.lists(filters, min_size=1, max_size=6))
def test_every_way_of_evaluating_a_filter_agrees(
    connection: Connection, described: list[dict[str, Any]], asked: list[dict[str, Any]]
) -> None:
    rows = store(connection, described)
    try:
        for wanted in asked:
            assert_agree(connection, rows, wanted)
    finally:
        connection.rollback()


SAID: dict[str, Any] = {
    "external_id": "D1:3",
    "user_id": None,
    "agent_id": None,
    "session_id": None,
    "speaker": None,
    "outcome": None,
    "language": None,
    "place": "Old Town_50% off",
    "kind": 0,
    "state": 0,
    "tags": ["work"],
    "occurred_at": from_us(5),
    "valid_from": None,
    "valid_to": None,
    "expires_at": None,
    "recorded_at": from_us(9),
    "importance": 0.7,
    "trust": 1.0,
    "pinned": False,
    "source": None,
    "metadata": {
        "n": 1,
        "f": 2.0,
        "t": True,
        "s": "1",
        "o": {"n": 1, "null": None},
        "e": {},
        "l": ["1", 2, True, {"n": 1}],
        "null": None,
        "bracket": "{}",
        "date": "2026-01-31",
        "Z": "Z",
        "one": ["1"],
        "nothing": [],
    },
}
"""One memory with a value of every sort."""


CASES: list[tuple[dict[str, Any], bool]] = [
    ({"place": {"contains": "Town_50% "}}, True),
    ({"place": {"contains": "town"}}, False),
    ({"place": {"contains": "Old%off"}}, False),
    ({"place": {"contains": "Old_Town"}}, False),
    ({"user_id": {"contains": ""}}, False),
    ({"not": {"user_id": {"contains": "a"}}}, True),
    ({"user_id": {"ne": "ada"}}, True),
    ({"not": {"valid_to": {"gt": "1970-01-01T00:00:00Z"}}}, True),
    ({"occurred_at": "1970-01-01T00:00:00.000005Z"}, True),
    ({"occurred_at": {"gt": "1970-01-01T00:00:00.000005Z"}}, False),
    ({"recorded_at": {"lte": "1970-01-01T00:00:00.000009Z", "gt": "1970-01-01T00:00:00.000008Z"}}, True),
    ({"importance": 0.7}, True),
    ({"importance": {"gt": 0.7}}, False),
    ({"importance": {"gte": 0.7, "lte": 0.7}}, True),
    ({"tags": "work"}, True),
    ({"tags": {"contains": "wor"}}, False),
    ({"metadata.n": 1.0}, True),
    ({"metadata.n": "1"}, False),
    ({"metadata.n": True}, False),
    ({"metadata.s": 1}, False),
    ({"metadata.t": 1}, False),
    ({"metadata.t": {"gte": 1}}, False),
    ({"metadata.t": "true"}, False),
    ({"metadata.f": {"in": [2, "x"]}}, True),
    ({"metadata.e": "{}"}, False),
    ({"metadata.bracket": "{}"}, True),
    ({"metadata.e": {"exists": True}}, True),
    ({"metadata.e": {"gt": ""}}, False),
    ({"metadata.o.n": {"lt": 2}}, True),
    ({"metadata.o.null": {"exists": False}}, True),
    ({"metadata.null": {"exists": False}}, True),
    ({"metadata.null": {"ne": "null"}}, True),
    ({"metadata.bracket.n": {"exists": False}}, True),
    ({"metadata.l.0": {"exists": False}}, True),
    ({"metadata.l": "1"}, False),
    ({"metadata.one": "1"}, False),
    ({"metadata.nothing": "1"}, False),
    ({"metadata.l": {"contains": "1"}}, True),
    ({"metadata.l": {"contains": 1}}, False),
    ({"metadata.l": {"contains": 2.0}}, True),
    ({"metadata.l": {"contains": '{"n":1}'}}, False),
    ({"metadata.s": {"contains": "1"}}, False),
    ({"metadata.date": {"gte": "2026-01-01", "lt": "2026-02-01"}}, True),
    ({"metadata.Z": {"lt": "a"}}, True),
    ({"metadata.s": {"gt": 0}}, False),
    ({"source.n": {"exists": False}}, True),
    ({"source.n": {"ne": 1}}, True),
    ({"user_id": {"in": []}}, False),
    ({"metadata.n": {"nin": []}}, True),
    ({"kind": "episodic", "not": {"kind": "episodic"}}, False),
]


def test_what_each_comparison_means(connection: Connection) -> None:
    rows = store(connection, [SAID])
    for wanted, expected in CASES:
        assert bool(assert_agree(connection, rows, wanted)) is expected, wanted


def test_a_version_can_be_filtered_beside_its_memory(connection: Connection) -> None:
    """Fields that only the memory has are looked up without getting in the way of a query that joins it."""
    base = {**SAID, "metadata": {}}
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
