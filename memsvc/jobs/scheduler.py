"""The thread that looks what is due, and does it. Any number of processes may have one."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from uuid import UUID

import structlog
from sqlalchemy import Connection

from memsvc.core.clock import Clock
from memsvc.db.engine import Database
from memsvc.db.tenancy import SERVICE
from memsvc.jobs import repository
from memsvc.jobs.repository import Scheduled
from memsvc.jobs.runner import Runner
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow

_AT_ONCE = 100
"""Jobs and runs that are looked at in one round."""
POINTS = ("due", "queueing", "queued")
"""Where a process may end, as in `memsvc.jobs.runner`; `queueing` lies inside of a transaction."""

log = structlog.get_logger("memsvc.jobs")


class Scheduler:
    """Queues what is due and carries out what waits, one run after the other.

    Args:
        every_s: time between two rounds if nobody wakes it.
        first: done at the beginning of each round.
        at: called with the name of each point (`POINTS`) that a test may end the process at.
        urgent: work that goes before all runs; returns how much of it was done.
        on_waiting: called in each round with the number of runs that wait, as far as it looks.

    A round that fails is logged and the next one tries again: whatever was begun is in the database.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        runner: Runner,
        every_s: float,
        first: Callable[[], None] = lambda: None,
        at: Callable[[str], None] = lambda point: None,
        urgent: Callable[[], int] = lambda: 0,
        on_waiting: Callable[[int], None] = lambda number: None,
    ) -> None:
        self._on_waiting = on_waiting
        self._at = at
        self._first = first
        self._urgent = urgent
        self._database = database
        self._clock = clock
        self._runner = runner
        self._every_s = every_s
        self._with_runs = True
        self._woken = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, *, with_runs: bool = True) -> None:
        """Begins to look; without runs it only does what is first in a round, and leaves the rest to others."""
        self._with_runs = with_runs
        self._thread = threading.Thread(target=self._work, name="memsvc-jobs", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look now: something was queued."""
        self._woken.set()

    def close(self) -> None:
        """Ends after the run that is under way."""
        self._closing.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join()

    def round(self) -> int:
        """Does what is urgent, queues what is due, carries out what waits; returns how much of it it carried out."""
        self._first()
        done = self._urgent()
        now = self._clock.now()
        with self._database.read(SERVICE) as connection:
            due = repository.due(connection, now, _AT_ONCE)
        self._at("due")
        for namespace, job in due:
            self._queue(namespace, job)
        with self._database.read(SERVICE) as connection:
            waiting = repository.waiting(connection, _AT_ONCE)
        self._on_waiting(len(waiting))
        # Several processes that begin with the same one would stand in each other's way.
        turns = sorted(waiting, key=lambda one: (one[0], random.random()))  # noqa: S311 - no secret
        return done + sum(self._run(tenant_id, run_id) for _, tenant_id, run_id in turns)

    def _run(self, tenant_id: UUID, run_id: UUID) -> bool:
        return not self._closing.is_set() and self._runner.run(tenant_id, run_id)

    def _queue(self, namespace: NamespaceRow, job: Scheduled) -> None:
        """One run for a period, whoever else sees that it is due; none while the same work waits to be begun."""

        def unit(connection: Connection) -> None:
            locked = namespaces.get(connection, *namespace.key, lock=True)
            now = self._clock.now()
            if locked is None or not repository.scheduled_next(connection, locked, job, now):
                return
            if not repository.queued(connection, locked, job.kind):
                repository.ask(connection, locked, job.kind, job.next_at.isoformat(), now, by="schedule")
            self._at("queueing")

        self._database.write(namespace.tenant_id, unit)
        self._at("queued")

    def _work(self) -> None:
        while not self._closing.is_set():
            try:
                if not self._with_runs:
                    self._first()
                elif self.round():
                    continue  # there may be more than one round looks at
            except Exception as error:  # noqa: BLE001 - the outer edge of the thread: the next round tries again
                log.warning("round_failed", error=type(error).__name__)
            self._woken.wait(self._every_s)
            self._woken.clear()
