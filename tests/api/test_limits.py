"""Limits and quotas over HTTP: exact at their bounds, said in headers, and never in the way of reading and erasing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from memsvc.commands.root import app as memsvc
from memsvc.db.tenancy import SERVICE
from memsvc.limits import repository
from tests.fixtures.redis import soon
from tests.fixtures.service import Caller, Service, assert_problem, serving


@contextmanager
def limited(folder: Path, limits: dict[str, Any], url: str | None = None, **settings: Any) -> Iterator[Caller]:
    with serving(folder, url, **settings) as service:
        caller = service.tenant()
        set_limits(service, limits)
        yield caller


def set_limits(service: Service, limits: dict[str, Any], tenant: str = "one") -> None:
    """As `memsvc tenant-limits` does."""
    database = service.container.database
    with database.read(SERVICE) as connection:
        tenant_id = repository.tenant_named(connection, tenant)
    assert tenant_id is not None
    database.write(tenant_id, lambda connection: repository.store_of_tenant(connection, tenant_id, limits))
    service.container.limiter.forget()


def test_requests_over_the_limit_are_refused_with_what_is_left(tmp_path: Path) -> None:
    with limited(tmp_path, {"requests_per_s": 0.01, "requests_burst": 3}) as caller:
        answers = [caller.ask("GET", "/v1/version") for _ in range(5)]
        assert [a.status_code for a in answers] == [200, 200, 200, 429, 429]
        problem = assert_problem(answers[3], 429, "rate_limited")
        assert "tenant" not in problem["detail"]
        assert 95 <= int(answers[3].headers["retry-after"]) <= 100
        assert answers[0].headers["ratelimit-policy"] == '"requests";q=3;w=300'
        assert answers[0].headers["ratelimit"] == '"requests";r=2;t=100'
        assert answers[3].headers["ratelimit"].startswith('"requests";r=0;t=')
        other = caller.service.tenant("two")
        answer = other.ask("GET", "/v1/version")
        assert answer.status_code == 200
        assert "ratelimit" not in answer.headers


def test_a_key_has_limits_of_its_own(tmp_path: Path) -> None:
    with limited(tmp_path, {}) as caller:
        narrow = caller.key(roles=["read", "write"])
        keys = caller.ask("GET", "/v1/keys").json()["items"]
        key_id = next(key["id"] for key in keys if key["name"] == "narrow")
        path = f"/v1/keys/{key_id}/limits"
        assert narrow.ask("PUT", path, json={}).status_code == 403
        assert_problem(caller.ask("PUT", path, json={"requests_per_s": 0}), 422)
        assert_problem(caller.ask("PUT", path, json={"memories": 1}), 422)
        assert_problem(caller.ask("PUT", f"/v1/keys/{uuid4()}/limits", json={}), 404)
        assert_problem(caller.service.tenant("two").ask("PUT", path, json={}), 404)
        answer = caller.ask("PUT", path, json={"requests_per_s": 0.001, "requests_burst": 2, "tokens_per_day": None})
        assert answer.status_code == 200, answer.text
        assert answer.json()["limits"] == {"requests_per_s": 0.001, "requests_burst": 2, "tokens_per_day": None}
        assert [narrow.ask("GET", "/v1/version").status_code for _ in range(3)] == [200, 200, 429]
        assert caller.ask("GET", "/v1/version").status_code == 200


def test_settings_are_the_defaults_and_null_lifts_them(tmp_path: Path) -> None:
    with limited(tmp_path, {}, limit_tenant_memories=1, limit_key_requests_per_s=1000.0) as caller:
        shown = caller.ask("GET", "/v1/limits").json()
        assert (shown["tenant"]["memories"], shown["key"]["requests_per_s"]) == (1, 1000.0)
        caller.remember("One.")
        assert_problem(caller.write("Two."), 429, "quota_exceeded")
        set_limits(caller.service, {"memories": None})
        caller.remember("Two.")


def test_tokens_are_counted_before_they_are_embedded(tmp_path: Path) -> None:
    with limited(tmp_path, {"tokens_per_day": 10}) as caller:
        assert caller.write("x" * 20).status_code == 201
        memory = caller.listed()[0]
        assert memory == "x" * 20
        answer = caller.write("x" * 24)  # 6 tokens, and 5 are left
        assert_problem(answer, 429, "rate_limited")
        assert answer.headers["retry-after"]
        assert caller.recall("y" * 20)["hits"] is not None
        assert_problem(caller.ask("POST", "/v1/recall", json={"namespace": "user/ada", "query": "more"}), 429)
        too_much = caller.write("x" * 44)
        assert "retry-after" not in assert_problem(too_much, 429, "rate_limited")
        assert "retry-after" not in too_much.headers
        with_vector = {"embedding": [1.0] + [0.0] * 63}
        assert caller.write("x" * 44, **with_vector).status_code == 201  # the model reads none of it


@pytest.mark.parametrize("quota", ["memories", "namespace_memories"])
def test_a_quota_of_memories_is_exact(tmp_path: Path, quota: str) -> None:
    with limited(tmp_path, {quota: 3}) as caller:
        batch = {"namespace": "user/ada", "memories": [{"content": str(i)} for i in range(4)]}
        assert_problem(caller.ask("POST", "/v1/memories:batch", json=batch), 429, "quota_exceeded")
        assert caller.stats()["memories"] == 0
        first = caller.remember("a", external_id="e")["id"]
        caller.remember("b")
        caller.remember("c")
        refused = caller.write("d")
        assert_problem(refused, 429, "quota_exceeded")
        assert refused.headers["retry-after"] == "3600"
        assert caller.write("changed", external_id="e").status_code == 200  # no memory more
        assert caller.forget(first).status_code == 200
        assert_problem(caller.write("d"), 429)  # what is forgotten can be restored: it is there
        assert caller.restore(first).status_code == 200
        assert caller.found("changed", top_k=3)
        assert caller.erase(first).status_code in (200, 204)
        caller.remember("d")
        elsewhere = Caller(caller.service, caller.secret, "user/bob").write("e")
        assert elsewhere.status_code == (429 if quota == "memories" else 201)


@pytest.mark.parametrize("quota", ["bytes", "namespace_bytes"])
def test_a_quota_of_bytes_counts_all_versions(tmp_path: Path, quota: str) -> None:
    with limited(tmp_path, {quota: 10}) as caller:
        memory = caller.remember("1234é")  # six bytes
        assert caller.edit(memory["id"], content="1234").status_code == 200
        assert_problem(caller.edit(memory["id"], content="5"), 429, "quota_exceeded")
        assert caller.edit(memory["id"], importance=0.9).status_code == 200
        shown = caller.ask("GET", "/v1/limits", params={"namespace": "user/ada"}).json()
        assert shown["used"] == shown["namespace_used"] == {"memories": 1, "bytes": 10}
        assert caller.erase(memory["id"]).status_code in (200, 204)
        assert caller.ask("GET", "/v1/limits").json()["used"] == {"memories": 0, "bytes": 0}
        caller.remember("1234567890")


def test_writers_of_two_namespaces_do_not_slip_past_a_quota(tmp_path: Path, postgres_url: str) -> None:
    with limited(tmp_path, {"memories": 10}, postgres_url) as caller:

        def write(i: int) -> tuple[str, str, dict[str, Any]]:
            body = {"namespace": f"n/{i % 8}", "content": f"number {i}"}
            return "POST", "/v1/memories", {"json": body, "headers": caller.headers}

        answers = caller.service.ask_all([write(i) for i in range(24)])
        assert sorted(a.status_code for a in answers) == [201] * 10 + [429] * 14
        assert caller.ask("GET", "/v1/limits").json()["used"]["memories"] == 10


def test_two_processes_share_their_limits_through_redis(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    shared = {"redis_url": redis_url, "redis_prefix": f"t{uuid4().hex}", "secret": "s" * 40}
    with ExitStack() as closing:
        caller = closing.enter_context(limited(tmp_path / "a", {}, postgres_url, **shared))
        set_limits(caller.service, {"requests_per_s": 0.01, "requests_burst": 10})
        second = closing.enter_context(serving(tmp_path / "b", postgres_url, **shared))
        other = Caller(second, caller.secret)
        statuses = [who.ask("GET", "/v1/version").status_code for _ in range(10) for who in (caller, other)]
        assert statuses.count(200) == 10
        caller.service.container.redis.breaker.failed()  # type: ignore[union-attr]
        second.container.redis.breaker.failed()  # type: ignore[union-attr]
        again = [who.ask("GET", "/v1/version").status_code for _ in range(10) for who in (caller, other)]
        assert again.count(200) <= 10  # together never more than twice the limit


def test_two_processes_share_a_limit_that_the_command_sets_meanwhile(
    tmp_path: Path, postgres_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memsvc.limits.limiter.DELAY_S", 0.2)
    shared = {"redis_url": redis_url, "redis_prefix": f"t{uuid4().hex}", "secret": "s" * 40}
    with ExitStack() as closing:
        services = [closing.enter_context(serving(tmp_path / name, postgres_url, **shared)) for name in "ab"]
        caller = services[0].tenant()
        callers = [caller, Caller(services[1], caller.secret)]

        def allowed(times: int) -> int:
            return [who.ask("GET", "/v1/version").status_code for _ in range(times) for who in callers].count(200)

        def tenant_limits(*options: str) -> dict[str, Any]:
            where = ["--tenant", "one", "--data-dir", str(tmp_path / "c"), "--database-url", postgres_url, "--json"]
            ran = CliRunner().invoke(memsvc, ["tenant-limits", *where, *options])
            assert ran.exit_code == 0, ran.output
            limits: dict[str, Any] = json.loads(ran.output)["limits"]
            return limits

        def follows(who: Caller, burst: int | None) -> bool:
            policy = who.ask("GET", "/v1/version").headers.get("ratelimit-policy")
            return policy == (None if burst is None else f'"requests";q={burst};w={burst * 100}')

        assert allowed(6) == 12  # nothing is limited
        set_to = tenant_limits("--set", '{"requests_per_s": 0.01, "requests_burst": 40}')
        assert (set_to["requests_per_s"], set_to["requests_burst"]) == (0.01, 40)
        assert tenant_limits() == set_to
        assert all(soon(partial(follows, who, 40)) for who in callers)
        assert allowed(30) <= 38  # less what was asked until both followed
        assert allowed(2) == 0
        tenant_limits("--set", "{}")
        assert all(soon(partial(follows, who, None)) for who in callers)
        assert allowed(6) == 12
        entries = caller.ask("GET", "/v1/audit", params={"kind": "tenant"}).json()["items"]
        assert [(one["actor"], one["facts"]) for one in entries] == [
            ("the operator", {"requests_per_s": "0.01", "requests_burst": "40"}),
            ("the operator", {}),
        ]


def test_a_limit_holds_against_many_at_once(tmp_path: Path) -> None:
    with limited(tmp_path, {"requests_per_s": 0.001, "requests_burst": 20}) as caller:
        asked = [("GET", "/v1/version", {"headers": caller.headers})] * 60
        assert [a.status_code for a in caller.service.ask_all(asked)].count(200) == 20
