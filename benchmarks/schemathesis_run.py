"""Runs schemathesis against the real server: every operation of /openapi.json, with good, edge and bad requests.

    python -m benchmarks.schemathesis_run [--max-time-s 240] [--max-examples 60] [--seed 7]

The server is a process of its own on SQLite in a temporary folder, and asks for a key. All phases run (examples,
coverage, fuzzing, stateful); what is counted comes from schemathesis's own report.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks import _results
from benchmarks._server import Server

# Checks that ask for something this service does not promise.
_LEFT_OUT = {
    "unsupported_method": "an unknown method without a key is 401: routes are not told to strangers",
    "positive_data_acceptance": "bounds in bytes, calendars and cross-field rules are stricter than a schema can say",
    "allow_header_conformance": "`/memories/{id}:forget` also has the form of `/memories/{id}`; Allow names both",
}
_CONFIG = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 412, 413, 414, 415, 422, 431]

# One bad item of these is answered in its place, beside the good ones.
[[operations]]
include-path = ["/v1/memories:batch", "/v1/conversations"]
checks.negative_data_rejection.enabled = false
"""


def main() -> int:
    """Run, save the figures, and fail if the server failed or a check did."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--max-time-s", type=int, default=240)
    parser.add_argument("--max-examples", type=int, default=60)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir(mode=0o700)
        report, returncode, log = _run(data, asked)
    figures = _figures(report) | {"returncode": returncode, "checks_left_out": _LEFT_OUT, "server_tracebacks": log}
    command = (
        f"python -m benchmarks.schemathesis_run --max-time-s {asked.max_time_s} "
        f"--max-examples {asked.max_examples} --seed {asked.seed}"
    )
    print(_results.save("schemathesis", figures, command=command, seed=asked.seed))
    print(json.dumps({k: figures[k] for k in ("cases", "answers_5xx", "failures_by_check")}))
    return 1 if figures["answers_5xx"] or figures["failures_by_check"] or returncode not in (0, 1) else 0


def _run(data: Path, asked: argparse.Namespace) -> tuple[list[dict[str, Any]], int, int]:
    """The events of a run, the exit code, and how many unexpected errors the server logged."""
    memsvc = Path(sys.executable).with_name("memsvc")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MEMSVC_")}
    made = subprocess.run(
        [memsvc, "admin-key", "--data-dir", data, "--json"], check=True, capture_output=True, env=environment
    )
    secret = json.loads(made.stdout)["secret"]
    server = Server(data, {"embedder": "hashing:64", "auth": "keys", "log_level": "warning"})
    try:
        out = data.parent / "events.ndjson"
        (data.parent / "schemathesis.toml").write_text(_CONFIG, encoding="utf-8")
        command: list[str | Path] = [
            Path(sys.executable).with_name("schemathesis"), "run", f"{server.url}/openapi.json",
            "--header", f"Authorization: Bearer {secret}", "--exclude-checks", ",".join(_LEFT_OUT),
            "--max-examples", str(asked.max_examples), "--max-time", str(asked.max_time_s), "--seed", str(asked.seed),
            "--generation-database", "none", "--suppress-health-check", "all", "--workers", "1", "--no-color",
            "--request-timeout", "20", "--continue-on-failure", "--report-ndjson-path", out,
        ]  # fmt: skip
        ran = subprocess.run(command, cwd=data.parent, env=environment, timeout=asked.max_time_s + 300)
        events = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        return events, ran.returncode, server.log.read_text(encoding="utf-8").count("unexpected_error")
    finally:
        server.stop()


def _figures(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts of cases, statuses and failed checks."""
    cases = 0
    statuses: Counter[int] = Counter()
    failed: Counter[str] = Counter()
    operations: Counter[str] = Counter()
    for recorder in _recorders(events):
        operations[recorder.get("label") or "-"] += len(recorder.get("cases") or {})
        cases += len(recorder.get("cases") or {})
        for interaction in (recorder.get("interactions") or {}).values():
            response = interaction.get("response")
            if response is not None:
                statuses[int(response["status_code"])] += 1
        for checks in (recorder.get("checks") or {}).values():
            failed.update(check["name"] for check in checks if check["status"] != "success")
    return {
        "cases": cases,
        "operations": dict(sorted(operations.items())),
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "answers_5xx": sum(count for status, count in statuses.items() if status >= 500),
        "failures_by_check": dict(sorted(failed.items())),
    }


def _recorders(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was recorded of every finished scenario."""
    found = []
    for event in events:
        for name, value in event.items():
            if name.endswith("ScenarioFinished") and isinstance(value, dict) and "recorder" in value:
                found.append(value["recorder"])
    return found


if __name__ == "__main__":
    sys.exit(main())
