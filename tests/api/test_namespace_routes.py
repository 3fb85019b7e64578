"""GET /v1/namespaces and /v1/stats."""

from __future__ import annotations

from tests.fixtures.service import DIM, Caller, assert_problem


def names(caller: Caller, **params: str | int) -> list[str]:
    """Paths of every page."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        asked = {**params, **({} if cursor is None else {"cursor": cursor})}
        answer = caller.ask("GET", "/v1/namespaces", params=asked)
        assert answer.status_code == 200, answer.text
        found += [item["namespace"] for item in answer.json()["items"]]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found


def fill(caller: Caller, *paths: str) -> None:
    for path in paths:
        caller.namespace = path
        caller.remember("x")


def test_namespaces_come_by_path_with_what_they_hold(ada: Caller) -> None:
    fill(ada, "b", "a/x", "a/x", "a", "a-b")

    assert names(ada) == ["a", "a-b", "a/x", "b"]
    assert names(ada, limit=1) == ["a", "a-b", "a/x", "b"]
    item = ada.ask("GET", "/v1/namespaces", params={"prefix": "a/"}).json()["items"][0]
    assert (item["memories"], item["head_seq"], item["embedding_model"]) == (2, 2, f"hashing-{DIM}")


def test_prefix_is_text_and_capitals_count(ada: Caller) -> None:
    fill(ada, "User/a", "user/a", "us%r/a", "us_r/a")

    assert names(ada, prefix="user/") == ["user/a"]
    assert names(ada, prefix="us%") == ["us%r/a"]
    assert names(ada, prefix="us_") == ["us_r/a"]
    assert names(ada, prefix="nothing") == []


def test_key_sees_the_namespaces_that_it_reaches(ada: Caller) -> None:
    fill(ada, *(f"team/{i:02}" for i in range(12)), "user/ada", "user/ada/x", "user/bob")
    narrow = ada.key(roles=["read"], namespaces=["user/ada/**"])

    assert names(narrow, limit=1) == ["user/ada", "user/ada/x"]
    assert names(ada.key(roles=["read"], namespaces=["team/*"]), limit=5) == [f"team/{i:02}" for i in range(12)]


def test_cursor_belongs_to_its_prefix(ada: Caller) -> None:
    fill(ada, "a/1", "a/2", "b/1")
    cursor = ada.ask("GET", "/v1/namespaces", params={"prefix": "a/", "limit": 1}).json()["next_cursor"]

    assert_problem(ada.ask("GET", "/v1/namespaces", params={"limit": 1, "cursor": cursor}), 400, "bad_cursor")


def test_stats_count_by_kind_and_state(ada: Caller) -> None:
    ada.remember("a", kind="episodic")
    ada.forget(ada.remember("b", kind="procedural")["id"])
    ada.erase(ada.remember("c")["id"])

    stats = ada.stats()

    assert stats["memories"] == 2
    assert stats["kinds"] == {"episodic": 1, "semantic": 0, "procedural": 1}
    assert (stats["states"]["active"], stats["states"]["forgotten"]) == (1, 1)
    assert stats["head_seq"] == 5
    assert stats["bank_bytes"] > 0
    assert stats["vector_bytes"]["fp16"] > 0
    assert stats["vector_bytes"]["int8"] == stats["vector_bytes"]["int4"] == 0


def test_stats_say_when_how_much_and_what_was_done_last(ada: Caller) -> None:
    first, last = ada.remember("tea"), ada.remember("tea is brewed at 80 degrees")
    ada.edit(last["id"], content="é")
    made = [ada.ask("POST", "/v1/job-runs", json={"namespace": ada.namespace, "kind": "fade"}) for _ in "ab"]
    assert [one.status_code for one in made] == [202, 202]

    stats = ada.stats()

    assert (stats["oldest_at"], stats["newest_at"]) == (first["recorded_at"], last["recorded_at"])
    assert stats["levels"] == {"active": 2, "warm": 0, "cold": 0}
    assert stats["head_seq"] == stats["applied_seq"] == 3
    assert stats["database_bytes"]["content"] == len("teatea is brewed at 80 degrees") + 2
    assert stats["database_bytes"]["vectors"] == 3 * 2 * DIM
    assert stats["database_bytes"]["analysis"] > 0
    assert stats["last_runs"].keys() == {"fade"}
    assert stats["last_runs"]["fade"]["id"] == made[-1].json()["id"]


def test_stats_count_nothing_of_others(ada: Caller) -> None:
    other = ada.service.tenant("other")
    other.remember("a memory of somebody else")
    ada.remember("tea")
    elsewhere = Caller(ada.service, ada.secret, "user/elsewhere")
    elsewhere.remember("and one next door")

    assert ada.stats()["database_bytes"]["content"] == len("tea")


def test_stats_of_an_unknown_namespace_are_zero(ada: Caller) -> None:
    stats = ada.stats()

    assert (stats["memories"], stats["head_seq"], stats["bank_bytes"]) == (0, 0, 0)
    assert stats["vector_bytes"] == {"fp16": 0, "int8": 0, "int4": 0}
