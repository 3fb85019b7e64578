"""What a recall found is given again only while nothing changed, and never what is not stored any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
import redis as library

from tests.fixtures.service import Caller, serving


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    with serving(tmp_path, recall_cache_s=60.0) as service:
        one = service.tenant()
        for i in range(5):
            one.remember(f"The number of door {i} is {i * 7}.")
        yield one


def looks(caller: Caller, found: str) -> float:
    metric = caller.service.container.metrics.cache_looks.labels("recall", found)
    return float(metric._value.get())


def shown(answer: dict[str, Any]) -> list[Any]:
    hits = [{**hit, "memory": {**hit["memory"], "retention": None}} for hit in answer["hits"]]
    return [hits, answer["confidence"], answer["seq"], answer["degraded"], answer["nothing_relevant"]]


def test_the_same_answer_again_under_an_id_of_its_own(caller: Caller) -> None:
    first, second = (caller.recall("number of door 3") for _ in range(2))
    assert looks(caller, "local") == 1
    assert shown(first) == shown(second)
    assert first["id"] != second["id"]
    traces = caller.service.container.traces
    tenant = caller.service.container.keeper.keys()[0][0]
    first_trace, second_trace = (traces.find(tenant, UUID(answer["id"])) for answer in (first, second))
    assert first_trace is not None
    assert second_trace is not None
    assert np.array_equal(first_trace.scores, second_trace.scores)  # feedback learns from both the same


@pytest.mark.parametrize("change", ["write", "edit", "forget", "erase", "policy"])
def test_every_change_is_seen_at_once(caller: Caller, change: str) -> None:
    memory = caller.recall("number of door 3")["hits"][0]["memory"]
    caller.recall("number of door 3")
    before = looks(caller, "local")
    if change == "write":
        caller.remember("The number of door 3 is 21, says Bob.")
    elif change == "edit":
        caller.edit(memory["id"], content="The number of door 3 is 1000.")
    elif change == "forget":
        caller.forget(memory["id"])
    elif change == "erase":
        caller.erase(memory["id"])
    else:
        asked = {"namespace": caller.namespace, "policy": {"prior": 0.5}}
        assert caller.ask("PUT", "/v1/policy", json=asked).status_code == 200
    contents = caller.found("number of door 3")
    assert looks(caller, "local") - before == 1  # looked at, and not taken
    if change in ("forget", "erase"):
        assert memory["content"] not in contents
    if change == "edit":
        assert "The number of door 3 is 1000." in contents


def test_it_ends_with_its_time_and_with_a_memorys(caller: Caller) -> None:
    caller.remember("The number of door 9 is 63.", ttl_s=30)
    assert "The number of door 9 is 63." in caller.found("number of door 9")
    caller.service.clock.move(seconds=31)
    assert "The number of door 9 is 63." not in caller.found("number of door 9")


@pytest.mark.parametrize(
    "fields", [{"explain": True}, {"as_of": "2026-01-01T00:00:00Z"}], ids=["explained", "of the past"]
)
def test_some_questions_are_never_answered_so(caller: Caller, fields: dict[str, Any]) -> None:
    for _ in range(2):
        caller.recall("number of door 3", **fields)
    assert looks(caller, "local") == looks(caller, "none") == 0


def test_what_was_said_yesterday_is_asked_anew(caller: Caller) -> None:
    for _ in range(2):
        caller.recall("What did Bob say about door 3 yesterday?")
    assert looks(caller, "local") == 0


def test_other_questions_have_other_answers(caller: Caller) -> None:
    caller.recall("number of door 3")
    for fields in (
        {"top_k": 1},
        {"kinds": ["semantic"]},
        {"filter": {"importance": {"gte": 0.9}}},
        {"profile": "fast"},
    ):
        caller.recall("number of door 3", **fields)
    other = caller.service.tenant("two")
    assert other.recall("number of door 3")["hits"] == []
    assert looks(caller, "local") == 0


def test_processes_share_through_redis_and_what_is_planted_is_not_believed(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    prefix = f"t{uuid4().hex}"
    shared: dict[str, Any] = {"secret": "s" * 40, "jobs": "off", "redis_url": redis_url, "redis_prefix": prefix}
    with ExitStack() as closing, library.Redis.from_url(redis_url) as raw:
        first, second = (closing.enter_context(serving(tmp_path / n, postgres_url, **shared)) for n in "ab")
        one = first.tenant()
        two = Caller(second, one.secret)
        one.remember("The number of the door is 7.")
        answer = one.recall("number of the door")
        again = two.recall("number of the door")
        assert looks(two, "redis") == 1
        assert shown(answer) == shown(again)
        keys = [key for key in raw.scan_iter(match=f"{prefix}:*") if b":recall:" in key]
        assert len(keys) == 1
        assert b"number" not in raw.get(keys[0]) + keys[0]  # ids and scores alone
        one.remember("Another.")
        one.recall("number of the door")
        raw.set(keys[0], b'[1,"",1.0,1,[]]')
        assert two.recall("number of the door")["hits"]
