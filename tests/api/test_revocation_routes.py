"""Revocations over HTTP: what goes, what stays, and that it comes back whole."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from memsvc.revocations import service as service_module
from tests.fixtures.service import Caller, Service, assert_problem


def revoke(caller: Caller, status: int = 201, **named: Any) -> Any:
    answer = caller.ask("POST", "/v1/revocations", json={"namespace": "user/ada", **named})
    assert answer.status_code == status, answer.text
    return answer.json()


def test_what_a_key_wrote_is_hidden_with_what_it_outdated_and_comes_back(ada: Caller) -> None:
    own = ada.remember("I live in Oslo.", speaker="Ada")["id"]
    mole = ada.key(name="mole")
    lies = [mole.remember(f"the tea of Oslo is poison number {n}", session_id="s")["id"] for n in range(3)]
    mole.edit(own, tags=["home"])
    preview = revoke(ada, 200, writer="mole", dry_run=True)
    assert (preview["memories"], preview["edited"], preview["edited_ids"]) == (3, 1, [own])
    assert sorted(preview["memory_ids"]) == sorted(lies)
    assert len(ada.found("poison")) >= 3
    done = revoke(ada, writer="mole")
    assert (done["memories"], done["derived"]) == (3, 0)
    assert not any("poison" in text for text in ada.found("poison"))
    assert ada.get(own).status_code == 200
    assert revoke(ada, writer="mole")["memories"] == 0
    undone = ada.ask("POST", f"/v1/revocations/{done['id']}:undo").json()
    assert undone["memories"] == 3
    assert sum("poison" in text for text in ada.found("poison")) == 3
    assert [one["reason"] for one in ada.history(lies[0])] == ["created", f"revoked {done['id']}", "revocation undone"]
    assert_problem(ada.ask("POST", f"/v1/revocations/{done['id']}:undo"), 404)


def test_all_that_is_named_must_hold(ada: Caller) -> None:
    page = {"type": "web", "uri": "https://flood.example/x"}
    first = ada.remember("tea from the web", source=page, session_id="one")
    ada.remember("tea from a mail", source=page, session_id="two")
    ada.remember("tea from me", session_id="one")
    later = (datetime.fromisoformat(first["recorded_at"]) + timedelta(hours=1)).isoformat()
    count = [
        revoke(ada, 200, dry_run=True, **named)["memories"]
        for named in (
            {"origin": "source:flood.example"},
            {"origin": "source:flood.example", "session_id": "one"},
            {"session_id": "one", "writer": "admin"},
            {"session_id": "one", "writer": "nobody"},
            {"since": first["recorded_at"]},
            {"since": later},
            {"session_id": "one", "until": first["recorded_at"]},
        )
    ]
    assert count == [2, 1, 2, 0, 3, 0, 0]


def test_what_is_held_stays_and_what_is_erased_is_gone(ada: Caller) -> None:
    mole = ada.key(name="mole")
    held, free = (mole.remember(text)["id"] for text in ("the contract", "the forgery"))
    ada.ask("POST", f"/v1/memories/{held}:hold", json={"reason": "case"})
    assert revoke(ada, 200, writer="mole", dry_run=True)["held"] == 1
    assert_problem(ada.key(roles=["admin"]).ask("POST", "/v1/revocations", json={"writer": "mole", "erase": True}), 403)
    done = revoke(ada, writer="mole", erase=True)
    assert (done["memories"], done["erasure_id"]) == (1, done["id"])
    assert ada.get(held).status_code == 200
    assert_problem(ada.get(free), 404)
    assert_problem(ada.ask("POST", f"/v1/revocations/{done['id']}:undo"), 404)


def test_what_was_merged_into_a_lie_stands_by_itself_again(ada: Caller) -> None:
    text = "The number of the door is 4711."
    ada.key(name="mole").remember(text)
    own = ada.key(name="honest").remember(text)["id"]
    care = {"namespace": "user/ada", "policy": {"share_per_run": 1.0}}
    ada.ask("PUT", "/v1/policy", json=care)
    ada.merged()
    revoke(ada, writer="mole")
    assert ada.get(own).json()["state"] in ("active", "merged")
    assert text in ada.found("number of the door", top_k=3)


def test_again_with_the_same_key_goes_on(ada: Caller) -> None:
    mole = ada.key(name="mole")
    mole.remember("one lie")
    ask = {"json": {"namespace": "user/ada", "writer": "mole"}, "headers": {"Idempotency-Key": "k"}}
    first = ada.ask("POST", "/v1/revocations", **ask).json()
    mole.remember("another lie")
    again = ada.ask("POST", "/v1/revocations", **ask).json()
    assert (first["id"], again["memories"]) == (again["id"], 1)
    assert ada.ask("POST", f"/v1/revocations/{first['id']}:undo").json()["memories"] == 2


def test_what_is_killed_between_two_chunks_goes_on(ada: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    mole = ada.key(name="mole")
    for number in range(5):
        mole.remember(f"lie number {number}")
    ask = {"json": {"namespace": "user/ada", "writer": "mole"}, "headers": {"Idempotency-Key": "k"}}
    monkeypatch.setattr(service_module, "CHUNK", 2)
    whole, begun = service_module.Revocations._hide, []

    def killed(*given: Any) -> Any:
        begun.append(given)
        if len(begun) == 2:
            raise RuntimeError("killed")
        return whole(*given)

    with monkeypatch.context() as patch:
        patch.setattr(service_module.Revocations, "_hide", killed)
        assert_problem(ada.ask("POST", "/v1/revocations", **ask), 500)
    assert len(ada.found("lie number", top_k=9)) == 3  # a chunk is gone whole, the others are there whole
    done = ada.ask("POST", "/v1/revocations", **ask).json()
    assert (done["memories"], ada.found("lie number", top_k=9)) == (3, [])
    assert ada.ask("POST", f"/v1/revocations/{done['id']}:undo").json()["memories"] == 5
    assert len(ada.found("lie number", top_k=9)) == 5


def test_a_pinned_fact_that_is_named_itself_is_hidden_once(ada: Caller) -> None:
    first = ada.remember("I live in Oslo.", session_id="0", speaker="Ada", kind="episodic")
    for number in (1, 2):
        ada.remember("I live in Oslo.", session_id=str(number), speaker="Ada", kind="episodic")
    care = {"namespace": "user/ada", "policy": {"share_per_run": 1.0, "gists": {"levels": ["fact"]}}}
    assert ada.ask("PUT", "/v1/policy", json=care).status_code == 200
    run = ada.ask("POST", "/v1/job-runs", json={"namespace": "user/ada", "kind": "consolidate"}).json()
    by = time.monotonic() + 60
    while run["state"] != "succeeded" and time.monotonic() < by:
        time.sleep(0.02)
        run = ada.ask("GET", f"/v1/job-runs/{run['id']}").json()
    (fact,) = [one["id"] for one in ada.list(limit=50)["items"] if one["derived"] == "fact"]
    ada.edit(fact, pinned=True)
    done = revoke(ada, since=first["recorded_at"])
    assert (done["memories"], done["derived"]) == (4, 0)
    assert ada.found("Oslo") == []
    assert ada.ask("POST", f"/v1/revocations/{done['id']}:undo").json()["memories"] == 4
    reasons = [one["reason"] for one in ada.history(fact)]
    assert reasons == ["created", "edited", f"revoked {done['id']}", "revocation undone"]


def test_a_quarantine_outlasts_a_revocation_that_is_undone(ada: Caller) -> None:
    lie = ada.key(name="mole").remember("one lie")["id"]
    ada.ask("POST", f"/v1/memories/{lie}:quarantine", json={"reason": "odd"})
    done = revoke(ada, writer="mole")
    ada.ask("POST", f"/v1/revocations/{done['id']}:undo")
    assert ada.get(lie).json()["state"] == "quarantined"


@pytest.mark.parametrize("body", [{}, {"until": "2026-01-01T00:00:00Z"}, {"writer": "x", "y": 1}, {"origin": ""}])
def test_a_revocation_without_sense_is_refused(shared: Service, body: dict[str, Any]) -> None:
    ada = shared.tenant(f"none {json.dumps(body)}")
    assert_problem(ada.ask("POST", "/v1/revocations", json=body), 422)


def test_only_an_admin_revokes_and_only_in_reach(ada: Caller, service: Service) -> None:
    lie = ada.key(name="mole").remember("one lie")["id"]
    assert_problem(
        ada.key(roles=["read", "write", "erase"]).ask("POST", "/v1/revocations", json={"writer": "mole"}), 403
    )
    for caller in (ada.key(roles=["admin"], namespaces=["other/**"]), service.tenant("two")):
        done = caller.ask("POST", "/v1/revocations", json={"writer": "mole"})
        assert (done.status_code, done.json()["memories"]) == (201, 0)
    assert ada.get(lie).status_code == 200
    done = revoke(ada, writer="mole")
    assert_problem(service.tenant("three").ask("POST", f"/v1/revocations/{done['id']}:undo"), 404)
