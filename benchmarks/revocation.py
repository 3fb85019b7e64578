"""How long it takes to take back what one key wrote, with what was derived from it, and to give it back.

A namespace of so many memories of a key that is revoked and as many of others, consolidated by the job, on SQLite and
on PostgreSQL in turn, bank included. Checked: nothing of the key is found or derived from any more, everything of the
others is. With `--against` the same is measured with the code of another checkout, between the two databases' turns, so
that a machine that is busy with something else is busy for both.

    OMP_NUM_THREADS=1 python -m benchmarks.revocation [--against CHECKOUT]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, make_url, select

from benchmarks._results import save
from deploy.processes import postgres
from gpu.bank.records import State
from memsvc.core.settings import Settings
from memsvc.memories.draft import Draft
from memsvc.memories.write import Author
from memsvc.models.tables import MEMORY, VERSION
from memsvc.revocations.service import Revoked
from memsvc.wiring import Container

PATH = "bench/revoked"
TARGET_S = 5.0
_BATCH, _SESSION = 500, 100
_BEGIN = datetime(2026, 1, 1, 9, tzinfo=UTC)


DATABASES = ("sqlite", "postgresql")


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--memories", type=int, default=10_000)
    parser.add_argument("--against", type=Path, help="a checkout whose code is measured as well")
    parser.add_argument("--one", choices=DATABASES, help="measure this one alone, print JSON and save nothing")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(options.one, options.memories)))
        return
    figures: dict[str, Any] = {"memories": options.memories, "target_s": TARGET_S}
    for database in DATABASES:
        if options.against:
            figures.setdefault("against", {})[database] = _elsewhere(options.against, database, options.memories)
        figures[database] = _elsewhere(Path(), database, options.memories)
    print(json.dumps(figures, indent=2))
    save("revocation", figures, command=f"python -m benchmarks.revocation --memories {options.memories}")


def _elsewhere(checkout: Path, database: str, memories: int) -> dict[str, Any]:
    """The figures of this file with the code of a checkout, in a process of its own."""
    run = f"runpy.run_path({__file__!r}, run_name='__main__')"
    program = f"import runpy, sys; sys.path[0] = {str(checkout.resolve())!r}; {run}"
    command = [sys.executable, "-c", program, "--one", database, "--memories", str(memories)]
    environment = {**os.environ, "PYTHONPATH": str(checkout.resolve())}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=checkout, check=True)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


@contextmanager
def _container(database: str) -> Iterator[Container]:
    quiet: dict[str, Any] = {"embedder": "hashing:64", "reranker": "none", "jobs": "off"}
    with tempfile.TemporaryDirectory(prefix="memsvc-revoke-") as made:
        folder = Path(made)
        if database == "sqlite":
            container = Container(Settings(data_dir=folder, **quiet))
            try:
                yield container
            finally:
                container.close()
            return
        with postgres(folder / "pg") as owner:
            app = make_url(owner).set(username="memsvc_app").render_as_string(hide_password=False)
            given = {"database_url": app, "migrate_database_url": owner}
            container = Container(Settings(data_dir=folder / "data", **given, **quiet))
            try:
                yield container
            finally:
                container.close()


def measured(database: str, memories: int) -> dict[str, Any]:
    """Seconds of each step, wall clock and this process's processor, with what was counted before and after."""
    with _container(database) as container:
        container.start()
        principal = container.keys.anonymous
        if principal is None:
            raise RuntimeError("the service asks for keys")
        honest = Author(principal.tenant_id, "honest")
        mole = replace(honest, name="mole")
        for author in (honest, mole):
            _write(container, author, memories)
        _consolidate(container, honest)
        wanted = Revoked(PATH, {"writer": "mole"})
        before = _counts(container, honest)
        steps: dict[str, Any] = {}
        found = _timed(steps, "dry_run", lambda: container.revocations.preview(honest.tenant_id, wanted, _anywhere))
        done = _timed(steps, "revoke", lambda: container.revocations.revoke(honest, wanted, _anywhere, None))
        after = _counts(container, honest)
        undone = _timed(steps, "undo", lambda: container.revocations.undo(honest, done.id, _anywhere))
        return {
            "steps": steps,
            "previewed": {"memories": len(found.memory_ids), "derived": len(found.derived_ids)},
            "revoked": {"memories": done.memories, "derived": done.derived},
            "undone": undone,
            "active_before": before,
            "active_after": after,
            "is_in_time": steps["revoke"]["s"] <= TARGET_S,
        }


def _write(container: Container, author: Author, memories: int) -> None:
    for start in range(0, memories, _BATCH):
        drafts = [
            Draft(
                f"{author.name} says that thing {number} of day {number // _SESSION} lies in room {number % 97}.",
                {
                    "session_id": f"{author.name} {number // _SESSION}",
                    "occurred_at": _BEGIN + timedelta(days=number // _SESSION, minutes=number % _SESSION),
                },
            )
            for number in range(start, min(start + _BATCH, memories))
        ]
        container.remember(author, PATH, drafts)


def _consolidate(container: Container, author: Author) -> None:
    policy = {"share_per_run": 1.0, "gists": {"levels": ["session", "day"]}}
    container.jobs.set_care(author.tenant_id, PATH, policy, {})
    asked = container.jobs.ask(author, PATH, "consolidate", is_dry=False)
    container.scheduler.round()
    run = container.jobs.one(author.tenant_id, asked.run.id, _anywhere).run
    if run.problem is not None:
        raise RuntimeError(f"the run failed: {run.problem}")


def _counts(container: Container, author: Author) -> dict[str, int]:
    """Active memories by who wrote them."""
    query = (
        select(VERSION.c.writer, func.count())
        .join(MEMORY, (MEMORY.c.tenant_id == VERSION.c.tenant_id) & (MEMORY.c.id == VERSION.c.memory_id))
        .where(MEMORY.c.tenant_id == author.tenant_id, MEMORY.c.state == int(State.ACTIVE), VERSION.c.version == 1)
        .group_by(VERSION.c.writer)
    )
    with container.database.read(author.tenant_id) as connection:
        return {writer: number for writer, number in connection.execute(query)}


def _timed(steps: dict[str, Any], name: str, work: Any) -> Any:
    wall, processor = time.perf_counter(), time.process_time()
    made = work()
    steps[name] = {
        "s": round(time.perf_counter() - wall, 3),
        "processor_s": round(time.process_time() - processor, 3),
    }
    return made


def _anywhere(path: str) -> bool:
    return True


if __name__ == "__main__":
    main()
