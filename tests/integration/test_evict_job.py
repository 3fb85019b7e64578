"""The job that keeps a namespace within its quota: what leaves, what stays, and that nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from gpu.bank.records import Kind, State
from memsvc.jobs.eviction import Evict
from memsvc.jobs.repository import LEASE_S, Run
from memsvc.jobs.runner import Runner
from memsvc.memories import held
from memsvc.models import RunState
from memsvc.models.tables import MEMORY
from memsvc.namespaces import repository as namespaces
from tests.fixtures.storage_service import PATH, HeldClock, Service, anywhere, service_on

DAY = 86_400.0


class KilledError(BaseException):
    """The process ends here: nothing of it runs any more."""


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def service(database_url: str, tmp_path: Path, clock: HeldClock) -> Iterator[Service]:
    with service_on(database_url, tmp_path, clock=clock, jobs="off") as made:
        yield made


def care(service: Service, path: str = PATH, **policy: Any) -> None:
    service.container.jobs.set_care(service.tenant_id, path, policy, {})


def ask(service: Service, kind: str = "evict", *, is_dry: bool = False) -> UUID:
    return service.container.jobs.ask(service.author, PATH, kind, is_dry=is_dry).run.id


def seen(service: Service, run_id: UUID) -> Run:
    return service.container.jobs.one(service.tenant_id, run_id, anywhere).run


def evict(service: Service, *, is_dry: bool = False) -> Run:
    run_id = ask(service, is_dry=is_dry)
    service.container.scheduler.round()
    return seen(service, run_id)


def rows(service: Service) -> dict[UUID, Any]:
    with service.look() as connection:
        return {row.id: row for row in connection.execute(select(MEMORY))}


def active(service: Service) -> set[UUID]:
    return {one for one, row in rows(service).items() if row.state == State.ACTIVE}


def active_bytes(service: Service, clock: HeldClock) -> int:
    with service.look() as connection:
        namespace = namespaces.find(connection, service.tenant_id, PATH)
        assert namespace is not None
        there = {row.id: place for place, row in enumerate(held.active(connection, namespace, ("id",), clock.now()))}
        return int(held.sizes(connection, namespace, there, clock.now()).sum())


def use(service: Service, clock: HeldClock, memory: UUID, every_s: float, times: int) -> None:
    for _ in range(times):
        clock.move(every_s)
        service.container.recalls.used(service.tenant_id, [memory])
        service.container.recalls.flush()


def walks(service: Service, count: int, **fields: Any) -> list[UUID]:
    return [service.add(f"walk number{n} in the park", kind=int(Kind.EPISODIC), **fields) for n in range(count)]


def runner(service: Service, clock: HeldClock, at: Callable[[str], None]) -> Runner:
    return Runner(service.container.database, clock, {"evict": Evict()}, at, chunk=4)


def test_what_is_used_stays_and_what_leaves_is_archived_not_lost(service: Service, clock: HeldClock) -> None:
    memories = walks(service, 10)
    care(service, quota_memories=3)
    for memory in memories[7:]:
        use(service, clock, memory, DAY, 2)
    done = evict(service)
    assert (done.state, done.counts) == (RunState.SUCCEEDED, {"evict": 7})
    assert active(service) == set(memories[7:])
    assert service.found("walk park") == set(memories[7:])
    assert done.report is not None
    assert {name: done.report[name] for name in ("memories", "kept", "within", "protected")} == {
        "memories": 10, "kept": 3, "within": True, "protected": 0,
    }  # fmt: skip
    assert done.report["guarantee"] <= done.report["ratio"] <= 1.0
    assert done.report["value"] <= done.report["bound"]
    assert {row.state for row in rows(service).values()} == {State.ACTIVE, State.ARCHIVED}
    service.restore(memories[0])
    assert memories[0] in service.found("walk park")
    assert service.differences() == 0


def test_without_a_quota_and_within_it_nothing_leaves(service: Service) -> None:
    walks(service, 4)
    assert (evict(service).counts, evict(service).report) == ({}, None)
    care(service, quota_memories=4, quota_bytes=10**9)
    done = evict(service)
    assert done.counts == {}
    assert done.report is not None
    assert done.report["within"]


def test_a_second_run_changes_nothing(service: Service) -> None:
    walks(service, 12)
    care(service, quota_memories=5)
    evict(service)
    before = rows(service)
    assert evict(service).counts == {}
    assert rows(service) == before


def test_bytes(service: Service, clock: HeldClock) -> None:
    memories = [service.add(f"walk number{n} " + "in the park " * (n * 10)) for n in range(8)]
    every = active_bytes(service, clock)
    quota = every // 2
    care(service, quota_bytes=quota)
    done = evict(service)
    assert done.report is not None
    assert done.report["bytes"] == every
    assert active_bytes(service, clock) == done.report["kept_bytes"] <= quota
    assert 0 < len(active(service)) < len(memories)
    care(service, quota_bytes=every, quota_memories=2)
    evict(service)
    assert len(active(service)) == 2


def test_some_never_leave_and_the_run_says_so_when_they_are_too_many(service: Service) -> None:
    pinned = walks(service, 3, pinned=True)
    dear = walks(service, 1, importance=0.95)
    walks(service, 3)
    care(service, quota_memories=2)
    done = evict(service)
    assert active(service) == {*pinned, *dear}
    assert done.report is not None
    assert (done.report["within"], done.report["protected"]) == (False, 4)


def test_what_recurs_is_not_given_up_just_before_it_is_due(service: Service, clock: HeldClock) -> None:
    monthly = service.add("the monthly report goes to the board", kind=int(Kind.EPISODIC))
    use(service, clock, monthly, 28 * DAY, 4)
    clock.move(15 * DAY)
    lately = [service.add(f"thing number{n} was seen", kind=int(Kind.EPISODIC)) for n in range(5)]
    for memory in lately:
        use(service, clock, memory, 60.0, 1)
    clock.move(10 * DAY)
    care(service, quota_memories=3)
    evict(service)
    assert monthly in active(service)
    row = rows(service)[monthly]
    assert (row.longest_gap_s, row.recall_count) == (28 * DAY, 4)


def test_a_dry_run_says_what_a_run_would_do(service: Service) -> None:
    walks(service, 9)
    care(service, quota_memories=4)
    before = rows(service)
    dry = evict(service, is_dry=True)
    assert rows(service) == before
    done = evict(service)
    shown = [service.container.jobs.effects(service.tenant_id, one.id, anywhere, None, 99) for one in (dry, done)]
    assert shown[0] == shown[1]
    assert len(shown[0]) == 5
    assert dry.report == done.report


def test_an_undo_brings_back_what_left_and_is_left_so(service: Service) -> None:
    memories = walks(service, 9)
    care(service, quota_memories=4)
    done = evict(service)
    gone = sorted(set(memories) - active(service))
    service.restore(gone[0])
    service.erase(gone[1])
    undo = service.container.jobs.undo(service.author, done.id, anywhere)
    service.container.scheduler.round()
    assert seen(service, undo.run.id).counts == {"undo": 3, "skipped": 1}
    assert active(service) == set(memories) - {gone[1]}
    assert service.differences() == 0


def test_what_changed_since_the_plan_is_left_and_others_leave_for_it(service: Service, clock: HeldClock) -> None:
    memories = walks(service, 20)
    care(service, quota_memories=10)
    run_id = ask(service)
    changed: list[UUID] = []

    def meanwhile(point: str) -> None:
        if point != "planned" or changed:
            return
        leaving = Evict()
        with service.look() as connection:
            namespace = namespaces.find(connection, service.tenant_id, PATH)
            assert namespace is not None
            care_now = service.container.jobs.care(service.tenant_id, PATH)
            plan = [step.memory_id for step in leaving.plan(connection, namespace, care_now.policy, clock.now())]
        used, edited, pinned, erased = plan[:4]
        changed.extend([used, edited, pinned])
        clock.move(1.0)
        service.container.recalls.used(service.tenant_id, [used])
        service.container.recalls.flush()
        service.edit(edited, "walk of another kind altogether")
        service.edit(pinned, pinned=True)
        service.erase(erased)

    assert runner(service, clock, meanwhile).run(service.tenant_id, run_id)
    assert len(active(service)) == 10
    assert {changed[0], changed[2]} <= active(service)
    assert seen(service, run_id).counts["evict"] == len(memories) - 1 - 10
    assert service.differences() == 0


@pytest.mark.parametrize("point", ["taken", "planned", "chunk"])
def test_a_run_that_is_killed_is_taken_up_and_the_quota_is_met(service: Service, clock: HeldClock, point: str) -> None:
    walks(service, 21)
    care(service, quota_memories=8)
    run_id = ask(service)

    def kill(at: str) -> None:
        if at == point:
            raise KilledError

    with pytest.raises(KilledError):
        runner(service, clock, kill).run(service.tenant_id, run_id)
    clock.move(LEASE_S + 1)
    service.container.scheduler.round()
    done = seen(service, run_id)
    assert (done.state, done.counts["evict"], len(active(service))) == (RunState.SUCCEEDED, 13, 8)
    assert all(row.version <= 2 for row in rows(service).values())


def test_what_left_for_the_quota_does_not_come_back_by_fading(service: Service, clock: HeldClock) -> None:
    walks(service, 6)
    care(service, quota_memories=2, share_per_run=1.0)
    evict(service)
    left = active(service)
    for _ in range(2):
        run_id = ask(service, "fade")
        service.container.scheduler.round()
        assert seen(service, run_id).counts == {}
        clock.move(3600)
    assert active(service) == left


def test_another_namespace_is_not_touched(service: Service) -> None:
    walks(service, 5)
    others = {service.add(f"walk number{n}", "user/bo") for n in range(5)}
    care(service, quota_memories=1)
    care(service, "user/bo", quota_memories=5)
    evict(service)
    assert others <= active(service)
    assert len(active(service) - others) == 1


def test_a_namespace_of_copies_keeps_one_of_each(service: Service) -> None:
    texts = ["the park closes at nine", "tea is in the left cupboard", "the bus leaves from platform four"]
    for text in texts:
        for _ in range(4):
            service.add(text, kind=int(Kind.SEMANTIC))
    care(service, quota_memories=3)
    evict(service)
    assert {len(service.found(text) & active(service)) > 0 for text in texts} == {True}
    kept = {row.id for row in rows(service).values() if row.state == State.ACTIVE}
    assert len(kept) == 3
