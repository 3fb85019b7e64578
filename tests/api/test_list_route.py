"""GET /v1/memories: filters, order, and pages that stay in step while others write."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.fixtures.service import Caller, assert_problem


def fill(caller: Caller, count: int) -> list[str]:
    """Memories in the order of their contents."""
    items = [
        {"content": f"m{i:03}", "metadata": {"n": i}, "tags": ["even"] if i % 2 == 0 else []} for i in range(count)
    ]
    answer = caller.ask("POST", "/v1/memories:batch", json={"namespace": caller.namespace, "memories": items})
    return [item["id"] for item in answer.json()["items"]]


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_pages_hold_every_memory_once_in_order(ada: Caller, order: str) -> None:
    fill(ada, 25)
    expected = [f"m{i:03}" for i in range(25)]

    assert ada.listed(limit=7, order=order) == (expected if order == "oldest" else expected[::-1])
    assert ada.listed(limit=25, order="oldest") == expected


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_pages_are_stable_while_others_write(ada: Caller, order: str) -> None:
    ids = fill(ada, 20)
    first = ada.list(limit=8, order=order)
    shown = [item["content"] for item in first["items"]]
    rest = [i for i in range(20) if f"m{i:03}" not in shown]
    gone, edited = rest[3], rest[5]
    ada.forget(ids[gone])
    ada.edit(ids[edited], content=f"m{edited:03} edited")
    ada.remember("a late one")

    cursor = first["next_cursor"]
    while cursor is not None:
        page = ada.list(limit=5, order=order, cursor=cursor)
        shown += [item["content"] for item in page["items"]]
        cursor = page["next_cursor"]

    expected = {f"m{i:03}" for i in range(20)} - {f"m{gone:03}", f"m{edited:03}"} | {f"m{edited:03} edited"}
    assert len(shown) == len(set(shown))
    assert set(shown) - {"a late one"} == expected
    assert ("a late one" in shown) == (order == "oldest")


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"metadata.n": {"lt": 2}}, {"m000", "m001"}),
        ({"tags": "even", "metadata.n": {"gte": 6}}, {"m006", "m008"}),
        ({"or": [{"metadata.n": 1}, {"metadata.n": 3}]}, {"m001", "m003"}),
        ({"not": {"tags": {"contains": "even"}}}, {"m001", "m003", "m005", "m007", "m009"}),
        ({"state": "forgotten"}, {"m004"}),
        ({"kind": "episodic"}, set()),
        ({"metadata.a')) or 1=1--": 1}, set()),
    ],
)
def test_filters_decide_what_is_listed_and_recalled(ada: Caller, condition: dict[str, Any], expected: set[str]) -> None:
    ids = fill(ada, 10)
    ada.forget(ids[4])

    assert set(ada.listed(filter=orjson.dumps(condition).decode(), limit=3)) == expected
    recalled = set(ada.found(" ".join(f"m{i:03}" for i in range(10)), filter=condition, top_k=50))
    assert recalled == expected


def test_cursor_is_good_for_its_list_alone(ada: Caller) -> None:
    other = ada.service.tenant("two")
    fill(ada, 5)
    fill(other, 5)
    cursor = ada.list(limit=2)["next_cursor"]
    raw = bytearray(cursor.encode())
    raw[30] = ord("A") if raw[30] != ord("A") else ord("B")
    wrong: list[tuple[Caller, dict[str, Any]]] = [
        (other, {"cursor": cursor}),
        (ada, {"cursor": cursor, "order": "oldest"}),
        (ada, {"cursor": cursor, "filter": '{"kind": "semantic"}'}),
        (ada, {"cursor": cursor, "namespace": "user/bob"}),
        (ada, {"cursor": cursor[:-1]}),
        (ada, {"cursor": cursor + "A"}),
        (ada, {"cursor": raw.decode()}),
        (ada, {"cursor": "A" * 2049}),
        (ada, {"cursor": "é"}),
        (ada, {"cursor": "AAAA"}),
    ]
    for caller, params in wrong:
        answer = caller.ask("GET", "/v1/memories", params={"namespace": "user/ada", **params})
        assert_problem(answer, 400, "bad_cursor")
    assert_problem(ada.ask("GET", "/v1/namespaces", params={"cursor": cursor}), 400, "bad_cursor")
    assert_problem(ada.ask("GET", "/v1/keys", params={"cursor": cursor}), 400, "bad_cursor")
    ada.service.clock.move(hours=25)
    answer = ada.ask("GET", "/v1/memories", params={"namespace": "user/ada", "cursor": cursor})
    assert_problem(answer, 400, "bad_cursor")


def test_unknown_namespace_lists_nothing(ada: Caller) -> None:
    assert ada.list() == {"items": [], "next_cursor": None}
    assert ada.ask("GET", "/v1/namespaces").json()["items"] == []
