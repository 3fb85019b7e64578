"""The job that erases what has outlived its time: only where the policy says so, and never what is held."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, func, insert, select, update

from gpu.bank.records import Kind
from memsvc.core.errors import Conflict
from memsvc.jobs.expiry import Expire
from memsvc.jobs.repository import Run
from memsvc.jobs.runner import Runner
from memsvc.memories.draft import Draft
from memsvc.models import Relation, RunState
from memsvc.models.tables import EMBEDDING, JOB_EFFECT, LINK, MEMORY, TOMBSTONE, VERSION
from tests.fixtures.storage_service import PATH, HeldClock, Service, anywhere, service_on

DAY = 86_400


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def service(database_url: str, tmp_path: Path, clock: HeldClock) -> Iterator[Service]:
    with service_on(database_url, tmp_path, clock=clock, jobs="off") as made:
        yield made


def care(service: Service, **policy: Any) -> None:
    service.container.jobs.set_care(service.tenant_id, PATH, {"share_per_run": 1.0, **policy}, {})


def run(service: Service, kind: str = "expire", *, is_dry: bool = False) -> Run:
    run_id = service.container.jobs.ask(service.author, PATH, kind, is_dry=is_dry).run.id
    service.container.scheduler.round()
    return service.container.jobs.one(service.tenant_id, run_id, anywhere).run


def there(service: Service) -> set[UUID]:
    with service.look() as connection:
        return set(connection.execute(select(MEMORY.c.id)).scalars())


def add(service: Service, text: str, ttl_s: int | None = None, **fields: Any) -> UUID:
    return UUID(service.remember([Draft(text, fields, ttl_s=ttl_s)])["items"][0]["id"])


def count(service: Service, table: Any) -> int:
    with service.look() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_what_outlived_its_time_is_erased_after_as_long_as_the_policy_says(service: Service, clock: HeldClock) -> None:
    short, pinned = add(service, "a code for today", DAY), add(service, "a pinned code", DAY, pinned=True)
    long, lasting = add(service, "a code for the month", 30 * DAY), add(service, "a name")
    clock.move(5 * DAY)
    assert run(service).counts == {}
    care(service, expired_for_s=7 * DAY)
    assert run(service).counts == {}
    clock.move(4 * DAY)
    dry = run(service, is_dry=True)
    shown = service.container.jobs.effects(service.tenant_id, dry.id, anywhere, None, 9)
    assert [(step.memory_id, step.action) for step in shown] == [(short, "erase")]
    assert there(service) == {short, pinned, long, lasting}
    done = run(service)
    assert (done.state, done.counts) == (RunState.SUCCEEDED, {"erase": 1})
    assert there(service) == {pinned, long, lasting}
    with pytest.raises(Conflict, match="gone"):
        service.container.jobs.undo(service.author, done.id, anywhere)
    assert count(service, JOB_EFFECT) == 0
    assert (count(service, VERSION), count(service, EMBEDDING), count(service, TOMBSTONE)) == (3, 3, 1)
    assert run(service).counts == {}
    assert service.differences() == 0


def test_what_outlived_its_time_has_receipts(service: Service, clock: HeldClock) -> None:
    for n in range(103):
        add(service, f"code {n}", DAY)
    care(service, expired_for_s=0)
    clock.move(2 * DAY)
    assert run(service).counts == {"erase": 103}
    service.container.scheduler.round()  # has the bytes overwritten
    erasures = service.container.erasures
    pages = erasures.page(service.tenant_id, None, 9, anywhere)
    seen = [erasures.one(service.tenant_id, page.erasure.id, anywhere) for page in pages]
    assert [one.erasure.asked_by for one in seen] == ["job expire"] * 2
    assert sorted(one.erasure.counts["memory"] for one in seen) == [3, 100]
    for one in seen:
        assert one.receipt is not None
        assert one.erasure.overwritten_at is not None
        assert len(one.receipt["digests"]) == one.erasure.counts["memory"]
        assert erasures.verify(service.tenant_id, one.receipt).holds


def test_what_is_to_be_read_again_in_another_way_waits_for_the_next_run(service: Service, clock: HeldClock) -> None:
    turns = [Draft(f"turn {n}", {"session_id": "s"}, ttl_s=DAY if n == 1 else None) for n in range(3)]
    ids = [UUID(item["id"]) for item in service.remember(turns)["items"]]
    care(service, expired_for_s=0)
    clock.move(2 * DAY)
    run_id = service.container.jobs.ask(service.author, PATH, "expire", is_dry=False).run.id

    def meanwhile(point: str) -> None:
        if point == "prepared":
            service.edit(ids[0], "turn 0, said in other words")

    expire = Expire(lambda: service.container.changer._eraser)
    assert Runner(service.container.database, clock, {"expire": expire}, meanwhile).run(service.tenant_id, run_id)
    assert service.container.jobs.one(service.tenant_id, run_id, anywhere).run.counts == {"skipped": 1}
    assert there(service) == set(ids)
    assert run(service).counts == {"erase": 1}
    assert there(service) == {ids[0], ids[2]}
    assert service.differences() == 0


def test_what_fading_forgot_is_erased_and_what_a_user_forgot_is_not(service: Service, clock: HeldClock) -> None:
    faded = add(service, "a walk in the park", kind=int(Kind.EPISODIC))
    hidden = add(service, "a walk by the sea", kind=int(Kind.EPISODIC))
    service.forget(hidden)
    care(service, below={"forgotten": 0.02}, forgotten_for_s=30 * DAY)
    clock.move(40 * DAY)
    assert run(service, "fade").counts == {"fade": 1}
    clock.move(29 * DAY)
    assert run(service).counts == {}
    clock.move(2 * DAY)
    assert run(service).counts == {"erase": 1}
    assert there(service) == {hidden}
    assert faded not in there(service)


def test_what_was_restored_pinned_or_held_meanwhile_stays(service: Service, clock: HeldClock) -> None:
    memories = [add(service, f"code {n}", DAY) for n in range(4)]
    care(service, expired_for_s=0)
    clock.move(2 * DAY)
    run_id = service.container.jobs.ask(service.author, PATH, "expire", is_dry=False).run.id

    def meanwhile(point: str) -> None:
        if point != "planned":
            return
        service.container.holds.hold(service.author, memories[0], anywhere, "case 17", None)
        with service.look() as connection:
            row = connection.execute(select(MEMORY).where(MEMORY.c.id == memories[1])).one()
        later = row.expires_at + timedelta(days=30)
        service.meddle(
            lambda connection: (
                connection.execute(update(MEMORY).where(MEMORY.c.id == memories[1]).values(expires_at=later)).rowcount
            )
        )
        service.erase(memories[2])

    expire = Expire(lambda: service.container.changer._eraser)
    runner = Runner(service.container.database, clock, {"expire": expire}, meanwhile)
    assert runner.run(service.tenant_id, run_id)
    assert there(service) == {memories[0], memories[1]}
    service.container.holds.release(service.author, memories[0], anywhere, "closed", None)
    assert run(service).counts == {"erase": 1}
    assert there(service) == {memories[1]}


def test_a_held_memory_that_was_made_of_an_expired_one_stays(service: Service, clock: HeldClock) -> None:
    source, made = add(service, "code 1", DAY), add(service, "a gist")

    def derived(connection: Connection) -> None:
        own = {"tenant_id": service.tenant_id, "relation": Relation.DERIVED_FROM.value}
        connection.execute(insert(LINK).values(**own, from_id=made, to_id=source, created_at=clock.now()))
        connection.execute(update(VERSION).where(VERSION.c.memory_id == made).values(writer="job consolidate"))

    service.meddle(derived)
    service.container.holds.hold(service.author, made, anywhere, "case 17", None)
    care(service, expired_for_s=0)
    clock.move(2 * DAY)
    assert run(service).counts == {"erase": 1}
    assert there(service) == {made}


def test_a_run_erases_a_share_at_most(service: Service, clock: HeldClock) -> None:
    for n in range(40):
        add(service, f"code {n}", DAY)
    care(service, expired_for_s=0, share_per_run=0.05)
    clock.move(3650 * DAY)
    assert run(service).counts == {"erase": 2}


def test_new_memories_get_the_time_to_live_of_their_namespace(service: Service, clock: HeldClock) -> None:
    before = add(service, "a name")
    care(service, ttl_s=DAY)
    after, own = add(service, "a code"), add(service, "another code", 10 * DAY)
    lasting = add(service, "a code that stays", expires_at=None)
    clock.move(2 * DAY)
    assert service.found("code name") == {before, own, lasting}
    assert after in there(service)


def test_a_conversation_is_read_again_without_what_went(service: Service, clock: HeldClock) -> None:
    turns = [Draft(f"turn {n}", {"session_id": "s"}, ttl_s=DAY if n < 2 else None) for n in range(4)]
    ids = [UUID(item["id"]) for item in service.remember(turns)["items"]]
    care(service, expired_for_s=0)
    clock.move(2 * DAY)
    assert run(service).counts == {"erase": 2}
    assert there(service) == set(ids[2:])
    assert service.differences() == 0
