"""Carries out runs: one at a time for a namespace, each in effect once, whoever else tries.

A run is taken with a lease on its namespace, whose fence is written into the run. Its work is planned from one read,
while the lease is extended beside it, then done in chunks; a chunk, what it did, and the lease's new end are one
transaction, which checks the fence first. So a process that slept past its lease commits nothing any more, one that is
killed leaves whole chunks, and whoever takes the run up plans again and steps over what is done.
"""

from __future__ import annotations

import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

import structlog
from opentelemetry.trace import SpanKind
from sqlalchemy import Connection

from gpu import tracing
from lifecycle.policy import Policy
from lifecycle.steps import ERASE, UNREPORTED, Aim, Step
from memsvc.core.clock import Clock
from memsvc.db.engine import Database
from memsvc.jobs import repository
from memsvc.jobs.keeping import kept
from memsvc.jobs.repository import LEASE_S, Run
from memsvc.jobs.undoing import Undo
from memsvc.jobs.work import Dated, Finishes, Prepares, Task, Work
from memsvc.memories import repository as memories
from memsvc.memories.ledger import Ledger
from memsvc.models import RunState
from memsvc.namespaces import policies
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow

ROUNDS = 5
"""How often a run plans at most, where memories change under its hands."""
CHUNK = 100
"""Memories of one transaction: other writers of the namespace wait for so many at most."""

POINTS = ("taking", "taken", "keeping", "planned", "renewed", "applied", "chunk", "ending", "ended")
"""Where a process may end, for all it knows: `taking`, `keeping`, `renewed`, `applied` and `ending` lie inside of a
transaction, the others between two."""

log = structlog.get_logger("memsvc.jobs")


class LostError(Exception):
    """Somebody else has taken the run up."""


class CancelledError(Exception):
    """The run was told to end."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """A run that is ours: its namespace and fence."""

    run: Run
    namespace: NamespaceRow
    fence: int


class Runner:
    """Carries out what waits. Thread-safe; several may work on one database.

    Args:
        works: by kind.
        at: called with the name of each point (`POINTS`) that a test may end the process at.
        chunk: memories of one transaction.
        keep_every_s: seconds between two extensions of the lease while a run is planned.
        ring: told of each commit: the namespace's key and head `seq`.
        on_run: called when a run ended here, with its kind, how (`succeeded`, `failed`, `cancelled`, `lost`) and the
            seconds that it took.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        works: Mapping[str, Work],
        at: Callable[[str], None] = lambda point: None,
        chunk: int = CHUNK,
        keep_every_s: float = LEASE_S / 4,
        ring: Callable[[tuple[UUID, UUID], int], None] = lambda key, seq: None,
        on_run: Callable[[str, str, float], None] = lambda kind, outcome, seconds: None,
    ) -> None:
        self._ring = ring
        self._on_run = on_run
        self._database = database
        self._clock = clock
        self._works = works
        self._at = at
        self._chunk_size = chunk
        self._keep_every_s = keep_every_s
        self._holder = f"{socket.gethostname()[:20]}-{os.getpid()}-{uuid4().hex[:8]}"

    def run(self, tenant_id: UUID, run_id: UUID) -> bool:
        """Carries one run out; False if somebody else is at it, or it is over."""
        taken = self._database.write(tenant_id, lambda connection: self._take(connection, tenant_id, run_id))
        if taken is None:
            return False
        self._at("taken")
        begun = time.perf_counter()
        state, problem = self._outcome(taken)
        if state is not None:
            self._end(taken, state, problem)
        self._on_run(taken.run.kind, "lost" if state is None else state.name.lower(), time.perf_counter() - begun)
        return True

    def _outcome(self, taken: _Taken) -> tuple[RunState | None, str | None]:
        """How it went, with what was wrong; no state where somebody else has it by now."""
        try:
            with tracing.root(f"job {taken.run.kind}", SpanKind.INTERNAL):
                self._carry_out(taken)
        except LostError:
            log.info("run_lost", run=str(taken.run.id))
            return None, None
        except CancelledError:
            return RunState.CANCELLED, None
        except Exception as error:
            log.exception("run_failed", run=str(taken.run.id), kind=taken.run.kind)
            return RunState.FAILED, type(error).__name__
        return RunState.SUCCEEDED, None

    def _carry_out(self, taken: _Taken) -> None:
        run = taken.run
        work = self._works[run.kind]
        task: Task = work if run.undoes is None else Undo(run.undoes, work)
        if run.undoes is None and isinstance(work, Dated) and run.as_of is not None:
            task = work.at(run.as_of)
        for _ in range(ROUNDS):
            if not self._carry_out_once(taken, task):
                break
        if isinstance(task, Finishes) and not run.is_dry:
            seq = self._database.write(run.tenant_id, partial(self._finish, taken=taken, task=task))
            self._ring(taken.namespace.key, seq)

    def _carry_out_once(self, taken: _Taken, task: Task) -> bool:
        """Plans and does what is planned; whether there is to be another plan, since this one was not reached."""
        run = taken.run
        judged_at = run.started_at or self._clock.now()
        policy = policies.of(taken.namespace)
        with kept(partial(self._keep, taken), self._keep_every_s), self._database.read(run.tenant_id) as connection:
            done = {step.memory_id for step in repository.effects(connection, run.tenant_id, run.id)}
            most = None
            if task.is_bounded:
                most = max(0, policy.most(memories.count(connection, *taken.namespace.key)) - len(done))
            plan = task.plan(connection, taken.namespace, policy, judged_at)
            left = list(islice((step for step in plan if step.memory_id not in done), most))
        self._at("planned")
        if isinstance(plan, Aim):
            self._database.write(run.tenant_id, partial(self._report, taken=taken, report=plan.report))
        size = self._chunk_size
        if isinstance(task, Prepares) and not run.is_dry:
            size = min(size, task.most_at_once)
        skipped = 0
        for start in range(0, len(left), size):
            part: Sequence[Step] = left[start : start + size]
            if isinstance(task, Prepares) and not run.is_dry:
                part = task.prepare(partial(self._database.read, run.tenant_id), taken.namespace, part)
                self._at("prepared")
            chunk = partial(self._chunk, taken=taken, task=task, steps=part, policy=policy)
            scrub = not run.is_dry and any(step.action == ERASE for step in part)
            left_out, seq = self._database.write(run.tenant_id, chunk, scrub=scrub)
            self._ring(taken.namespace.key, seq)
            skipped += left_out
            self._at("chunk")
        return isinstance(plan, Aim) and skipped > 0

    def _take(self, connection: Connection, tenant_id: UUID, run_id: UUID) -> _Taken | None:
        seen = repository.run(connection, tenant_id, run_id)
        if seen is None or not repository.is_open(seen):
            return None
        namespace = namespaces.get(connection, tenant_id, seen.namespace_id, lock=True)
        run = repository.run(connection, tenant_id, run_id)  # as nobody can change it any more
        if namespace is None or run is None or not repository.is_open(run):
            return None
        now = self._clock.now()
        fence = repository.take_lease(connection, namespace, self._holder, now)
        if fence is None:
            return None
        ours = replace(run, state=RunState.RUNNING, fence=fence, started_at=run.started_at or now)
        repository.change(connection, run, state=int(ours.state), fence=fence, started_at=ours.started_at)
        self._at("taking")
        return _Taken(ours, namespace, fence)

    def _keep(self, taken: _Taken) -> bool:
        """Moves the end of the lease; False if somebody else has it by now."""

        def unit(connection: Connection) -> bool:
            until = self._clock.now() + timedelta(seconds=LEASE_S)
            is_ours = repository.keep_lease(connection, taken.namespace, taken.fence, until)
            self._at("keeping")
            return is_ours

        return self._database.write(taken.run.tenant_id, unit)

    def _report(self, connection: Connection, taken: _Taken, report: Mapping[str, Any]) -> None:
        _, run = self._still_ours(connection, taken)
        repository.change(connection, run, report=dict(report))

    def _chunk(
        self, connection: Connection, taken: _Taken, task: Task, steps: Sequence[Step], policy: Policy
    ) -> tuple[int, int]:
        """Does steps, and writes that they are done; how many were left, and the namespace's head `seq` after it."""
        namespace, run = self._still_ours(connection, taken)
        self._at("renewed")
        now = self._clock.now()
        if run.is_dry:
            done: Sequence[Step] = steps
            seq = namespace.head_seq
        else:
            ledger = Ledger(connection, namespace, now, f"job {run.kind}")
            done = task.apply(ledger, steps, policy, run.started_at or now)
            seq = ledger.flush()
        repository.record(connection, run, [step for step in done if run.is_dry or step.action not in UNREPORTED])
        counts = Counter(dict(run.counts))
        counts.update(step.action for step in done)
        counts["skipped"] += len(steps) - len(done)
        repository.change(connection, run, counts={name: number for name, number in counts.items() if number})
        self._at("applied")
        return len(steps) - len(done), seq

    def _finish(self, connection: Connection, taken: _Taken, task: Finishes) -> int:
        namespace, run = self._still_ours(connection, taken)
        ledger = Ledger(connection, namespace, self._clock.now(), f"job {run.kind}")
        task.finish(ledger, run.counts)
        return ledger.flush()

    def _still_ours(self, connection: Connection, taken: _Taken) -> tuple[NamespaceRow, Run]:
        """The namespace, locked, and the run as it is now.

        Raises:
            LostError: somebody else has it.
            CancelledError: it was told to end.
        """
        namespace = namespaces.get(connection, *taken.namespace.key, lock=True)
        run = repository.run(connection, taken.run.tenant_id, taken.run.id)
        until = self._clock.now() + timedelta(seconds=LEASE_S)
        if namespace is None or run is None or run.fence != taken.fence:
            raise LostError
        if not repository.keep_lease(connection, namespace, taken.fence, until):
            raise LostError
        if run.is_cancelled:
            raise CancelledError
        return namespace, run

    def _end(self, taken: _Taken, state: RunState, problem: str | None) -> None:
        def unit(connection: Connection) -> None:
            namespaces.get(connection, *taken.namespace.key, lock=True)
            run = repository.run(connection, taken.run.tenant_id, taken.run.id)
            if run is None or run.fence != taken.fence:
                return
            now = self._clock.now()
            repository.change(connection, run, state=int(state), ended_at=now, problem=problem)
            repository.keep_lease(connection, taken.namespace, taken.fence, now)
            self._at("ending")

        self._database.write(taken.run.tenant_id, unit)
        self._at("ended")
