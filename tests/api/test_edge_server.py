"""The server itself: what it does with broken HTTP, with slow clients and with signals."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from benchmarks._killable import WITHOUT_MODELS
from memsvc.http import json_body, protocol
from tests.fixtures.edge import Edge, running
from tests.fixtures.listening import listening


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    with running(tmp_path) as made:
        yield made


@pytest.fixture
def port(edge: Edge) -> Iterator[int]:
    with listening(edge.app) as at:
        yield at


def send(port: int, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """Everything that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause_s)
        answer = b""
        while data := connection.recv(65536):
            answer += data
        return answer


def status(answer: bytes) -> int:
    head, _, body = answer.partition(b"\r\n\r\n")
    found = int(head.split()[1])
    if found >= 400:
        assert b"application/problem+json" in head
        assert json.loads(body)["status"] == found
    return found


POST = b"POST /v1/things HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GARBAGE\r\n\r\n",
        b"GET /livez HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        POST + b"content-length: -1\r\n\r\n",
        POST + b"content-length: abc\r\n\r\n",
        POST + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        POST + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}",
    ],
)
def test_broken_http_is_refused_and_the_connection_closed(port: int, request_bytes: bytes) -> None:
    assert status(send(port, request_bytes)) == 400


@pytest.mark.parametrize(
    "head", [b"GET /livez HTTP/1.1\r\nx: ", b"GET /", b"GET /livez HTTP/1.1\r\n" + b"a: b\r\n" * 5000]
)
def test_an_endless_head_is_refused(port: int, head: bytes) -> None:
    assert status(send(port, head, b"a" * protocol.HEAD_MAX_BYTES)) == 431


@pytest.mark.parametrize("parts", [(b"GET /livez HTTP/1.1\r\nx: a",), (b"",), tuple(b"GET /livez ")])
def test_a_slow_head_is_given_up(port: int, parts: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.3)
    begin = time.monotonic()
    answer = send(port, *(bytes([p]) if isinstance(p, int) else p for p in parts))
    assert status(answer) == 408
    assert time.monotonic() - begin < 8  # and not the ten seconds that the protocol has by itself


def test_a_slow_body_is_given_up_and_others_are_served(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_body, "BODY_TIMEOUT_S", 0.3)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as slow:
        slow.sendall(POST + b"content-length: 100\r\n\r\n{")
        assert httpx.get(f"http://127.0.0.1:{port}/livez").status_code == 200
        assert status(slow.recv(65536)) == 408
        assert slow.recv(1) == b""


def test_a_keep_alive_connection_serves_again_after_the_head_limits(port: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(30):
            assert client.post("/v1/things", json={"text": "x" * 5000}).status_code == 200


def test_a_client_that_leaves_harms_nobody(port: int, edge: Edge) -> None:
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(POST + b"content-length: 100\r\n\r\n{")
    assert httpx.post(f"http://127.0.0.1:{port}/v1/things", json={"text": "a"}).status_code == 200
    assert not [event for event in edge.logs if event["event"] == "unexpected_error"]


@pytest.mark.parametrize("protocol_name", [b"websocket", b"h2c"])
def test_upgrades_are_not_taken(port: int, protocol_name: bytes) -> None:
    upgrade = b"connection: upgrade\r\nupgrade: " + protocol_name + b"\r\nsec-websocket-version: 13\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n" + upgrade + b"sec-websocket-key: eA==\r\n\r\n")
        assert status(connection.recv(65536)) == 200


# What follows runs the real command in a process of its own.

COMMAND = [sys.executable, "-c", "from memsvc.commands import app; app()"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MEMSVC_")}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        env=ENVIRONMENT | WITHOUT_MODELS | environment,
        timeout=60,
        check=False,
    )


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [*COMMAND, "serve", "--port", "0", "--data-dir", str(folder), *arguments]
    environment = ENVIRONMENT | WITHOUT_MODELS
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stderr is not None
        seen = []
        for line in process.stderr:
            seen.append(line)
            if found := re.search(r"serving on (http://\S+)", line):
                break
        else:
            raise AssertionError("".join(seen))
        yield process, found[1]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_it_serves_refuses_a_second_owner_and_stops_with_zero(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, url):
        assert httpx.get(f"{url}/readyz").status_code == 200
        second = run("serve", "--port", "0", "--data-dir", str(tmp_path))
        assert second.returncode == 1
        assert "another process owns" in second.stderr
        assert "Traceback" not in second.stderr
        taken = run("serve", "--port", url.rsplit(":", 1)[1], "--data-dir", str(tmp_path / "b"))
        assert taken.returncode == 1
        assert "cannot listen" in taken.stderr
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


@pytest.mark.slow
def test_a_running_request_is_finished_on_shutdown(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, url):
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            body = b'{"namespace": "n", "content": "kept"}'
            head = (
                b"POST /v1/memories HTTP/1.1\r\nhost: localhost\r\n"
                b"content-type: application/json\r\ncontent-length: %d\r\n\r\n"
            )
            connection.sendall(head % len(body) + body[:5])
            time.sleep(2)  # until the server has taken the request up, on a busy machine too
            process.send_signal(signal.SIGTERM)
            _until_refused(f"{url}/livez")
            connection.sendall(body[5:])
            assert b" 201 " in connection.recv(65536).split(b"\r\n")[0] + b" "
        assert process.wait(timeout=60) == 0


def _until_refused(url: str) -> None:
    """Waits until nobody listens any more."""
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        try:
            httpx.get(url)
        except httpx.TransportError:
            return
        time.sleep(0.05)
    pytest.fail("the server still listens")


@pytest.mark.slow
def test_keys_migrations_and_doctor_from_the_command_line(tmp_path: Path) -> None:
    where = ("--data-dir", str(tmp_path))
    assert json.loads(run("migrate", "--json", *where).stdout)["applied"]
    assert json.loads(run("migrate", "--json", *where).stdout) == {"applied": []}
    made = run("admin-key", *where)
    secret = made.stdout.strip()
    assert re.fullmatch(r"msk_[A-Za-z0-9_-]{43}", secret)
    assert secret not in made.stderr
    told = json.loads(run("admin-key", "--json", "--tenant", "other", *where).stdout)
    assert told["tenant"] == "other"
    with serving(tmp_path) as (_, url):
        ours = httpx.get(f"{url}/v1/keys", headers={"authorization": f"Bearer {secret}"}).json()["items"]
        assert [key["name"] for key in ours] == ["admin"]
    examined = run("doctor", "--json", *where)
    assert examined.returncode == 0
    levels = {finding["check"]: finding["level"] for finding in json.loads(examined.stdout)["findings"]}
    assert levels["database"] == levels["schema"] == levels["secret"] == "ok"
    (tmp_path / "secret").chmod(0o644)
    assert run("doctor", *where).returncode == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("serve", "--host", "0.0.0.0", "--port", "0"), "admin-key"),  # noqa: S104
        (("serve", "--workers", "2"), "SQLite has one owning process"),
        (("migrate", "--database-url", "mysql://x/y"), "postgresql://"),
        (("admin-key", "--name", ""), "1 to 200"),
    ],
)
@pytest.mark.slow
def test_what_must_not_start_says_why(tmp_path: Path, arguments: tuple[str, ...], reason: str) -> None:
    refused = run(*arguments, "--data-dir", str(tmp_path))
    assert refused.returncode == 1
    assert reason in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.slow
def test_unknown_settings_are_refused(tmp_path: Path) -> None:
    refused = run("doctor", "--data-dir", str(tmp_path), MEMSVC_HSOT="127.0.0.1")
    assert refused.returncode == 1
    assert "MEMSVC_HSOT" in refused.stderr


@pytest.mark.slow
@pytest.mark.postgres
def test_several_processes_share_a_postgresql(tmp_path: Path, postgres_url: str) -> None:
    url = ("--database-url", postgres_url.replace("postgresql+psycopg", "postgresql"))
    command = [*COMMAND, "serve", "--port", "0", "--data-dir", str(tmp_path), "--workers", "2", *url]
    environment = ENVIRONMENT | WITHOUT_MODELS
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stderr is not None
        lines = iter(process.stderr)
        base = next(found[1] for line in lines if (found := re.search(r"processes on (http://\S+)", line)))
        for _ in range(2):
            next(line for line in lines if '"started"' in line)
        for n in range(10):  # a new connection each time, so both processes get some
            made = httpx.post(f"{base}/v1/keys", json={"name": f"k{n}"})
            assert made.status_code == 201
            seen = httpx.get(f"{base}/v1/keys", headers={"authorization": f"Bearer {made.json()['secret']}"})
            assert seen.status_code == 403
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()
