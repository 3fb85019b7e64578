"""The real server as a process of its own, on a free port, over a data folder that goes away afterwards."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil

START_LIMIT_S = 300.0
STOP_LIMIT_S = 60.0

_POLL_S = 0.005
_SERVING = re.compile(r"serving on (http://\S+)")


class ServerDiedError(RuntimeError):
    """The server ended, or was not ready in time; the message holds the end of its log."""


class Server:
    """One run of `memsvc serve`.

    Attributes:
        url: where it listens.
        ready_s: seconds from the start of the process to the first yes of `/readyz`.
    """

    def __init__(self, data_dir: Path, settings: dict[str, str], cores: Collection[int] | None = None) -> None:
        self.log = data_dir.with_name(data_dir.name + ".server.log")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MEMSVC_")}
        environment |= {f"MEMSVC_{name.upper()}": value for name, value in settings.items()}
        begun = time.perf_counter()
        with self.log.open("wb") as log, held_to(cores):
            self.process = subprocess.Popen(
                [sys.executable, "-m", "memsvc_client", "serve", "--port", "0", "--data-dir", data_dir],
                stdout=log,
                stderr=log,
                env=environment,
                cwd=data_dir.parent,
            )
        self._process = psutil.Process(self.process.pid)
        try:
            self.url = self._wait_for_port(begun)
            self._wait_until_ready(begun)
        except BaseException:
            self.stop()
            raise
        self.ready_s = time.perf_counter() - begun

    def rss_bytes(self) -> int:
        """Resident memory of the process."""
        return int(self._process.memory_info().rss)

    def cpu_s(self) -> float:
        """Processor time used so far, in all threads."""
        used = self._process.cpu_times()
        return float(used.user + used.system)

    def stop(self) -> None:
        """Ask it to stop and wait for it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _wait_for_port(self, begun: float) -> str:
        while True:
            if found := _SERVING.search(self.log.read_text(encoding="utf-8", errors="replace")):
                return found[1]
            self._check_alive(begun)
            time.sleep(_POLL_S)

    def _wait_until_ready(self, begun: float) -> None:
        while True:
            self._check_alive(begun)
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz", timeout=5).is_success:
                    return
            time.sleep(_POLL_S)

    def _check_alive(self, begun: float) -> None:
        if self.process.poll() is not None or time.perf_counter() - begun > START_LIMIT_S:
            tail = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise ServerDiedError(f"the server is not ready (exit code {self.process.poll()}):\n{tail}")


@contextmanager
def held_to(cores: Collection[int] | None) -> Iterator[None]:
    """Processes that this thread starts meanwhile run on these cores alone."""
    if cores is None:
        yield
        return
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


@contextmanager
def serve(data_dir: Path, cores: Collection[int] | None = None, **settings: str | int) -> Iterator[Server]:
    """A server over a data folder that stays; stopped at the end.

    Args:
        data_dir: made if it is not there.
        cores: numbers of the cores that it may use; default: all.
        settings: each is `MEMSVC_<NAME>`. Other settings of this environment are not passed on.
    """
    server = Server(data_dir, {name: str(value) for name, value in settings.items()}, cores)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for data folders that goes away at the end."""
    with tempfile.TemporaryDirectory(prefix="memsvc-bench-") as folder:
        yield Path(folder)
