"""Looks for runs that had another effect than one, by SQL alone, in what `kill_schedulers` left behind."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, select

from benchmarks._audit import faults
from benchmarks._scheduler_process import COUNTED, ZOMBIES
from gpu.bank.records import State
from lifecycle.policy import Level
from memsvc.models import RunState
from memsvc.models.tables import JOB_EFFECT, JOB_RUN, MEMORY


def broken(connection: Connection, log: Path, memory_ids: set[UUID]) -> dict[str, int]:
    """Promises that were broken, with how often; empty if all were kept.

    Args:
        memory_ids: all memories that were ever written.
    """
    found = Counter(_of_runs(connection))
    found.update(_of_counts(connection))
    found.update({"a chunk by a process without the lease": _count(connection, select(ZOMBIES.c.id))})
    found.update({"fading that does not lead to where the memory is": _of_levels(connection)})
    there = set(connection.execute(select(MEMORY.c.id)).scalars())
    found.update({"a lost memory": len(memory_ids - there), "a memory from nowhere": len(there - memory_ids)})
    found.update({"an edit that is lost or was never made": _of_edits(connection, log)})
    found.update(faults(connection))
    return {name: count for name, count in found.items() if count}


def _count(connection: Connection, query: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(query.subquery())).scalar_one())


def _of_runs(connection: Connection) -> dict[str, int]:
    periods = Counter(connection.execute(select(JOB_RUN.c.namespace_id, JOB_RUN.c.kind, JOB_RUN.c.period)).all())
    states = Counter(connection.execute(select(JOB_RUN.c.state)).scalars())
    return {
        "a second run of one period": sum(count - 1 for count in periods.values()),
        "a run that failed": states[RunState.FAILED],
        "a run that never ended": states[RunState.QUEUED] + states[RunState.RUNNING],
    }


def _of_counts(connection: Connection) -> dict[str, int]:
    """Every run of `count` counted every memory of its namespace once: in its report, in its figures, and in fact."""
    held = Counter(connection.execute(select(MEMORY.c.namespace_id)).scalars())
    runs = connection.execute(
        select(JOB_RUN.c.id, JOB_RUN.c.namespace_id, JOB_RUN.c.counts).where(
            JOB_RUN.c.kind == "count", JOB_RUN.c.state == int(RunState.SUCCEEDED)
        )
    ).all()
    reported = Counter(connection.execute(select(JOB_EFFECT.c.run_id)).scalars())
    due = Counter(run.namespace_id for run in runs)
    counted = connection.execute(
        select(COUNTED.c.value, MEMORY.c.namespace_id).join(MEMORY, MEMORY.c.id == COUNTED.c.memory_id)
    ).all()
    return {
        "a run in part": sum(reported[run.id] < held[run.namespace_id] for run in runs),
        "a run whose figures are not its report's": sum(run.counts.get("count", 0) != reported[run.id] for run in runs),
        "a memory counted twice": sum(value > due[home] for value, home in counted),
        "a memory not counted": sum(value < due[home] for value, home in counted),
    }


def _of_levels(connection: Connection) -> int:
    """Memories whose steps are no walk from active to where they are, in whatever order the runs were."""
    balance: defaultdict[UUID, Counter[str]] = defaultdict(Counter)
    steps = select(JOB_EFFECT.c.memory_id, JOB_EFFECT.c.before, JOB_EFFECT.c.after)
    moved = steps.join(JOB_RUN, JOB_RUN.c.id == JOB_EFFECT.c.run_id).where(JOB_RUN.c.kind == "fade")
    for memory_id, before, after in connection.execute(moved):
        balance[memory_id][before["level"]] -= 1
        balance[memory_id][after["level"]] += 1
    wrong = 0
    for row in connection.execute(select(MEMORY.c.id, MEMORY.c.state, MEMORY.c.level)):
        hidden = {State.ARCHIVED: "archived", State.FORGOTTEN: "forgotten"}
        expected = Counter({"active": -1})
        expected[hidden.get(row.state) or Level(row.level).name.lower()] += 1
        wrong += any(balance[row.id][name] != expected[name] for name in (level.name.lower() for level in Level))
    return wrong


def _of_edits(connection: Connection, log: Path) -> int:
    """Memories that do not say what their last acknowledged edit, or one begun after it, made them say."""
    allowed: defaultdict[str, set[str]] = defaultdict(set)
    for line in log.read_text().splitlines():
        match line.split():
            case ["editing", memory_id, number]:
                allowed[memory_id].add(number)
            case ["edited", memory_id, number]:
                allowed[memory_id] = {number}
    rows = connection.execute(select(MEMORY.c.id, MEMORY.c.metadata))
    said = {str(row.id): row.metadata.get("number") for row in rows}
    acknowledged = {line.split()[1] for line in log.read_text().splitlines() if line.startswith("edited ")}
    return sum(
        number not in allowed[memory_id] if memory_id in acknowledged else number not in {None, *allowed[memory_id]}
        for memory_id, number in said.items()
    )
