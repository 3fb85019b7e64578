"""Legal holds over HTTP: who may set them, what they stop, and what is on record."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fixtures.service import Caller, Service, assert_problem


def put(caller: Caller, memory: str, op: str, reason: str = "case 17", **more: Any) -> Any:
    return caller.ask("POST", f"/v1/memories/{memory}:{op}", json={"reason": reason}, **more)


def test_what_is_held_can_be_neither_hidden_nor_erased(ada: Caller) -> None:
    memory = ada.remember("the contract was signed on Monday")["id"]
    held = put(ada, memory, "hold").json()
    assert (held["memory_id"], held["reason"], held["released_at"]) == (memory, "case 17", None)
    assert ada.get(memory).json()["legal_hold"] is True
    for answer in (ada.erase(memory), ada.forget(memory)):
        assert "legal hold" in assert_problem(answer, 409)["detail"]
    assert ada.edit(memory, content="the contract was signed on Tuesday").status_code == 200
    assert [hit["memory"]["id"] for hit in ada.recall("contract")["hits"]] == [memory]
    released = put(ada, memory, "release", "closed").json()
    assert released["release_reason"] == "closed"
    assert released["released_at"] >= held["held_at"]
    assert ada.get(memory).json()["legal_hold"] is False
    assert ada.erase(memory).status_code == 204


def test_every_hold_is_on_record(ada: Caller) -> None:
    memory = ada.remember("the contract")["id"]
    for case in ("one", "two"):
        put(ada, memory, "hold", case)
        put(ada, memory, "release", f"end of {case}")
    items = ada.ask("GET", f"/v1/memories/{memory}/holds").json()["items"]
    assert [(one["reason"], one["release_reason"]) for one in items] == [("one", "end of one"), ("two", "end of two")]
    assert ada.get(memory).json()["version"] == 1


def test_a_hold_upon_a_hold_and_a_release_of_nothing_are_refused(ada: Caller) -> None:
    memory = ada.remember("the contract")["id"]
    assert_problem(put(ada, memory, "release"), 409)
    first = put(ada, memory, "hold", headers={"Idempotency-Key": "k"})
    again = put(ada, memory, "hold", headers={"Idempotency-Key": "k"})
    assert again.json() == first.json()
    assert_problem(put(ada, memory, "hold"), 409)


def test_what_is_hidden_can_be_held(ada: Caller) -> None:
    memory = ada.remember("the contract")["id"]
    ada.forget(memory)
    assert put(ada, memory, "hold").status_code == 200
    assert_problem(ada.erase(memory), 409)
    assert ada.restore(memory).status_code == 200


def test_only_an_admin_of_the_tenant_may(ada: Caller, service: Service) -> None:
    memory = ada.remember("the contract")["id"]
    narrow = ada.key(roles=["read", "write", "erase"])
    elsewhere = ada.key(roles=["admin"], namespaces=["other/**"])
    for caller, status in ((narrow, 403), (elsewhere, 404), (service.tenant("two"), 404)):
        assert_problem(put(caller, memory, "hold"), status)
        assert_problem(caller.ask("GET", f"/v1/memories/{memory}/holds"), status)
    assert ada.get(memory).json()["legal_hold"] is False


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": None}, {"reason": "x" * 1001}, {"reason": "x", "y": 1}]
)
def test_a_hold_without_sense_is_refused(ada: Caller, body: dict[str, Any]) -> None:
    memory = ada.remember("the contract")["id"]
    assert_problem(ada.ask("POST", f"/v1/memories/{memory}:hold", json=body), 422)
