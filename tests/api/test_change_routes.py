"""Edit, forget, restore, history: what changes, what stays, and what nobody sees any more."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.fixtures.service import Caller, assert_problem, without_request_id


def test_edit_is_a_new_version_that_is_found(ada: Caller) -> None:
    memory = ada.remember("the kettle is red", tags=["kitchen"])

    answer = ada.edit(memory["id"], content="the kettle is green")

    assert answer.status_code == 200
    after = answer.json()["memory"]
    assert (after["version"], after["content"], after["tags"]) == (2, "the kettle is green", ["kitchen"])
    assert after["recorded_at"] == memory["recorded_at"]
    assert after["updated_at"] > memory["updated_at"]
    assert answer.headers["etag"] == '"2"'
    assert ada.found("kettle") == ["the kettle is green"]


def test_edit_without_difference_makes_no_version(ada: Caller) -> None:
    memory = ada.remember("the same", place="Turin")

    answer = ada.edit(memory["id"], content="the same", place="Turin")

    assert answer.json() == {"memory": memory, "seq": 1, "degraded": []}


def test_edit_of_attributes_keeps_the_text_findable(ada: Caller) -> None:
    memory = ada.remember("brass telescope in the attic")

    ada.edit(memory["id"], user_id="ada")

    assert ada.found("telescope", filter={"user_id": "ada"}) == ["brass telescope in the attic"]
    assert ada.found("telescope", filter={"user_id": {"exists": False}}) == []


def test_history_shows_every_version_with_its_interval(ada: Caller) -> None:
    memory = ada.remember("first")
    ada.edit(memory["id"], content="second")
    ada.edit(memory["id"], place="Turin")
    ada.forget(memory["id"])
    ada.restore(memory["id"])

    versions = ada.history(memory["id"])

    assert [v["content"] for v in versions] == ["first", "second", "second", "second", "second"]
    assert [v["reason"] for v in versions] == ["created", "edited", "edited", "forgotten", "restored"]
    assert [v["state"] for v in versions] == ["active", "active", "active", "forgotten", "active"]
    assert [v["version"] for v in versions] == [1, 2, 3, 4, 5]
    assert [v["recorded_to"] for v in versions[:-1]] == [v["recorded_from"] for v in versions[1:]]
    assert versions[-1]["recorded_to"] is None
    assert {v["writer"] for v in versions} == {"admin"}


def test_version_intervals_are_never_empty_even_if_the_clock_goes_back(ada: Caller) -> None:
    memory = ada.remember("first")
    ada.service.clock.move(hours=-1)
    ada.edit(memory["id"], content="second")

    first, second = ada.history(memory["id"])

    assert first["recorded_from"] < first["recorded_to"] == second["recorded_from"]


@pytest.mark.parametrize("operation", ["edit", "forget", "erase"])
def test_if_match_lets_only_the_reader_of_the_last_version_write(ada: Caller, operation: str) -> None:
    memory = ada.remember("x")
    ada.edit(memory["id"], content="y")
    method, path, body = {
        "edit": ("PATCH", f"/v1/memories/{memory['id']}", {"json": {"content": "z"}}),
        "forget": ("POST", f"/v1/memories/{memory['id']}:forget", {}),
        "erase": ("DELETE", f"/v1/memories/{memory['id']}", {}),
    }[operation]

    for stale in ('"1"', '"3"', 'W/"2"'):
        assert_problem(ada.ask(method, path, headers={"if-match": stale}, **body), 412, "precondition_failed")
    for malformed in ("2", '"2", "3"', "", '"x"', '"99999999999"'):
        assert_problem(ada.ask(method, path, headers={"if-match": malformed}, **body), 400, "malformed_request")
    assert ada.get(memory["id"]).json()["version"] == 2
    assert ada.ask(method, path, headers={"if-match": '"2"'}, **body).status_code in {200, 204}


def test_two_editors_of_one_version_do_not_both_win(ada: Caller) -> None:
    memory = ada.remember("x")
    path = f"/v1/memories/{memory['id']}"
    headers = ada.headers | {"if-match": '"1"'}

    answers = ada.service.ask_all([("PATCH", path, {"json": {"place": f"p{i}"}, "headers": headers}) for i in range(6)])

    assert sorted(a.status_code for a in answers) == [200, 412, 412, 412, 412, 412]


def test_forgotten_memory_is_nowhere_and_restore_brings_it_back_whole(ada: Caller) -> None:
    memory = ada.remember("the blue umbrella", tags=["rain"], metadata={"k": 1})
    friend = ada.remember("a friend", links=[{"relation": "same_as", "memory_id": memory["id"]}])
    scores = ada.recall("umbrella")["hits"][0]["channels"]

    forgotten = ada.forget(memory["id"])

    assert forgotten.status_code == 200
    assert forgotten.json()["memory"]["state"] == "forgotten"
    unknown = str(uuid4())
    for suffix in ("", "/history", "/links"):
        mine, other = (ada.ask("GET", f"/v1/memories/{i}{suffix}") for i in (memory["id"], unknown))
        assert without_request_id(mine) == without_request_id(other)
    assert_problem(ada.edit(memory["id"], content="x"), 404, "not_found")
    assert_problem(ada.forget(memory["id"]), 404, "not_found")
    assert ada.listed() == ["a friend"]
    assert "the blue umbrella" not in ada.found("umbrella")
    assert ada.links(friend["id"]) == set()
    assert ada.listed(filter='{"state": "forgotten"}') == ["the blue umbrella"]
    assert ada.found("umbrella", filter={"state": "forgotten"}) == ["the blue umbrella"]
    stats = ada.stats()["states"]
    assert (stats["active"], stats["forgotten"]) == (1, 1)

    restored = ada.restore(memory["id"])

    after = restored.json()["memory"]
    assert after["recall_count"] == 1  # to bring it back is to use it
    changing = {"version", "updated_at", "recall_count", "last_recalled_at", "retention", "fades_at"}
    assert {k: v for k, v in after.items() if k not in changing} == {
        k: v for k, v in memory.items() if k not in changing
    }
    assert ada.recall("umbrella")["hits"][0]["channels"] == scores
    assert ada.links(friend["id"]) == {("same_as", memory["id"], "out")}
    assert_problem(ada.restore(memory["id"]), 404, "not_found")


def test_link_to_a_forgotten_memory_is_refused_as_to_an_unknown_one(ada: Caller) -> None:
    memory = ada.remember("x")
    ada.forget(memory["id"])

    mine, unknown = (
        ada.write("y", links=[{"relation": "follows", "memory_id": i}]) for i in (memory["id"], str(uuid4()))
    )

    assert mine.status_code == 422
    assert without_request_id(mine) == without_request_id(unknown)


@pytest.mark.parametrize("operation", ["forget", "restore", "edit"])
def test_repeat_with_a_key_answers_instead_of_refusing(ada: Caller, operation: str) -> None:
    memory = ada.remember("x")
    if operation == "restore":
        ada.forget(memory["id"])
    path = f"/v1/memories/{memory['id']}" + ("" if operation == "edit" else f":{operation}")
    given = {"json": {"content": "y"}} if operation == "edit" else {}
    method = "PATCH" if operation == "edit" else "POST"

    first, second = (ada.ask(method, path, headers={"idempotency-key": "k"}, **given) for _ in range(2))

    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()


def test_expired_memory_is_not_there_any_more(ada: Caller) -> None:
    memory = ada.remember("the meeting is at nine", ttl_s=3600)
    friend = ada.remember("about the meeting", links=[{"relation": "follows", "memory_id": memory["id"]}])
    assert "the meeting is at nine" in ada.found("meeting")

    ada.service.clock.move(minutes=55)  # beside what this test takes
    assert ada.get(memory["id"]).status_code == 200
    ada.service.clock.move(minutes=5)

    unknown = without_request_id(ada.get(str(uuid4())))
    assert without_request_id(ada.get(memory["id"])) == unknown
    assert without_request_id(ada.edit(memory["id"], content="y")) == unknown
    assert without_request_id(ada.forget(memory["id"])) == unknown
    assert without_request_id(ada.ask("GET", f"/v1/memories/{memory['id']}/history")) == unknown
    assert ada.found("meeting") == ["about the meeting"]
    assert ada.listed() == ["about the meeting"]
    assert ada.links(friend["id"]) == set()
    refused = ada.write("z", links=[{"relation": "follows", "memory_id": memory["id"]}])
    assert_problem(refused, 422, "invalid_input")


def test_ttl_of_an_edit_counts_from_the_edit(ada: Caller) -> None:
    memory = ada.remember("x", ttl_s=3600)
    ada.service.clock.move(minutes=50)
    ada.edit(memory["id"], ttl_s=3600)
    ada.service.clock.move(minutes=50)

    assert ada.get(memory["id"]).status_code == 200


def test_writer_of_each_version_is_named(ada: Caller) -> None:
    memory = ada.remember("x")
    ada.key(name="editor", roles=["read", "write"]).edit(memory["id"], content="y")

    assert [v["writer"] for v in ada.history(memory["id"])] == ["admin", "editor"]


def keyword_ranks(ada: Caller, query: str) -> dict[str, int | None]:
    return {h["memory"]["id"]: h["channels"].get("keyword", {}).get("rank") for h in ada.recall(query)["hits"]}


def test_an_edit_of_the_text_keeps_who_spoke(ada: Caller) -> None:
    memory = ada.remember("The harbour is closed.", speaker="Zebedee")["id"]
    assert keyword_ranks(ada, "Zebedee")[memory] == 1
    ada.edit(memory, content="The harbour is open again.")
    assert keyword_ranks(ada, "Zebedee")[memory] == 1


def test_an_edit_of_the_speaker_alone_is_found_by_the_new_name(ada: Caller) -> None:
    memory = ada.remember("The harbour is closed.", speaker="Zebedee")["id"]
    ada.edit(memory, speaker="Yolanda")
    assert keyword_ranks(ada, "Yolanda")[memory] == 1
    assert keyword_ranks(ada, "Zebedee").get(memory) is None


def test_writing_an_external_id_again_keeps_who_spoke(ada: Caller) -> None:
    memory = ada.remember("The harbour is closed.", speaker="Zebedee", external_id="e")["id"]
    ada.write("The harbour is open again.", external_id="e")
    assert keyword_ranks(ada, "Zebedee")[memory] == 1
