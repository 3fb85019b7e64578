"""The job that lets memories fade: what it moves, what it leaves, and that a run has its effect once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, func, select

from gpu.bank.records import Kind, State
from lifecycle.steps import Step
from memsvc.core.errors import Conflict, NotFound
from memsvc.jobs import repository
from memsvc.jobs.fading import Fade
from memsvc.jobs.repository import LEASE_S, Run
from memsvc.jobs.runner import Runner
from memsvc.jobs.scheduler import Scheduler
from memsvc.models import RunState
from memsvc.models.tables import JOB_EFFECT, JOB_RUN, MEMORY
from memsvc.namespaces import repository as namespaces
from tests.fixtures.storage_service import PATH, HeldClock, Service, anywhere, at_once, service_on

DAY = 86_400.0
FADES = {"below": {"warm": 0.6, "cold": 0.3, "archived": 0.1, "forgotten": 0.02}, "share_per_run": 1.0}


class KilledError(BaseException):
    """The process ends here: nothing of it runs any more."""


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def service(database_url: str, tmp_path: Path, clock: HeldClock) -> Iterator[Service]:
    with service_on(database_url, tmp_path, clock=clock, jobs="off") as made:
        yield made


def care(service: Service, policy: dict[str, Any] = FADES, **schedules: str) -> None:
    service.container.jobs.set_care(service.tenant_id, PATH, policy, schedules)


def ask(service: Service, *, is_dry: bool = False) -> UUID:
    return service.container.jobs.ask(service.author, PATH, "fade", is_dry=is_dry).run.id


def run(service: Service, run_id: UUID) -> Run:
    service.container.scheduler.round()
    return seen(service, run_id)


def seen(service: Service, run_id: UUID) -> Run:
    return service.container.jobs.one(service.tenant_id, run_id, anywhere).run


def fade(service: Service) -> Run:
    return run(service, ask(service))


def effects(service: Service, run_id: UUID) -> dict[UUID, tuple[str, str]]:
    found = service.container.jobs.effects(service.tenant_id, run_id, anywhere, None, 1_000)
    return {step.memory_id: (step.before["level"], step.after["level"]) for step in found}


def rows(service: Service) -> dict[UUID, Any]:
    with service.look() as connection:
        return {row.id: row for row in connection.execute(select(MEMORY))}


def episodes(service: Service, count: int, **fields: Any) -> list[UUID]:
    return [service.add(f"walk number{n} in the park", kind=int(Kind.EPISODIC), **fields) for n in range(count)]


def test_memories_fade_as_their_retention_falls(service: Service, clock: HeldClock) -> None:
    (memory,) = episodes(service, 1)
    care(service)
    stood = []
    for _ in range(14):
        clock.move(2 * DAY)
        fade(service)
        row = rows(service)[memory]
        stood.append((row.state, row.level))
    # S is seven days: below 0.6 after 3.6, 0.3 after 8.4, 0.1 after 16.1, 0.02 after 27.4
    active, archived, forgotten = State.ACTIVE, State.ARCHIVED, State.FORGOTTEN
    expected = [(active, 0), (active, 1), (active, 1), (active, 1), (active, 2), (active, 2), (active, 2), (active, 2)]
    assert stood == [*expected, *[(archived, 2)] * 5, (forgotten, 2)]
    assert memory not in service.found("walk number0 park")
    assert service.differences() == 0


def test_what_is_used_stays_and_what_faded_comes_back(service: Service, clock: HeldClock) -> None:
    used, unused = episodes(service, 2)
    care(service)
    for _ in range(10):
        clock.move(3 * DAY)
        service.container.recalls.used(service.tenant_id, [used])
        fade(service)
    assert rows(service)[used].state == State.ACTIVE
    assert rows(service)[used].recall_count == 10
    assert rows(service)[unused].state == State.FORGOTTEN
    service.restore(unused)
    fade(service)
    assert rows(service)[unused].state == State.ACTIVE
    assert {used, unused} <= service.found("walk park")


def test_by_default_nothing_is_hidden_however_late_it_is(service: Service, clock: HeldClock) -> None:
    memories = episodes(service, 3)
    clock.move(10 * 365 * DAY)
    for _ in range(5):
        fade(service)
    assert set(memories) <= service.found("walk park")
    clock.move(-10 * 365 * DAY)  # the clock was wrong
    for _ in range(5):
        fade(service)
    assert {row.level for row in rows(service).values()} == {0}


def test_of_memories_that_fit_as_well_the_one_that_is_used_stands_first(service: Service, clock: HeldClock) -> None:
    first, used, last = (service.add("a walk in the park", kind=int(Kind.EPISODIC)) for _ in range(3))
    assert [hit[0] for hit in service.recall("walk park")] == [first, used, last]
    clock.move(20 * DAY)
    service.container.recalls.used(service.tenant_id, [used])
    service.container.recalls.flush()
    ranked = service.recall("walk park")
    assert [hit[0] for hit in ranked] == [used, first, last]
    assert 0.2 < ranked[0][2] - ranked[1][2] <= 0.25
    care(service, {"prior": 0.0})
    assert [hit[0] for hit in service.recall("walk park")] == [first, used, last]


def test_a_clock_that_jumps_ahead_hides_a_share_at_most_and_that_comes_back(service: Service, clock: HeldClock) -> None:
    memories = episodes(service, 40)
    policy = {**FADES, "below": {"archived": 0.1}, "share_per_run": 0.05}
    care(service, policy)
    clock.move(10 * 365 * DAY)
    assert fade(service).counts == {"fade": 2}
    clock.move(-10 * 365 * DAY)
    assert fade(service).counts == {"warm": 2}
    assert {row.state for row in rows(service).values()} == {State.ACTIVE}
    assert len(rows(service)) == len(memories)


def test_some_do_not_move(service: Service, clock: HeldClock) -> None:
    (pinned,) = episodes(service, 1, pinned=True)
    (dear,) = episodes(service, 1, importance=0.95)
    (hidden,) = episodes(service, 1)
    true = service.add("the park closes at nine", kind=int(Kind.SEMANTIC))
    service.forget(hidden)
    care(service)
    clock.move(3650 * DAY)
    assert effects(service, fade(service).id) == {true: ("active", "warm")}
    assert rows(service)[pinned].level == rows(service)[dear].level == 0
    assert rows(service)[hidden].version == 2


def test_a_dry_run_says_what_a_run_would_do(service: Service, clock: HeldClock) -> None:
    episodes(service, 5)
    care(service)
    clock.move(30 * DAY)
    before = rows(service)
    dry = run(service, ask(service, is_dry=True))
    assert rows(service) == before
    assert effects(service, dry.id) == effects(service, fade(service).id)
    with pytest.raises(Conflict, match="dry run"):
        service.container.jobs.undo(service.author, dry.id, anywhere)


def test_an_undo_takes_a_run_back(service: Service, clock: HeldClock) -> None:
    memories = episodes(service, 6)
    care(service)
    before, ranked = rows(service), service.recall("walk number3 park")
    clock.move(30 * DAY)
    faded = fade(service)
    service.restore(memories[0])  # something else since: it stays what it became
    undo = service.container.jobs.undo(service.author, faded.id, anywhere)
    assert run(service, undo.run.id).counts == {"undo": 5, "skipped": 1}
    after = rows(service)
    assert after[memories[0]].state == State.ACTIVE
    for memory in memories[1:]:
        assert (after[memory].state, after[memory].level) == (before[memory].state, before[memory].level)
    assert [hit[0] for hit in service.recall("walk number3 park")] == [hit[0] for hit in ranked]
    assert service.container.jobs.undo(service.author, faded.id, anywhere).run.id == undo.run.id
    clock.move(31 * DAY)
    with pytest.raises(Conflict, match="30 days"):
        service.container.jobs.undo(service.author, faded.id, anywhere)


def test_what_changed_since_the_plan_is_left(service: Service, clock: HeldClock) -> None:
    recalled, erased, pinned, faded = episodes(service, 4)
    care(service)
    clock.move(30 * DAY)

    def meanwhile(point: str) -> None:
        if point == "planned":
            service.container.recalls.used(service.tenant_id, [recalled])
            service.container.recalls.flush()
            service.erase(erased)
            service.edit(pinned, pinned=True)

    run_id = ask(service)
    assert runner(service, clock, meanwhile).run(service.tenant_id, run_id)
    assert seen(service, run_id).counts == {"fade": 1, "skipped": 3}
    assert effects(service, run_id) == {faded: ("active", "forgotten")}
    service.erase(faded)
    assert effects(service, run_id) == {}


def runner(service: Service, clock: HeldClock, at: Callable[[str], None]) -> Runner:
    return Runner(service.container.database, clock, {"fade": Fade()}, at, chunk=10)


@pytest.mark.parametrize("point", ["taken", "planned", "chunk"])
def test_a_run_that_is_killed_is_taken_up_and_done_once(service: Service, clock: HeldClock, point: str) -> None:
    count = 13
    service.remember([f"walk number{n}" for n in range(count)])
    care(service, {**FADES, "coldest": {"semantic": "forgotten"}, "share_per_run": 0.9})
    clock.move(2000 * DAY)
    run_id = ask(service)

    def kill(at: str) -> None:
        if at == point:
            raise KilledError

    with pytest.raises(KilledError):
        runner(service, clock, kill).run(service.tenant_id, run_id)
    assert run(service, run_id).state is RunState.RUNNING  # its lease has not ended
    clock.move(LEASE_S + 1)
    done = run(service, run_id)
    most = int(0.9 * count)
    assert (done.state, done.counts["fade"]) == (RunState.SUCCEEDED, most)
    assert len(effects(service, run_id)) == most
    assert sum(row.state == State.FORGOTTEN for row in rows(service).values()) == most
    assert all(row.version <= 2 for row in rows(service).values())
    assert service.differences() == 0


def test_who_slept_past_the_lease_commits_nothing(service: Service, clock: HeldClock) -> None:
    episodes(service, 3)
    care(service)
    clock.move(30 * DAY)
    run_id = ask(service)
    asleep, awake = threading.Event(), threading.Event()

    def sleep(point: str) -> None:
        if point == "planned":
            asleep.set()
            assert awake.wait(60)

    zombie = threading.Thread(target=runner(service, clock, sleep).run, args=(service.tenant_id, run_id))
    zombie.start()
    assert asleep.wait(60)
    clock.move(LEASE_S + 1)
    done = run(service, run_id)
    awake.set()
    zombie.join(60)
    assert done.state is RunState.SUCCEEDED
    assert seen(service, run_id) == done
    assert all(row.version == 2 for row in rows(service).values())


def test_of_one_period_there_is_one_run(service: Service, clock: HeldClock) -> None:
    episodes(service, 3)
    care(service, FADES, fade="every 3600s")
    service.container.scheduler.round()
    assert count_runs(service) == 0
    for hours in (1, 1, 5):  # what was missed is made up for by one run
        clock.move(hours * 3600)
        failed = [one for one in at_once([service.container.scheduler.round] * 4) if isinstance(one, Exception)]
        assert failed == []
    assert count_runs(service) == 3
    with service.look() as connection:
        assert set(connection.execute(select(JOB_RUN.c.state)).scalars()) == {int(RunState.SUCCEEDED)}
        periods = list(connection.execute(select(JOB_RUN.c.period)).scalars())

    def once_more(connection: Connection) -> list[UUID | None]:  # as one that saw it due and slept since then
        namespace = namespaces.find(connection, service.tenant_id, PATH)
        assert namespace is not None
        return [repository.ask(connection, namespace, "fade", one, clock.now(), by="schedule") for one in periods]

    assert service.meddle(once_more) == [None] * 3
    care(service, FADES)
    clock.move(10 * 3600)
    service.container.scheduler.round()
    assert count_runs(service) == 3


def count_runs(service: Service) -> int:
    with service.look() as connection:
        return int(connection.execute(select(func.count()).select_from(JOB_RUN)).scalar_one())


def test_work_that_waits_to_be_begun_is_not_queued_again(service: Service, clock: HeldClock) -> None:
    episodes(service, 1)
    care(service, FADES, fade="every 60s")
    asked = ask(service, is_dry=True)  # changes nothing, so it does not stand for the work
    scheduler = Scheduler(service.container.database, clock, NoRunner(), 1.0)  # type: ignore[arg-type]
    for _ in range(5):
        clock.move(61)
        scheduler.round()
    assert count_runs(service) == 2
    assert run(service, asked).state is RunState.SUCCEEDED
    clock.move(61)
    scheduler.round()
    assert count_runs(service) == 3


class NoRunner:
    """Somebody who never begins a run."""

    def run(self, tenant_id: UUID, run_id: UUID) -> bool:
        return False


def test_runs_that_wait_for_their_turn_hold_no_other_namespace_up(service: Service, clock: HeldClock) -> None:
    for path in (PATH, "user/bob"):
        service.add("a walk", path)
    mine = [ask(service) for _ in range(5)]
    theirs = service.container.jobs.ask(service.author, "user/bob", "fade", is_dry=False).run.id
    with service.look() as connection:
        first = repository.waiting(connection, 2)
    assert first == [(1, service.tenant_id, mine[0]), (1, service.tenant_id, theirs)]


def test_a_plan_that_takes_longer_than_the_lease_is_carried_out_by_its_planner(
    service: Service, clock: HeldClock
) -> None:
    """Where it is not kept, two who plan so long take the run from each other for ever."""
    episodes(service, 3)
    care(service)
    clock.move(30 * DAY)
    run_id = ask(service)
    began, kept_on, go_on = threading.Event(), threading.Event(), threading.Event()

    class Slow(Fade):
        def plan(self, connection: Connection, *given: Any) -> Sequence[Step]:
            began.set()
            assert go_on.wait(60)
            return super().plan(connection, *given)

    def at(point: str) -> None:
        if point == "keeping":
            kept_on.set()

    slow = Runner(service.container.database, clock, {"fade": Slow()}, at, keep_every_s=0.01)
    planner = threading.Thread(target=slow.run, args=(service.tenant_id, run_id))
    planner.start()
    assert began.wait(60)
    for _ in range(4):
        clock.move(LEASE_S / 2)
        for _ in range(2):  # one that had begun before the clock moved, and one after it
            kept_on.clear()
            assert kept_on.wait(60)
        assert run(service, run_id).state is RunState.RUNNING
    go_on.set()
    planner.join(60)
    done = seen(service, run_id)
    assert (done.state, done.fence, done.counts) == (RunState.SUCCEEDED, 1, {"fade": 3})


def test_clocks_a_little_apart_take_no_lease_from_each_other(service: Service, clock: HeldClock) -> None:
    episodes(service, 1)
    run_id = ask(service)
    ahead, behind = HeldClock(), HeldClock()
    ahead.move(90)
    behind.move(-30)
    asleep, awake = threading.Event(), threading.Event()

    def sleep(point: str) -> None:
        if point == "planned":
            asleep.set()
            assert awake.wait(60)

    worker = threading.Thread(target=runner(service, ahead, sleep).run, args=(service.tenant_id, run_id))
    worker.start()
    assert asleep.wait(60)
    assert not runner(service, behind, lambda point: None).run(service.tenant_id, run_id)
    awake.set()
    worker.join(60)
    assert (seen(service, run_id).state, seen(service, run_id).fence) == (RunState.SUCCEEDED, 1)


def test_a_run_can_be_cancelled(service: Service, clock: HeldClock) -> None:
    service.remember([f"walk number{n}" for n in range(20)])
    care(service, {**FADES, "coldest": {"semantic": "forgotten"}})
    clock.move(2000 * DAY)
    before = ask(service)
    service.container.jobs.cancel(service.tenant_id, before, anywhere)
    assert run(service, before).state is RunState.CANCELLED
    during = ask(service)

    def cancel(point: str) -> None:
        if point == "chunk":
            service.container.jobs.cancel(service.tenant_id, during, anywhere)

    runner(service, clock, cancel).run(service.tenant_id, during)
    assert (seen(service, during).state, seen(service, during).counts["fade"]) == (RunState.CANCELLED, 10)
    undo = service.container.jobs.undo(service.author, during, anywhere)
    run(service, undo.run.id)
    assert {row.state for row in rows(service).values()} == {State.ACTIVE}


def test_a_run_that_fails_says_so_and_lets_the_next_one_run(
    service: Service, clock: HeldClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    episodes(service, 1)
    care(service)
    clock.move(30 * DAY)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(Fade, "apply", fail)
        failed = fade(service)
    assert (failed.state, failed.problem) == (RunState.FAILED, "ZeroDivisionError")
    assert fade(service).counts == {"fade": 1}


def test_a_lease_from_a_clock_that_was_ahead_holds_nobody_up(service: Service, clock: HeldClock) -> None:
    episodes(service, 1)
    clock.move(3650 * DAY)
    run_id = ask(service)

    def kill(point: str) -> None:
        if point == "taken":
            raise KilledError

    with pytest.raises(KilledError):
        runner(service, clock, kill).run(service.tenant_id, run_id)
    clock.move(-3650 * DAY)
    assert run(service, run_id).state is RunState.SUCCEEDED


def test_erasing_leaves_nothing_in_reports(service: Service, clock: HeldClock) -> None:
    (memory,) = episodes(service, 1)
    care(service)
    clock.move(30 * DAY)
    fade(service)
    service.erase(memory)
    with service.look() as connection:
        assert connection.execute(select(func.count()).select_from(JOB_EFFECT)).scalar_one() == 0


def test_an_unknown_namespace_is_not_made(service: Service) -> None:
    with pytest.raises(NotFound):
        service.container.jobs.set_care(service.tenant_id, "nowhere", {}, {})
    assert service.container.jobs.care(service.tenant_id, "nowhere").scheduled == ()


def test_next_runs_follow_the_schedule(service: Service, clock: HeldClock) -> None:
    episodes(service, 1)
    care(service, FADES, fade="0 3 * * *")
    (job,) = service.container.jobs.care(service.tenant_id, PATH).scheduled
    assert job.next_at == datetime.fromisoformat("2026-03-02T03:00:00+00:00")


def test_uses_are_written_where_others_do_the_work(service: Service) -> None:
    (memory,) = episodes(service, 1)
    run_id = ask(service)
    service.container.recalls.used(service.tenant_id, [memory])
    service.container.scheduler.start(with_runs=False)
    service.container.scheduler.close()
    assert rows(service)[memory].recall_count == 1
    assert seen(service, run_id).state is RunState.QUEUED
