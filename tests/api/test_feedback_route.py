"""POST /v1/recall/{id}/feedback: what is taken, from whom, for how long, and what follows from it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest
import structlog

from memsvc.models.tables import FEEDBACK
from tests.fixtures.service import Caller, assert_problem


def judge(caller: Caller, recall_id: str, *verdicts: tuple[str, str]) -> httpx.Response:
    memories = [{"id": memory_id, "verdict": verdict} for memory_id, verdict in verdicts]
    return caller.ask("POST", f"/v1/recall/{recall_id}/feedback", json={"memories": memories})


def learned(caller: Caller) -> dict[str, Any]:
    answer = caller.ask("GET", "/v1/fusion", params={"namespace": caller.namespace})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def rows(caller: Caller) -> list[Any]:
    with caller.service.look() as connection:
        return list(connection.execute(FEEDBACK.select().order_by(FEEDBACK.c.recorded_at)))


@pytest.fixture
def kettles(ada: Caller) -> list[str]:
    texts = ["the red kettle whistles", "a kettle", "tea in the kettle at dawn", "a red lamp"]
    return [ada.remember(text)["id"] for text in texts]


def test_feedback_is_kept(ada: Caller, kettles: list[str]) -> None:
    answer = ada.recall("red kettle")

    given = judge(ada, answer["id"], (kettles[0], "used"), (kettles[1], "wrong"), (kettles[2], "useful"))

    assert (given.status_code, given.json()) == (200, {"recorded": 3})
    kept = {str(row.memory_id): row for row in rows(ada)}
    assert {memory_id: row.verdict for memory_id, row in kept.items()} == dict(zip(kettles[:3], (0, 2, 1), strict=True))
    assert {str(row.recall_id) for row in kept.values()} == {answer["id"]}
    assert kept[kettles[0]].apart["keyword"] > kept[kettles[1]].apart["keyword"]


def test_a_context_is_judged_like_a_recall(ada: Caller, kettles: list[str]) -> None:
    answer = ada.ask("POST", "/v1/context", json={"namespace": ada.namespace, "query": "kettle"}).json()

    assert judge(ada, answer["id"], (kettles[0], "useful")).json() == {"recorded": 1}


def test_a_second_verdict_takes_the_place_of_the_first(ada: Caller, kettles: list[str]) -> None:
    recall_id = ada.recall("red kettle")["id"]
    for verdict in ("used", "wrong", "wrong"):
        assert judge(ada, recall_id, (kettles[0], verdict)).json() == {"recorded": 1}

    assert [row.verdict for row in rows(ada)] == [2]
    assert learned(ada)["rounds"] == 1


def test_a_recall_is_remembered_for_an_hour(ada: Caller, kettles: list[str]) -> None:
    recall_id = ada.recall("kettle")["id"]
    ada.service.clock.move(minutes=59)
    assert judge(ada, recall_id, (kettles[0], "used")).status_code == 200
    ada.service.clock.move(minutes=2)
    assert_problem(judge(ada, recall_id, (kettles[0], "used")), 404, "not_found")


def test_unknown_foreign_and_out_of_reach_recalls_look_alike(ada: Caller, kettles: list[str]) -> None:
    eve = ada.service.tenant("two")
    narrow = ada.key(roles=["read", "write"], namespaces=["user/bob"])
    recall_id = ada.recall("kettle")["id"]

    for caller, name in ((eve, recall_id), (narrow, recall_id), (ada, str(uuid4())), (ada, "x"), (ada, kettles[0])):
        assert_problem(judge(caller, name, (kettles[0], "used")), 404, "not_found")
    assert rows(ada) == []


@pytest.mark.parametrize(
    "body",
    [
        {"memories": [{"id": "hit", "verdict": "great"}]}, {"memories": [{"id": "hit"}]}, {"memories": "used"}, {},
        {"memories": [{"id": "x", "verdict": "used"}]}, {"memories": [{"id": str(uuid4()), "verdict": "used"}]},
        {"memories": [{"id": "hit", "verdict": "used"}, {"id": "hit", "verdict": "wrong"}]},
        {"memories": [{"id": "hit", "verdict": "used", "weight": 3}]}, {"memories": [], "recall": "x"},
        {"memories": [{"id": str(uuid4()), "verdict": "used"}] * 1001},
    ],
)  # fmt: skip
def test_what_is_no_feedback_is_refused(ada: Caller, kettles: list[str], body: dict[str, Any]) -> None:
    recall_id = ada.recall("kettle")["id"]
    memories = body.get("memories")
    if isinstance(memories, list):
        body = body | {"memories": [m | {"id": kettles[0] if m["id"] == "hit" else m["id"]} for m in memories]}

    answer = ada.ask("POST", f"/v1/recall/{recall_id}/feedback", json=body)

    assert_problem(answer, 422, "invalid_input")
    assert rows(ada) == []


def test_feedback_goes_with_its_memory_and_so_does_what_was_learned(ada: Caller, kettles: list[str]) -> None:
    before = learned(ada)
    recall_id = ada.recall("red kettle")["id"]
    judge(ada, recall_id, (kettles[0], "used"))
    assert learned(ada)["factors"] != before["factors"]

    assert ada.erase(kettles[0]).status_code == 204

    assert rows(ada) == []
    assert learned(ada) == before
    assert judge(ada, recall_id, (kettles[0], "used")).json() == {"recorded": 0}


def test_weights_follow_the_feedback_and_begin_again_when_told(ada: Caller, kettles: list[str]) -> None:
    assert learned(ada) == {
        "namespace": "user/ada", "adaptive": False, "factors": {}, "rounds": 0, "regret": 0.0, "regret_bound": 0.0,
    }  # fmt: skip
    for _ in range(8):
        judge(ada, ada.recall("red kettle")["id"], (kettles[0], "used"), (kettles[3], "wrong"))
        ada.service.clock.move(seconds=1)

    after = learned(ada)

    assert after["rounds"] == 8
    assert 1 < after["factors"]["keyword"] <= 2
    assert all(0.5 <= factor <= 2 for factor in after["factors"].values())
    assert after["regret"] <= after["regret_bound"]
    reset = ada.ask("POST", "/v1/fusion:reset", json={"namespace": ada.namespace})
    assert (reset.status_code, reset.json()["factors"], reset.json()["rounds"]) == (200, {}, 0)
    assert len(rows(ada)) == 16
    ada.service.clock.move(seconds=1)
    judge(ada, ada.recall("red kettle")["id"], (kettles[0], "used"))
    assert learned(ada)["rounds"] == 1


def test_one_namespace_learns_nothing_from_another(ada: Caller, kettles: list[str]) -> None:
    judge(ada, ada.recall("red kettle")["id"], (kettles[0], "used"))
    eve = ada.service.tenant("two")
    eve.remember("the red kettle whistles")

    assert learned(ada)["rounds"] == 1
    assert learned(eve)["rounds"] == 0
    ada.namespace = "user/ada/work"
    assert learned(ada)["rounds"] == 0


def test_traces_and_feedback_stand_in_no_log(ada: Caller, kettles: list[str]) -> None:
    with structlog.testing.capture_logs() as logs:
        recall_id = ada.recall("red kettle")["id"]
        judge(ada, recall_id, (kettles[0], "used"))

    assert not any(secret in str(logs) for secret in (recall_id, kettles[0], "kettle", "used"))
