"""One scheduler with its runner as a process of its own, with a fast clock, that kills itself at named points.

The points are those of `memsvc.jobs.runner` and `memsvc.jobs.scheduler`; nothing in the service can end it there.
Beside the jobs a thread does what users do: memories are used and edited, each by one process alone, and every edit
stands in a log before and after it.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import Column, Connection, Integer, MetaData, Table, Uuid, select, update
from sqlalchemy.exc import SQLAlchemyError

from lifecycle.policy import Policy
from lifecycle.retention import Grade
from lifecycle.steps import Step
from memsvc.core.errors import ServiceError
from memsvc.db.engine import Database
from memsvc.db.limits import Limits
from memsvc.db.tenancy import SERVICE
from memsvc.jobs.fading import Fade
from memsvc.jobs.repository import LEASE_S
from memsvc.jobs.runner import Runner
from memsvc.jobs.scheduler import Scheduler
from memsvc.jobs.work import Work
from memsvc.memories import repository as memories
from memsvc.memories.ledger import Ledger
from memsvc.memories.recalls import judged
from memsvc.memories.write import pair_bytes
from memsvc.models.tables import LEASE, MEMORY
from memsvc.namespaces.repository import NamespaceRow

COUNTED = Table("counted", MetaData(), Column("memory_id", Uuid, primary_key=True), Column("value", Integer))
"""How often the job `count` counted a memory: adding one twice shows, unlike setting the same twice."""
ZOMBIES = Table("zombie", MetaData(), Column("id", Integer, primary_key=True), Column("pid", Integer))
"""Chunks of `count` that were committed by a process that did not hold the lease."""

CHUNK = 4
_SLEEPS_AT = frozenset({"taken", "planned", "chunk", "queued"})  # between two transactions: nobody waits for its locks
_KEEPING = 15  # so much more often is it killed where it seldom comes by
_LONG_PLANS = 0.01  # so many plans take longer than a lease, which is extended meanwhile


@dataclass(frozen=True, slots=True)
class FastClock:
    """The machine's clock, so many times faster since a moment, and a little off."""

    since: datetime
    rate: float
    skew_s: float = 0.0

    def now(self) -> datetime:
        """The present moment of this clock."""
        passed = (datetime.now(UTC) - self.since).total_seconds()
        return self.since + timedelta(seconds=passed * self.rate + self.skew_s)


@dataclass(frozen=True, slots=True)
class Orders:
    """How one process works.

    Attributes:
        url: of the database.
        clock: its own.
        seed: of its accidents and of its users.
        kill: how likely it ends at a point that it comes by.
        sleep: how likely it sleeps past its lease at a point between two transactions.
        memory_ids: those that its users use and edit.
        log: lines of what happened, of all processes.
    """

    url: str
    clock: FastClock
    seed: int
    kill: float
    sleep: float
    tenant_id: UUID
    memory_ids: Sequence[UUID]
    log: Path


class Count:
    """A job that counts every memory of its namespace up by one, in each of its runs."""

    kind = "count"
    is_bounded = False

    def __init__(self, lease_s: float) -> None:
        self._lease_s = lease_s

    def plan(self, connection: Connection, namespace: NamespaceRow, policy: Policy, now: datetime) -> Sequence[Step]:
        """See `memsvc.jobs.work.Work`."""
        time.sleep(2 * self._lease_s if random.random() < _LONG_PLANS else 0.01)
        query = select(MEMORY.c.id).where(
            MEMORY.c.tenant_id == namespace.tenant_id, MEMORY.c.namespace_id == namespace.id
        )
        return [Step(memory_id, "count", {}, {}) for memory_id in connection.execute(query).scalars()]

    def apply(self, ledger: Ledger, steps: Sequence[Step], policy: Policy, now: datetime) -> Sequence[Step]:
        """See `memsvc.jobs.work.Work`."""
        run, key = ledger.connection.execute, ledger.namespace.key
        run(
            update(COUNTED)
            .where(COUNTED.c.memory_id.in_([s.memory_id for s in steps]))
            .values(value=COUNTED.c.value + 1)
        )
        holder = run(select(LEASE.c.holder).where(LEASE.c.tenant_id == key[0], LEASE.c.namespace_id == key[1]))
        if f"-{os.getpid()}-" not in holder.scalar_one():
            run(ZOMBIES.insert().values(pid=os.getpid()))
        return steps

    def revert(self, ledger: Ledger, steps: Sequence[Step]) -> Sequence[Step]:
        """See `memsvc.jobs.work.Work`. Nobody undoes these runs."""
        raise NotImplementedError


def works(rate: float) -> Mapping[str, Work]:
    """The kinds of work under test, by a clock that is so many times faster."""
    return {"count": Count(LEASE_S / rate), "fade": Fade()}


class Accidents:
    """What happens at the points: the end, or a sleep that is longer than the lease."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._chance = random.Random(orders.seed)
        self._lock = threading.Lock()

    def __call__(self, point: str) -> None:
        """Comes by a point."""
        orders = self._orders
        with self._lock:
            fate, length = self._chance.random(), self._chance.uniform(1.2, 3.0)
        if fate < orders.kill * (_KEEPING if point == "keeping" else 1):
            told(orders.log, "killed", point)
            os.kill(os.getpid(), signal.SIGKILL)
        elif point in _SLEEPS_AT and fate > 1.0 - orders.sleep:
            told(orders.log, "slept", point)
            time.sleep(length * LEASE_S / orders.clock.rate)


def told(log: Path, *words: object) -> None:
    """Writes a line that is whole whatever happens next."""
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, (" ".join(map(str, words)) + "\n").encode())
    os.close(handle)


def work(orders: Orders) -> None:
    """Schedules, runs, and lives with its users, until it is told to stop or ends by accident."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    database = Database(orders.url, limits=Limits(pool=3))
    accidents, clock = Accidents(orders), orders.clock
    keep_every_s = LEASE_S / 4 / clock.rate
    runner = Runner(database, clock, works(clock.rate), accidents, chunk=CHUNK, keep_every_s=keep_every_s)
    scheduler = Scheduler(database, clock, runner, every_s=0.2, at=accidents)
    scheduler.start()
    users = threading.Thread(target=_live, args=(orders, database, stop), daemon=True)
    users.start()
    stop.wait()
    users.join()
    scheduler.close()
    database.close()


def _live(orders: Orders, database: Database, stop: threading.Event) -> None:
    chance = random.Random(orders.seed + 1)
    while orders.memory_ids and not stop.wait(chance.uniform(0.0, 0.4)):
        memory_id, number = chance.choice(orders.memory_ids), time.monotonic_ns()
        try:
            if chance.random() < 0.7:
                now, grades = orders.clock.now(), {memory_id: Grade.USED}
                database.write(SERVICE, lambda c, now=now, grades=grades: judged(c, orders.tenant_id, grades, now))  # type: ignore[misc]
            else:
                told(orders.log, "editing", memory_id, number)
                now = orders.clock.now()
                database.write(SERVICE, lambda c, m=memory_id, n=number, now=now: edit(c, orders.tenant_id, now, m, n))  # type: ignore[misc]
                told(orders.log, "edited", memory_id, number)
        except (SQLAlchemyError, ServiceError) as error:
            told(orders.log, "refused", type(error).__name__)


def edit(connection: Connection, tenant_id: UUID, now: datetime, memory_id: UUID, number: int) -> None:
    """What a user's edit does: the memory's metadata has a number from now on."""
    found = memories.located(connection, tenant_id, memory_id, lock=True)
    if found is None:
        return
    stored, namespace = found
    ledger = Ledger(connection, namespace, now, "user")
    values = {**stored.described, "metadata": {"number": str(number)}}
    ledger.revise(stored, values, None, None, pair_bytes(values, stored.row["external_id"]), "edited")
    ledger.flush()
