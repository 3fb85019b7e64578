"""The processes of a deployment on this machine: they start, work together, and stop when they are told."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.postgres


def environment() -> dict[str, str]:
    """Light models: how well it finds is tested elsewhere."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("MEMSVC_")}
    return mine | {
        "MEMSVC_EMBEDDER": "hashing:64",
        "MEMSVC_RERANKER": "none",
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "clients" / "src"))),
    }


def started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.local", *arguments],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_two_api_processes_and_a_worker_do_what_they_must() -> None:
    with started("--check") as process:
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "reads what another process wrote" in said
    assert "done by the worker" in said
    assert said.endswith("stopped\n")


def test_ctrl_c_stops_everything_that_was_started(tmp_path: Path) -> None:
    with started("--api", "1", "--port", "0", "--folder", str(tmp_path)) as process:
        assert process.stdout is not None
        said = ""
        while "stop with Ctrl+C" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        assert re.search(r"api-1: http://127\.0\.0\.1:\d+", said)
        children = psutil.Process(process.pid).children(recursive=True)
        database = int((tmp_path / "postgres" / "postmaster.pid").read_text().split()[0])
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)  # people press it twice
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, rest
    assert "Traceback" not in rest
    assert len(children) >= 2
    assert not [child for child in children if child.is_running()]
    assert not psutil.pid_exists(database)
    for name in ("api-1", "worker"):
        assert (tmp_path / "logs" / f"{name}.log").read_text().rstrip().endswith("stopped")
