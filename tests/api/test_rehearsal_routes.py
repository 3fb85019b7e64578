"""Important memories come up before they are lost, at growing intervals, and what was remembered lasts longer."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from tests.fixtures.service import Caller, Service, assert_problem

DAY = 86_400


def due(caller: Caller, **params: Any) -> dict[str, Any]:
    answer = caller.ask("GET", "/v1/memories:due", params={"namespace": caller.namespace, **params})
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


def ids(page: dict[str, Any]) -> list[str]:
    return [one["memory"]["id"] for one in page["items"]]


def rehearsed(caller: Caller, memory: str, outcome: str = "remembered", **more: Any) -> dict[str, Any]:
    answer = caller.ask("POST", f"/v1/memories/{memory}:rehearsed", json={"outcome": outcome}, **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def days_to(one: dict[str, Any], service: Service) -> float:
    return (datetime.fromisoformat(one["due_at"]) - service.clock.now()).total_seconds() / DAY


def test_what_is_important_comes_up_before_it_is_lost(ada: Caller, service: Service) -> None:
    dear = ada.remember("the door code is 4711", kind="episodic", importance=0.8)["id"]
    ada.remember("it rained", kind="episodic", importance=0.3)
    assert ids(due(ada)) == []
    assert ids(due(ada, horizon_s=str(30 * DAY))) == [dear]
    service.clock.move(days=3)
    (one,) = due(ada)["items"]
    assert one["memory"]["id"] == dear
    assert one["memory"]["retention"] < 0.9
    assert (one["rehearsals"], one["rehearsed_at"]) == (0, None)
    assert ids(due(ada)) == [dear]


def test_intervals_grow_when_it_is_remembered_and_shrink_when_not(ada: Caller, service: Service) -> None:
    memory = ada.remember("the door code is 4711", kind="episodic", importance=0.8)["id"]
    intervals = [days_to(due(ada, horizon_s=str(30 * DAY))["items"][0], service)]
    for _ in range(4):
        service.clock.move(days=intervals[-1], seconds=1)
        assert ids(due(ada)) == [memory]
        found = rehearsed(ada, memory)
        assert ids(due(ada)) == []
        intervals.append(days_to(found, service))
    growth = [later / earlier for earlier, later in pairwise(intervals)]
    assert growth == [pytest.approx(1.647, abs=0.01)] * 4
    assert found["rehearsals"] == 4
    service.clock.move(days=intervals[-1], seconds=1)
    failed = rehearsed(ada, memory, "failed")
    assert failed["rehearsals"] == 0
    assert days_to(failed, service) == pytest.approx(intervals[-1] / 2, rel=0.01)
    assert ada.get(memory).json()["recall_count"] == 0


def test_a_use_puts_it_off_too(ada: Caller, service: Service) -> None:
    memory = ada.remember("the door code is 4711", kind="episodic", importance=0.8)
    service.clock.move(days=3)
    ada.ask("POST", "/v1/context", json={"namespace": ada.namespace, "query": "door code"})
    service.container.recalls.flush()
    assert ids(due(ada)) == []
    assert ada.get(memory["id"]).json()["recall_count"] == 1


def test_many_come_page_by_page_the_most_urgent_first(ada: Caller, service: Service) -> None:
    made = [ada.remember(f"code {n}", kind="episodic", importance=0.7 + n / 50)["id"] for n in range(7)]
    service.clock.move(days=30)
    found, cursor = [], None
    while True:
        page = due(ada, limit="3", **({"cursor": cursor} if cursor else {}))
        found += ids(page)
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == made
    assert_problem(ada.ask("GET", "/v1/memories:due", params={"namespace": "user/bo", "cursor": cursor or "x"}), 400)


def test_what_a_namespace_finds_important_is_in_its_policy(ada: Caller, service: Service) -> None:
    memory = ada.remember("it rained", kind="episodic", importance=0.3)["id"]
    policy = {"rehearse_importance": 0.2, "rehearse_below": 0.5}
    ada.ask("PUT", "/v1/policy", json={"namespace": ada.namespace, "policy": policy})
    service.clock.move(days=1)
    assert ids(due(ada)) == []
    service.clock.move(days=30)
    assert ids(due(ada)) == [memory]


def test_the_same_call_twice_counts_once(ada: Caller, service: Service) -> None:
    memory = ada.remember("the door code is 4711", importance=0.8)["id"]
    service.clock.move(days=60)
    once = rehearsed(ada, memory, "failed", headers={"Idempotency-Key": "k"})
    assert rehearsed(ada, memory, "failed", headers={"Idempotency-Key": "k"})["due_at"] == once["due_at"]


def test_others_neither_see_nor_touch_it(ada: Caller, service: Service) -> None:
    memory = ada.remember("the door code is 4711", kind="episodic", importance=0.8)["id"]
    service.clock.move(days=30)
    other = service.tenant("two")
    assert ids(due(other)) == []
    said = {"json": {"outcome": "remembered"}}
    assert_problem(other.ask("POST", f"/v1/memories/{memory}:rehearsed", **said), 404)
    assert_problem(ada.key(roles=["read"]).ask("POST", f"/v1/memories/{memory}:rehearsed", **said), 403)
    ada.forget(memory)
    assert ids(due(ada)) == []
    assert_problem(ada.ask("POST", f"/v1/memories/{memory}:rehearsed", **said), 404)


@pytest.mark.parametrize(
    "params", [{"horizon_s": "-1"}, {"horizon_s": "1e9"}, {"limit": "0"}, {"limit": "10000"}, {"x": "1"}]
)
def test_a_question_without_sense_is_refused(ada: Caller, params: dict[str, str]) -> None:
    assert_problem(ada.ask("GET", "/v1/memories:due", params={"namespace": ada.namespace, **params}), 422)


def events(caller: Caller, after: str | None = None, **params: Any) -> list[tuple[str, str]]:
    """(id of the event, id of the memory) of a stream that ends after what is due now."""
    headers = {"Last-Event-ID": after} if after else {}
    asked = {"namespace": caller.namespace, "for_s": "0", **params}
    answer = caller.ask("GET", "/v1/memories:due/stream", params=asked, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    blocks = [dict(line.split(": ", 1) for line in block.split("\n")) for block in answer.text.strip().split("\n\n")]
    return [(block["id"], json.loads(block["data"])["memory"]["id"]) for block in blocks if "data" in block]


def test_a_stream_that_is_taken_up_again_neither_misses_nor_repeats(ada: Caller, service: Service) -> None:
    made = [ada.remember(f"code {n}", kind="episodic", importance=0.7 + n / 200)["id"] for n in range(55)]
    service.clock.move(days=60)
    found = events(ada)
    assert [memory for _, memory in found] == made
    for place in (0, 20, 54):
        assert [memory for _, memory in events(ada, found[place][0])] == made[place + 1 :]
    late = ada.remember("the door code is 4711", kind="episodic", importance=0.8)["id"]
    plain = ada.remember("it rained", kind="episodic", importance=0.1)["id"]
    assert events(ada, found[-1][0]) == []
    service.clock.move(days=3)
    assert [memory for _, memory in events(ada, found[-1][0])] == [late]
    (last, _) = events(ada, found[-1][0])[-1]
    service.clock.move(days=3)
    ada.edit(plain, importance=0.8)  # it has been due for long, and becomes so now
    service.clock.move(seconds=3)
    assert [memory for _, memory in events(ada, last)] == [plain]
    rehearsed(ada, made[0])
    assert made[0] not in [memory for _, memory in events(ada)]


def test_a_stream_is_refused_where_it_cannot_be(ada: Caller, service: Service) -> None:
    asked = {"namespace": ada.namespace, "for_s": "0"}
    for wrong in ({"for_s": "601"}, {"horizon_s": "-1"}, {"limit": "3"}):
        assert_problem(ada.ask("GET", "/v1/memories:due/stream", params=asked | wrong), 422)
    ada.remember("the door code is 4711", kind="episodic", importance=0.8)
    service.clock.move(days=30)
    ((mark, _),) = events(ada)
    for given in ({"headers": {"Last-Event-ID": "x"}}, {"params": asked | {"after": "x"}}):
        assert_problem(ada.ask("GET", "/v1/memories:due/stream", **{"params": asked, **given}), 400)
    other = service.tenant("two")
    assert events(other) == []
    foreign = {"namespace": other.namespace, "for_s": "0"}
    head = {"Last-Event-ID": mark}
    assert_problem(other.ask("GET", "/v1/memories:due/stream", params=foreign, headers=head), 400)


def test_as_many_streams_are_open_as_the_setting_says(ada: Caller, service: Service) -> None:
    streams = service.app.state.streams
    taken = service.container.settings.streams_max
    for _ in range(taken):
        streams.enter()
    asked = {"namespace": ada.namespace, "for_s": "0"}
    assert_problem(ada.ask("GET", "/v1/memories:due/stream", params=asked), 429)
    streams.leave()
    assert events(ada) == []
    assert events(ada) == []
    for _ in range(taken - 1):
        streams.leave()
