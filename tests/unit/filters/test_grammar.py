"""What the grammar takes, what it refuses, and that a refusal names the place and echoes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gpu.bank.records import Kind, State
from memsvc.core.errors import InvalidInput
from memsvc.filters.ast import ONLY_ACTIVE, And, Clause, Field, Node, Not, Op, Or, conjoin
from memsvc.filters.grammar import parse

ANY_STATE = Clause(Field("state"), Op.EXISTS, True)
NINE = datetime(2026, 1, 31, 9, tzinfo=UTC)


def clause(name: str, op: Op, value: Any, *path: str) -> Clause:
    return Clause(Field(name, path), op, value)


def parsed(value: dict[str, Any]) -> Node:
    """The filter alone, without what `parse` adds about the state."""
    node = parse({"state": {"exists": True}, **value})
    assert isinstance(node, And)
    assert node.parts[0] == ANY_STATE
    return node.parts[1] if len(node.parts) == 2 else And(node.parts[1:])


@pytest.mark.parametrize(
    ("value", "node"),
    [
        ({"user_id": "ada"}, clause("user_id", Op.EQ, "ada")),
        ({"kind": "semantic"}, clause("kind", Op.EQ, Kind.SEMANTIC)),
        ({"kind": {"in": ["episodic", "procedural"]}}, clause("kind", Op.IN, (0, 2))),
        ({"pinned": True}, clause("pinned", Op.EQ, True)),
        ({"tags": {"contains": "work"}}, clause("tags", Op.CONTAINS, "work")),
        ({"place": {"exists": False}}, clause("place", Op.EXISTS, False)),
        ({"importance": {"gte": 1}}, clause("importance", Op.GTE, 1.0)),
        ({"importance": {"lt": 0.12345678}}, clause("importance", Op.LT, 0.123457)),
        ({"trust": {"gte": "agent"}}, clause("trust", Op.GTE, 1.0)),
        ({"occurred_at": {"lt": "2026-01-31T10:00:00+01:00"}}, clause("occurred_at", Op.LT, NINE)),
        ({"occurred_at": "2026-01-31t09:00:00.0000019z"}, clause("occurred_at", Op.EQ, NINE.replace(microsecond=1))),
        ({"user_id": {"in": []}}, clause("user_id", Op.IN, ())),
        ({"metadata.a.b": 1.0}, clause("metadata", Op.EQ, 1, "a", "b")),
        ({"metadata.a": 1.5}, clause("metadata", Op.EQ, 1.5, "a")),
        ({"metadata.a\\.b.c": "x"}, clause("metadata", Op.EQ, "x", "a.b", "c")),
        ({"metadata.a\\\\.b": "x"}, clause("metadata", Op.EQ, "x", "a\\", "b")),
        ({"metadata.a')) or 1=1--": "x"}, clause("metadata", Op.EQ, "x", "a')) or 1=1--")),
        ({"source.app": {"ne": "chat"}}, clause("source", Op.NE, "chat", "app")),
        (
            {"importance": {"gte": 0.5, "lt": 0.9}, "user_id": "ada"},
            And(
                (
                    clause("importance", Op.GTE, 0.5),
                    clause("importance", Op.LT, 0.9),
                    clause("user_id", Op.EQ, "ada"),
                )
            ),
        ),
        (
            {"or": [{"user_id": "ada"}, {"agent_id": "a", "place": "b"}]},
            Or((clause("user_id", Op.EQ, "ada"), And((clause("agent_id", Op.EQ, "a"), clause("place", Op.EQ, "b"))))),
        ),
        (
            {"AND": [{"user_id": "ada"}, {"NOT": [{"tags": "x"}, {"tags": "y"}]}]},
            And((clause("user_id", Op.EQ, "ada"), Not(Or((clause("tags", Op.EQ, "x"), clause("tags", Op.EQ, "y")))))),
        ),
        ({"not": {"user_id": "ada"}}, Not(clause("user_id", Op.EQ, "ada"))),
    ],
)
def test_what_is_understood(value: dict[str, Any], node: Node) -> None:
    assert parsed(value) == node


@pytest.mark.parametrize("value", [None, {}])
def test_no_filter_means_active_memories(value: Any) -> None:
    assert parse(value) == ONLY_ACTIVE


def test_only_active_memories_unless_a_state_is_named() -> None:
    ada = clause("user_id", Op.EQ, "ada")
    assert parse({"user_id": "ada"}) == And((ada, ONLY_ACTIVE))
    forgotten = clause("state", Op.EQ, State.FORGOTTEN)
    assert parse({"state": "forgotten"}) == forgotten
    assert parse({"not": {"or": [{"user_id": "ada"}, {"state": "forgotten"}]}}) == Not(Or((ada, forgotten)))


def test_conjoin_flattens_and_skips_nothing() -> None:
    one, two = clause("user_id", Op.EQ, "a"), clause("place", Op.EQ, "b")
    assert conjoin(one, None) == one
    assert conjoin(And((one, two)), one) == And((one, two, one))


SECRET = "s3cr3t value"

REFUSED: list[tuple[Any, str, str]] = [
    (SECRET, "/filter", "type"),
    ([{"user_id": "a"}], "/filter", "type"),
    ({"nonsense": SECRET}, "/filter/nonsense", "unknown_field"),
    ({SECRET + "')) or 1=1--": 1}, "/filter", "unknown_field"),
    ({"$.x[*]": 1}, "/filter", "unknown_field"),
    ({"$where": SECRET}, "/filter", "unknown_field"),
    ({"user_id.x": SECRET}, "/filter/user_id.x", "unknown_field"),
    ({"metadata": SECRET}, "/filter/metadata", "path"),
    ({"metadata.": SECRET}, "/filter/metadata.", "path"),
    ({"metadata.a.": SECRET}, "/filter/metadata.a.", "path"),
    ({"metadata.a\\\\.": SECRET}, "/filter", "path"),
    ({"metadata.a..b": SECRET}, "/filter/metadata.a..b", "path"),
    ({"metadata.a\\": SECRET}, "/filter", "path"),
    ({"metadata.a\\n": SECRET}, "/filter", "path"),
    ({"metadata.\0": SECRET}, "/filter", "path"),
    ({"metadata.\ud800": SECRET}, "/filter", "path"),
    ({"metadata." + ".".join("abcdefghi"): 1}, "/filter/metadata.a.b.c.d.e.f.g.h.i", "path"),
    ({"metadata." + "k" * 600: 1}, "/filter", "too_long"),
    ({"user_id": {"regex": SECRET}}, "/filter/user_id", "operator"),
    ({"user_id": {"gt": SECRET}}, "/filter/user_id", "operator"),
    ({"kind": {"contains": SECRET}}, "/filter/kind", "operator"),
    ({"user_id": {}}, "/filter/user_id", "type"),
    ({"user_id": None}, "/filter/user_id", "type"),
    ({"user_id": 7}, "/filter/user_id", "type"),
    ({"user_id": [SECRET]}, "/filter/user_id", "type"),
    ({"user_id": {"eq": {"x": SECRET}}}, "/filter/user_id/eq", "type"),
    ({"user_id": SECRET + "\0"}, "/filter/user_id", "type"),
    ({"user_id": SECRET + "\udc00"}, "/filter/user_id", "type"),
    ({"user_id": SECRET * 100}, "/filter/user_id", "type"),
    ({"user_id": {"in": SECRET}}, "/filter/user_id/in", "type"),
    ({"user_id": {"in": ["a", 7]}}, "/filter/user_id/in/1", "type"),
    ({"user_id": {"in": ["a"] * 1001}}, "/filter/user_id/in", "too_long"),
    ({"place": {"exists": 1}}, "/filter/place/exists", "type"),
    ({"or": [{"kind": SECRET}]}, "/filter/or/0/kind", "type"),
    ({"kind": "EPISODIC"}, "/filter/kind", "type"),
    ({"kind": 0}, "/filter/kind", "type"),
    ({"state": ["active"]}, "/filter/state", "type"),
    ({"pinned": 1}, "/filter/pinned", "type"),
    ({"importance": True}, "/filter/importance", "type"),
    ({"importance": SECRET}, "/filter/importance", "type"),
    ({"importance": float("nan")}, "/filter/importance", "type"),
    ({"importance": 10**400}, "/filter/importance", "type"),
    ({"occurred_at": 1_700_000_000}, "/filter/occurred_at", "type"),
    ({"occurred_at": "2026-01-31"}, "/filter/occurred_at", "type"),
    ({"occurred_at": "2026-01-31T09:00:00"}, "/filter/occurred_at", "type"),
    ({"occurred_at": "20260131T090000Z"}, "/filter/occurred_at", "type"),
    ({"occurred_at": "2026-02-30T09:00:00Z"}, "/filter/occurred_at", "type"),
    ({"occurred_at": "2026-01-31T23:59:60Z"}, "/filter/occurred_at", "type"),
    ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "/filter/occurred_at", "type"),
    ({"occurred_at": "9999-12-31T23:59:59-14:00"}, "/filter/occurred_at", "type"),
    ({"occurred_at": "٢٠٢٦-01-31T09:00:00Z"}, "/filter/occurred_at", "type"),
    ({"metadata.a": None}, "/filter/metadata.a", "type"),
    ({"metadata.a": [1]}, "/filter/metadata.a", "type"),
    ({"metadata.a": 2**63}, "/filter/metadata.a", "type"),
    ({"metadata.a": float("inf")}, "/filter/metadata.a", "type"),
    ({"metadata.a": {"gt": True}}, "/filter/metadata.a/gt", "type"),
    ({"metadata.a": {"contains": ["x"]}}, "/filter/metadata.a/contains", "type"),
    ({"and": {"user_id": "a"}}, "/filter/and", "type"),
    ({"or": []}, "/filter/or", "type"),
    ({"not": SECRET}, "/filter/not", "type"),
    ({"or": [SECRET]}, "/filter/or/0", "type"),
    ({"or": [{}] * 21}, "/filter/or", "too_many"),
    ({"and": [{"or": [{"not": {"and": [{"user_id": "a"}]}}]}]}, "/filter/and/0/or/0/not/and", "too_deep"),
    ({"or": [{"user_id": "a"}] * 20, "place": "b"}, "/filter/place", "too_many"),
]


@pytest.mark.parametrize(("value", "pointer", "code"), REFUSED)
def test_what_is_refused_and_where(value: Any, pointer: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(value)
    (error,) = refused.value.errors
    assert (error.pointer, error.code) == (pointer, f"filter_{code}")
    assert SECRET not in refused.value.detail
    assert refused.value.status == 422


def test_the_limits_themselves_are_allowed() -> None:
    parse({"and": [{"or": [{"not": {"user_id": "a"}}]}]})
    parse({"or": [{"user_id": "a"}] * 20})
    parse({"user_id": {"in": ["a"] * 1000}})
    parse({"metadata." + ".".join("abcdefgh"): 1})


def test_the_pointer_starts_where_the_caller_says() -> None:
    with pytest.raises(InvalidInput) as refused:
        parse({"kind": 1}, "/queries/3/filter")
    assert refused.value.errors[0].pointer == "/queries/3/filter/kind"
