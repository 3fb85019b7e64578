"""An idempotency key has at most one effect, whoever repeats it and however they meet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select

from memsvc.auth.keys import create_tenant_with_admin_key
from memsvc.core.errors import KeyReused
from memsvc.memories.draft import Draft
from memsvc.memories.write import Author
from memsvc.models.tables import IDEMPOTENCY, MEMORY
from tests.fixtures.storage_service import HeldClock, Service, at_once, claim_of, open_service, service_on

TTL_S = 600


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def service(database_url: str, tmp_path: Path, clock: HeldClock) -> Iterator[Service]:
    with service_on(database_url, tmp_path, clock=clock, idempotency_ttl_s=TTL_S) as made:
        yield made


def count(service: Service) -> int:
    with service.look() as connection:
        return int(connection.execute(select(func.count()).select_from(MEMORY)).scalar_one())


def other_tenant(service: Service) -> Service:
    container = service.container
    record, _ = create_tenant_with_admin_key(container.database, container.secrets, container.clock, "other", "admin")
    return Service(container, Author(record.tenant_id, "other"))


def test_the_same_key_from_sixteen_threads_has_one_effect(service: Service) -> None:
    claim = claim_of("key", "body")
    for _ in range(5):
        results = at_once([lambda: service.remember(["only once"], claim=claim)] * 16)
        assert all(result == results[0] for result in results)
    assert count(service) == 1


def test_a_batch_is_repeated_whole(service: Service) -> None:
    claim = claim_of("key", "body")
    texts = [f"item {n}" for n in range(20)]
    results = at_once([lambda: service.remember(texts, claim=claim)] * 8)
    assert all(result == results[0] for result in results)
    assert count(service) == 20


def test_many_keys_at_once(service: Service) -> None:
    def work(thread: int) -> list[str]:
        return [
            service.remember([f"for key {n}"], claim=claim_of(f"key {n}", "same"))["items"][0]["id"] for n in range(10)
        ]

    results = at_once([lambda t=t: work(t) for t in range(8)])
    assert all(ids == results[0] for ids in results)
    assert count(service) == 10


def test_another_body_is_refused(service: Service) -> None:
    service.remember(["one"], claim=claim_of("key", "one"))
    with pytest.raises(KeyReused):
        service.remember(["two"], claim=claim_of("key", "two"))
    assert count(service) == 1


def test_two_bodies_with_one_key_at_the_same_moment(service: Service) -> None:
    """One is carried out; the other is refused, never answered with the first one's answer."""
    for n in range(5):
        bodies = ("a", "b") * 4
        results = at_once([lambda b=b, n=n: service.remember([f"{b} {n}"], claim=claim_of(f"k{n}", b)) for b in bodies])
        done = [r for r in results if not isinstance(r, Exception)]
        assert [type(r) for r in results if isinstance(r, Exception)] == [KeyReused] * 4
        assert done == [done[0]] * 4
        assert count(service) == n + 1


def test_keys_of_two_tenants_do_not_meet(service: Service) -> None:
    other = other_tenant(service)
    mine = service.remember(["mine"], claim=claim_of("key", "one"))
    theirs = other.remember(["theirs"], claim=claim_of("key", "two"))
    assert mine["items"][0]["id"] != theirs["items"][0]["id"]
    assert service.found("mine theirs") == {UUID(mine["items"][0]["id"])}
    assert other.found("mine theirs") == {UUID(theirs["items"][0]["id"])}


def test_a_key_is_forgotten_after_its_time(service: Service, clock: HeldClock) -> None:
    claim = claim_of("key", "body")
    first = service.remember(["again"], claim=claim)
    clock.move(TTL_S)
    assert service.remember(["again"], claim=claim) == first
    clock.move(1)
    assert service.remember(["again"], claim=claim) != first
    assert count(service) == 2
    with service.look() as connection:
        assert connection.execute(select(func.count()).select_from(IDEMPOTENCY)).scalar_one() == 1


def test_a_refused_write_does_not_use_its_key_up(service: Service) -> None:
    claim = claim_of("key", "body")

    def fail(*args: object) -> None:
        raise RuntimeError("no")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("memsvc.memories.ledger.Ledger.flush", fail)
        with pytest.raises(RuntimeError):
            service.remember(["one"], claim=claim)
    assert count(service) == 0
    assert service.remember(["one"], claim=claim)["items"][0]["status"] == 201


def test_every_kind_of_change_is_repeatable(service: Service) -> None:
    memory, gone = service.add("one"), service.add("two")
    edited = at_once([lambda: service.edit(memory, "one more", claim=claim_of("edit"))] * 4)
    assert [r["items"][0]["version"] for r in edited] == [2] * 4
    forgotten = at_once([lambda: service.forget(memory, claim_of("forget"))] * 4)
    assert [r["items"][0]["version"] for r in forgotten] == [3] * 4
    erased = at_once([lambda: service.erase(gone, claim_of("erase"))] * 4)
    assert all(r == erased[0] for r in erased)
    assert erased[0]["seq"] == 5


def test_a_kept_answer_holds_no_content(service: Service) -> None:
    service.remember([Draft("canary-9d21 is a secret", {"speaker": "canary-9d21"})], claim=claim_of("key"))
    with service.look() as connection:
        kept = connection.execute(select(IDEMPOTENCY)).all()
    assert len(kept) == 1
    assert "canary-9d21" not in repr(kept)


def test_two_processes_share_their_keys(postgres_url: str, tmp_path: Path) -> None:
    one = open_service(postgres_url, tmp_path)
    two = open_service(postgres_url, tmp_path)
    try:
        for n in range(10):
            claim = claim_of(f"key {n}", "body")
            calls = [lambda s=s, c=claim, n=n: s.remember([f"only once {n}"], claim=c) for s in (one, two)]
            results = at_once(calls * 4)
            assert all(result == results[0] for result in results)
            assert len(one.found(f"only once {n}", top_k=100)) == len(two.found(f"only once {n}", top_k=100)) == n + 1
    finally:
        one.container.close()
        two.container.close()
