"""The real server as a process of its own: started, asked over loopback HTTP, killed."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import httpx

_COMMAND = (sys.executable, "-c", "from memsvc_client.cli.main import main; main()", "serve")
WITHOUT_MODELS = {"MEMSVC_EMBEDDER": "hashing:64", "MEMSVC_RERANKER": "none", "MEMSVC_RESERVE_BYTES": "0"}
"""Settings of a server that is ready soon and takes little room, where its models are not what is looked at."""

_SERVING = re.compile(r"serving on (http://\S+)")


class Process(Protocol):
    """What is asked of a running process; as `subprocess.Popen` has it."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    @property
    def returncode(self) -> int | None:
        """How it ended."""
        ...

    def poll(self) -> int | None:
        """How it ended; None while it runs."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        ...

    def send_signal(self, number: int, /) -> None:
        """Send it a signal."""
        ...


class ServerProcess:
    """One run of `memsvc serve` on a free port.

    Args:
        data_dir: its data folder; the log of every run is beside the data.
        settings: more environment, e.g. `MEMSVC_EMBEDDER`.
        prefix: words before the command, e.g. to run it in a namespace of the system's.
    """

    def __init__(self, data_dir: Path, settings: dict[str, str], prefix: tuple[str, ...] = ()) -> None:
        self.data_dir = data_dir
        self._settings = settings
        self._prefix = prefix
        self._log = data_dir.parent / f"{data_dir.name}.log"
        self._process: Process | None = None
        self.url = ""

    def start(self, timeout_s: float = 300) -> float:
        """Start it and wait until it is ready (long the first time: it compiles); returns how many seconds that took.

        Raises:
            RuntimeError: it ended, or was not ready in time.
        """
        begun = time.monotonic()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MEMSVC_")}
        environment |= {"OMP_NUM_THREADS": "1", "MEMSVC_LOG_LEVEL": "error", **self._settings}
        offset = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            arguments = ("--port", "0", "--data-dir", str(self.data_dir))
            self._process = self._begin(arguments, environment, log)
        while time.monotonic() < begun + timeout_s:
            said = self._log.read_bytes()[offset:].decode(errors="replace")
            if self._process.poll() is not None:
                raise RuntimeError(f"the server ended with {self._process.returncode}:\n{said[-2000:]}")
            found = _SERVING.search(said)
            if found and self._ready(found[1]):
                self.url = found[1]
                return time.monotonic() - begun
            time.sleep(0.01)
        raise RuntimeError("the server was not ready in time")

    def _begin(self, arguments: tuple[str, ...], environment: dict[str, str], log: BinaryIO) -> Process:
        """The process, as the system starts it."""
        return subprocess.Popen((*self._prefix, *_COMMAND, *arguments), stdout=log, stderr=log, env=environment)

    @staticmethod
    def _ready(url: str) -> bool:
        try:
            return httpx.get(f"{url}/readyz", timeout=30).status_code == 200
        except httpx.TransportError:
            return False

    @property
    def pid(self) -> int:
        """The process, while it runs."""
        if self._process is None:
            raise RuntimeError("the server was not started")
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def wait(self, timeout_s: float = 60) -> int:
        """Wait for its end; returns the exit code."""
        if self._process is None:
            raise RuntimeError("the server was not started")
        return self._process.wait(timeout_s)

    def kill(self) -> None:
        """End it at once, as a crash would; nothing happens if it runs no more."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            self._process.wait(30)

    def said(self) -> str:
        """What it wrote to its output in all its runs."""
        return self._log.read_text(errors="replace")

    def client(self, **given: Any) -> httpx.Client:
        """A client of this run, with one connection at most."""
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        return httpx.Client(base_url=self.url, timeout=120, limits=limits, trust_env=False, **given)
