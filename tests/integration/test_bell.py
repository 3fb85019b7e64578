"""Two processes on one database: what one writes is in the other's bank before anybody asks for it there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis as library

from memsvc.namespaces import repository as namespaces
from tests.fixtures.redis import soon
from tests.fixtures.service import Caller, Service, serving

Pair = tuple[Caller, Caller]


@pytest.fixture(params=["postgresql", "redis"])
def pair(tmp_path: Path, postgres_url: str, redis_url: str, request: pytest.FixtureRequest) -> Iterator[Pair]:
    shared: dict[str, Any] = {"secret": "s" * 40, "jobs": "off"}
    if request.param == "redis":
        shared |= {"redis_url": redis_url, "redis_prefix": f"t{uuid4().hex}"}
    with ExitStack() as closing:
        first, second = (closing.enter_context(serving(tmp_path / name, postgres_url, **shared)) for name in ("a", "b"))
        caller = first.tenant()
        yield caller, Caller(second, caller.secret)


def applied(service: Service) -> list[int | None]:
    keeper = service.container.keeper
    return [keeper.applied(key) for key in keeper.keys()]  # noqa: SIM118 - not a dict


def head(caller: Caller) -> int:
    with caller.service.look() as connection:
        return max(n.head_seq for n in namespaces.every(connection))


def test_what_one_writes_the_other_applies_at_once(pair: Pair) -> None:
    writer, other = pair
    memory = writer.remember("The key is under the mat.")
    assert other.found("key")  # in the other's bank from here on
    for i in range(20):
        writer.remember(f"Number {i}.")
    assert soon(lambda: applied(other.service) == [head(writer)])
    assert writer.erase(memory["id"]).status_code in (200, 204)
    assert soon(lambda: applied(other.service) == [head(writer)])  # and so what is erased leaves it, too


@pytest.mark.parametrize("pair", ["postgresql"], indirect=True)
def test_the_other_hears_of_what_is_taken_back_and_of_what_is_brought(pair: Pair) -> None:
    writer, other = pair
    writer.remember("The key is under the mat.", session_id="s1")
    assert other.found("key")
    asked = {"namespace": writer.namespace, "session_id": "s1"}
    revocation = writer.ask("POST", "/v1/revocations", json=asked).json()
    assert soon(lambda: applied(other.service) == [head(writer)])
    assert writer.ask("POST", f"/v1/revocations/{revocation['id']}:undo").status_code == 200
    assert soon(lambda: applied(other.service) == [head(writer)])

    file = writer.ask("POST", "/v1/exports", json={"namespace": writer.namespace}).content
    copy = Caller(other.service, other.secret, "user/copy")
    copy.erase(copy.remember("It is there.")["id"])
    there = {"namespace": copy.namespace}
    headers = {"content-type": "application/x-tar"}
    assert writer.ask("POST", "/v1/imports", params=there, content=file, headers=headers).status_code == 201
    with writer.service.look() as connection:
        heads = {one.key: one.head_seq for one in namespaces.every(connection)}
    keeper = other.service.container.keeper
    assert soon(lambda: {key: keeper.applied(key) for key in heads} == heads)


@pytest.mark.parametrize("pair", ["redis"], indirect=True)
def test_nonsense_on_the_line_is_passed_over(pair: Pair, redis_url: str) -> None:
    writer, other = pair
    writer.remember("One.")
    assert other.found("One")
    redis = other.service.container.redis
    assert redis is not None
    with library.Redis.from_url(redis_url) as raw:
        for message in (b"", b"x", b"\xff\xfe.1", b"." * 500, b"00.99999999999999999999", b"00.-1"):
            raw.publish(redis.channel("bell"), message)
    writer.remember("Two.")
    assert soon(lambda: applied(other.service) == [head(writer)])


def test_a_lost_bell_costs_no_memory(pair: Pair) -> None:
    writer, other = pair
    writer.remember("One.")
    assert "One." in other.found("One")
    other.service.container.bell.close()
    writer.remember("Two.")
    assert "Two." in other.found("Two")
