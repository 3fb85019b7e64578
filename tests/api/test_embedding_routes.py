"""`/v1/embedding`: who may, what is refused, and a move seen from outside."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memsvc.commands.doctor import examine
from tests.fixtures.service import Caller, Service, assert_problem, serving


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Iterator[Service]:
    with serving(tmp_path, database_url, embedder_second="hashing:48", jobs="off") as made:
        yield made


def act(caller: Caller, action: str, **given: Any) -> Any:
    return caller.ask("POST", "/v1/embedding", json={"namespace": caller.namespace, "action": action, **given})


def standing(caller: Caller) -> dict[str, Any]:
    answer = caller.ask("GET", "/v1/embedding", params={"namespace": caller.namespace})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def until(caller: Caller, state: str | None) -> dict[str, Any]:
    by = time.monotonic() + 60
    while time.monotonic() < by:
        found = standing(caller)
        if (found["beside"] or {"state": None})["state"] == state:
            return found
        caller.service.container.scheduler.round()
    raise AssertionError(f"never {state}")


def findings(service: Service) -> list[str]:
    """What `memsvc doctor` says."""
    return [one.message for one in examine(service.container.settings) if one.check == "embedding"]


def test_a_move_from_outside(service: Service) -> None:
    ada, bo = service.tenant("ada"), service.tenant("bo")
    for caller in (ada, bo):
        for i in range(8):
            caller.remember(f"the boat of harbour {i}", session_id="s")
    before = ada.found("the boat of harbour 5")
    begun = act(ada, "start", switch_when_complete=False).json()
    assert begun["active"] == {"model": "hashing-64", "dim": 64}
    assert begun["models"] == ["hashing-64", "hashing-48"]
    assert begun["beside"] == {
        "model": "hashing-48", "dim": 48, "state": "growing", "texts": 8, "embedded": 0,
        "switches_when_complete": False,
    }  # fmt: skip
    assert any("embedded for another model" in one for one in findings(service))
    found = until(ada, "complete")
    assert found["beside"]["embedded"] == 8
    assert found["last_run"]["state"] == "succeeded"
    assert act(ada, "switch").json()["active"] == {"model": "hashing-48", "dim": 48}
    assert ada.ask("GET", "/v1/stats", params={"namespace": ada.namespace}).json()["embedding_model"] == "hashing-48"
    new = ada.remember("the fjord of island 9")["content"]
    assert new in ada.found("the fjord of island 9")
    assert act(ada, "back").json()["beside"]["state"] == "complete"
    assert ada.found("the boat of harbour 5")[:3] == before[:3]
    assert act(ada, "drop").status_code == 200
    assert until(ada, None)["active"]["model"] == "hashing-64"
    assert findings(service) == ["every namespace has vectors of one model"]
    assert standing(bo)["beside"] is None
    kinds = [one["kind"] for one in ada.ask("GET", "/v1/audit").json()["items"] if one["kind"].startswith("embedding")]
    assert sorted(kinds) == ["embedding.back", "embedding.drop", "embedding.start", "embedding.switch"]


def test_what_is_refused(service: Service) -> None:
    ada = service.tenant("ada")
    assert_problem(act(ada, "start"), 404)
    assert_problem(ada.ask("GET", "/v1/embedding", params={"namespace": "user/nobody"}), 404)
    ada.remember("hello")
    assert_problem(act(ada, "turn"), 422)
    assert_problem(act(ada, "start", model="../../etc/passwd"), 422)
    assert_problem(act(ada, "switch", model="hashing-48"), 422)
    assert_problem(act(ada, "switch"), 409)
    assert_problem(act(ada, "back"), 409)
    assert act(ada, "drop").status_code == 200
    writer = ada.key(roles=["read", "write"])
    assert_problem(act(writer, "start"), 403)
    narrow = ada.key(roles=["admin", "read", "write"], namespaces=["user/bo"])
    assert_problem(act(narrow, "start"), 403)
