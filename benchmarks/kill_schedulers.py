"""Kills schedulers at named points, again and again, and looks for runs that had another effect than one.

    python -m benchmarks.kill_schedulers --database postgres --periods 10000
    python -m benchmarks.kill_schedulers --database sqlite --periods 2000

Three processes on one PostgreSQL (one on SQLite, which has one owner) schedule and carry out two jobs in thirty
namespaces, `fade` and one that counts memories up, each due every minute. Their clocks run sixty times faster than the
machine's and lie up to 90 s apart. SIGKILL comes at twelve named points, inside of transactions and between them; some
sleep past their lease, and are stopped and continued from outside. Users use and edit memories meanwhile. What is left
is looked at by SQL: of each period there is one run at most, each run of the count counted every memory once, wherever
it was taken up, and no edit is gone.

Speaks of process crashes, not of power loss. The database keeps running.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, create_engine, func, insert, make_url, select, update

from benchmarks._job_audit import broken
from benchmarks._results import save
from benchmarks._scheduler_process import COUNTED, ZOMBIES, FastClock, Orders, work, works
from benchmarks.kill_server import _new_database, _postgres
from gpu.bank.records import Kind
from memsvc.core.settings import Settings
from memsvc.jobs.repository import LEASE_S
from memsvc.jobs.service import Jobs
from memsvc.memories.draft import Draft
from memsvc.memories.write import Author
from memsvc.models import RunState
from memsvc.models.tables import JOB, JOB_RUN, MEMORY
from memsvc.wiring import Container

RATE = 60.0
SKEWS_S = (0.0, 90.0, -90.0, 45.0)
NAMESPACES, MEMORIES = 30, 10
KILL, SLEEP = 0.004, 0.002
POLICY = {"below": {"warm": 0.8, "cold": 0.6, "archived": 0.4, "forgotten": 0.2}, "share_per_run": 0.5}
STABILITY_S = 1_800.0
QUIET_S = 90.0
"""Seconds without any progress, once nobody is killed any more, after which what is open counts as stuck."""


@dataclass
class Report:
    """What happened, and what was found."""

    database: str
    processes: int
    periods: int = 0
    runs: dict[str, int] = field(default_factory=dict)
    kills: dict[str, int] = field(default_factory=dict)
    sleeps: dict[str, int] = field(default_factory=dict)
    stops: int = 0
    edits: int = 0
    broken: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def figures(self) -> dict[str, Any]:
        """For JSON. A figure of 0 bounds the true rate below 3/N with 95 % confidence."""
        return {
            "database": self.database,
            "processes": self.processes,
            "job_periods": self.periods,
            "runs": self.runs,
            "kills": sum(self.kills.values()),
            "kills_by_point": self.kills,
            "slept_past_the_lease": self.sleeps,
            "stopped_and_continued": self.stops,
            "edits_acknowledged": self.edits,
            "broken_promises": self.broken,
            "wrong_effects": sum(self.broken.values()),
            "rate_bound_95": None if self.broken or not self.periods else 3 / self.periods,
            "seconds": round(self.seconds, 1),
        }


class Crew:
    """The processes: each that ends by accident is started again.

    Args:
        orders: by place.
        work: what each does.
        also: modules that are imported before the first is forked.
    """

    def __init__(
        self, orders: Callable[[int], Any], count: int, work: Callable[[Any], None] = work, *also: str
    ) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([work.__module__, *also])
        self._work = work
        self._orders = orders
        self._count = count
        self._processes: dict[int, BaseProcess] = {}
        self.failed = 0

    def tend(self) -> None:
        """Starts those that do not run."""
        for place in range(self._count):
            process = self._processes.get(place)
            if process is not None and process.is_alive():
                continue
            if process is not None and process.exitcode != -signal.SIGKILL:
                self.failed += 1
            begun = self._context.Process(target=self._work, args=(self._orders(place),), daemon=True)
            begun.start()
            self._processes[place] = begun

    def stop_one(self, place: int, for_s: float) -> None:
        """Stops one for a while, wherever it is, and lets it go on as if nothing had been."""
        pid = self._processes[place].pid
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                time.sleep(for_s)
                os.kill(pid, signal.SIGCONT)

    def end(self) -> None:
        """Tells all to stop, and waits for them."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.join(60)
            if process.is_alive():
                process.kill()
                process.join()
                self.failed += 1
        self._processes.clear()


def run(
    url: str,
    periods: int,
    seed: int,
    folder: Path,
    *,
    processes: int = 3,
    namespaces: int = NAMESPACES,
    kill: float = KILL,
    sleep: float = SLEEP,
    stop_every_s: float = 10.0,
    most_s: float = 7_200.0,
    say: Any = print,
) -> Report:
    """Work on an empty or migrated database until so many periods have had their run.

    Args:
        url: of the database.
        periods: how many, of all namespaces and kinds together.
        seed: of the accidents and of the users.
        folder: for everything that is written.
        kill: how likely a process ends at each point.
        sleep: how likely it sleeps past its lease.
        stop_every_s: seconds between two stops from outside.
        most_s: give up after so many seconds.
        say: told how it goes.
    """
    name = make_url(url).get_backend_name()
    processes = 1 if name == "sqlite" else processes
    report, begun, chance = Report(name, processes), time.monotonic(), random.Random(seed)
    tenant_id, memory_ids = fill(url, folder, namespaces)
    since, log = datetime.now(UTC), folder / "log"
    log.touch()

    def orders(place: int, kill: float = kill, sleep: float = sleep) -> Orders:
        clock = FastClock(since, RATE, SKEWS_S[place])
        own = sorted(memory_ids, key=lambda one: one.bytes)[place::processes]
        return Orders(url, clock, chance.randrange(2**63), kill, sleep, tenant_id, own, log)

    engine = looking(url)
    crew = Crew(orders, processes)
    next_stop, next_look = time.monotonic() + stop_every_s, 0.0
    try:
        while time.monotonic() < begun + most_s and report.periods < periods:
            crew.tend()
            time.sleep(0.1)
            if time.monotonic() > next_stop:
                crew.stop_one(chance.randrange(processes), 1.5 * LEASE_S / RATE)
                report.stops += 1
                next_stop = time.monotonic() + stop_every_s
            if time.monotonic() > next_look:
                report.periods = ended(engine)
                next_look = time.monotonic() + 2
        say(f"{report.periods} periods after {time.monotonic() - begun:.0f} s; now nobody is killed", flush=True)
        crew.end()
        _quiet(engine, Crew(lambda place: orders(place, 0.0, 0.0), processes))
        report.periods = ended(engine)
        with engine.connect() as connection:
            states = Counter(connection.execute(select(JOB_RUN.c.state)).scalars())
            report.broken = broken(connection, log, memory_ids)
    finally:
        crew.end()
        engine.dispose()
    if crew.failed:
        report.broken["a process that ended in another way"] = crew.failed
    lines = Counter(tuple(line.split()[:2]) for line in log.read_text().splitlines())
    report.runs = {RunState(state).name.lower(): count for state, count in sorted(states.items())}
    report.kills = {line[1]: count for line, count in sorted(lines.items()) if line[0] == "killed"}
    report.sleeps = {line[1]: count for line, count in sorted(lines.items()) if line[0] == "slept"}
    report.edits = sum(count for line, count in lines.items() if line[0] == "edited")
    report.seconds = time.monotonic() - begun
    return report


def _quiet(engine: Engine, crew: Crew) -> None:
    """Nothing is due any more, and nobody is killed: what was begun must end."""
    with engine.begin() as connection:
        connection.execute(JOB.delete())
    is_open = JOB_RUN.c.state.in_([int(RunState.QUEUED), int(RunState.RUNNING)])
    left, until = -1, time.monotonic() + QUIET_S
    try:
        while left and time.monotonic() < until:
            crew.tend()
            time.sleep(0.2)
            with engine.connect() as connection:
                now = int(connection.execute(select(func.count()).select_from(JOB_RUN).where(is_open)).scalar_one())
            if now != left:
                left, until = now, time.monotonic() + QUIET_S
    finally:
        crew.end()


def fill(url: str, folder: Path, namespaces: int) -> tuple[UUID, set[UUID]]:
    """Memories and schedules; returns the tenant and the ids of all memories."""
    settings = Settings(
        data_dir=folder, database_url=url, embedder="hashing:64", reranker="none", request_threads=2, jobs="off"
    )
    with closing(Container(settings)) as container:
        principal = container.keys.anonymous
        if principal is None:
            raise RuntimeError("an open service has a tenant without a key")
        author = Author(principal.tenant_id, "test")
        jobs = Jobs(container.database, container.clock, works(RATE))
        found: set[UUID] = set()
        for n in range(namespaces):
            drafts = [Draft(f"walk number{m} in park {n}", {"kind": int(Kind.EPISODIC)}) for m in range(MEMORIES)]
            written = container.remember(author, f"user/{n}", drafts, claim=None)
            found |= {UUID(item["id"]) for item in written["items"]}
            jobs.set_care(author.tenant_id, f"user/{n}", POLICY, dict.fromkeys(works(RATE), "every 60s"))
    engine = looking(url)
    with engine.begin() as connection:
        for table in (COUNTED, ZOMBIES):
            table.create(connection)
        connection.execute(insert(COUNTED), [{"memory_id": one, "value": 0} for one in found])
        connection.execute(update(MEMORY).values(stability_s=STABILITY_S))
    engine.dispose()
    return author.tenant_id, found


def looking(url: str) -> Engine:
    """A connection of our own, beside those of the processes."""
    parsed = make_url(url)
    driver = "sqlite+pysqlite" if parsed.get_backend_name() == "sqlite" else "postgresql+psycopg"
    return create_engine(parsed.set(drivername=driver))


def ended(engine: Engine) -> int:
    """Periods whose run is over."""
    with engine.connect() as connection:
        query = select(func.count()).select_from(JOB_RUN).where(JOB_RUN.c.state == int(RunState.SUCCEEDED))
        return int(connection.execute(query).scalar_one())


@contextmanager
def new_database(kind: str, folder: Path) -> Iterator[str]:
    """URL of an empty database of a kind (`sqlite`, `postgres`), as long as it is open."""
    with ExitStack() as stack:
        yield (
            f"sqlite:///{folder / 'memsvc.db'}"
            if kind == "sqlite"
            else _new_database(stack.enter_context(_postgres(folder)))
        )


def main() -> None:
    """Run it and save the figures; exits with 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="postgres")
    parser.add_argument("--periods", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=3, choices=range(1, 5))
    parser.add_argument("--most-s", type=float, default=7_200.0, help="end after so many seconds, however many it were")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="memsvc-schedulers-"))
    with new_database(given.database, folder) as url:
        report = run(url, given.periods, given.seed, folder, processes=given.processes, most_s=given.most_s)
    command = (
        f"python -m benchmarks.kill_schedulers --database {given.database} --periods {given.periods} "
        f"--seed {given.seed} --most-s {given.most_s:.0f}"
    )
    path = save(f"schedulers_{given.database}", report.figures(), command=command, seed=given.seed)
    print(path.read_text())
    if report.broken:
        print(f"a promise was broken; the evidence is in {folder}")
        sys.exit(1)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
