"""SIGTERM under load: what runs is finished, what was acknowledged is there, and the exit code is that of success."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine, text

from benchmarks._audit import faults
from benchmarks._killable import WITHOUT_MODELS, ServerProcess

PATIENCE_S = 120
"""Three hundred long texts are analysed in this time on a slow machine where other tests run beside this one."""

ACCEPTED_S = 3.0
"""By then a busy server has taken up a request whose first half was sent; one that still waits for it is refused."""


@pytest.mark.slow
def test_a_stop_under_load_loses_nothing(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data", WITHOUT_MODELS | {"MEMSVC_SHUTDOWN_GRACE_S": str(PATIENCE_S)})
    server.start()
    acknowledged: list[str] = []
    odd: list[str] = []
    large: list[int] = []

    def write(number: int) -> None:
        with server.client() as http:
            for n in range(10_000):
                content = f"writer {number} said {n}"
                try:
                    answer = http.post("/v1/memories", json={"namespace": "a", "content": content})
                except httpx.TransportError:
                    return  # the connection was refused or closed: in doubt
                if answer.status_code == 201:
                    acknowledged.append(content)
                elif answer.status_code != 503:
                    odd.append(f"{answer.status_code} {answer.text}")

    begun, signalled = threading.Event(), threading.Event()

    def body() -> Iterator[bytes]:
        """Half of a large request before the signal, half of it after."""
        memories = [{"content": f"turn {n} " + "word " * 300} for n in range(300)]
        whole = json.dumps({"namespace": "b", "memories": memories}).encode()
        yield whole[: len(whole) // 2]
        begun.set()
        assert signalled.wait(PATIENCE_S)
        yield whole[len(whole) // 2 :]

    def write_many() -> None:
        """A request that takes long and was begun before the signal."""
        with server.client() as http:
            headers = {"content-type": "application/json"}
            large.append(http.post("/v1/memories:batch", content=body(), headers=headers).status_code)

    threads = [threading.Thread(target=write, args=(n,), daemon=True) for n in range(8)]
    try:
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        slow = threading.Thread(target=write_many, daemon=True)
        slow.start()
        assert begun.wait(PATIENCE_S)
        time.sleep(ACCEPTED_S)
        server.send(signal.SIGTERM)
        time.sleep(0.3)
        signalled.set()
        assert server.wait(PATIENCE_S) == 0
        for thread in (*threads, slow):
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
    finally:
        server.kill()
    assert odd == []
    assert acknowledged
    assert large == [200]
    engine = create_engine(f"sqlite:///{tmp_path / 'data' / 'memsvc.db'}")
    with engine.connect() as connection:
        assert faults(connection) == {}
        stored = set(connection.execute(text("SELECT content FROM memory_version")).scalars())
    engine.dispose()
    assert set(acknowledged) <= stored
    assert len(stored) >= len(acknowledged) + 300
