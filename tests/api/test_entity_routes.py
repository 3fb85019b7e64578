"""Entities over HTTP: listed with their names, merged and split, gone with their memories."""

from __future__ import annotations

from typing import Any

import pytest

from retrieval.analysis.mentions import mention_id
from tests.fixtures.service import Caller, assert_problem


def entity_id(name: str) -> str:
    return f"{mention_id(name):016x}"


def listed(caller: Caller, **params: Any) -> list[dict[str, Any]]:
    """Entities of every page."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        asked = {"namespace": caller.namespace, **params, **({} if cursor is None else {"cursor": cursor})}
        answer = caller.ask("GET", "/v1/entities", params=asked)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found


def names(caller: Caller, **params: Any) -> list[set[str]]:
    return [{alias["name"] for alias in entity["aliases"]} for entity in listed(caller, **params)]


def one(caller: Caller, name: str) -> Any:
    return caller.ask("GET", f"/v1/entities/{entity_id(name)}", params={"namespace": caller.namespace})


def merge(caller: Caller, *said: str) -> Any:
    body = {"namespace": caller.namespace, "entity_ids": [entity_id(name) for name in said]}
    return caller.ask("POST", "/v1/entities:merge", json=body)


def split(caller: Caller, name: str, *aliases: str) -> Any:
    body = {"namespace": caller.namespace, "entity_id": entity_id(name), "alias_ids": [entity_id(a) for a in aliases]}
    return caller.ask("POST", "/v1/entities:split", json=body)


@pytest.fixture
def told(ada: Caller) -> Caller:
    for content in (
        "We met Melanie Smith and Zed.",
        "We saw how Melanie Smith went home.",
        "It was Melanie who called Zed.",
        "We saw the Countess in Lisbon.",
    ):
        ada.remember(content)
    return ada


def test_entities_come_with_their_names_the_most_mentioned_first(told: Caller) -> None:
    assert names(told)[:2] == [{"Melanie Smith", "Melanie"}, {"Zed"}]
    assert sorted(map(sorted, names(told)[2:])) == [["Countess"], ["Lisbon"]]
    assert names(told, limit=1) == names(told)
    first = listed(told)[0]
    assert (first["name"], first["memories"], first["decided"]) == ("Melanie Smith", 3, False)
    assert first["id"] == entity_id("Melanie Smith")
    assert [(alias["name"], alias["memories"]) for alias in first["aliases"]] == [("Melanie Smith", 2), ("Melanie", 1)]
    assert [(tie["rule"], tie["confidence"]) for tie in first["ties"]] == [("part", first["confidence"])]
    assert [tie["told_by"] for tie in first["ties"]] == [[]]


def test_any_name_leads_to_its_entity(told: Caller) -> None:
    by_part = one(told, "Melanie")
    assert by_part.status_code == 200
    assert by_part.json() == one(told, "Melanie Smith").json()
    assert_problem(one(told, "Nobody"), 404, "not_found")
    for bad in ("x", "0", "G" * 16, entity_id("Melanie").upper() + "A"):
        answer = told.ask("GET", f"/v1/entities/{bad}", params={"namespace": told.namespace})
        assert_problem(answer, 404, "not_found")
    told.namespace = "elsewhere"
    assert_problem(one(told, "Melanie"), 404, "not_found")
    assert listed(told) == []


def test_a_merge_joins_for_good_and_a_split_takes_it_back(told: Caller) -> None:
    answer = merge(told, "Countess", "Zed")
    assert answer.status_code == 200, answer.text
    merged = answer.json()
    assert {alias["name"] for alias in merged["aliases"]} == {"Countess", "Zed"}
    assert (merged["decided"], merged["ties"], merged["confidence"]) == (True, [], 1.0)
    assert merge(told, "Countess", "Zed").json() == merged

    answer = split(told, "Zed", "Countess")
    assert answer.status_code == 200, answer.text
    assert [[alias["name"] for alias in item["aliases"]] for item in answer.json()["items"]] == [["Zed"], ["Countess"]]
    assert {frozenset(group) for group in names(told)} == {
        frozenset({"Melanie Smith", "Melanie"}), frozenset({"Zed"}), frozenset({"Countess"}), frozenset({"Lisbon"}),
    }  # fmt: skip


def test_a_split_corrects_what_was_learned_and_a_merge_takes_that_back(told: Caller) -> None:
    assert split(told, "Melanie", "Melanie").status_code == 200
    assert {"Melanie"} in names(told)
    told.remember("We heard Melanie Smith and Melanie talk.")  # nothing learned later overrules it
    assert {"Melanie"} in names(told)
    assert {"Melanie Smith"} in names(told)
    assert merge(told, "Melanie", "Melanie Smith").status_code == 200
    assert names(told)[0] == {"Melanie", "Melanie Smith"}


def test_a_split_without_names_takes_all_apart(told: Caller) -> None:
    merge(told, "Countess", "Zed", "Melanie")
    answer = split(told, "Zed")
    assert len(answer.json()["items"]) == 4
    assert all(len(group) == 1 for group in names(told))


def test_recalls_ask_for_every_name_of_an_entity(told: Caller) -> None:
    for i in range(12):
        told.remember(f"nothing in particular, number {i}")
    question = "What happened with the Countess?"
    assert told.recall(question)["hits"][0]["memory"]["content"] == "We saw the Countess in Lisbon."
    merge(told, "Countess", "Zed")
    hits = told.recall(question)["hits"]
    by_entity = {hit["memory"]["content"] for hit in hits if hit["channels"].get("entity", {}).get("rank")}
    assert "We met Melanie Smith and Zed." in by_entity


def test_names_go_with_the_memories_that_mention_them(ada: Caller) -> None:
    kept, gone = ada.remember("We met Zed and Ada Lovelace."), ada.remember("Only here is Xenia Oakley named.")
    assert {"Xenia Oakley"} in names(ada)
    ada.forget(gone["id"])
    assert {"Xenia Oakley"} not in names(ada)
    ada.restore(gone["id"])
    assert {"Xenia Oakley"} in names(ada)
    ada.erase(gone["id"])
    assert {"Xenia Oakley"} not in names(ada)
    assert_problem(one(ada, "Xenia Oakley"), 404)
    ada.edit(kept["id"], content="We met Zed.")
    assert names(ada) == [{"Zed"}]


def test_a_tie_that_was_told_names_the_memories_that_tell_it(ada: Caller) -> None:
    telling = ada.remember("Robert Mbeki, also known as the Falcon, lives in Oslo.")
    ada.remember("We saw the Falcon in Lisbon.")
    entity = one(ada, "Falcon").json()
    assert {alias["name"] for alias in entity["aliases"]} == {"Robert Mbeki", "Falcon"}
    (tie,) = entity["ties"]
    assert {tie.pop("one"), tie.pop("other")} == {"Robert Mbeki", "Falcon"}
    assert tie == {"rule": "told", "confidence": 0.9, "told_by": [telling["id"]]}
    again = ada.remember("Robert Mbeki is nicknamed the Falcon.")
    assert one(ada, "Falcon").json()["ties"][0]["told_by"] == [telling["id"], again["id"]]
    for memory in (telling, again):
        ada.erase(memory["id"])
    assert one(ada, "Falcon").json()["aliases"] == [{"id": entity_id("Falcon"), "name": "Falcon", "memories": 1}]


def test_a_split_stands_against_what_memories_tell(ada: Caller) -> None:
    ada.remember("Robert Mbeki, also known as the Falcon, lives in Oslo.")
    assert split(ada, "Falcon", "Falcon").status_code == 200
    ada.remember("Everyone calls Robert Mbeki the Falcon.")
    assert {"Falcon"} in names(ada)
    other = ada.service.tenant("two")
    other.remember("We saw the Falcon, and Robert Mbeki.")
    assert {"Falcon"} in names(other)


def test_names_of_memories_that_expired_are_not_shown(ada: Caller) -> None:
    ada.remember("We met Zed.", ttl_s=3600)
    ada.remember("We met Xenia Oakley.")
    assert {"Zed"} in names(ada)
    ada.service.clock.move(seconds=3601)
    assert names(ada) == [{"Xenia Oakley"}]


def test_decisions_belong_to_a_namespace_and_a_tenant(told: Caller) -> None:
    merge(told, "Countess", "Zed")
    other = told.service.tenant("two")
    for caller, namespace in ((told, "user/bo"), (other, told.namespace)):
        caller.namespace, before = namespace, caller.namespace
        caller.remember("The Countess met Zed.")
        caller.remember("Zed and the Countess again.")
        assert {"Zed"} in names(caller)
        caller.namespace = before
    assert_problem(merge(told.service.tenant("three"), "Countess", "Zed"), 404, "not_found")


def test_what_makes_no_sense_is_refused(told: Caller) -> None:
    assert_problem(merge(told, "Zed"), 422, "invalid_input")
    assert_problem(merge(told, "Zed", "Nobody"), 404, "not_found")
    assert_problem(split(told, "Nobody"), 404, "not_found")
    assert_problem(split(told, "Zed", "Melanie"), 422, "invalid_input")
    body = {"namespace": told.namespace, "entity_ids": ["x", "y"]}
    assert_problem(told.ask("POST", "/v1/entities:merge", json=body), 422, "invalid_input")
    narrow = told.key(roles=["read"], namespaces=[told.namespace])
    assert_problem(merge(narrow, "Zed", "Countess"), 403, "forbidden")
    assert_problem(told.ask("GET", "/v1/entities", params={"namespace": told.namespace, "limit": 100_000}), 422)
    cursor = told.ask("GET", "/v1/entities", params={"namespace": told.namespace, "limit": 1}).json()["next_cursor"]
    elsewhere = {"namespace": "user/bo", "limit": 1, "cursor": cursor}
    assert_problem(told.ask("GET", "/v1/entities", params=elsewhere), 400, "bad_cursor")


def graph(caller: Caller, name: str, **params: Any) -> Any:
    asked = {"namespace": caller.namespace, **params}
    return caller.ask("GET", f"/v1/entities/{entity_id(name)}/graph", params=asked)


def test_graph_has_whom_memories_mention_together(ada: Caller) -> None:
    first = ada.remember("We met Zed and Cleo in Oslo.")["id"]
    second = ada.remember("We saw Zed and Cleo.")["id"]
    ada.remember("We saw Bo in Lima.")

    answer = graph(ada, "Zed")

    assert answer.status_code == 200
    found = answer.json()
    called = {one["id"]: one["name"] for one in found["entities"]}
    assert list(called.values()) == ["Zed", "Cleo", "Oslo"]
    shared = {frozenset((called[one["one"]], called[one["other"]])): one for one in found["links"]}
    assert {pair: one["memories"] for pair, one in shared.items()} == {
        frozenset(("Zed", "Cleo")): 2, frozenset(("Zed", "Oslo")): 1, frozenset(("Cleo", "Oslo")): 1,
    }  # fmt: skip
    assert shared[frozenset(("Zed", "Cleo"))]["memory_ids"] == [second, first]


def test_graph_ends_at_its_limit_and_with_what_was_erased(ada: Caller) -> None:
    ada.remember("We met Zed and Cleo.")
    gone = ada.remember("We met Zed and Bo in Lima with Cleo.")["id"]

    nearest = graph(ada, "Zed", limit=1).json()
    ada.erase(gone)
    left = graph(ada, "Zed").json()

    assert [one["name"] for one in nearest["entities"]] == ["Zed", "Cleo"]
    assert [one["name"] for one in left["entities"]] == ["Zed", "Cleo"]
    assert [one["memories"] for one in left["links"]] == [1]


def test_graph_joins_the_names_of_an_entity(ada: Caller) -> None:
    ada.remember("We met Zed and Cleo.")
    ada.remember("We met Zorro and Cleo.")
    merge(ada, "Zed", "Zorro")

    found = graph(ada, "Zorro").json()

    assert {alias["name"] for alias in found["entities"][0]["aliases"]} == {"Zed", "Zorro"}
    assert [one["memories"] for one in found["links"]] == [2]


def test_graph_of_nobody_is_not_found(ada: Caller) -> None:
    ada.remember("We met Zed.")
    assert_problem(graph(ada, "Nobody"), 404)
    assert_problem(ada.ask("GET", "/v1/entities/zed/graph", params={"namespace": ada.namespace}), 404)
    assert_problem(graph(ada, "Zed", limit=51), 422)
