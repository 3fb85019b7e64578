"""A copy that the load benchmark makes of a namespace answers, and changes, as one that was written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine

from benchmarks._copied import MOST, copy_namespace
from tests.fixtures.service import Caller, serving

COPIES = ["bench/b", "bench/c"]


@pytest.fixture
def caller(postgres_url: str, tmp_path: Path) -> Iterator[Caller]:
    with serving(tmp_path, postgres_url, jobs="off") as service:
        caller = service.tenant()
        caller.namespace = "bench/a"
        yield caller


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    made = create_engine(postgres_url)
    yield made
    made.dispose()


def test_a_copy_answers_and_changes_like_the_first(caller: Caller, engine: Engine) -> None:
    first = caller.remember("The ferry to Hobart leaves at nine.", external_id="ferry", session_id="s")
    link = {"relation": "derived_from", "memory_id": first["id"]}
    caller.remember("Then the bus goes on to the harbour.", session_id="s", links=[link])
    caller.edit(first["id"], content="The ferry to Hobart leaves at ten.")
    many = {"namespace": caller.namespace, "memories": [{"content": f"Bus {n} is late."} for n in range(150)]}
    assert caller.ask("POST", "/v1/memories:batch", json=many).status_code == 200  # ids of the same millisecond
    found = caller.recall("When does the ferry leave?", top_k=2)
    listed, stats = caller.listed(), caller.stats()
    copy_namespace(engine, caller.namespace, COPIES)
    ids = {first["id"]}
    for path in COPIES:
        caller.namespace = path
        again = caller.recall("When does the ferry leave?", top_k=2)
        assert [(h["memory"]["content"], h["score"]) for h in again["hits"]] == [
            (h["memory"]["content"], h["score"]) for h in found["hits"]
        ]
        assert caller.listed() == listed
        assert caller.stats()["memories"] == stats["memories"]
        own = next(h["memory"]["id"] for h in again["hits"] if h["memory"]["external_id"] == "ferry")
        assert [one["content"] for one in caller.history(own)] == [
            one["content"] for one in caller.history(first["id"])
        ]
        bus = next(h["memory"]["id"] for h in again["hits"] if h["memory"]["id"] != own)
        assert ("derived_from", own, "out") in caller.links(bus)
        ids.add(own)
    assert len(ids) == 3
    caller.edit(own, content="The ferry to Hobart leaves at noon.")
    caller.remember("A second ferry leaves at one.")
    assert caller.erase(own).status_code == 204
    assert [text for text in caller.found("ferry") if "ferry" in text] == ["A second ferry leaves at one."]
    caller.namespace = "bench/a"
    assert caller.found("When does the ferry leave?", top_k=2) == [h["memory"]["content"] for h in found["hits"]]


def test_what_cannot_be_told_apart_is_not_copied(caller: Caller, engine: Engine) -> None:
    caller.remember("The ferry to Hobart leaves at nine.")
    with pytest.raises(ValueError, match="at most"):
        copy_namespace(engine, caller.namespace, ["bench/b"] * (MOST + 1))
    caller.namespace = "bench/other"
    caller.remember("The bus leaves at ten.")
    with pytest.raises(RuntimeError, match="not the only namespace"):
        copy_namespace(engine, "bench/a", COPIES)
