"""How long it takes to take back what one key wrote, with what was derived from it, and to give it back.

A namespace of so many memories of a key that is revoked and as many of others, consolidated by the job, on SQLite in
this process, bank included. Checked: nothing of the key is found or derived from any more, everything of the others is.

    OMP_NUM_THREADS=1 python -m benchmarks.revocation
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from benchmarks._results import save
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


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--memories", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(Path(folder), options.memories)
    print(figures)
    save("revocation", figures, command=f"python -m benchmarks.revocation --memories {options.memories}")


def measured(folder: Path, memories: int) -> dict[str, Any]:
    """Seconds of each step, wall clock and processor, with what was counted before and after."""
    container = Container(Settings(data_dir=folder, embedder="hashing:64", reranker="none", jobs="off"))
    try:
        container.keeper.load_all()
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
            "memories": memories,
            "target_s": TARGET_S,
            "steps": steps,
            "previewed": {"memories": len(found.memory_ids), "derived": len(found.derived_ids)},
            "revoked": {"memories": done.memories, "derived": done.derived},
            "undone": undone,
            "active_before": before,
            "active_after": after,
            "is_in_time": steps["revoke"]["s"] <= TARGET_S,
        }
    finally:
        container.close()


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
