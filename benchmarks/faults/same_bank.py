"""R-03: what a running process has in memory is what the database holds, after every mix of writes and every kill.

The bank of a running process is not to be seen over HTTP. So the servers of this row, copies of a warm process, carry a
handler: at SIGUSR1 they compare their own bank with the database (`Keeper.verify`: ids, versions, states, intervals,
digests of vectors and columns) and write what they found into a file.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

from benchmarks._kill_clients import Client, Ledger
from benchmarks._killable import ServerProcess
from benchmarks.faults.row import Findings, Row
from benchmarks.faults.stage import Stage

_CLIENTS = 4
_LOAD_S = 0.8
_PATIENCE_S = 60.0


def compare_when_asked(_data_dir: Path, report: str) -> None:
    """In a server: at SIGUSR1, compare and write `report`, whole or not at all."""
    from memsvc.wiring import Container  # only in a copy that serves

    start = Container.start

    def start_and_listen(self: Container) -> None:
        start(self)

        def compare() -> None:
            verdicts = list(self.keeper.verify())
            found = {
                "namespaces": len(verdicts),
                "versions": sum(v.versions for v in verdicts),
                "missing": sum(v.missing for v in verdicts),
                "unexpected": sum(v.unexpected for v in verdicts),
            }
            draft = Path(f"{report}.new")
            draft.write_text(json.dumps(found))
            draft.replace(report)

        signal.signal(signal.SIGUSR1, lambda *_: threading.Thread(target=compare).start())

    Container.start = start_and_listen  # type: ignore[method-assign]


def run(stage: Stage, n: int) -> Findings:
    """Compare so often: after load, after more load, after a kill, in two processes that share a database."""
    findings = Findings()
    place = stage.place("same-bank")
    url = stage.postgres.new_database()
    reports = [place / f"report-{k}" for k in range(2)]
    servers = [
        stage.server("same-bank", url=url, jobs="off", before=compare_when_asked, given=(str(report),))
        for report in reports
    ]
    ledger = Ledger(place / "ledger.jsonl")
    chance = stage.chance("same bank")
    clients = [Client(k, chance.randrange(2**63), ledger) for k in range(_CLIENTS)]
    versions = 0
    for turn in range(n):
        _load(clients, servers)
        is_killed = turn % 3 == 2
        if is_killed:
            servers[turn % 2].kill()
            servers[turn % 2].start()
        for server, report in zip(servers, reports, strict=True):
            versions += _compare(server, report, findings, turn)
    findings.figures |= {"versions_compared": versions, "writes": sum(client.acknowledged for client in clients)}
    for client in clients:
        for unexpected in client.unexpected:
            findings.broke("an unexpected answer", unexpected)
    for server in servers:
        server.kill()
    ledger.close()
    return findings


def _load(clients: list[Client], servers: list[ServerProcess]) -> None:
    """Half of the clients at each process: creates, edits, forgets, restores and erases."""
    stop = threading.Event()
    threads = [
        threading.Thread(target=client.work, args=(servers[place % 2], stop), daemon=True)
        for place, client in enumerate(clients)
    ]
    for thread in threads:
        thread.start()
    time.sleep(_LOAD_S)
    stop.set()
    for thread in threads:
        thread.join(_PATIENCE_S)


def _compare(server: ServerProcess, report: Path, findings: Findings, turn: int) -> int:
    report.unlink(missing_ok=True)
    os.kill(server.pid, signal.SIGUSR1)
    until = time.monotonic() + _PATIENCE_S
    while not report.exists() and time.monotonic() < until:
        time.sleep(0.01)
    if not report.exists():
        findings.broke("no answer to the question how bank and database compare", turn)
        return 0
    found = json.loads(report.read_text())
    findings.tried(found["namespaces"])
    for kind in ("missing", "unexpected"):
        if found[kind]:
            findings.broke(f"{kind} in the bank of a running process", (turn, found), found[kind])
    return int(found["versions"])


ROW = Row("R-03", "the bank of a running process equals the database", run, 3, 700, "namespaces compared")
