"""POST /v1/memories and /v1/memories:batch: create, edit by external id, repeat, refuse."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.fixtures.service import DIM, Caller, assert_problem, timeless

EVERYTHING: dict[str, Any] = {
    "kind": "procedural",
    "external_id": "D1:3",
    "user_id": "ada",
    "agent_id": "coder",
    "session_id": "s1",
    "speaker": "Ada",
    "place": "Turin",
    "tags": ["work", "tea"],
    "outcome": "success",
    "language": "en",
    "occurred_at": "2026-01-31T09:00:00.000001Z",
    "valid_from": "2026-01-01T00:00:00Z",
    "valid_to": "2027-01-01T00:00:00Z",
    "importance": 0.7,
    "pinned": True,
    "source": {"from": "mail"},
    "metadata": {"a": {"b": [1, 2.5, None, True, "x"]}, "$ne": "';--", "__proto__": {"x": 1}},
}

CONTENTS = (
    "e\u0301 and \u00e9",
    "\u202eright\u200b to\tleft\r\n",
    "\U0001f469\u200d\U0001f467 \U0001f600",
    "<script>{{7*7}}%s%n",
    "=cmd()\x1b[31m",
)


def test_created_memory_reads_back_as_it_was_written(ada: Caller) -> None:
    made = ada.write("tea is brewed at 80 degrees", **EVERYTHING)

    assert made.status_code == 201
    memory = made.json()["memory"]
    assert {name: memory[name] for name in EVERYTHING} == EVERYTHING
    assert made.json()["seq"] == 1
    assert made.headers["etag"] == '"1"'
    got = ada.get(memory["id"])
    assert got.json() == memory
    assert got.headers["etag"] == '"1"'
    assert ada.list()["items"] == [memory]
    assert ada.recall("tea")["hits"][0]["memory"] == memory


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, "semantic"),
        ({"occurred_at": "2026-01-31T09:00:00Z"}, "episodic"),
        ({"speaker": "Ada"}, "episodic"),
        ({"session_id": "s"}, "episodic"),
        ({"outcome": "failure", "speaker": "Ada"}, "procedural"),
        ({"outcome": "failure", "kind": "semantic"}, "semantic"),
    ],
)
def test_kind_follows_from_what_is_known(ada: Caller, fields: dict[str, Any], kind: str) -> None:
    assert ada.remember("something", **fields)["kind"] == kind


def test_content_comes_back_byte_for_byte(ada: Caller) -> None:
    for content in (
        "e\u0301 and \u00e9",
        "\u202eright\u200b to\tleft\r\n",
        "👩‍👩‍👧 \U0001f600",
        "<script>{{7*7}}%s",
        "=cmd()\x1b[31m",
    ):
        memory = ada.remember(content, metadata={"same": content})
        got = ada.get(memory["id"]).json()
        assert got["content"] == content
        assert got["metadata"] == {"same": content}


def test_external_id_written_again_edits_only_what_is_named(ada: Caller) -> None:
    first = ada.remember("lives in Turin", external_id="x", place="Turin", tags=["a"], metadata={"k": 1})

    again = ada.write("lives in Milan", external_id="x", place="Milan")

    assert again.status_code == 200
    memory = again.json()["memory"]
    assert memory["id"] == first["id"]
    assert memory["version"] == 2
    assert (memory["content"], memory["place"]) == ("lives in Milan", "Milan")
    assert (memory["tags"], memory["metadata"]) == (["a"], {"k": 1})
    assert ada.found("lives") == ["lives in Milan"]


def test_unchanged_rewrite_makes_no_version_and_no_change(ada: Caller) -> None:
    said = {"external_id": "x", "tags": ["a"], "importance": 0.25, "occurred_at": "2026-01-31T09:00:00Z"}
    first = ada.write("the same", **said).json()

    again = ada.write("the same", **said)

    assert again.status_code == 200
    assert timeless(again.json()) == timeless(first)
    assert len(ada.history(first["memory"]["id"])) == 1


def test_null_clears_and_defaults_come_back(ada: Caller) -> None:
    memory = ada.remember("x", place="Turin", importance=0.9, tags=["a"], pinned=True, metadata={"a": 1}, ttl_s=60)

    cleared = ada.edit(memory["id"], place=None, importance=None, tags=None, pinned=None, metadata=None, ttl_s=None)

    after = cleared.json()["memory"]
    assert after["place"] is None
    assert after["expires_at"] is None
    assert (after["importance"], after["tags"], after["pinned"], after["metadata"]) == (0.5, [], False, {})


def test_external_ids_are_apart_between_namespaces(ada: Caller) -> None:
    first = ada.remember("one", external_id="x")
    ada.namespace = "user/bob"
    second = ada.remember("two", external_id="x")

    assert first["id"] != second["id"]
    assert ada.get(first["id"]).json()["content"] == "one"


def test_external_id_of_a_forgotten_memory_brings_it_back(ada: Caller) -> None:
    memory = ada.remember("old news", external_id="x")
    ada.forget(memory["id"])

    again = ada.write("fresh news", external_id="x")

    assert again.status_code == 200
    assert again.json()["memory"]["id"] == memory["id"]
    assert ada.found("fresh news") == ["fresh news"]


def test_external_id_of_an_expired_memory_is_findable_again(ada: Caller) -> None:
    memory = ada.remember("short lived", external_id="x", ttl_s=60)
    ada.service.clock.move(seconds=61)

    again = ada.write("here again", external_id="x")

    assert again.status_code == 200
    assert again.json()["memory"]["id"] == memory["id"]
    assert ada.found("here again") == ["here again"]
    assert ada.get(memory["id"]).status_code == 200


def test_external_id_of_an_erased_memory_is_a_new_memory(ada: Caller) -> None:
    memory = ada.remember("one", external_id="x")
    ada.erase(memory["id"])

    again = ada.write("one", external_id="x")

    assert again.status_code == 201
    assert again.json()["memory"]["id"] != memory["id"]
    assert again.json()["memory"]["version"] == 1


def test_batch_answers_item_by_item(ada: Caller) -> None:
    ada.remember("was here", external_id="known")
    items = [
        {"content": "new one", "external_id": "a"},
        {"content": ""},
        {"content": "edited", "external_id": "known"},
        {"content": "twice", "external_id": "a"},
        {"content": "x", "nonsense": 1},
        {"content": "linked nowhere", "links": [{"relation": "follows", "memory_id": str(uuid4())}]},
        {"content": "bad vector", "embedding": [1.0, 2.0]},
        {"content": "new two"},
    ]

    answer = ada.ask("POST", "/v1/memories:batch", json={"namespace": ada.namespace, "memories": items})

    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert [item["status"] for item in body["items"]] == [201, 422, 200, 422, 422, 422, 422, 201]
    assert body["items"][0]["external_id"] == "a"
    pointers = [item["problem"]["errors"][0]["pointer"] for item in body["items"] if "problem" in item]
    assert pointers[0] == "/memories/1/content"
    assert sorted(ada.listed()) == ["edited", "new one", "new two"]
    assert body["seq"] == 4


def test_batch_over_the_limit_writes_nothing(ada: Caller) -> None:
    answer = ada.ask("POST", "/v1/memories:batch", json={"namespace": "n", "memories": [{"content": "x"}] * 1001})

    assert_problem(answer, 413, "too_large")
    assert ada.ask("GET", "/v1/namespaces").json()["items"] == []


def test_batch_of_a_thousand_is_found(ada: Caller) -> None:
    memories = [{"content": f"fact number{i} about thing{i}", "external_id": str(i)} for i in range(1000)]

    answer = ada.ask("POST", "/v1/memories:batch", json={"namespace": ada.namespace, "memories": memories})

    assert {item["status"] for item in answer.json()["items"]} == {201}
    assert answer.json()["seq"] == 1000
    assert ada.found("thing777", top_k=1) == ["fact number777 about thing777"]


def test_links_lead_both_ways(ada: Caller) -> None:
    cause = ada.remember("the cause")
    effect = ada.remember("the effect", links=[{"relation": "derived_from", "memory_id": cause["id"]}] * 2)

    assert ada.links(effect["id"]) == {("derived_from", cause["id"], "out")}
    assert ada.links(cause["id"]) == {("derived_from", effect["id"], "in")}


def test_link_written_again_by_external_id_is_there_once(ada: Caller) -> None:
    cause = ada.remember("the cause")
    link = [{"relation": "derived_from", "memory_id": cause["id"]}]
    effect = ada.remember("the effect", external_id="e", links=link)

    again = ada.write("the effect", external_id="e", links=link)

    assert again.status_code == 200, again.text
    assert ada.links(effect["id"]) == {("derived_from", cause["id"], "out")}


def test_link_to_another_namespace_is_refused(ada: Caller) -> None:
    elsewhere = ada.remember("elsewhere")
    ada.namespace = "user/bob"

    answer = ada.write("here", links=[{"relation": "follows", "memory_id": elsewhere["id"]}])

    assert_problem(answer, 422, "invalid_input")
    assert elsewhere["id"] not in answer.text


def test_memory_cannot_be_linked_to_itself(ada: Caller) -> None:
    memory = ada.remember("me", external_id="me")

    answer = ada.write("me", external_id="me", links=[{"relation": "same_as", "memory_id": memory["id"]}])

    assert_problem(answer, 422, "invalid_input")
    assert ada.links(memory["id"]) == set()


def test_own_vector_stands_in_for_the_model(ada: Caller) -> None:
    vector = [0.0] * DIM
    vector[3] = 2.0
    ada.remember("wholly unrelated words", embedding=vector)

    assert ada.recall("zebra")["hits"] == [] or ada.found("zebra") == ["wholly unrelated words"]
    for wrong in ([0.0] * DIM, [1.0] * (DIM + 1), [1e308] * DIM, [1e-320] * DIM):
        answer = ada.write("x", embedding=wrong)
        assert_problem(answer, 422, "invalid_input")
    assert len(ada.listed()) == 1


def test_repeat_with_the_same_idempotency_key_has_one_effect(ada: Caller) -> None:
    header = {"idempotency-key": "k-1"}

    answers = [ada.write("once", headers=header) for _ in range(3)]

    assert [a.status_code for a in answers] == [201] * 3
    assert answers[0].json() == answers[1].json() == answers[2].json()
    assert answers[1].headers["etag"] == '"1"'
    assert ada.listed() == ["once"]


def test_idempotency_key_with_another_body_is_refused(ada: Caller) -> None:
    ada.write("once", headers={"idempotency-key": "k"})

    answer = ada.write("twice", headers={"idempotency-key": "k"})

    assert_problem(answer, 422, "idempotency_key_reused")
    assert ada.listed() == ["once"]


def test_idempotency_keys_are_apart_by_route_caller_and_tenant(ada: Caller) -> None:
    header = {"idempotency-key": "k"}
    other = ada.service.tenant("two")
    colleague = ada.key(roles=["read", "write"])
    memory = ada.write("once", headers=header).json()["memory"]

    assert ada.ask("POST", f"/v1/memories/{memory['id']}:forget", headers=header).status_code == 200
    assert other.write("once", headers=header).status_code == 201
    assert colleague.write("once", headers=header).status_code == 201
    assert other.listed() == ["once"]


def test_idempotency_key_is_forgotten_after_a_day(ada: Caller) -> None:
    first = ada.write("once", headers={"idempotency-key": "k"}).json()["memory"]
    ada.service.clock.move(hours=25)

    second = ada.write("once", headers={"idempotency-key": "k"})

    assert second.status_code == 201
    assert second.json()["memory"]["id"] != first["id"]


def test_same_key_at_the_same_time_has_one_effect(ada: Caller) -> None:
    body = {"namespace": ada.namespace, "content": "at once"}
    request = ("POST", "/v1/memories", {"json": body, "headers": ada.headers | {"idempotency-key": "k"}})

    answers = ada.service.ask_all([request] * 8)

    assert {a.status_code for a in answers} <= {201, 409}
    assert len({a.json()["memory"]["id"] for a in answers if a.status_code == 201}) == 1
    assert ada.listed() == ["at once"]


def test_same_external_id_at_the_same_time_is_one_memory(ada: Caller) -> None:
    requests = [
        ("POST", "/v1/memories", {
            "json": {"namespace": ada.namespace, "content": f"writer {i}", "external_id": "x"}, "headers": ada.headers,
        })
        for i in range(8)
    ]  # fmt: skip

    answers = ada.service.ask_all(requests)

    assert sorted(a.status_code for a in answers) == [200] * 7 + [201]
    (memory,) = ada.list()["items"]
    assert memory["version"] == 8
    assert [v["version"] for v in ada.history(memory["id"])] == list(range(1, 9))
    assert sorted(a.json()["seq"] for a in answers) == list(range(1, 9))


def test_replayed_batch_answers_the_same(ada: Caller) -> None:
    body = {"namespace": ada.namespace, "memories": [{"content": "a", "external_id": "1"}, {"content": ""}]}

    first, second = (
        ada.ask("POST", "/v1/memories:batch", json=body, headers={"idempotency-key": "b"}) for _ in range(2)
    )

    assert first.json() == second.json()
    assert len(ada.listed()) == 1


def test_edit_that_makes_the_interval_empty_is_refused(ada: Caller) -> None:
    memory = ada.remember("true for a while", external_id="x", valid_from="2026-01-01T00:00:00Z")

    by_id = ada.edit(memory["id"], valid_to="2025-01-01T00:00:00Z")
    by_external_id = ada.write("true for a while", external_id="x", valid_to="2025-01-01T00:00:00Z")

    assert_problem(by_id, 422, "invalid_input")
    assert_problem(by_external_id, 422, "invalid_input")
    assert ada.get(memory["id"]).json() == memory
