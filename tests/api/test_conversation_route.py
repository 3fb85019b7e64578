"""POST /v1/conversations: turns become memories that follow one another."""

from __future__ import annotations

from typing import Any

from tests.fixtures.service import Caller, assert_problem


def say(caller: Caller, *turns: dict[str, Any], session: str = "s1", **fields: Any) -> dict[str, Any]:
    """Send turns of a session."""
    body = {"namespace": caller.namespace, "session_id": session, "turns": list(turns), **fields}
    answer = caller.ask("POST", "/v1/conversations", json=body)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["id"] for item in answer["items"]]


def test_turns_carry_speaker_session_and_order(ada: Caller) -> None:
    turns = [
        {"content": "hello Bob", "speaker": "Ada", "occurred_at": "2026-01-31T09:00:00Z", "external_id": "D1:1"},
        {"content": "hi Ada", "speaker": "Bob", "metadata": {"mood": "good"}},
        {"content": "how is the kettle", "speaker": "Ada"},
    ]

    answer = say(ada, *turns, user_id="ada", agent_id="bot")

    assert [item["status"] for item in answer["items"]] == [201, 201, 201]
    assert answer["items"][0]["external_id"] == "D1:1"
    first, second, third = ids(answer)
    shown = ada.get(second).json()
    assert (shown["speaker"], shown["session_id"], shown["user_id"]) == ("Bob", "s1", "ada")
    assert (shown["agent_id"], shown["kind"], shown["metadata"]) == ("bot", "episodic", {"mood": "good"})
    assert ada.links(first) == {("follows", second, "in")}
    assert ada.links(second) == {("follows", first, "out"), ("follows", third, "in")}
    assert ada.found("kettle", filter={"session_id": "s1", "speaker": "Ada"}, top_k=1) == ["how is the kettle"]


def test_next_turns_continue_the_session(ada: Caller) -> None:
    (first,) = ids(say(ada, {"content": "one"}))
    say(ada, {"content": "elsewhere"}, session="s2")

    second, third = ids(say(ada, {"content": "two"}, {"content": "three"}))

    assert ada.links(second) == {("follows", first, "out"), ("follows", third, "in")}


def test_refused_turn_is_stepped_over(ada: Caller) -> None:
    answer = say(ada, {"content": "one"}, {"content": ""}, {"content": "three"})

    assert [item["status"] for item in answer["items"]] == [201, 422, 201]
    assert answer["items"][1]["problem"]["errors"][0]["pointer"] == "/turns/1/content"
    first, third = answer["items"][0]["id"], answer["items"][2]["id"]
    assert ada.links(third) == {("follows", first, "out")}


def test_conversation_sent_again_changes_nothing(ada: Caller) -> None:
    turns = [{"content": f"turn {i}", "external_id": f"D1:{i}", "speaker": "Ada"} for i in range(3)]
    first = say(ada, *turns)
    links = [ada.links(i) for i in ids(first)]

    again = say(ada, *turns)

    assert ids(again) == ids(first)
    assert [item["status"] for item in again["items"]] == [200] * 3
    assert again["seq"] == first["seq"]
    assert [ada.links(i) for i in ids(first)] == links


def test_conversation_that_grew_is_continued_at_its_end(ada: Caller) -> None:
    turns = [{"content": f"turn {i}", "external_id": f"D1:{i}"} for i in range(4)]
    first = say(ada, *turns[:2])

    grown = say(ada, *turns)

    assert [item["status"] for item in grown["items"]] == [200, 200, 201, 201]
    one, two, three, four = ids(grown)
    assert [one, two] == ids(first)
    assert ada.links(one) == {("follows", two, "in")}
    assert ada.links(three) == {("follows", two, "out"), ("follows", four, "in")}


def test_repeat_with_a_key_is_one_conversation(ada: Caller) -> None:
    body = {"namespace": ada.namespace, "session_id": "s", "turns": [{"content": "one"}, {"content": "two"}]}

    first, second = (
        ada.ask("POST", "/v1/conversations", json=body, headers={"idempotency-key": "k"}) for _ in range(2)
    )

    assert first.json() == second.json()
    assert len(ada.listed()) == 2


def test_no_turns_is_refused_and_too_many_too(ada: Caller) -> None:
    body: dict[str, Any] = {"namespace": ada.namespace, "session_id": "s", "turns": []}
    assert_problem(ada.ask("POST", "/v1/conversations", json=body), 422, "invalid_input")
    body["turns"] = [{"content": "x"}] * 1001
    assert_problem(ada.ask("POST", "/v1/conversations", json=body), 413, "too_large")
