"""Who may do what, for every route: nobody, the wrong role, the wrong namespace, the wrong tenant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.fixtures.routes import BO, EXAMPLES, Example, routes_of
from tests.fixtures.service import Caller, Service, assert_problem, without_request_id

ROLES = ["read", "write", "erase", "export", "admin"]


@dataclass
class World:
    """Two tenants that know nothing of each other."""

    service: Service
    ada: Caller
    eve: Caller
    anonymous: Caller

    def ask(self, caller: Caller, example: Example, identifier: str = "", namespace: str = "user/ada") -> Any:
        if example.template.startswith(NEEDS_A_NAMESPACE):
            self.tell_of_bo_and_cleo(self.eve if caller is self.eve else self.ada, namespace)
        return caller.ask(example.method, example.path(identifier), **example.given(namespace))

    def tell_of_bo_and_cleo(self, caller: Caller, namespace: str) -> None:
        told = caller.ask("POST", "/v1/memories", json={"namespace": namespace, "content": "We met Bo and Cleo."})
        assert told.status_code == 201

    def own(self, example: Example) -> str:  # noqa: C901 - a table of cases
        """Something of ada's that the example's id may name."""
        if example.about == "memory":
            memory_id: str = self.ada.remember("hello")["id"]
            if example.template.endswith(":restore"):
                self.ada.forget(memory_id)
            if example.template.endswith(":unmerge"):
                return self.ada.merged()
            if example.template.endswith(":unquarantine"):
                self.ada.ask("POST", f"/v1/memories/{memory_id}:quarantine", json={"reason": "doubtful"})
            if example.template.endswith(":release"):
                self.ada.ask("POST", f"/v1/memories/{memory_id}:hold", json={"reason": "case 17"})
            return memory_id
        if example.about == "recall":
            return str(self.ada.recall("hello")["id"])
        if example.about == "run":
            self.ada.remember("hello")
            asked = {"namespace": self.ada.namespace, "kind": "fade"}
            run: dict[str, Any] = self.ada.ask("POST", "/v1/job-runs", json=asked).json()
            if example.template.endswith(":undo"):
                self.ada.ask("POST", f"/v1/job-runs/{run['id']}:cancel")
            return str(run["id"])
        if example.about == "erasure":
            self.ada.remember("hello")
            wanted = {"namespace": self.ada.namespace, "user_id": "nobody"}
            return str(self.ada.ask("POST", "/v1/erasures", json=wanted).json()["id"])
        if example.about == "entity":
            self.tell_of_bo_and_cleo(self.ada, "user/ada")
            return BO
        if example.about == "key":
            return str(self.ada.ask("POST", "/v1/keys", json={"name": "k"}).json()["id"])
        if example.about == "revocation":
            self.ada.key(name="mole").remember("hello")
            return str(self.ada.ask("POST", "/v1/revocations", json={"writer": "mole"}).json()["id"])
        return ""


@pytest.fixture(scope="module")
def world(shared: Service) -> World:
    ada, eve = shared.tenant("access-ada"), shared.tenant("access-eve")
    return World(shared, ada, eve, Caller(shared, None))


NEEDS_A_NAMESPACE = ("/v1/entities:", "/v1/policy", "/v1/embedding", "/v1/job-runs", "/v1/exports")
"""What decides about something needs it to be there."""
SERVED = {200, 201, 202, 204}
_GIVES_ROLES = {"/v1/keys", "/v1/keys/{key_id}:rotate"}
"""A key gives only roles that it has itself."""
every_route = pytest.mark.parametrize("example", EXAMPLES, ids=str)
with_id = pytest.mark.parametrize("example", [e for e in EXAMPLES if e.about], ids=str)


def served(example: Example) -> set[int]:
    """What a caller with the right to it hears; of a file that is missing only after that."""
    return SERVED | {415} if example.takes_file else SERVED


def test_every_route_has_an_example(world: World) -> None:
    assert {(e.method, e.template) for e in EXAMPLES} == routes_of(world.service.app)


@every_route
def test_who_may_is_served(world: World, example: Example) -> None:
    roles = ["admin", "read", "write"] if example.template in _GIVES_ROLES else [example.role]
    answer = world.ask(world.ada.key(roles=roles), example, world.own(example))
    assert answer.status_code in served(example), answer.text


@every_route
def test_without_a_good_key_there_is_one_answer(world: World, example: Example) -> None:
    identifier = world.own(example)
    expired = world.ada.key(roles=ROLES)
    revoked = world.ada.ask("POST", "/v1/keys", json={"name": "k", "roles": ROLES}).json()
    assert world.ada.ask("DELETE", f"/v1/keys/{revoked['id']}").status_code == 204
    callers = [
        world.anonymous,
        Caller(world.service, "msk_" + "A" * 43),
        Caller(world.service, revoked["secret"]),
        Caller(world.service, "nonsense"),
        Caller(world.service, expired.secret[:-1] if expired.secret else ""),
    ]

    answers = [world.ask(caller, example, identifier) for caller in callers]

    for answer in answers:
        assert_problem(answer, 401, "unauthenticated")
        assert without_request_id(answer) == without_request_id(answers[0])


@every_route
def test_key_without_the_role_is_refused_by_name(world: World, example: Example) -> None:
    roles = [role for role in ROLES if role != example.role]

    answer = world.ask(world.ada.key(roles=roles), example, world.own(example))

    assert f"'{example.role}'" in assert_problem(answer, 403, "forbidden")["detail"]


@pytest.mark.parametrize(
    "example", [e for e in EXAMPLES if not e.about and "namespace" in {**(e.json or {}), **(e.params or {})}], ids=str
)
def test_namespace_out_of_reach_is_refused_whether_it_exists_or_not(world: World, example: Example) -> None:
    world.ada.remember("hello")
    narrow = world.ada.key(roles=ROLES, namespaces=["user/bob/**", "team/*"])

    answers = [world.ask(narrow, example, namespace=path) for path in ("user/ada", "user/unknown", "team/a/b", "user")]

    for answer in answers:
        assert_problem(answer, 403, "forbidden")
        assert without_request_id(answer) == without_request_id(answers[0])
    assert world.ask(narrow, example, namespace="user/bob").status_code in served(example)
    assert world.ask(narrow, example, namespace="team/a").status_code in served(example)


@with_id
def test_out_of_reach_foreign_and_unknown_ids_look_alike(world: World, example: Example) -> None:
    identifier = world.own(example)
    others: list[httpx.Response] = [world.ask(world.eve, example, identifier)]
    if example.about in {"memory", "recall", "run", "erasure"}:
        narrow = world.ada.key(roles=ROLES, namespaces=["user/bob/**"])
        others.append(world.ask(narrow, example, identifier))
    unknown = world.ask(world.ada, example, str(uuid4()))

    assert_problem(unknown, 404, "not_found")
    for other in others:
        assert without_request_id(other) == without_request_id(unknown)
        assert identifier not in str(other.headers) + other.text
    assert world.ask(world.ada, example, identifier).status_code in SERVED


@with_id
@pytest.mark.parametrize("bad", ["x", "0", "{}", "'; drop table memory;--", "%2e%2e%2fkeys", "a" * 4000, "%00", "é"])
def test_what_is_no_id_is_not_found(world: World, example: Example, bad: str) -> None:
    answer = world.ask(world.ada, example, bad)
    assert_problem(answer, 404, "not_found")


@every_route
def test_wrong_method_is_named(world: World, example: Example) -> None:
    path = example.path(str(uuid4()))
    answer = world.ada.ask(
        "PATCH" if example.template in ("/v1/policy", "/v1/keys/{key_id}/limits") else "PUT", path, json={}
    )
    assert_problem(answer, 405, "method_not_allowed")
    assert example.method in answer.headers["allow"]


@pytest.mark.parametrize("example", [e for e in EXAMPLES if "namespace" in (e.json or {})], ids=str)
def test_tenant_is_never_taken_from_the_request(world: World, example: Example) -> None:
    given = example.given("user/mine")
    if example.template.startswith(NEEDS_A_NAMESPACE):
        world.tell_of_bo_and_cleo(world.eve, "user/mine")
    assert_problem(
        world.eve.ask(example.method, example.template, json=given["json"] | {"tenant_id": "access-ada"}), 422
    )
    headers = {"x-tenant-id": "access-ada", "x-forwarded-for": "127.0.0.1", "host": "evil.example"}
    assert world.eve.ask(example.method, example.template, headers=headers, **given).status_code in {200, 201, 202}
    assert world.ada.ask("GET", "/v1/namespaces", params={"prefix": "user/mine"}).json()["items"] == []


def test_key_gives_no_more_than_it_has(world: World) -> None:
    narrow = world.ada.key(roles=["admin", "read"], namespaces=["user/ada/**"])
    for asked in (
        {"roles": ["erase"]}, {"roles": ["read"], "namespaces": ["**"]}, {"roles": ["read"], "namespaces": ["user/*"]},
        {"roles": ["read"], "namespaces": ["user/ada/x", "team/a"]},
    ):  # fmt: skip
        assert_problem(narrow.ask("POST", "/v1/keys", json={"name": "k", **asked}), 403, "forbidden")
    made = narrow.key(roles=["read"], namespaces=["user/ada/x/**"])
    assert_problem(made.ask("GET", "/v1/stats", params={"namespace": "user/ada"}), 403)
    assert made.ask("GET", "/v1/stats", params={"namespace": "user/ada/x"}).status_code == 200


def test_expired_key_ends_on_time(service: Service) -> None:
    ada = service.tenant()
    until = service.clock.now().replace(microsecond=0)
    later = until.replace(year=until.year + 1)
    short = ada.key(roles=["read"], expires_at=later.isoformat())
    assert short.ask("GET", "/v1/version").status_code == 200
    service.clock.move(days=366)
    assert_problem(short.ask("GET", "/v1/version"), 401, "unauthenticated")


def test_keys_are_listed_without_their_secrets(service: Service) -> None:
    ada, eve = service.tenant("one"), service.tenant("two")
    mine = [ada.key(name=f"k{i}", roles=["read"]) for i in range(5)]
    shown: list[dict[str, Any]] = []
    params: dict[str, Any] = {"limit": 2}
    while True:
        page = ada.ask("GET", "/v1/keys", params=params)
        assert not any((caller.secret or "?") in page.text for caller in [*mine, ada, eve])
        shown += page.json()["items"]
        if page.json()["next_cursor"] is None:
            break
        params["cursor"] = page.json()["next_cursor"]
    assert [key["name"] for key in shown] == ["admin", "k0", "k1", "k2", "k3", "k4"]
    assert len(eve.ask("GET", "/v1/keys").json()["items"]) == 1
