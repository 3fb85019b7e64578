"""Filters as expressions: what they say, that the service understands it, and what they refuse."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from memsvc.filters.grammar import parse
from memsvc_client import Condition, where
from memsvc_client.wire import encode

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)

SAID: list[tuple[Condition, dict[str, Any]]] = [
    (where.kind == "semantic", {"kind": {"eq": "semantic"}}),
    (where.place != "Oslo", {"place": {"ne": "Oslo"}}),
    (where.importance >= 0.5, {"importance": {"gte": 0.5}}),
    (where.occurred_at < NOON, {"occurred_at": {"lt": "2026-01-31T12:00:00Z"}}),
    (where.tags.contains("work"), {"tags": {"contains": "work"}}),
    (where.user_id.any_of(["ada", "ben"]), {"user_id": {"in": ["ada", "ben"]}}),
    (where.state.none_of(["forgotten"]), {"state": {"nin": ["forgotten"]}}),
    (where.speaker.exists(), {"speaker": {"exists": True}}),
    (where.expires_at.is_missing(), {"expires_at": {"exists": False}}),
    (where.metadata["project"]["file.name"] == "a", {"metadata.project.file\\.name": {"eq": "a"}}),
    (where.metadata["n"] > 3, {"metadata.n": {"gt": 3}}),
    (where.pinned == True, {"pinned": {"eq": True}}),  # noqa: E712 - it is an expression
    (
        (where.user_id == "ada") & (where.importance > 0.1) & ~where.tags.contains("private"),
        {
            "and": [
                {"user_id": {"eq": "ada"}},
                {"importance": {"gt": 0.1}},
                {"not": {"tags": {"contains": "private"}}},
            ]
        },
    ),
    (
        (where.user_id == "ada") | (where.user_id == "ben") | (where.place == "x") & (where.place != "y"),
        {
            "or": [
                {"user_id": {"eq": "ada"}},
                {"user_id": {"eq": "ben"}},
                {"and": [{"place": {"eq": "x"}}, {"place": {"ne": "y"}}]},
            ]
        },
    ),
]


@pytest.mark.parametrize(("condition", "grammar"), SAID, ids=[str(n) for n in range(len(SAID))])
def test_what_is_said(condition: Condition, grammar: dict[str, Any]) -> None:
    sent = json.loads(encode(condition))
    assert sent == grammar
    parse(sent)  # the service takes it


def test_joining_leaves_the_parts_as_they_are() -> None:
    one, other = where.user_id == "ada", where.place == "x"
    both = one & other
    _ = both & (where.kind == "semantic")
    assert dict(both) == {"and": [dict(one), dict(other)]}


def test_what_python_would_drop_is_refused() -> None:
    one = where.importance >= 0.1
    with pytest.raises(TypeError, match="joined by"):
        _ = one and (where.importance <= 0.5)
    with pytest.raises(TypeError, match="joined by"):
        _ = not one
    with pytest.raises(TypeError, match="joined by"):
        _ = 0.1 <= where.importance <= 0.5
