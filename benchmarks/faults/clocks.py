"""R-15: a clock that jumps destroys nothing: what a user wrote is there and can be brought back, whatever it said.

A real server whose clock is set by a file. Under a policy that lets memories fade until they are forgotten, the jobs
run after each jump; then the clock goes back, and the accounts are compared.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from sqlalchemy import text

from benchmarks.faults.asking import Caller, compare
from benchmarks.faults.row import Findings, Row
from benchmarks.faults.stage import Stage, looking, sqlite_of

HOUR, DAY = 3_600.0, 86_400.0
JUMPS = (-HOUR, -DAY, HOUR, 400 * DAY, 3_652 * DAY, -400 * DAY, 59 * DAY, 0.5)
"""Seconds; after each one the clock is set right again."""
_FADES = {"below": {"warm": 0.6, "cold": 0.3, "archived": 0.1, "forgotten": 0.02}}
_MEMORIES = 40
_PATIENCE_S = 60.0
_RUNS = 3


def set_by(_data_dir: Path, path: str) -> None:
    """In a server: its clock is off by the seconds that the file says."""
    from memsvc.core.clock import SystemClock  # only in a copy that serves

    def now(self: SystemClock) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(Path(path).read_text() or 0))

    SystemClock.now = now  # type: ignore[method-assign]


def run(stage: Stage, n: int) -> Findings:
    """Make so many jumps."""
    findings, chance = Findings(), stage.chance("clocks")
    off = stage.place("clock") / "off"
    off.write_text("0")
    server = stage.server("clocks", before=set_by, given=(str(off),), jobs_every_s=0.05)
    acknowledged: dict[str, str] = {}
    hidden = 0
    with Caller(server.url) as caller:
        for k in range(_MEMORIES):
            content = f"walk number{k} in the park"
            answer = caller.post("/v1/memories", {"namespace": "user/ada", "content": content, "kind": "episodic"})
            acknowledged[content] = answer.body["memory"]["id"]
        answer = caller.ask("PUT", "/v1/policy", {"namespace": "user/ada", "policy": _FADES})
        findings.check(answer.status == 200, "the policy was refused", answer.body)
        for turn in range(n):
            jump = JUMPS[turn] if turn < len(JUMPS) else chance.uniform(-5_000 * DAY, 5_000 * DAY)
            off.write_text(str(jump))
            hidden += _live(caller, server_url=sqlite_of(server), jump=jump, findings=findings)
            content = f"told while the clock was off, turn {turn}"
            told = caller.add("user/ada", content)
            findings.check(told.status == 201, "a write was refused under a wrong clock", (jump, told.body))
            if told.status == 201:
                acknowledged[content] = told.body["memory"]["id"]
                findings.check(
                    content in caller.recalled("user/ada", content), "not found under a wrong clock", (jump, content)
                )
            off.write_text("0")
        _all_come_back(caller, acknowledged, findings)
    server.kill()
    compare(sqlite_of(server), {c: m for c, m in acknowledged.items() if c.startswith("told")}, findings)
    _all_are_there(sqlite_of(server), acknowledged, findings)
    findings.figures |= {"jumps": n, "hidden_under_a_wrong_clock": hidden}
    return findings


def _live(caller: Caller, server_url: str, jump: float, findings: Findings) -> int:
    """The work is done several times under one clock: a memory may rise or sink then, but not the one after the other.

    A run moves a share of a namespace at most, so that the later ones may go on with what the first one began.
    """
    levels = [_levels(server_url)]
    for _ in range(_RUNS):
        _fade(caller, findings)
        levels.append(_levels(server_url))
    ways: dict[str, set[bool]] = {}
    for before, after in pairwise(levels):
        for memory in before.keys() & after.keys():
            if after[memory] != before[memory]:
                ways.setdefault(memory, set()).add(after[memory] > before[memory])
    turned = sum(len(way) > 1 for way in ways.values())
    findings.check(not turned, "work that was repeated turned back", (jump, turned))
    return sum(state != 0 for state, _ in levels[-1].values())


def _fade(caller: Caller, findings: Findings) -> None:
    asked = caller.post("/v1/job-runs", {"namespace": "user/ada", "kind": "fade"})
    if asked.status != 202:
        findings.broke("a run was refused", (asked.status, asked.body))
        return
    until = time.monotonic() + _PATIENCE_S
    state = ""
    while time.monotonic() < until:
        state = caller.ask("GET", f"/v1/job-runs/{asked.body['id']}").body["state"]
        if state not in {"queued", "running"}:
            break
        time.sleep(0.02)
    findings.check(state == "succeeded", "a run did not succeed under a wrong clock", state)


def _levels(url: str) -> dict[str, tuple[int, int]]:
    engine = looking(url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT id, state, level FROM memory")).all()
    engine.dispose()
    return {str(row[0]): (int(row[1]), int(row[2])) for row in rows}


def _all_come_back(caller: Caller, acknowledged: dict[str, str], findings: Findings) -> None:
    """With the clock right again everything can be read, restored and found."""
    for content, memory_id in acknowledged.items():
        there = caller.ask("GET", f"/v1/memories/{memory_id}")
        if there.status == 200 and there.body["state"] == "active":
            findings.tried()
            continue
        restored = caller.post(f"/v1/memories/{memory_id}:restore", None)
        findings.check(restored.status == 200, "what a wrong clock hid cannot be restored", (content, restored.status))


def _all_are_there(url: str, acknowledged: dict[str, str], findings: Findings) -> None:
    engine = looking(url)
    with engine.connect() as connection:
        stored = set(connection.execute(text("SELECT content FROM memory_version")).scalars())
        tombstones = connection.execute(text("SELECT count(*) FROM tombstone")).scalar_one()
    engine.dispose()
    findings.check(set(acknowledged) <= stored, "a wrong clock destroyed something", len(set(acknowledged) - stored))
    findings.check(tombstones == 0, "a wrong clock erased something", tombstones)


ROW = Row("R-15", "a clock that jumps destroys nothing", run, len(JUMPS), 200, "checks")
