"""The processes of a deployment on this machine: they start, work together, and stop when they are told."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.check import check

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.postgres


def environment() -> dict[str, str]:
    """Light models and no search for a device: how well it finds is tested elsewhere."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("MEMSVC_")}
    return mine | {
        "MEMSVC_EMBEDDER": "hashing:64",
        "MEMSVC_RERANKER": "none",
        "MEMSVC_GPU": "off",
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "clients" / "src"))),
    }


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own: that one is closed to the user that PostgreSQL runs as when root runs the tests."""
    with tempfile.TemporaryDirectory(prefix="memsvc-up-") as made:
        yield Path(made)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended may wait for whoever takes it in."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_processes_work_together_and_ctrl_c_stops_them_all(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "deploy.local", "--port", "0", "--folder", str(folder)],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = ""
        while "stop with Ctrl+C" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        children = psutil.Process(process.pid).children(recursive=True)
        database = int((folder / "postgres" / "postmaster.pid").read_text().split()[0])
        found: list[str] = []
        try:
            check(re.findall(r"api-\d: (http://127\.0\.0\.1:\d+)", said), found.append)
        finally:
            process.send_signal(signal.SIGINT)
            time.sleep(0.05)
            process.send_signal(signal.SIGINT)  # people press it twice
            rest, _ = process.communicate(timeout=60)
    assert len(found) == 2
    assert process.returncode == 0, rest
    assert rest == "stopped\n"
    assert len(children) >= 3
    assert not [child for child in children if child.is_running()]
    assert not is_alive(database)
    for name in ("api-1", "api-2", "worker"):
        assert (folder / "logs" / f"{name}.log").read_text().rstrip().endswith("stopped")
