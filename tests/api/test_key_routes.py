"""Keys that rotate, are bound to networks, know when they were used, and cannot make keys that do more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.fixtures.service import Caller, Service, assert_problem, without_request_id


def made(caller: Caller, **asked: Any) -> dict[str, Any]:
    answer = caller.ask("POST", "/v1/keys", json={"name": "agent", **asked})
    assert answer.status_code == 201, answer.text
    key: dict[str, Any] = answer.json()
    return key


def opens(caller: Caller, secret: str) -> int:
    return Caller(caller.service, secret).ask("GET", "/v1/namespaces").status_code


def rotated(caller: Caller, key_id: str, **asked: Any) -> httpx.Response:
    return caller.ask("POST", f"/v1/keys/{key_id}:rotate", json=asked)


def test_a_rotated_key_works_beside_the_next_one_until_the_overlap_is_over(service: Service, ada: Caller) -> None:
    old = made(ada, roles=["read"], namespaces=["user/**"], networks=["127.0.0.0/8"], trust="external")
    answer = rotated(ada, old["id"], overlap_s=60)
    assert answer.status_code == 201, answer.text
    new = answer.json()
    same = ("name", "roles", "namespaces", "networks", "trust", "expires_at")
    assert {name: new[name] for name in same} == {name: old[name] for name in same}
    assert (new["client_id"], old["client_id"]) == (old["id"], None)
    assert [opens(ada, key["secret"]) for key in (old, new)] == [200, 200]
    service.clock.move(seconds=61)
    assert [opens(ada, key["secret"]) for key in (old, new)] == [401, 200]
    third = rotated(ada, new["id"]).json()
    assert third["client_id"] == old["id"]


def test_a_client_has_two_live_keys_at_most(ada: Caller) -> None:
    old = made(ada, roles=["read"])
    new = rotated(ada, old["id"]).json()
    assert_problem(rotated(ada, old["id"]), 409, "conflict")
    assert_problem(rotated(ada, new["id"]), 409, "conflict")
    assert ada.ask("DELETE", f"/v1/keys/{old['id']}").status_code == 204
    assert rotated(ada, new["id"]).status_code == 201


def test_a_key_that_opens_nothing_is_not_rotated(service: Service, ada: Caller) -> None:
    gone = made(ada)
    ada.ask("DELETE", f"/v1/keys/{gone['id']}")
    soon = made(ada)
    assert_problem(rotated(ada, gone["id"]), 404)
    assert_problem(rotated(service.tenant("two"), soon["id"]), 404)
    assert_problem(rotated(ada, soon["id"], expires_at="2020-01-01T00:00:00Z"), 422)
    assert_problem(rotated(ada, soon["id"], overlap_s=-1), 422)


def test_an_overlap_never_makes_a_key_live_longer(service: Service, ada: Caller) -> None:
    ends = service.clock.now().timestamp() + 300
    old = made(ada, expires_at=_instant(ends))
    new = rotated(ada, old["id"], overlap_s=3600).json()
    life = [_seconds(new["expires_at"]) - _seconds(new["created_at"]), ends - _seconds(old["created_at"])]
    assert life[0] == pytest.approx(life[1], abs=0.01)
    service.clock.move(seconds=200)
    assert opens(ada, new["secret"]) == 200
    service.clock.move(seconds=101)
    assert opens(ada, old["secret"]) == 401


def test_rotating_cannot_give_what_the_asker_lacks(shared: Service) -> None:
    ada = shared.tenant("rotating")
    strong = made(ada, roles=["read", "erase"], trust="trusted")
    weak = ada.key(roles=["read", "admin"])
    assert_problem(rotated(weak, strong["id"]), 403, "forbidden")
    believed = made(ada, roles=["read"], trust="trusted")
    assert_problem(rotated(weak, believed["id"]), 403, "forbidden")


@pytest.mark.parametrize(
    ("own", "asked", "status"),
    [
        ({}, {"trust": "trusted"}, 403),
        ({"trust": "external"}, {}, 403),
        ({"trust": "external"}, {"trust": "external"}, 201),
        ({"networks": ["127.0.0.0/8"]}, {}, 403),
        ({"networks": ["127.0.0.0/8"]}, {"networks": ["127.0.0.1", "10.0.0.1"]}, 403),
        ({"networks": ["127.0.0.0/8"]}, {"networks": ["::1"]}, 403),
        ({"networks": ["127.0.0.0/8"]}, {"networks": ["127.0.0.1"]}, 201),
    ],
)
def test_a_key_gives_at_most_what_it_has(shared: Service, own: Any, asked: Any, status: int) -> None:
    ada = shared.tenant("grants")
    admin = ada.key(roles=["read", "write", "admin"], **own)
    assert admin.ask("POST", "/v1/keys", json={"name": "k", **asked}).status_code == status


def test_a_key_from_elsewhere_is_answered_like_no_key(ada: Caller) -> None:
    bound = made(ada, networks=["10.0.0.0/8", "2001:db8::/32"])
    elsewhere = Caller(ada.service, bound["secret"]).ask("GET", "/v1/namespaces")
    unknown = Caller(ada.service, "msk_" + "A" * 43).ask("GET", "/v1/namespaces")
    assert without_request_id(elsewhere) == without_request_id(unknown)
    (entry,) = ada.ask("GET", "/v1/audit", params={"kind": "denied"}).json()["items"]
    assert (entry["key_id"], entry["facts"]["reason"]) == (bound["id"], "address")


@pytest.mark.parametrize("networks", [[], ["10.0.0.0/33"], ["host.example"], ["10.0.0.0/8"] * 33, "10.0.0.0/8", [""]])
def test_what_is_no_network_is_refused(shared: Service, networks: Any) -> None:
    ada = shared.tenant("networks")
    assert_problem(ada.ask("POST", "/v1/keys", json={"name": "k", "networks": networks}), 422)


def test_when_a_key_was_used_is_written_now_and_then_and_not_by_requests(service: Service, ada: Caller) -> None:
    key = made(ada)

    def last_used() -> str | None:
        keys = ada.ask("GET", "/v1/keys").json()["items"]
        return next(one["last_used_at"] for one in keys if one["id"] == key["id"])

    opens(ada, key["secret"])
    assert last_used() is None
    service.container.keys.uses.flush()
    first = last_used()
    assert first is not None
    service.clock.move(seconds=90)
    opens(ada, key["secret"])
    service.container.keys.uses.flush()
    later = last_used()
    assert later is not None
    assert later > first


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
