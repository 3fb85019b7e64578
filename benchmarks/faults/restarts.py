"""R-22: processes are stopped and started in turn under load; a client that repeats its requests notices nothing."""

from __future__ import annotations

import signal
import time

from benchmarks.faults.asking import Crowd, is_listening, percentile
from benchmarks.faults.row import Findings, Row
from benchmarks.faults.stage import Stage

EXIT_S = 25.0
_BETWEEN_S = 0.15


def run(stage: Stage, n: int) -> Findings:
    """Stop one of two processes so many times."""
    findings = Findings()
    url = stage.postgres.new_database()
    servers = [stage.server("restarts", url=url) for _ in range(2)]
    exits: list[float] = []
    starts: list[float] = []
    with Crowd(lambda: [server.url for server in servers], findings, clients=8) as crowd:
        for turn in range(n):
            time.sleep(_BETWEEN_S)
            server = servers[turn % 2]
            begun = time.monotonic()
            server.send(signal.SIGTERM)
            try:
                code = server.wait(EXIT_S)
            except TimeoutError:
                findings.broke("it did not stop in time", turn)
                server.kill()
                code = 0
            exits.append(time.monotonic() - begun)
            findings.check(code == 0, "a stop that was asked for ended with a failure", code)
            if is_listening(server.url):
                findings.broke("somebody still listens after the stop", server.url)
            starts.append(server.start())
    crowd.look(url)
    findings.figures |= {
        "stops": n,
        "exit_p50_s": round(percentile(exits, 0.5), 2),
        "exit_max_s": round(max(exits), 2),
        "start_max_s": round(max(starts), 2),
        "statuses": {str(status): count for status, count in sorted(crowd.statuses.items())},
    }
    for server in servers:
        server.kill()
    return findings


ROW = Row("R-22", "stopping and starting processes in turn loses nothing", run, 2, 100, "stops and writes")
