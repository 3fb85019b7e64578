"""What a Redis that fails does to requests: `python -m benchmarks.redis_faults` (R-18 in small).

One server over a real Valkey is asked at a steady rate (recalls, writes, lists). Each fault is brought about while it
is, and figures begin one second after it, when the breaker is open. Answers of 5xx must be 0, and the 99th percentile
at most 1.5 times the smaller one of two stretches without a fault, before and after.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import redis as library

from benchmarks._results import save
from benchmarks._server import Server
from deploy.processes import Valkey, valkey

AFTER_S = 1.0
_THREADS = 16
_TEXTS = ("keys", "garden", "train", "doctor", "bicycle", "window", "letter", "piano")


@dataclass
class Seen:
    """What came back in one stretch."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    degraded: int = 0
    recalls: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def figures(self) -> dict[str, Any]:
        """As they are saved."""
        ms = np.array(self.seconds) * 1e3
        return {
            "requests": int(self.statuses.total()),
            "of_5xx": sum(n for status, n in self.statuses.items() if status >= 500 or status == 0),
            "statuses": {str(status): n for status, n in sorted(self.statuses.items())},
            "p50_ms": round(float(np.percentile(ms, 50)), 2),
            "p99_ms": round(float(np.percentile(ms, 99)), 2),
            "recalls": self.recalls,
            "recalls_that_say_redis": self.degraded,
        }


def load(client: httpx.Client, rate: float, seconds: float) -> Seen:
    """Ask at a steady rate; what is late is sent late, and its wait counts."""
    seen = Seen()
    begun = time.perf_counter()

    def one(number: int) -> None:
        due = begun + number / rate
        if (wait := due - time.perf_counter()) > 0:
            time.sleep(wait)
        answer = _ask(client, number)
        took = time.perf_counter() - due
        if due - begun < AFTER_S and seconds > 2 * AFTER_S:
            if answer is None or answer.status_code >= 500:
                with seen.lock:  # no 5xx is forgiven, not even before the breaker
                    seen.statuses[0 if answer is None else answer.status_code] += 1
            return
        with seen.lock:
            seen.statuses[0 if answer is None else answer.status_code] += 1
            seen.seconds.append(took)
            if answer is not None and answer.request.url.path == "/v1/recall" and answer.status_code == 200:
                seen.recalls += 1
                seen.degraded += "redis" in answer.json()["degraded"]

    with ThreadPoolExecutor(_THREADS) as threads:
        list(threads.map(one, range(int(rate * seconds))))
    return seen


def _ask(client: httpx.Client, number: int) -> httpx.Response | None:
    text = f"{_TEXTS[number % len(_TEXTS)]} number {number % 40}"
    try:
        if number % 5 == 0:
            return client.post("/v1/memories", json={"namespace": "bench", "content": f"The {text} is here."})
        if number % 5 == 1:
            return client.get("/v1/memories", params={"namespace": "bench", "limit": 5})
        return client.post("/v1/recall", json={"namespace": "bench", "query": f"where is the {text}?"})
    except httpx.HTTPError:
        return None


Fault = tuple[str, Callable[[Valkey], None], Callable[[Valkey], None]]


def _admin(server: Valkey) -> library.Redis:
    return library.Redis.from_url(server.url)


def _full(server: Valkey) -> None:
    admin = _admin(server)
    admin.config_set("maxmemory-policy", "noeviction")
    admin.config_set("maxmemory", "1")


def _plant(server: Valkey, value: Callable[[library.Redis, bytes], object]) -> None:
    """Over and over, as long as the stretch lasts, another value under every key."""
    admin = _admin(server)
    for _ in range(20):
        for key in list(admin.scan_iter(count=1000)):
            admin.delete(key)
            value(admin, key)
        time.sleep(0.1)


def _beside(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()


def _paused(server: Valkey) -> None:
    _admin(server).execute_command("CLIENT", "PAUSE", 4_000, "ALL")


def _locked(server: Valkey) -> None:
    admin = _admin(server)
    admin.config_set("requirepass", "other")
    admin.client_kill_filter(skipme=True)


def _stop(number: signal.Signals) -> Callable[[Valkey], None]:
    return lambda server: os.kill(server.process.pid, number)


def _nothing(server: Valkey) -> None:
    """Leave it as it is."""


def _restarted(server: Valkey) -> None:
    server.stop()
    server.start()


FAULTS: tuple[Fault, ...] = (
    ("killed", Valkey.stop, Valkey.start),
    ("hung", _stop(signal.SIGSTOP), _stop(signal.SIGCONT)),
    ("paused", _paused, _nothing),
    ("full", _full, _restarted),
    ("read_only", lambda server: _admin(server).replicaof("127.0.0.1", 1), _restarted),
    ("password_changed", _locked, _restarted),
    ("flushed", lambda server: _beside(lambda: [_admin(server).flushall() for _ in range(20)] and None), _nothing),
    ("wrong_types", lambda s: _beside(lambda: _plant(s, lambda a, key: a.rpush(key, b"x"))), _nothing),
    ("foreign_values", lambda s: _beside(lambda: _plant(s, lambda a, key: a.set(key, b"\x01" + b"x" * 64))), _nothing),
)


def _one(name: str, act: Callable[[Valkey], None], undo: Callable[[Valkey], None], run: _Run) -> dict[str, Any]:
    act(run.valkey)
    figures = load(run.client, run.rate, run.seconds).figures()
    undo(run.valkey)
    time.sleep(2.5)  # the breaker finds it again
    return figures


@dataclass
class _Run:
    valkey: Valkey
    client: httpx.Client
    rate: float
    seconds: float


def main() -> int:
    """0 if nobody got a 5xx."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each stretch")
    parser.add_argument("--only", nargs="*", help="names of faults")
    given = parser.parse_args()
    figures: dict[str, Any] = {"rate": given.rate, "seconds": given.seconds}
    with tempfile.TemporaryDirectory() as folder, valkey() as vk:
        settings = {"embedder": "hashing:384", "reranker": "none", "redis_url": vk.url, "log_level": "error"}
        server = Server(Path(folder) / "data", settings)
        try:
            with httpx.Client(base_url=server.url, timeout=10.0) as client:
                run = _Run(vk, client, given.rate, given.seconds)
                load(client, given.rate, given.seconds)  # everything has run once
                figures["baseline"] = load(client, given.rate, given.seconds).figures()
                for name, act, undo in FAULTS:
                    if given.only is None or name in given.only:
                        figures[name] = _one(name, act, undo, run)
                        print(name, figures[name], flush=True)
                figures["baseline_again"] = load(client, given.rate, given.seconds).figures()
                quickest = min(figures["baseline"]["p99_ms"], figures["baseline_again"]["p99_ms"])
                for name, _, _ in FAULTS:
                    if name in figures:
                        figures[name]["p99_to_baseline"] = round(figures[name]["p99_ms"] / quickest, 2)
        finally:
            server.stop()
    print("baseline", figures["baseline"], figures["baseline_again"])
    command = f"python -m benchmarks.redis_faults --rate {given.rate:g} --seconds {given.seconds:g}"
    save("redis_faults", figures, command=command)
    return int(any(one["of_5xx"] for one in figures.values() if isinstance(one, dict)))


if __name__ == "__main__":
    sys.exit(main())
