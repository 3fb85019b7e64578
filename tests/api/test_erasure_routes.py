"""Erasures over HTTP: what they take, what they leave, their receipts, and who may ask for them."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.fixtures.service import Caller, assert_problem, without_request_id


def ask(caller: Caller, *, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
    return caller.ask("POST", "/v1/erasures", json=body, headers=headers)


def erased(caller: Caller, **body: Any) -> dict[str, Any]:
    """An erasure after its end: on a busy machine it may take longer than the request works at it."""
    answer = ask(caller, **body)
    assert answer.status_code in (201, 202), answer.text
    found: dict[str, Any] = answer.json()
    by = time.monotonic() + 60
    while found["state"] != "erased" and time.monotonic() < by:
        time.sleep(0.05)
        found = caller.ask("GET", f"/v1/erasures/{found['id']}").json()
    assert found["state"] == "erased"
    return found


def everything(caller: Caller) -> list[str]:
    return sorted(caller.listed(filter='{"state": {"exists": true}}'))


def test_memories_are_erased_by_their_ids(ada: Caller) -> None:
    ids = [ada.remember(f"fact {n}")["id"] for n in range(4)]
    ada.forget(ids[1])
    done = erased(ada, memory_ids=[*ids[:2], str(uuid4()), ids[0]])
    assert done["counts"]["memory"] == 2
    assert done["counts"]["memory_version"] == 3
    assert done["namespaces"] == [ada.namespace]
    assert everything(ada) == ["fact 2", "fact 3"]
    assert {ada.get(one).status_code for one in ids[:2]} == {404}
    assert len(done["receipt"]["digests"]) == 2


def test_a_dry_run_says_what_would_go_and_changes_nothing(ada: Caller) -> None:
    kept = ada.remember("kept", tags=["work"])
    gone = ada.remember("private", tags=["home"])
    ada.forget(gone["id"])
    asked = {"namespace": ada.namespace, "filter": {"tags": {"contains": "home"}}}
    answer = ask(ada, **asked, dry_run=True)
    assert (answer.status_code, answer.json()) == (
        200, {"dry_run": True, "memories": 1, "derived": 0, "memory_ids": [gone["id"]], "derived_ids": []},
    )  # fmt: skip
    assert len(everything(ada)) == 2
    assert ada.ask("GET", "/v1/erasures").json()["items"] == []
    erased(ada, **asked)
    assert ada.get(kept["id"]).status_code == 200
    assert everything(ada) == ["kept"]


def test_a_user_is_erased_in_every_namespace_and_version_that_the_key_reaches(ada: Caller) -> None:
    mine = ada.remember("once about bo", user_id="bo")
    ada.edit(mine["id"], user_id="ada")
    other = Caller(ada.service, ada.secret, "team/x")
    other.remember("bo at work", user_id="bo")
    other.remember("the office")
    secret = Caller(ada.service, ada.secret, "secret/y")
    secret.remember("bo in secret", user_id="bo")
    narrow = ada.key(roles=["erase"], namespaces=["user/**", "team/**"])
    done = erased(narrow, user_id="bo")
    assert done["counts"]["memory"] == 2
    assert (everything(ada), everything(other), everything(secret)) == ([], ["the office"], ["bo in secret"])
    stranger = ada.service.tenant("two")
    stranger.remember("another bo", user_id="bo")
    assert erased(ada, user_id="bo")["counts"]["memory"] == 1
    assert everything(stranger) == ["another bo"]
    assert erased(ada, user_id="bo")["counts"] == {}


def test_what_a_writer_made_is_erased_and_what_it_edited_stays(ada: Caller) -> None:
    poisoner = ada.ask("POST", "/v1/keys", json={"name": "poisoner", "roles": ["read", "write"]}).json()["secret"]
    bad = Caller(ada.service, poisoner)
    bad.remember("lies")
    mine = ada.remember("mine")
    bad.edit(mine["id"], content="mine, edited")
    assert erased(ada, namespace=ada.namespace, writer="poisoner")["counts"]["memory"] == 1
    assert everything(ada) == ["mine, edited"]


def test_an_entity_is_erased_by_all_its_names(ada: Caller) -> None:
    ada.remember("Robert Mbeki, also known as the Falcon, lives in Oslo.")
    ada.remember("We saw the Falcon in Lisbon.")
    ada.remember("We met Cleo.")
    entities = ada.ask("GET", "/v1/entities", params={"namespace": ada.namespace}).json()["items"]
    falcon = next(one["id"] for one in entities if "Falcon" in str(one))
    assert_problem(ask(ada, entity_id=falcon), 422)
    assert erased(ada, namespace=ada.namespace, entity_id=falcon)["counts"]["memory"] == 2
    assert everything(ada) == ["We met Cleo."]


def test_a_large_one_goes_on_after_the_answer_and_a_second_one_joins_it(ada: Caller, monkeypatch: Any) -> None:
    monkeypatch.setattr("memsvc.erasures.service.INLINE_S", 0.0)
    erasures = ada.service.container.erasures
    monkeypatch.setattr(erasures, "ask", lambda *given: type(erasures).ask(erasures, *given, within_s=0.0))
    monkeypatch.setattr(erasures, "_wake", lambda: None)
    ada.remember("x", user_id="bo")
    first, second = (ask(ada, user_id="bo") for _ in range(2))
    assert (first.status_code, first.json()["receipt"]) == (202, None)
    assert second.json()["id"] == first.json()["id"]
    ada.service.container.erasing.round()
    done = ada.ask("GET", f"/v1/erasures/{first.json()['id']}").json()
    assert (done["state"], done["counts"]["memory"]) == ("erased", 1)
    assert done["overwritten_at"] is not None
    assert ask(ada, user_id="bo").json()["id"] != first.json()["id"]


def test_the_same_key_is_the_same_erasure(ada: Caller) -> None:
    ada.remember("x", user_id="bo")
    first = ask(ada, user_id="bo", headers={"idempotency-key": "k"}).json()
    ada.remember("y", user_id="bo")
    again = ask(ada, user_id="bo", headers={"idempotency-key": "k"}).json()
    assert again["id"] == first["id"]
    assert everything(ada) == ["y"]
    assert_problem(ask(ada, user_id="cy", headers={"idempotency-key": "k"}), 422, "idempotency_key_reused")


def test_a_receipt_is_genuine_until_a_character_of_it_is_changed(ada: Caller) -> None:
    ids = [ada.remember(f"fact {n}")["id"] for n in range(3)]
    made = erased(ada, memory_ids=ids[:2])
    done = ada.ask("GET", f"/v1/erasures/{made['id']}").json()
    receipt = done["receipt"]
    good = {"genuine": True, "holds": True, "back": 0, "without_tombstone": 0}
    bad = {"genuine": False, "holds": False, "back": 0, "without_tombstone": 0}

    def verify(caller: Caller, given: Any) -> Any:
        answer = caller.ask("POST", "/v1/erasures:verify", json={"receipt": given})
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert verify(ada, receipt) == verify(ada, made["receipt"]) == good
    assert verify(ada.service.tenant("two"), receipt) == bad
    for forged in (
        {**receipt, "ended_at": receipt["asked_at"] + "x"}, {**receipt, "digests": receipt["digests"][:1]},
        {**receipt, "counts": {"memory": 200}}, {**receipt, "signature": None}, {**receipt, "more": 1}, {},
        {"signature": "é"}, {**receipt, "signature": "AAAA"},
    ):  # fmt: skip
        assert verify(ada, forged) == bad
    assert "fact" not in str(done)
    assert not any(one in str(receipt) for one in ids)


def test_deleting_one_memory_leaves_a_receipt_too(ada: Caller) -> None:
    memory = ada.remember("x")
    ada.erase(memory["id"])
    (listed,) = ada.ask("GET", "/v1/erasures").json()["items"]
    assert (listed["state"], listed["counts"]["memory"], listed["receipt"]) == ("erased", 1, None)
    one = ada.ask("GET", f"/v1/erasures/{listed['id']}").json()
    answer = ada.ask("POST", "/v1/erasures:verify", json={"receipt": one["receipt"]})
    assert answer.json()["holds"]


def test_erasures_are_listed_page_by_page_to_who_reaches_them(ada: Caller) -> None:
    for number in range(5):
        ada.remember(f"x{number}")
        erased(ada, namespace=ada.namespace, filter={})
    other = Caller(ada.service, ada.secret, "team/x")
    other.remember("x")
    hidden = erased(other, namespace="team/x", filter={})
    narrow = ada.key(roles=["erase"], namespaces=["user/**"])
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": "2"} | ({} if cursor is None else {"cursor": cursor})
        page = narrow.ask("GET", "/v1/erasures", params=params).json()
        seen += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 5
    assert seen == sorted(seen, reverse=True)
    out_of_reach, unknown = (narrow.ask("GET", f"/v1/erasures/{one}") for one in (hidden["id"], uuid4()))
    assert without_request_id(out_of_reach) == without_request_id(unknown)
    assert out_of_reach.status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {}, {"user_id": "a", "writer": "b"}, {"user_id": None}, {"filter": {}}, {"memory_ids": []},
        {"memory_ids": ["x"]}, {"memory_ids": [str(UUID(int=7))] * 10_001}, {"filter": {"nothing": 1}},
        {"user_id": " "}, {"namespace": "a//b", "user_id": "x"}, {"receipt": {}},
        {"receipt": {"digests": 1, "signature": "AA"}},
        {"entity_id": "xyz", "namespace": "user/ada"}, {"user_id": "x", "tenant_id": "y"}, {"user_id": "a\u0000"},
    ],
    ids=lambda body: str(body)[:60],
)  # fmt: skip
def test_what_means_nothing_is_refused(ada: Caller, body: dict[str, Any]) -> None:
    ada.remember("x")
    assert_problem(ask(ada, **body), 422)
    assert everything(ada) == ["x"]


def test_what_is_not_there_is_erased_at_once(ada: Caller) -> None:
    for body in ({"user_id": "nobody"}, {"namespace": "user/nowhere", "filter": {}}, {"memory_ids": [str(uuid4())]}):
        assert erased(ada, **body)["counts"] == {}
