"""Servers that begin as copies of a process that has everything imported.

Four of five seconds of a start are imports. Where a run starts many servers and the start is not what is looked at,
each one is forked from such a process: it is a process of its own with its own sockets and its own connections, it runs
the same command, and signals reach it alone. In the copy, and nowhere else, a fault can be planted first.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, BinaryIO

from benchmarks._killable import Process, ServerProcess

_WARM = "benchmarks.faults._warm"


def forked(target: Callable[..., None], *arguments: Any) -> Forked:
    """Call something in a copy of the warm process."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_WARM])  # the first one to ask starts it
    process = context.Process(target=target, args=arguments, daemon=True)
    process.start()
    return Forked(process)


class Forked:
    """A forked process as `subprocess.Popen` would show it."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its number."""
        if self._process.pid is None:
            raise RuntimeError("it was not started")
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            TimeoutError: it did not end in time.
        """
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise TimeoutError(f"process {self.pid} still runs after {timeout} s")
        return self._process.exitcode

    def send_signal(self, number: int, /) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)


class ForkedServer(ServerProcess):
    """As `ServerProcess`, without the imports of each start.

    Args:
        data_dir, settings: as there.
        planted: faults to plant in it, by name (`benchmarks.faults.plants`).
        before: called in the copy before it serves, with its data folder and `given`; a function of a module.
    """

    def __init__(
        self,
        data_dir: Path,
        settings: dict[str, str],
        planted: Sequence[str] = (),
        before: Callable[..., None] | None = None,
        given: tuple[Any, ...] = (),
    ) -> None:
        super().__init__(data_dir, settings)
        self.planted = tuple(planted)
        self._before, self._given = before, given

    def _begin(self, arguments: tuple[str, ...], environment: dict[str, str], log: BinaryIO) -> Process:
        before = self._before and partial(self._before, self.data_dir, *self._given)
        return forked(_serve, arguments, environment, str(self._log), self.planted, before)


def become(environment: dict[str, str], log: str) -> None:
    """Take over an environment and write to a file, as a process that was started by itself would."""
    os.environ.clear()
    os.environ.update(environment)
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for stream in (1, 2):
        os.dup2(handle, stream)
    os.close(handle)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _serve(
    arguments: tuple[str, ...],
    environment: dict[str, str],
    log: str,
    planted: tuple[str, ...],
    before: Callable[[], None] | None,
) -> None:
    from benchmarks.faults.plants import plant  # these two only in the copy, where they are imported already
    from memsvc_client.cli.main import main

    become(environment, log)
    for name in planted:
        plant(name)
    if before is not None:
        before()
    sys.argv = ["memsvc", "serve", *arguments]
    main()
