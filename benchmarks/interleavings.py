"""Lets edits of one memory race with each other and with jobs, in every order, and looks for one that goes wrong.

    python -m benchmarks.interleavings --database sqlite
    python -m benchmarks.interleavings --database postgres

Of eight things that may happen to a memory (`benchmarks._races`) any two happen at once, on three stages, in every
order of their accesses to the database (`benchmarks._interleaver`), and any three in orders by chance. On PostgreSQL,
where a commit is a point of its own, pairs have more orders than are of use: `--most` of each are tried, by chance.

What must be true: an erasure is never lost, nothing of what was erased stands anywhere, no gist cites what is gone, and
what is there in the end is what some order of the whole calls, one after the other, leads to.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import combinations_with_replacement, islice, repeat
from pathlib import Path
from typing import Any

from benchmarks._audit import faults
from benchmarks._interleaver import Choose, Every, at_random
from benchmarks._races import EVERY, STAGES, World
from benchmarks._results import save
from benchmarks.kill_schedulers import new_database
from memsvc.db.tenancy import SERVICE

Race = tuple[str, tuple[str, ...]]
"""A stage, and what happens there at once."""


@dataclass
class Report:
    """What was tried, and what was found."""

    database: str
    schedules: Counter[int] = field(default_factory=Counter)
    races: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def figures(self) -> dict[str, Any]:
        """For JSON. A figure of 0 bounds the true rate below 3/N with 95 % confidence."""
        tried = self.schedules.total()
        return {
            "database": self.database,
            "races": self.races,
            "schedules": tried,
            "schedules_by_calls": {str(calls): count for calls, count in sorted(self.schedules.items())},
            "broken_promises": dict(self.broken),
            "rate_bound_95": None if self.broken or not tried else 3 / tried,
            "seconds": round(self.seconds, 1),
        }


def pairs(stages: Iterable[str] = STAGES) -> list[Race]:
    """Every two things at once, also the same one twice."""
    return [(stage, names) for stage in stages for names in combinations_with_replacement(EVERY, 2)]


def threes(chance: random.Random, stages: Iterable[str] = STAGES) -> Iterator[Race]:
    """Any three at once, again and again."""
    among = list(stages)
    while True:
        yield chance.choice(among), tuple(sorted(chance.choices(EVERY, k=3)))


def run(url: str, folder: Path, plan: Iterable[tuple[Race, Iterable[Choose]]]) -> Report:
    """Plays schedules on an empty database.

    Args:
        url: of the database.
        folder: for everything that is written.
        plan: races, each with the orders to try.
    """
    begun = time.monotonic()
    with closing(World(url, folder)) as world:
        database = world.container.database
        report = Report(database.engine.dialect.name)
        seen = set()
        for (stage, names), orders in plan:
            seen.add((stage, names))
            for choose in orders:
                report.schedules[len(names)] += 1
                for what in world.broken(stage, names, choose):
                    report.broken[f"{what}: {' + '.join(names)} on {stage}"] += 1
        with database.read(SERVICE) as connection:
            report.broken.update(faults(connection))
        if differences := world.differences():
            report.broken["a difference between bank and database"] = differences
    report.races, report.seconds = len(seen), time.monotonic() - begun
    return report


def main() -> None:
    """Run it and save the figures; exits with 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--most", type=int, help="orders of a pair, by chance; default: 30 on PostgreSQL, else all")
    parser.add_argument("--three", type=int, default=100, help="races of three calls, ten orders each")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    chance = random.Random(given.seed)
    most = given.most or (30 if given.database == "postgres" else None)
    by_chance = at_random(chance)
    plan: list[tuple[Race, Iterable[Choose]]] = [
        (race, Every() if most is None else repeat(by_chance, most)) for race in pairs(given.stages)
    ]
    plan += [(race, repeat(by_chance, 10)) for race in islice(threes(chance, given.stages), given.three)]
    with (
        tempfile.TemporaryDirectory(prefix="memsvc-races-") as folder,
        new_database(given.database, Path(folder)) as url,
    ):
        report = run(url, Path(folder), plan)
    command = (
        f"python -m benchmarks.interleavings --database {given.database} --stages {' '.join(given.stages)} "
        f"{'' if most is None else f'--most {most} '}--three {given.three} --seed {given.seed}"
    )
    name = f"interleavings_{given.database}" + (
        "" if set(given.stages) == set(STAGES) else f"_{'_'.join(given.stages)}"
    )
    print(save(name, report.figures(), command=command, seed=given.seed).read_text())
    if report.broken:
        sys.exit(1)


if __name__ == "__main__":
    main()
