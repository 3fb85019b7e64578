"""The audit trail tells what was done, and what is changed in it is found."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from memsvc.audit.notes import QUIET_S
from tests.fixtures.service import Caller, Service, assert_problem


def entries(caller: Caller, **params: Any) -> list[dict[str, Any]]:
    answer = caller.ask("GET", "/v1/audit", params=params)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def told(caller: Caller, **params: Any) -> list[str]:
    return [entry["kind"] for entry in entries(caller, **params) if entry["kind"] != "admin.read"]


def verdict(caller: Caller, anchor: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = caller.ask("POST", "/v1/audit:verify", json={"anchor": anchor})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def anchored(caller: Caller) -> dict[str, Any]:
    anchor: dict[str, Any] = caller.ask("GET", "/v1/audit/anchor").json()["anchor"]
    return anchor


def tamper(service: Service, statement: str, **values: Any) -> None:
    """As somebody who owns the database, and takes the triggers away first."""

    def unit(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
        else:
            for event in ("update", "delete"):
                connection.execute(text(f"DROP TRIGGER memsvc_audit_{event}"))
        connection.execute(text(statement), values)

    service.meddle(unit)


def test_it_tells_what_was_done_and_nothing_of_what_is_remembered(ada: Caller) -> None:
    secret = "The canary sings at dawn."
    memory, other = ada.remember(secret, user_id="canary-user"), ada.remember("Something else.")
    key = ada.ask("POST", "/v1/keys", json={"name": "agent"}).json()
    ada.ask("POST", f"/v1/keys/{key['id']}:rotate", json={})
    assert ada.ask("PUT", f"/v1/keys/{key['id']}/limits", json={"requests_per_s": 9.5}).status_code == 200
    ada.ask("DELETE", f"/v1/keys/{key['id']}")
    ada.ask("PUT", "/v1/policy", json={"namespace": ada.namespace, "policy": {"ttl_s": 3600}})
    for op in ("quarantine", "unquarantine"):
        assert ada.ask("POST", f"/v1/memories/{other['id']}:{op}", json={"reason": "canary reason"}).status_code == 200
    ada.ask("POST", f"/v1/memories/{other['id']}:hold", json={"reason": "canary reason"})
    ada.ask("POST", f"/v1/memories/{other['id']}:release", json={"reason": "canary reason"})
    ada.erase(other["id"])
    ada.ask("POST", "/v1/erasures", json={"namespace": ada.namespace, "user_id": "canary-user"})
    assert told(ada) == [
        "key.create", "key.create", "key.rotate", "key.limits", "key.revoke", "policy.set", "memory.quarantine",
        "memory.unquarantine", "memory.hold", "memory.release", "erasure.end", "erasure.ask", "erasure.end",
    ]  # fmt: skip
    assert told(ada, kind="erasure") == ["erasure.end", "erasure.ask", "erasure.end"]
    assert told(ada, kind="erasure.ask") == ["erasure.ask"]
    assert told(ada, kind="era") == []
    everything = json.dumps(entries(ada)).lower()
    assert "canary" not in everything
    assert memory["id"] not in everything
    assert other["id"] not in everything
    assert ada.namespace not in everything
    assert verdict(ada)["holds"]


def test_limits_of_a_key_are_told_with_their_values(service: Service, ada: Caller) -> None:
    key = ada.ask("POST", "/v1/keys", json={"name": "agent"}).json()["id"]
    limits = {"requests_per_s": 1e3, "requests_burst": 5, "tokens_per_day": None}
    ada.ask("PUT", f"/v1/keys/{key}/limits", json=limits)
    (entry,) = entries(ada, kind="key.limits")
    assert (entry["subject"], entry["actor"]) == (key, "admin")
    assert entry["facts"] == {"requests_per_s": "1000.0", "requests_burst": "5", "tokens_per_day": None}
    assert verdict(ada)["holds"]


def test_a_review_of_a_quarantine_is_told_once_and_names_no_memory(service: Service, ada: Caller) -> None:
    memory, reader = ada.remember("odd")["id"], ada.key(roles=["read", "write"])
    headers = {"idempotency-key": "once"}
    for _ in range(2):
        asked = {"json": {"reason": "smells"}, "headers": headers}
        assert ada.ask("POST", f"/v1/memories/{memory}:quarantine", **asked).status_code == 200
    ada.ask("POST", f"/v1/memories/{memory}:hold", json={"reason": "case 17"})
    assert_problem(reader.ask("POST", f"/v1/memories/{memory}:unquarantine", json={"reason": "mine"}), 403)
    assert_problem(ada.ask("POST", f"/v1/memories/{uuid4()}:unquarantine", json={"reason": "whose"}), 404)
    hidden, held = entries(ada, kind="memory")
    assert (hidden["kind"], held["kind"]) == ("memory.quarantine", "memory.hold")
    assert hidden["subject"] == held["subject"] != memory
    assert hidden["facts"] == {}
    assert [one["facts"]["route"] for one in entries(ada, kind="denied")] == [
        "POST /v1/memories/{memory_id}:unquarantine"
    ]
    assert verdict(ada)["holds"]


def test_looks_into_quarantine_and_refused_ones_are_told(service: Service, ada: Caller) -> None:
    memory, reader = ada.remember("odd")["id"], ada.key(roles=["read", "write"])
    held = {"namespace": ada.namespace, "filter": json.dumps({"state": "quarantined"})}
    asked = {"namespace": ada.namespace, "query": "odd"}
    path = f"/v1/memories/{memory}"

    def look(caller: Caller) -> list[int]:
        requests: list[tuple[str, str, dict[str, Any]]] = [
            ("GET", "/v1/memories", {"params": held}),
            ("GET", path, {}),
            ("GET", f"{path}/history", {}),
            ("POST", "/v1/recall", {"json": {**asked, "include_quarantined": True}}),
            ("POST", "/v1/context", {"json": {**asked, "include_quarantined": True}}),
        ]
        return [caller.ask(method, at, **given).status_code for method, at, given in requests]

    ada.get(memory)  # nobody has to answer for that
    ada.ask("POST", f"{path}:quarantine", json={"reason": "smells"})
    assert look(ada) == [200] * 5
    assert look(reader) == [403, 404, 404, 403, 403]
    routes = ["POST /v1/recall", "POST /v1/context"]
    seen = ["GET /v1/memories", "GET /v1/memories/{memory_id}", "GET /v1/memories/{memory_id}/history", *routes]
    own = {"GET /v1/audit"}
    assert [one["facts"]["route"] for one in entries(ada, kind="admin") if one["facts"]["route"] not in own] == seen
    assert [one["facts"]["route"] for one in entries(ada, kind="denied")] == ["GET /v1/memories", *routes]


def test_an_entry_stands_or_falls_with_what_it_tells_of(service: Service, ada: Caller) -> None:
    before = told(ada)
    nobody = f"{'0' * 8}-0000-7000-8000-{'0' * 12}"
    assert_problem(ada.ask("PUT", f"/v1/keys/{nobody}/limits", json={}), 404)
    assert_problem(ada.ask("DELETE", f"/v1/keys/{'0' * 8}-0000-7000-8000-{'0' * 12}"), 404)
    assert_problem(ada.ask("PUT", "/v1/policy", json={"namespace": "nowhere", "policy": {}}), 404)
    assert told(ada) == before


def test_refusals_and_looks_are_told_once_a_minute_with_their_number(service: Service, ada: Caller) -> None:
    reader = ada.key(roles=["read"])
    for _ in range(5):
        assert_problem(reader.ask("GET", "/v1/keys"), 403)
    assert_problem(reader.ask("POST", "/v1/erasures", json={}), 403)
    reader.write("Readers do not write.")  # nothing that anybody has to answer for
    found = [(one["facts"]["route"], one["facts"]["times"]) for one in entries(ada, kind="denied")]
    assert found == [("GET /v1/keys", 1), ("POST /v1/erasures", 1)]
    service.clock.move(seconds=QUIET_S + 1)
    service.container.notes.flush()
    assert [one["facts"]["times"] for one in entries(ada, kind="denied")] == [1, 1, 4]
    assert "GET /v1/audit" in [one["facts"]["route"] for one in entries(ada, kind="admin")]


def test_it_is_paged_and_filtered_by_time_and_belongs_to_its_tenant(service: Service, ada: Caller) -> None:
    begin = service.clock.now().isoformat()
    service.clock.move(hours=1)
    for number in range(4):
        ada.ask("POST", "/v1/keys", json={"name": f"k{number}"})
    page = ada.ask("GET", "/v1/audit", params={"kind": "key", "since": begin, "limit": 3}).json()
    rest = ada.ask(
        "GET", "/v1/audit", params={"kind": "key", "since": begin, "limit": 3, "cursor": page["next_cursor"]}
    ).json()
    assert [one["facts"]["trust"] for one in page["items"] + rest["items"]] == ["agent"] * 4
    assert rest["next_cursor"] is None
    assert told(ada, kind="key", until=begin) == ["key.create"]
    other = {"kind": "key", "cursor": page["next_cursor"]}  # of another list
    assert_problem(ada.ask("GET", "/v1/audit", params=other), 400, "bad_cursor")
    assert told(service.tenant("two")) == ["key.create"]


def test_nobody_changes_an_entry_by_accident(service: Service, ada: Caller) -> None:
    for statement in ("UPDATE audit SET actor = 'eve'", "DELETE FROM audit"):
        with pytest.raises(DBAPIError, match="append-only"):
            service.meddle(lambda connection, said=statement: connection.execute(text(said)))
    assert verdict(ada)["holds"]


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE audit SET actor = 'eve' WHERE seq = 2", 2),
        ("UPDATE audit SET facts = '{}' WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 2", 2),
        ("DELETE FROM audit WHERE seq >= 3", 3),
    ],
)
def test_the_first_broken_entry_is_named(service: Service, ada: Caller, statement: str, broken: int) -> None:
    for _ in range(3):
        ada.ask("POST", "/v1/keys", json={"name": "k"})
    tamper(service, statement)
    found = verdict(ada)
    assert (found["holds"], found["broken_seq"]) == (False, broken)


def test_an_anchor_shows_an_end_that_was_cut_off_together_with_its_head(service: Service, ada: Caller) -> None:
    for _ in range(3):
        ada.ask("POST", "/v1/keys", json={"name": "k"})
    kept = anchored(ada)
    assert verdict(ada, kept)["holds"]
    tamper(service, "DELETE FROM audit WHERE seq > 2")
    service.meddle(
        lambda connection: connection.execute(
            text("UPDATE audit_head SET seq = 2, digest = (SELECT digest FROM audit WHERE seq = 2)")
        )
    )
    assert verdict(ada)["holds"]  # by itself the trail looks whole
    assert verdict(ada, kept)["broken_seq"] == 3
    forged = kept | {"seq": 2}
    assert_problem(ada.ask("POST", "/v1/audit:verify", json={"anchor": forged}), 422)
    stranger = service.tenant("two")
    assert_problem(stranger.ask("POST", "/v1/audit:verify", json={"anchor": kept}), 422)


def test_it_tells_what_left_came_in_and_was_taken_back(ada: Caller) -> None:
    memory = ada.key(name="mole").remember("The canary sings at dawn.")
    assert_problem(ada.ask("POST", "/v1/exports", json={"namespace": "nowhere"}), 404)
    file = ada.ask("POST", "/v1/exports", json={"namespace": ada.namespace}).content
    tar = {"content-type": "application/x-tar"}
    assert ada.ask("POST", "/v1/imports", params={"namespace": "copy"}, content=file, headers=tar).status_code == 201
    ada.ask("POST", "/v1/revocations", json={"writer": "mole", "dry_run": True})
    revoked = ada.ask("POST", "/v1/revocations", json={"writer": "mole"}).json()["id"]
    ada.ask("POST", f"/v1/revocations/{revoked}:undo")
    assert told(ada)[-5:] == ["key.create", "export", "import", "revocation.ask", "revocation.undo"]
    said = {entry["kind"]: entry for entry in entries(ada)}
    assert said["revocation.ask"]["subject"] == said["revocation.undo"]["subject"] == revoked
    assert said["revocation.ask"]["facts"]["by"] == ["writer"]
    for hidden in ("canary", memory["id"], ada.namespace):
        assert hidden not in json.dumps(said)
    assert verdict(ada)["holds"]


def test_the_heads_that_moved_are_logged_once_an_hour(service: Service, ada: Caller) -> None:
    trails = service.container.trails
    service.clock.move(hours=2)
    with capture_logs() as logs:
        trails.print_anchors()
        trails.print_anchors()
        service.clock.move(hours=2)
        trails.print_anchors()
    anchors = [line for line in logs if line["event"] == "audit_anchor"]
    assert len(anchors) == 1
    kept = {name: anchors[0][name] for name in ("seq", "digest", "signature")}
    assert verdict(ada, kept)["holds"]
