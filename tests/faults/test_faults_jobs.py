"""Schedulers are killed, put to sleep and stopped, and every run has its effect once. Long runs: benchmarks/."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, delete, insert, text, update

from benchmarks import kill_schedulers
from benchmarks._job_audit import broken
from benchmarks._scheduler_process import CHUNK, Count, edit, told
from benchmarks.kill_schedulers import fill
from memsvc.core.ids import new_id
from memsvc.db.engine import Database
from memsvc.db.limits import Limits
from memsvc.db.tenancy import SERVICE
from memsvc.jobs import repository, schedules
from memsvc.jobs.fading import Fade
from memsvc.jobs.repository import LEASE_S, Run, Scheduled
from memsvc.jobs.runner import Runner
from memsvc.jobs.scheduler import Scheduler
from memsvc.memories.ledger import Ledger
from memsvc.models import RunState
from memsvc.models.tables import JOB, JOB_RUN, LEASE, MEMORY
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow
from tests.fixtures.storage_service import HeldClock

Points = Callable[[str], None]


@pytest.mark.slow
def test_killed_schedulers_have_every_effect_once(database_url: str, tmp_path: Path) -> None:
    """The real thing for a few seconds: processes, SIGKILL, SIGSTOP."""
    report = kill_schedulers.run(
        database_url, 20, 5, tmp_path, namespaces=4, kill=0.02, sleep=0.02, stop_every_s=2.0, most_s=20.0
    )
    assert report.periods > 0
    assert report.broken == {}, report.figures()


# --- the looking itself can fail: each promise is broken on purpose, where the order of events is ours --------------


class KilledError(BaseException):
    """The process ends here: nothing of it runs any more."""


@dataclass
class Scene:
    """One namespace with ten memories and two jobs, and nobody who does them yet."""

    database: Database
    tenant_id: UUID
    memory_ids: set[UUID]
    log: Path
    clock: HeldClock = field(default_factory=HeldClock)

    def run(self, run_id: UUID, at: Points = lambda point: None) -> None:
        works = {"count": Count(0.0), "fade": Fade()}
        Runner(self.database, self.clock, works, at, chunk=CHUNK).run(self.tenant_id, run_id)

    def schedule(self, at: Points = lambda point: None) -> None:
        works = {"count": Count(0.0), "fade": Fade()}
        runner = Runner(self.database, self.clock, works, chunk=CHUNK)
        Scheduler(self.database, self.clock, runner, 1.0, at=at).round()

    def queued(self, kind: str) -> UUID:
        """A run of the kind, alone."""

        def unit(connection: Connection) -> UUID:
            ((namespace, _),) = repository.due(connection, datetime.max.replace(tzinfo=UTC), 1)
            connection.execute(delete(JOB))
            run_id = repository.ask(connection, namespace, kind, "first", self.clock.now(), by="test")
            assert run_id is not None
            return run_id

        return self.database.write(SERVICE, unit)

    def broken(self) -> dict[str, int]:
        with self.database.read(SERVICE) as connection:
            return broken(connection, self.log, self.memory_ids)

    @contextmanager
    def sleeping(self, run_id: UUID, point: str) -> Iterator[Callable[[], None]]:
        """Somebody is at the run and sleeps at a point; what is given wakes it and waits for its end."""
        asleep, awake = threading.Event(), threading.Event()

        def sleep(at: str) -> None:
            if at == point and not asleep.is_set():
                asleep.set()
                assert awake.wait(60)

        thread = threading.Thread(target=self.run, args=(run_id, sleep), daemon=True)
        thread.start()
        assert asleep.wait(60)

        def wake() -> None:
            awake.set()
            thread.join(60)
            assert not thread.is_alive()

        yield wake
        wake()


@pytest.fixture
def scene(postgres_url: str, tmp_path: Path) -> Iterator[Scene]:
    tenant_id, memory_ids = fill(postgres_url, tmp_path, 1)
    database = Database(postgres_url, limits=Limits(pool=4))
    log = tmp_path / "log"
    log.touch()
    made = Scene(database, tenant_id, memory_ids, log)
    made.clock.moment = datetime.now(UTC)
    made.clock.move(86_400.0)
    yield made
    database.close()


def zombie(scene: Scene) -> None:
    """One sleeps after its first chunk, another takes the run up and has planned the rest, and the first one wakes."""
    run_id = scene.queued("count")
    with scene.sleeping(run_id, "chunk") as wake:
        scene.clock.move(LEASE_S + 1)
        scene.run(run_id, lambda point: wake() if point == "planned" else None)


def two_at_once(scene: Scene) -> None:
    """One has planned, and another takes the run from it although the lease has not ended."""
    run_id = scene.queued("count")
    with scene.sleeping(run_id, "planned") as wake:
        scene.run(run_id, lambda point: wake() if point == "planned" else None)


def two_schedulers(scene: Scene) -> None:
    """Two see that the same job is due; while one has only seen it, the other does it."""
    done = []

    def at(point: str) -> None:
        if point == "due" and not done:
            done.append(True)
            scene.schedule()

    scene.schedule(at)


def killed_before_the_commit(scene: Scene) -> None:
    """The end comes when a chunk is done and not committed; another takes the run up."""
    run_id = scene.queued("count")

    def kill(point: str) -> None:
        if point == "applied":
            raise KilledError

    with pytest.raises(KilledError):
        scene.run(run_id, kill)
    scene.clock.move(LEASE_S + 1)
    scene.run(run_id)


def edited_meanwhile(scene: Scene) -> None:
    """Every memory is edited between the plan and what is done."""

    def at(point: str) -> None:
        for number, memory_id in enumerate(scene.memory_ids if point == "planned" else ()):
            told(scene.log, "editing", memory_id, number)
            scene.database.write(
                SERVICE, lambda c, m=memory_id, n=number: edit(c, scene.tenant_id, scene.clock.now(), m, n)
            )  # type: ignore[misc]
            told(scene.log, "edited", memory_id, number)

    scene.run(scene.queued("fade"), at)


SCENES = (zombie, two_at_once, two_schedulers, killed_before_the_commit, edited_meanwhile)


@pytest.mark.postgres
@pytest.mark.parametrize("play", SCENES)
def test_in_each_scene_every_effect_comes_once(scene: Scene, play: Callable[[Scene], None]) -> None:
    play(scene)
    assert scene.broken() == {}


def without_fence(patch: pytest.MonkeyPatch) -> None:
    """Whoever slept past the lease goes on as if nothing had been."""

    def still_ours(self: Runner, connection: Connection, taken: Any) -> tuple[NamespaceRow, Run]:
        namespace = namespaces.get(connection, *taken.namespace.key, lock=True)
        run = repository.run(connection, taken.run.tenant_id, taken.run.id)
        assert namespace is not None
        assert run is not None
        return namespace, run

    patch.setattr(Runner, "_still_ours", still_ours)


def without_leases(patch: pytest.MonkeyPatch) -> None:
    """Anybody takes what another is at."""

    def take(connection: Connection, namespace: NamespaceRow, holder: str, now: datetime) -> int:
        connection.execute(delete(LEASE))
        ids = {"tenant_id": namespace.tenant_id, "namespace_id": namespace.id}
        connection.execute(insert(LEASE).values(**ids, holder=holder, fence=1, until=now))
        return 1

    patch.setattr(repository, "take_lease", take)


def without_periods(patch: pytest.MonkeyPatch) -> None:
    """Whoever has seen that a job is due queues a run, whether or not somebody else did."""

    def always(connection: Connection, namespace: NamespaceRow, seen: Scheduled, now: datetime) -> bool:
        after = schedules.next_after(seen.schedule, now)
        connection.execute(update(JOB).where(JOB.c.kind == seen.kind).values(next_at=after))
        return True

    def ask(connection: Connection, namespace: NamespaceRow, kind: str, period: str, now: datetime, *, by: str) -> None:
        ids = {"tenant_id": namespace.tenant_id, "id": new_id(), "namespace_id": namespace.id}
        what = {"kind": kind, "period": period, "is_dry": False, "asked_by": by, "asked_at": now, "counts": {}}
        state = {"state": int(RunState.QUEUED), "is_cancelled": False, "fence": 0}
        connection.execute(insert(JOB_RUN).values(**ids, **what, **state))

    patch.setattr(repository, "scheduled_next", always)
    patch.setattr(repository, "ask", ask)


def without_one_transaction(patch: pytest.MonkeyPatch) -> None:
    """What was done, and that it was done, are two transactions."""
    whole = Count.apply

    def apart(self: Count, ledger: Ledger, steps: Any, policy: Any, now: datetime) -> Any:
        with ledger.connection.engine.begin() as other:
            return whole(self, Ledger(other, ledger.namespace, ledger.now, ledger.writer), steps, policy, now)

    patch.setattr(Count, "apply", apart)


def with_a_snapshot(patch: pytest.MonkeyPatch) -> None:
    """A job writes back what it read when it planned, over what was edited since."""
    whole = Fade.apply

    def stale(self: Fade, ledger: Ledger, steps: Any, policy: Any, now: datetime) -> Any:
        done = whole(self, ledger, steps, policy, now)
        ledger.connection.execute(update(MEMORY).values(metadata={}))
        return done

    patch.setattr(Fade, "apply", stale)


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("break_", "play", "expected"),
    [
        (without_fence, zombie, "a run that failed"),
        (without_leases, two_at_once, "a run that failed"),
        (without_periods, two_schedulers, "a second run of one period"),
        (without_one_transaction, killed_before_the_commit, "a memory counted twice"),
        (with_a_snapshot, edited_meanwhile, "an edit that is lost or was never made"),
    ],
)
def test_a_broken_promise_is_found(
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    break_: Callable[[pytest.MonkeyPatch], None],
    play: Callable[[Scene], None],
    expected: str,
) -> None:
    if break_ is without_periods:
        named = "SELECT conname FROM pg_constraint WHERE conrelid = 'job_run'::regclass AND contype = 'u'"
        unique = scene.database.write(SERVICE, lambda c: c.execute(text(named)).scalar_one())
        scene.database.write(
            SERVICE, lambda c: c.execute(text(f"ALTER TABLE job_run DROP CONSTRAINT {unique}")) and None
        )
    break_(monkeypatch)
    play(scene)
    assert scene.broken().get(expected, 0) > 0, scene.broken()
