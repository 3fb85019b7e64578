"""Recall over several namespaces: one answer, and never a word out of a namespace that the key does not reach."""

from __future__ import annotations

import random
from typing import Any

import pytest

from memsvc.auth.principal import pattern_matches
from tests.fixtures.service import Caller, Service, assert_problem

PATHS = ["user/ada", "user/ada/work", "user/adam", "user/bob", "team", "team/red", "team/red/ops", "user/ada/work/old"]
PATTERNS = [
    ["**"], ["user/ada"], ["user/ada/**"], ["user/*"], ["team/**"], ["*"], ["team/*", "user/bob"], ["user/*/work"],
    ["nowhere/**"], ["user/ada/*/old", "user/ada/**"],
]  # fmt: skip
PREFIXES = ["", "u", "user/", "user/ada", "user/ada/", "team", "team/red", "zz", "user/adam"]


def ask(caller: Caller, query: str = "kettle", **fields: Any) -> dict[str, Any]:
    answer = caller.ask("POST", "/v1/recall", json={"query": query, "top_k": 100, **fields})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def write(caller: Caller, path: str, *contents: str) -> None:
    body = {"namespace": path, "memories": [{"content": content} for content in contents]}
    assert caller.ask("POST", "/v1/memories:batch", json=body).status_code == 200


def places(answer: dict[str, Any]) -> set[str]:
    return {hit["memory"]["namespace"] for hit in answer["hits"]}


@pytest.fixture(scope="module")
def world(shared: Service) -> dict[str, Caller]:
    """Two tenants with the same namespaces and other words in them."""
    tenants = {name: shared.tenant(f"several-{name}") for name in ("ada", "eve")}
    for name, caller in tenants.items():
        for path in PATHS:
            write(caller, path, *(f"a kettle of {name} {i} in {path}" for i in range(3)))
    return tenants


@pytest.mark.parametrize("patterns", PATTERNS, ids=" ".join)
def test_a_prefix_stands_for_what_the_key_reaches_and_nothing_else(
    world: dict[str, Caller], patterns: list[str]
) -> None:
    narrow = world["ada"].key(roles=["read"], namespaces=patterns)
    reached = {path for path in PATHS if any(pattern_matches(pattern, path) for pattern in patterns)}
    for prefix in PREFIXES:
        answer = ask(narrow, namespace_prefix=prefix)
        wanted = {path for path in reached if path.startswith(prefix)}
        assert set(answer["seqs"]) == wanted
        assert places(answer) == wanted
        assert all(" of ada " in hit["memory"]["content"] for hit in answer["hits"])
        packed = narrow.ask("POST", "/v1/context", json={"query": "kettle", "namespace_prefix": prefix}).json()
        assert {citation["namespace"] for citation in packed["citations"]} <= wanted


@pytest.mark.parametrize("patterns", PATTERNS, ids=" ".join)
def test_one_namespace_out_of_reach_refuses_the_whole_question(world: dict[str, Caller], patterns: list[str]) -> None:
    narrow = world["ada"].key(roles=["read"], namespaces=patterns)
    draw = random.Random(1)
    for _ in range(12):
        named = draw.sample([*PATHS, "user/unknown", "team/unknown"], draw.randint(1, 4))
        answer = narrow.ask("POST", "/v1/recall", json={"query": "kettle", "namespaces": named})
        if all(any(pattern_matches(pattern, path) for pattern in patterns) for path in named):
            assert places(answer.json()) == set(named) & set(PATHS)
            assert set(answer.json()["seqs"]) == set(named)
        else:
            assert_problem(answer, 403, "forbidden")
            assert "seq" not in answer.json()


def test_answer_names_the_namespaces(world: dict[str, Caller]) -> None:
    answer = ask(world["eve"], namespaces=["user/ada", "team", "user/ada"], explain=True)

    assert (answer["seq"], answer["seqs"]) == (None, {"user/ada": 3, "team": 3})
    assert len(answer["hits"]) == 6
    assert [hit["rank"] for hit in answer["hits"]] == list(range(1, 7))
    scores = [hit["score"] for hit in answer["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert answer["explanation"]["eligible"] == 6
    assert "seqs" not in ask(world["eve"], namespace="team")


def test_one_of_several_is_ranked_as_it_is_alone(world: dict[str, Caller]) -> None:
    alone = ask(world["ada"], namespace="team")
    listed, prefixed = ask(world["ada"], namespaces=["team"]), ask(world["ada"], namespace_prefix="team/red/ops")
    assert listed["hits"] == alone["hits"]
    assert places(prefixed) == {"team/red/ops"}
    merged = ask(world["ada"], namespaces=["team", "user/bob"])["hits"]
    own = [hit["memory"]["id"] for hit in merged if hit["memory"]["namespace"] == "team"]
    assert own == [hit["memory"]["id"] for hit in alone["hits"]]
    assert ask(world["ada"], namespaces=["user/bob", "team"])["hits"] == merged


def test_the_namespace_that_knows_comes_first(ada: Caller) -> None:
    write(ada, "a", "the red kettle whistles at dawn", "a lamp", "a chair", "a shoe")
    write(ada, "b", "coffee in rome", "a train to nowhere", "rain", "the door")

    answer = ask(ada, "the red kettle whistles", namespaces=["b", "a"])

    assert answer["hits"][0]["memory"]["content"] == "the red kettle whistles at dawn"
    assert answer["confidence"] == ask(ada, "the red kettle whistles", namespace="a")["confidence"]


def test_a_prefix_of_nothing_answers_nothing(ada: Caller) -> None:
    answer = ask(ada, namespace_prefix="nobody")

    assert (answer["hits"], answer["seqs"], answer["confidence"]) == ([], {}, 0.0)
    assert answer["nothing_relevant"] is True


def test_a_prefix_of_too_much_is_refused(ada: Caller) -> None:
    for i in range(33):
        write(ada, f"n/{i}", "a kettle")

    refused = ada.ask("POST", "/v1/recall", json={"query": "kettle", "namespace_prefix": "n/"})

    assert_problem(refused, 422, "invalid_input")
    assert len(ask(ada, namespace_prefix="n/1")["seqs"]) == 11
    assert len(ask(ada, namespaces=[f"n/{i}" for i in range(32)])["hits"]) == 32
