"""R-02: what one process acknowledged, another one finds at once, by its text and by its id.

Two processes on one PostgreSQL. Each write goes to one and the recall to the other, while others write to the same
namespaces and two transactions of our own are open: one has an older number than all that follow and stays open to the
end, the other holds the namespace for a moment, again and again, so that those who wait for it commit in an order that
is not that of their arrival.
"""

from __future__ import annotations

import threading
import time

from sqlalchemy import text

from benchmarks.faults.asking import GONE, Caller, percentile
from benchmarks.faults.row import Findings, Row
from benchmarks.faults.stage import Stage, looking

_NAMESPACES = 4
_BESIDE_PER_S = 20
_HELD_S = 0.03


def run(stage: Stage, n: int) -> Findings:
    """Try so many pairs."""
    findings = Findings()
    url = stage.postgres.new_database()
    first = stage.server("findable", url=url)
    second = stage.server("findable", url=url)
    stop = threading.Event()
    with Caller(first.url) as a, Caller(second.url) as b:
        for place in range(_NAMESPACES):
            a.add(f"user/u{place}", f"the namespace {place} is there")
        before_ms = [_timed_recall(b, 0, f"nothing new {k}") for k in range(min(n, 50))]
        beside = [
            threading.Thread(target=_write_beside, args=(second.url, stop), daemon=True),
            threading.Thread(target=_hold, args=(url, stop), daemon=True),
        ]
        for thread in beside:
            thread.start()
        after_ms = []
        for pair in range(n):
            writer, reader = (a, b) if pair % 2 == 0 else (b, a)
            after_ms.append(_pair(writer, reader, pair, findings))
        stop.set()
        for thread in beside:
            thread.join(30)
    findings.figures |= {
        "recall_p50_ms": round(percentile(after_ms, 0.5), 2),
        "recall_p99_ms": round(percentile(after_ms, 0.99), 2),
        "recall_of_a_quiet_namespace_p50_ms": round(percentile(before_ms, 0.5), 2),
        "recall_of_a_quiet_namespace_p99_ms": round(percentile(before_ms, 0.99), 2),
    }
    first.kill()
    second.kill()
    return findings


def _pair(writer: Caller, reader: Caller, pair: int, findings: Findings) -> float:
    namespace, content = f"user/u{pair % _NAMESPACES}", f"pair{pair} of the token{pair} was told"
    told = writer.add(namespace, content)
    if told.status != 201:
        findings.broke("a write was refused", (told.status, told.body))
        return 0.0
    begun = time.monotonic()
    found = reader.recalled(namespace, content)
    seconds = time.monotonic() - begun
    findings.check(content in found, "acknowledged and not found by the other process", (content, found))
    by_id = reader.ask("GET", f"/v1/memories/{told.body['memory']['id']}")
    if by_id.status != 200 or by_id.body["content"] != content:
        findings.broke("acknowledged and not there by its id", (by_id.status, by_id.body))
    return seconds * 1e3


def _timed_recall(caller: Caller, place: int, query: str) -> float:
    begun = time.monotonic()
    caller.recalled(f"user/u{place}", query)
    return (time.monotonic() - begun) * 1e3


def _write_beside(url: str, stop: threading.Event) -> None:
    with Caller(url) as caller:
        n = 0
        while not stop.wait(1 / _BESIDE_PER_S):
            n += 1
            try:
                caller.add(f"user/u{n % _NAMESPACES}", f"written beside {n}")
            except GONE:
                return


def _hold(url: str, stop: threading.Event) -> None:
    """An old transaction to the end; and the rows that hand out numbers, locked for moments."""
    engine = looking(url)
    with engine.connect() as old, engine.connect() as holder:
        old.execute(text("SELECT pg_current_xact_id()"))
        while not stop.wait(_HELD_S):
            with holder.begin():
                holder.execute(text("SELECT id FROM namespace FOR UPDATE"))
                time.sleep(_HELD_S)
        old.rollback()
    engine.dispose()


ROW = Row("R-02", "acknowledged by one process means found by the other", run, 24, 10_000, "pairs")
