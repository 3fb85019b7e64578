"""Schedulers are killed, put to sleep and stopped, and every run has its effect once. Long runs: benchmarks/."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, insert, text, update

from benchmarks import kill_schedulers
from benchmarks.kill_schedulers import looking
from lifecycle.policy import Policy
from lifecycle.steps import Step
from memsvc.core.ids import new_id
from memsvc.jobs import repository, schedules
from memsvc.jobs import runner as runner_module
from memsvc.jobs.fading import Fade
from memsvc.jobs.repository import Run, Scheduled
from memsvc.memories.ledger import Ledger
from memsvc.models import RunState
from memsvc.models.tables import JOB, JOB_RUN, LEASE
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow


def short(url: str, folder: Path, **given: Any) -> kill_schedulers.Report:
    """A run of a few seconds on few namespaces, with many accidents."""
    asked = {
        "periods": 24, "namespaces": 4, "kill": 0.03, "sleep": 0.02, "stop_every_s": 2.0, "most_s": 30.0, **given
    }  # fmt: skip
    return kill_schedulers.run(url, seed=5, folder=folder, **asked)


@pytest.mark.slow
def test_killed_schedulers_have_every_effect_once(database_url: str, tmp_path: Path) -> None:
    report = short(database_url, tmp_path)
    assert report.kills, report.figures()
    assert report.periods > 0
    assert report.broken == {}


# --- the looking itself can fail: each promise is broken on purpose ------------------------------------------------


def without_fence() -> None:
    """Whoever slept past the lease goes on as if nothing had been."""

    def still_ours(self: Any, connection: Connection, taken: Any) -> tuple[NamespaceRow, Run]:
        namespace = namespaces.get(connection, *taken.namespace.key, lock=True)
        run = repository.run(connection, taken.run.tenant_id, taken.run.id)
        assert namespace is not None
        assert run is not None
        return namespace, run

    runner_module.Runner._still_ours = still_ours  # type: ignore[method-assign]


def without_periods() -> None:
    """Whoever sees that a job is due queues a run, whether or not somebody else did."""

    def always(connection: Connection, namespace: NamespaceRow, seen: Scheduled, now: datetime) -> bool:
        of_job = (JOB.c.namespace_id == namespace.id) & (JOB.c.kind == seen.kind)
        connection.execute(update(JOB).where(of_job).values(next_at=schedules.next_after(seen.schedule, now)))
        return True

    def ask(connection: Connection, namespace: NamespaceRow, kind: str, period: str, now: datetime, *, by: str) -> UUID:
        ids = {"tenant_id": namespace.tenant_id, "id": new_id(), "namespace_id": namespace.id}
        what = {"kind": kind, "period": period, "is_dry": False, "asked_by": by, "asked_at": now, "counts": {}}
        state = {"state": int(RunState.QUEUED), "is_cancelled": False, "fence": 0}
        connection.execute(insert(JOB_RUN).values(**ids, **what, **state))
        return ids["id"]

    repository.scheduled_next = always
    repository.ask = ask  # type: ignore[assignment]
    repository.queued = lambda connection, namespace, kind=None: 0


def without_one_transaction() -> None:
    """What was done and that it was done are two transactions."""
    whole = runner_module.Runner._chunk

    def chunk(self: Any, connection: Connection, taken: Any, task: Any, steps: Any, policy: Any) -> None:
        def apart(ledger: Ledger, steps: Any, policy: Any, now: datetime) -> Any:
            with connection.engine.begin() as other:
                return task.apply(Ledger(other, ledger.namespace, ledger.now, ledger.writer), steps, policy, now)

        class Apart:
            apply = staticmethod(apart)

        whole(self, connection, taken, Apart(), steps, policy)

    runner_module.Runner._chunk = chunk  # type: ignore[method-assign]


def with_a_snapshot() -> None:
    """A job writes back what it read when it planned, over what was edited since."""
    whole, old = Fade.apply, {}

    def apply(self: Fade, ledger: Ledger, steps: Any, policy: Policy, now: datetime) -> Any:
        class Stale(Ledger):
            def revise(self, stored: Any, values: Any, *given: Any) -> int:
                return super().revise(stored, {**values, "metadata": old.setdefault(stored.id, {})}, *given)

        stale = Stale(ledger.connection, ledger.namespace, ledger.now, ledger.writer)
        done: list[Step] = list(whole(self, stale, steps, policy, now))
        stale.flush()
        return done

    Fade.apply = apply  # type: ignore[method-assign]


def without_leases() -> None:
    """Anybody takes what another is at."""

    def take(connection: Connection, namespace: NamespaceRow, holder: str, now: datetime) -> int:
        connection.execute(LEASE.delete().where(LEASE.c.namespace_id == namespace.id))
        ids = {"tenant_id": namespace.tenant_id, "namespace_id": namespace.id}
        connection.execute(insert(LEASE).values(**ids, holder=holder, fence=1, until=now))
        return 1

    repository.take_lease = take


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.parametrize(
    ("break_", "drops", "kill", "expected"),
    [
        (without_fence, "", 0.0, "a chunk by a process without the lease"),
        (without_leases, "", 0.0, "a chunk by a process without the lease"),
        (without_periods, "ALTER TABLE job_run DROP CONSTRAINT {unique}", 0.0, "a second run of one period"),
        (without_one_transaction, "", 0.1, "a memory counted twice"),
        (with_a_snapshot, "", 0.0, "an edit that is lost or was never made"),
    ],
)
def test_a_broken_promise_is_found(
    postgres_url: str, tmp_path: Path, break_: Callable[[], None], drops: str, kill: float, expected: str
) -> None:
    if drops:
        engine = looking(postgres_url)
        with engine.begin() as connection:
            named = text("SELECT conname FROM pg_constraint WHERE conrelid = 'job_run'::regclass AND contype = 'u'")
            connection.execute(text(drops.format(unique=connection.execute(named).scalar_one())))
        engine.dispose()
    sleep = 0.15 if break_ in (without_fence, without_leases) else 0.0
    report = short(postgres_url, tmp_path, break_=break_, kill=kill, sleep=sleep, periods=40, stop_every_s=1e9)
    assert report.broken.get(expected, 0) > 0, report.figures()
