"""Kills processes in the middle of a consolidation, again and again, while clients change what it consolidates.

    python -m benchmarks.kill_consolidation --database sqlite --kills 100
    python -m benchmarks.kill_consolidation --database postgres --kills 100

200 memories of one conversation become gists, and gists of those. Clients add, correct and erase them meanwhile; the
wording of a gist takes up to 30 s of the service's clock, which runs sixty times faster than the machine's. SIGKILL
comes at every point of `memsvc.jobs.runner`, inside of transactions and between them.

After the last kill, before anything is mended, and again once the runs are over: every gist is whole, and says what
all of its sources said when it was written; nothing that clients were told is lost; no word of an erased memory stands
in a gist. In the end a run finds nothing more to do. Speaks of process crashes, not of power loss.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import make_url, select

from benchmarks._consolidating_process import PATH, Orders, Slow, consolidation, draft, opened, work
from benchmarks._consolidation_audit import broken
from benchmarks._results import save
from benchmarks._scheduler_process import FastClock
from benchmarks.kill_schedulers import Crew, looking, new_database
from memsvc.db.tenancy import SERVICE
from memsvc.jobs.repository import LEASE_S
from memsvc.jobs.runner import Runner
from memsvc.jobs.service import Jobs
from memsvc.models import RunState
from memsvc.models.tables import JOB, JOB_RUN

RATE = 60.0
MEMBERS = 200
KILL = 0.04
DELAY_S = 0.5
POLICY = {"share_per_run": 1.0, "gists": {"levels": ["session", "day"], "least": 3, "ratio": 10}}
_ROUNDS = 20


@dataclass
class Report:
    """What happened, and what was found."""

    database: str
    members: int
    kills: dict[str, int] = field(default_factory=dict)
    writes: dict[str, int] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def figures(self) -> dict[str, Any]:
        """For JSON. A figure of 0 bounds the true rate below 3/N with 95 % confidence."""
        kills = sum(self.kills.values())
        return {
            "database": self.database,
            "members_at_first": self.members,
            "kills": kills,
            "kills_by_point": self.kills,
            "writes_acknowledged": self.writes,
            "runs": self.runs,
            "broken_promises": self.broken,
            "rate_bound_95": None if self.broken or not kills else 3 / kills,
            "seconds": round(self.seconds, 1),
        }


def run(
    url: str, kills: int, seed: int, folder: Path, *,
    members: int = MEMBERS, kill: float = KILL, delay_s: float = DELAY_S, most_s: float = 3_600.0,
) -> Report:  # fmt: skip
    """Work on an empty or migrated database until so many processes were killed.

    Args:
        url: of the database.
        kills: how many.
        seed: of the accidents and of the clients.
        folder: for everything that is written.
        members: memories at first.
        kill: how likely a process ends at each point.
        delay_s: longest time that the wording of a gist takes, of the machine's clock.
        most_s: give up after so many seconds.
    """
    name = make_url(url).get_backend_name()
    processes = 1 if name == "sqlite" else 2
    report, begun, chance = Report(name, members), time.monotonic(), random.Random(seed)
    clock, log = FastClock(datetime.now(UTC), RATE), folder / "log"
    log.touch()
    ids = _fill(url, folder, clock, members)
    start = dict.fromkeys(range(members), 0)

    def orders(place: int) -> Orders:
        own = tuple(enumerate(ids))[place::processes]
        return Orders(url, folder, clock, chance.randrange(2**63), kill, delay_s, own, log)

    crew = Crew(orders, processes, work, "benchmarks._warm")
    try:
        while _count(log, "killed") < kills and time.monotonic() < begun + most_s:
            crew.tend()
            time.sleep(0.05)
    finally:
        crew.end()
    engine = looking(url)
    with engine.connect() as connection:
        found = Counter(broken(connection, log, start))
    found["runs that go on for ever"] = _settle(url, folder, clock)
    with engine.connect() as connection:
        found.update(broken(connection, log, start))
        states = Counter(connection.execute(select(JOB_RUN.c.state)).scalars())
    engine.dispose()
    found["a run that failed"] = states[RunState.FAILED]
    found["a run that never ended"] = states[RunState.QUEUED] + states[RunState.RUNNING]
    found["a process that ended in another way"] = crew.failed
    lines = Counter(tuple(line.split()[:2]) for line in log.read_text().splitlines())
    report.kills = {line[1]: count for line, count in sorted(lines.items()) if line[0] == "killed"}
    report.writes = {name: _count(log, name) for name in ("added", "edited", "erased", "refused")}
    report.runs = {RunState(state).name.lower(): count for state, count in sorted(states.items())}
    report.broken = {name: count for name, count in found.items() if count}
    report.seconds = time.monotonic() - begun
    return report


def _fill(url: str, folder: Path, clock: FastClock, members: int) -> list[UUID]:
    """The memories, and a schedule for the job; returns their ids in the order of their numbers."""
    container, author = opened(url, folder, clock)
    with closing(container):
        written = container.remember(author, PATH, [draft(number) for number in range(members)], claim=None)
        jobs = Jobs(container.database, clock, consolidation(container, Slow(0.0, random.Random())))
        jobs.set_care(author.tenant_id, PATH, POLICY, {"consolidate": "every 60s"})
        return [UUID(item["id"]) for item in written["items"]]


def _settle(url: str, folder: Path, clock: FastClock) -> int:
    """Ends what was begun, then consolidates until there is nothing to do; 1 if there always is."""
    container, author = opened(url, folder, clock)
    with closing(container):
        database, works = container.database, consolidation(container, Slow(0.0, random.Random()))
        database.write(SERVICE, lambda connection: connection.execute(JOB.delete()) and None)
        jobs, runner = Jobs(database, clock, works), Runner(database, clock, works)
        time.sleep(1.1 * LEASE_S / RATE)
        is_open = JOB_RUN.c.state.in_([int(RunState.QUEUED), int(RunState.RUNNING)])
        with database.read(SERVICE) as connection:
            left = connection.execute(select(JOB_RUN.c.id).where(is_open).order_by(JOB_RUN.c.asked_at)).scalars().all()
        for run_id in left:
            runner.run(author.tenant_id, run_id)
        for _ in range(_ROUNDS):
            run_id = jobs.ask(author, PATH, "consolidate", is_dry=False).run.id
            runner.run(author.tenant_id, run_id)
            if not jobs.one(author.tenant_id, run_id, lambda path: True).run.counts:
                return 0
    return 1


def _count(log: Path, word: str) -> int:
    return sum(line.startswith(f"{word} ") for line in log.read_text().splitlines())


def main() -> None:
    """Run it and save the figures; exits with 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="memsvc-consolidation-"))
    with new_database(given.database, folder) as url:
        report = run(url, given.kills, given.seed, folder)
    command = (
        f"python -m benchmarks.kill_consolidation --database {given.database} --kills {given.kills} --seed {given.seed}"
    )
    path = save(f"kill_consolidation_{given.database}", report.figures(), command=command, seed=given.seed)
    print(path.read_text())
    if report.broken:
        print(f"a promise was broken; the evidence is in {folder}")
        sys.exit(1)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
