"""A lean client with keep-alive, so that what is timed is the server, and clients side by side."""

from __future__ import annotations

import http.client
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import orjson

Json = dict[str, Any]

TIMEOUT_S = 600.0


class Client:
    """One connection, used by one thread."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT_S)

    def post(self, path: str, body: Json | bytes) -> Json:
        """The answer to a POST.

        Raises:
            RuntimeError: the answer is not a success.
        """
        sent = body if isinstance(body, bytes) else orjson.dumps(body)
        return self._answer("POST", path, sent, {"Content-Type": "application/json"})

    def get(self, path: str) -> Json:
        """The answer to a GET; raises as `post` does."""
        return self._answer("GET", path, None, {})

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> http.client.HTTPResponse:
        self._connection.request(method, path, body=body, headers=headers)
        return self._connection.getresponse()

    def _answer(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Json:
        try:
            response = self._send(method, path, body, headers)
        except http.client.RemoteDisconnected:  # idle for longer than the server keeps a connection; nothing was begun
            self._connection.close()
            response = self._send(method, path, body, headers)
        text = response.read()
        if not 200 <= response.status < 300:
            raise RuntimeError(f"{method} {path} answered {response.status}: {text[:500]!r}")
        answer: Json = orjson.loads(text)
        return answer


class Timed:
    """What a set of calls gave: latencies in milliseconds, answers, and the time from the first to the last."""

    def __init__(self) -> None:
        self.ms: list[float] = []
        self.answers: list[Json] = []
        self.wall_s = 0.0

    def figures(self, rate: str) -> dict[str, float | int]:
        """p50, p95, the largest, and calls per second under the given name."""
        return {
            "n": len(self.ms),
            **spread(self.ms),
            rate: round(len(self.ms) / self.wall_s, 1),
        }


def spread(ms: Sequence[float]) -> dict[str, float]:
    """p50, p95 and the largest of some latencies."""
    ordered = sorted(ms)
    return {
        "p50_ms": round(statistics.median(ordered), 3),
        "p95_ms": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))], 3),
        "max_ms": round(ordered[-1], 3),
    }


def side_by_side(url: str, path: str, bodies: Sequence[Json], clients: int, *, keep: bool = False) -> Timed:
    """Post every body once, each client taking the next one as soon as it has its answer.

    Args:
        clients: connections, each in a thread of its own; encoding of the bodies is not timed.
        keep: also keep the answers, in the order of the bodies.
    """
    encoded = [orjson.dumps(body) for body in bodies]
    times: list[float] = [0.0] * len(encoded)
    answers: list[Json] = [{}] * len(encoded) if keep else []
    places = iter(range(len(encoded)))
    guard, gate = threading.Lock(), threading.Barrier(clients + 1)
    errors: list[BaseException] = []

    def work() -> None:
        client = Client(url)
        try:
            client.get("/livez")  # the connection is made before the clock starts
            gate.wait()
            while True:
                with guard:
                    place = next(places, None)
                if place is None or errors:
                    return
                begun = time.perf_counter()
                answer = client.post(path, encoded[place])
                times[place] = (time.perf_counter() - begun) * 1e3
                if keep:
                    answers[place] = answer
        except Exception as error:  # noqa: BLE001 - the outer edge of a thread; raised again by the caller
            errors.append(error)
            gate.abort()
        finally:
            client.close()

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    result = Timed()
    with suppress(threading.BrokenBarrierError):
        gate.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    result.wall_s = time.perf_counter() - begun
    if errors:
        raise errors[0]
    result.ms, result.answers = times, answers
    return result


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call returns, and how many seconds it took."""
    begun = time.perf_counter()
    value = call()
    return value, time.perf_counter() - begun
