"""Clients of the harness: one that asks once, and a crowd that repeats each write under its key until it is done."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson
from sqlalchemy import text

from benchmarks._audit import faults
from benchmarks.faults.row import Findings
from benchmarks.faults.stage import looking

GONE = (OSError, http.client.HTTPException)
"""What a caller sees of a server that is not there or went away: the request is in doubt."""
_PATIENCE_S = 90.0
_AGAIN_S = 0.05


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and how many seconds after the request."""

    status: int
    body: Any
    headers: dict[str, str]
    seconds: float


class Caller:
    """One connection, used by one thread at a time."""

    def __init__(self, url: str, timeout_s: float = 120.0) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout_s)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request. Underscores in the names of headers stand for hyphens.

        Raises:
            OSError, HTTPException: see `GONE`. The next request connects anew.
        """
        sent = None if body is None else orjson.dumps(body)
        named = {"content-type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
        begun = time.monotonic()
        try:
            self._connection.request(method, path, sent, named)
            response = self._connection.getresponse()
            content = response.read()
        except GONE:
            self._connection.close()
            raise
        told = {name.lower(): value for name, value in response.getheaders()}
        seconds = time.monotonic() - begun
        if told.get("connection") == "close":
            self._connection.close()
        is_json = "json" in told.get("content-type", "")
        return Answer(response.status, orjson.loads(content) if content and is_json else None, told, seconds)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        """One POST; see `ask`."""
        return self.ask("POST", path, body, **headers)

    def add(self, namespace: str, content: str, **headers: str) -> Answer:
        """Have a memory stored."""
        return self.post("/v1/memories", {"namespace": namespace, "content": content}, **headers)

    def recalled(self, namespace: str, query: str, top_k: int = 5) -> list[str]:
        """Contents that are found, best first.

        Raises:
            RuntimeError: it was refused.
        """
        answer = self.post("/v1/recall", {"namespace": namespace, "query": query, "top_k": top_k})
        if answer.status != 200:
            raise RuntimeError(f"a recall answered {answer.status}: {answer.body}")
        return [hit["memory"]["content"] for hit in answer.body["hits"]]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def is_listening(url: str) -> bool:
    """Whether somebody accepts connections there."""
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), timeout=1).close()
    except OSError:
        return False
    return True


@dataclass
class Crowd:
    """Clients that write texts of their own, each repeated under its key until it is acknowledged.

    Attributes:
        urls: told anew before each try, so that a client of a server that is gone goes to another one.
        findings: where unexpected answers are reported.
        clients: how many.
        expected: statuses that are no surprise.
        acknowledged: each text with the id that its first answer named.
        statuses: how often each one came; 0: no answer.
        slowest_s: the longest wait for an answer.
        answered_at: moments (monotonic) of acknowledgements.
    """

    urls: Callable[[], Sequence[str]]
    findings: Findings
    clients: int = 16
    expected: frozenset[int] = frozenset({201, 503})
    namespace: str = "user/crowd"
    acknowledged: dict[str, str] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    slowest_s: float = 0.0
    answered_at: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._live, args=(n,), daemon=True) for n in range(self.clients)]

    def __enter__(self) -> Crowd:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(_PATIENCE_S)
            if thread.is_alive():
                self.findings.broke("a client hangs", thread.name)

    def wait_for(self, more: int, timeout_s: float) -> float | None:
        """Seconds until so many more writes were acknowledged; None if that took too long."""
        begun, wanted = time.monotonic(), len(self.acknowledged) + more
        while time.monotonic() < begun + timeout_s:
            if len(self.acknowledged) >= wanted:
                return time.monotonic() - begun
            time.sleep(0.01)
        return None

    def _live(self, number: int) -> None:
        callers: dict[str, Caller] = {}
        n = 0
        while not self._stop.is_set():
            n += 1
            self._tell(callers, number, n)
        for caller in callers.values():
            caller.close()

    def _tell(self, callers: dict[str, Caller], number: int, n: int) -> None:
        content, until = f"writer {number} said {n}", time.monotonic() + _PATIENCE_S
        tries = 0
        while time.monotonic() < until:
            urls = self.urls()
            url = urls[(number + tries) % len(urls)]
            tries += 1
            try:
                answer = callers.setdefault(url, Caller(url)).add(
                    self.namespace, content, idempotency_key=f"{number}-{n}"
                )
            except GONE:
                self.statuses[0] += 1
                time.sleep(_AGAIN_S)
                continue
            self._judge(answer)
            if answer.status == 201:
                self.acknowledged[content] = answer.body["memory"]["id"]
                self.answered_at.append(time.monotonic())
                return
            time.sleep(_AGAIN_S)
        self.findings.broke("a write was never acknowledged, however often it was repeated", content)

    def _judge(self, answer: Answer) -> None:
        self.statuses[answer.status] += 1
        self.slowest_s = max(self.slowest_s, answer.seconds)
        if answer.status not in self.expected:
            self.findings.broke("an unexpected answer", (answer.status, answer.body))
        elif answer.status == 503 and "retry-after" not in answer.headers:
            self.findings.broke("503 without Retry-After", answer.body)

    def look(self, url: str) -> None:
        """Compare what was acknowledged with what the database holds: once each, under the id that was told."""
        self.findings.tried(len(self.acknowledged))
        compare(url, self.acknowledged, self.findings)
        self.findings.figures.setdefault("acknowledged_writes", 0)
        self.findings.figures["acknowledged_writes"] += len(self.acknowledged)


def compare(url: str, acknowledged: dict[str, str], findings: Findings) -> None:
    """Each text is there once, under its id, nothing is half there; by SQL alone."""
    engine = looking(url)
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT DISTINCT content, memory_id FROM memory_version WHERE content <> ''")
        ).all()
        for kind, times in faults(connection).items():
            findings.broke(kind, times=times)
    engine.dispose()
    stored: dict[str, list[str]] = {}
    for content, memory_id in rows:
        stored.setdefault(content, []).append(str(memory_id).replace("-", ""))
    for content, memory_id in acknowledged.items():
        found = stored.get(content, [])
        if not found:
            findings.broke("an acknowledged write is lost", content)
        elif memory_id.replace("-", "") not in found:
            findings.broke("an acknowledged write has another id", (content, memory_id, found))
    for content, found in stored.items():
        if len(found) > 1:
            findings.broke("one write had two effects", (content, found))


def at_once(calls: Iterable[Callable[[], Any]], within_s: float | None = _PATIENCE_S) -> list[Any]:
    """Results of calls in threads of their own; what one raises is its result, and None that it did not end in time.

    Args:
        within_s: how long each is waited for; None: to its end.
    """
    waiting = list(calls)
    results: list[Any] = [None] * len(waiting)

    def run(place: int) -> None:
        try:
            results[place] = waiting[place]()
        except Exception as error:  # noqa: BLE001 - what went wrong is the result
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,), daemon=True) for place in range(len(waiting))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(within_s)
    return results


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which such a share lies; 0 where there is none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
