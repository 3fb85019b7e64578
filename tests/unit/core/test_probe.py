"""The probe says yes only of a process that is well."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from memsvc.commands.jobs import beat
from memsvc.core.errors import StartupRefused
from memsvc.core.settings import Settings
from memsvc.health import probe


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server whose `/readyz` answers so; gives its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (302, 1)])
def test_ready(status: int, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with answering(status) as port:
        monkeypatch.setenv("MEMSVC_PORT", str(port))
        assert probe.main(["ready"]) == code


def test_nobody_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert probe.main(["ready", "--port", str(taken.getsockname()[1])]) == 1
    assert probe.main(["socket", str(tmp_path / "gone.sock")]) == 1
    assert probe.main(["beat", str(tmp_path / "gone")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_a_socket_that_a_dead_process_left_is_no_answer(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        assert probe.main(["socket", path]) == 0
    assert probe.main(["socket", path]) == 1


def test_a_beat_grows_old(tmp_path: Path) -> None:
    file = tmp_path / "beat"
    touch = beat(Settings(worker_beat=file))
    assert probe.main(["beat", str(file)]) == 0
    old = time.time() - 100
    os.utime(file, (old, old))
    assert probe.main(["beat", str(file), "--within-s", "50"]) == 1
    touch()
    assert probe.main(["beat", str(file), "--within-s", "50"]) == 0


def test_work_does_not_wait_for_the_beat(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    touch = beat(Settings(worker_beat=folder / "beat"))
    (folder / "beat").unlink()
    folder.rmdir()
    touch()
    beat(Settings())()
    with pytest.raises(StartupRefused, match="MEMSVC_WORKER_BEAT"):
        beat(Settings(worker_beat=folder / "beat"))
