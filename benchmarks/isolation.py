"""Plays two tenants that call everything the same, and looks for anything of one in any answer to the other.

    python -m benchmarks.isolation [--steps 1000000] [--jobs 2] [--seed 7] [--database sqlite|postgresql]
                                   [--minutes 60]

The rules are those of `tests/property/tenants`. They are played in parts, each from an empty database, side by side in
`--jobs` processes; the same seed plays the same. A leak is reported with the rules that led to it.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from sqlalchemy import make_url

from benchmarks._results import save
from deploy.processes import postgres

_PART = 5_000


@dataclass(frozen=True, slots=True)
class Part:
    """What one process played: figures, or what went wrong."""

    steps: int
    requests: int
    routes: frozenset[tuple[str, str]]
    unasked: frozenset[tuple[str, str]]
    found: str


def play_part(database: str, seed: str, steps: int) -> Part:
    """One part on a database of its own."""
    # Tests are needed for nothing else, and Hypothesis reads what is repeated when it is imported.
    from tests.fixtures.extent import load_hypothesis_profile
    from tests.fixtures.service import serving
    from tests.property.tenants.play import play, unasked
    from tests.property.tenants.tenant import SHARED

    load_hypothesis_profile()
    with (
        tempfile.TemporaryDirectory(prefix="memsvc-isolation-") as folder,
        _url(database, Path(folder)) as url,
        serving(Path(folder), url, mem0_namespace=SHARED) as service,
    ):
        try:
            played = play(service, steps, seed)
        except Exception as error:  # noqa: BLE001 - whatever it is, the rules that led there are in its notes
            return Part(0, 0, frozenset(), frozenset(), "".join(traceback.format_exception_only(error)))
        missing = frozenset(unasked(service, played))
    return Part(played.steps, played.requests, frozenset(played.routes), missing, "")


@contextmanager
def _url(database: str, folder: Path) -> Iterator[str | None]:
    """Of an empty database; None: a file that the service makes."""
    if database == "sqlite":
        yield None
        return
    from tests.fixtures.migrated import bring_up

    with postgres(folder / "postgres") as given:
        url = make_url(given).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
        bring_up(url)
        yield url


def main() -> int:
    """Play, save the figures, and fail if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--minutes", type=float, help="begin no part after so long")
    parser.add_argument("--name", help="of the file of figures")
    given = parser.parse_args()
    begun = time.monotonic()
    until = None if given.minutes is None else begun + 60 * given.minutes
    parts: list[Part] = []
    seeds = (f"{given.seed}_{n}" for n in range(-(-given.steps // _PART)))
    size = min(_PART, given.steps)
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn"), max_tasks_per_child=4) as pool:
        running = {pool.submit(play_part, given.database, seed, size) for seed in islice(seeds, given.jobs)}
        while running:
            ended = next(as_completed(running))
            running.remove(ended)
            parts.append(ended.result())
            print(f"{sum(part.steps for part in parts)} steps in {time.monotonic() - begun:.0f} s", flush=True)
            is_over = parts[-1].found or (until is not None and time.monotonic() > until)
            for seed in islice(seeds, 0 if is_over else 1):
                running.add(pool.submit(play_part, given.database, seed, size))
    found = [part.found for part in parts if part.found]
    routes = {route for part in parts for route in part.routes}
    never = frozenset.intersection(*(part.unasked for part in parts))
    figures = {
        "database": given.database,
        "steps": sum(part.steps for part in parts),
        "requests": sum(part.requests for part in parts),
        "routes": len(routes),
        "routes_not_asked": sorted(never),
        "leaks": len(found),
        "first_leaks": found[:5],
        "jobs": given.jobs,
        "seconds": round(time.monotonic() - begun, 1),
    }
    print(json.dumps(figures, indent=2))
    command = shlex.join(["python", "-m", "benchmarks.isolation", *sys.argv[1:]])
    print(save(given.name or f"isolation_{given.database}", figures, command=command, seed=given.seed))
    return 1 if found or never else 0


if __name__ == "__main__":
    sys.exit(main())
