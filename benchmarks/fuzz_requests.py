"""Sends requests that are almost right to the whole service and looks for anything but a clean answer.

    python -m benchmarks.fuzz_requests [--requests 20000] [--seed 7]

Every route, on SQLite, in this process. An answer is clean if it is no 5xx; if every refusal is problem+json with a
request id and holds nothing that was sent; if it came within two seconds, and one more for each MiB that was sent; and
if bank and database agree afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import orjson
import structlog

from benchmarks import _results
from benchmarks.fuzz_mutations import GOOD, Good, Sent, make
from memsvc.auth.keys import create_tenant_with_admin_key
from memsvc.compat.mem0.place import PREFIX
from memsvc.core.settings import Settings
from memsvc.http.routes import plain_routes
from memsvc.main import create_app
from memsvc.wiring import Container

LIMIT_S, LIMIT_S_PER_MIB = 2.0, 1.0
_DOCS = {"/docs", "/docs/oauth2-redirect", "/console", "/console/", "/console/{digest}/{name:path}"}
_NOT_REST = {"/mcp"}  # another protocol, see tests/api/test_mcp_http.py
_PARTS = {
    "{kind}/{entity_id:path}": "user/user:{id}", "{kind}/{name:path}": "run/{id}", "{rest:path}": "v1/feedback/",
}  # fmt: skip
_PROBLEM_KEYS = {"type", "title", "status", "code", "detail", "request_id", "errors"}
_MOST_IDS = 400
_WEIGHTS = [good.weight for good in GOOD]


@dataclass
class Got:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float


@dataclass
class Report:
    """What happened."""

    requests: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    routes: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    faults: list[dict[str, Any]] = field(default_factory=list)
    bank_equal: bool = False

    def figures(self) -> dict[str, Any]:
        """The report as numbers."""
        ordered = sorted(self.seconds)
        return {
            "requests": self.requests,
            "routes": dict(sorted(self.routes.items())),
            "mutations": dict(sorted(self.kinds.items())),
            "statuses": dict(sorted(self.statuses.items())),
            "answers_5xx": sum(n for status, n in self.statuses.items() if status[0] == "5" and status != "503"),
            "answers_503": self.statuses["503"],
            "faults": len(self.faults),
            "first_faults": self.faults[:20],
            "bank_equals_database": self.bank_equal,
            "p50_ms": round(statistics.median(ordered) * 1e3, 3),
            "p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1e3, 3),
            "max_ms": round(ordered[-1] * 1e3, 3),
        }


class Fuzzer:
    """Sends requests and keeps in mind what they made."""

    def __init__(self, container: Container, seed: int) -> None:
        self.container = container
        self.app = create_app(container, is_started=True)
        self.rng = random.Random(seed)
        self.report = Report()
        self._ids: dict[str, list[str]] = {"memory": [], "key": [], "run": []}
        self._cursors = [""]
        made = create_tenant_with_admin_key(container.database, container.secrets, container.clock, "fuzz")
        self._secret = made[1]
        self._check_routes()

    def _check_routes(self) -> None:
        served = {
            (method, _as_good(route.path))
            for route in plain_routes(self.app.routes)
            for method in route.methods or ()
            if method != "HEAD" and route.path not in _DOCS | _NOT_REST
        }
        if served != {(good.method, good.template) for good in GOOD}:
            raise RuntimeError("the requests to start from do not cover exactly the routes that there are")

    async def run(self, count: int, say: Callable[[str], None] = lambda text: None) -> Report:
        """Send `count` requests, then compare bank and database."""
        for index in range(count):
            await self._one(index)
            if (index + 1) % 2000 == 0:
                say(f"{index + 1} requests, {len(self.report.faults)} faults")
        self.report.bank_equal = all(verdict.equal for verdict in self.container.keeper.verify())
        return self.report

    async def _one(self, index: int) -> None:
        rng = self.rng
        good = GOOD[index] if index < len(GOOD) else rng.choices(GOOD, _WEIGHTS)[0]  # each at least once
        text = f"zq~{index:06}~\u017cx"
        sent = make(
            rng,
            good,
            text=text,
            identifier=self._identifier(good),
            cursor=rng.choice(self._cursors),
            secret=self._secret,
        )
        got = await self._exchange(sent)
        if _is_slow(sent, got):  # once more: on a busy machine anything may be slow once
            got = await self._exchange(sent)
        report = self.report
        report.requests += 1
        report.statuses[str(got.status)] += 1
        report.routes[f"{good.method} {good.template}"] += 1
        report.kinds.update(sent.notes or ["none"])
        report.seconds.append(got.seconds)
        fault = _fault(sent, got, text)
        if fault:
            shown = {"fault": fault, "index": index, "status": got.status, "mutations": sent.notes}
            report.faults.append(
                shown | {"request": f"{sent.method} {sent.path[:80]!r}", "body": repr(sent.body[:300])}
            )
        else:
            self._learn(good, got)

    def _identifier(self, good: Good) -> str:
        known = self._ids[_named(good)]
        if known and self.rng.random() < 0.85:
            return self.rng.choice(known)
        return str(UUID(int=self.rng.getrandbits(128), version=4))

    def _learn(self, good: Good, got: Got) -> None:
        """Ids and cursors of an answer, for requests to come."""
        if got.status not in (200, 201, 202) or not got.body.startswith(b"{") or good.template == "/openapi.json":
            return
        answer = orjson.loads(got.body)
        made = (
            [answer.get("memory") or {}]
            if good.template == "/v1/memories"
            else answer.get("items") or answer.get("results", [])
        )
        if good.method == "POST" and good.template == "/v1/job-runs":
            self._ids["run"].append(answer["id"])
        elif good.method == "POST" and isinstance(made, list) and _named(good) == "memory":
            self._ids["memory"] += [item["id"] for item in made if item.get("id")]
        if "secret" in answer:
            self._ids["key"].append(answer["id"])
        if answer.get("next_cursor"):
            self._cursors = [*self._cursors[-20:], answer["next_cursor"]]
        for ids in self._ids.values():
            del ids[:-_MOST_IDS]

    async def _exchange(self, sent: Sent) -> Got:
        """One request through the application, as the server would hand it over."""
        messages: list[dict[str, Any]] = []
        cut = self.rng.randrange(len(sent.body) + 1)
        chunks = [{"body": sent.body[:cut], "more_body": True}, {"body": sent.body[cut:], "more_body": False}]
        waiting = iter({"type": "http.request", **chunk} for chunk in chunks)

        async def receive() -> dict[str, Any]:
            return next(waiting, {"type": "http.disconnect"})

        async def send(message: Any) -> None:
            messages.append(message)

        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
            "method": sent.method, "scheme": "http", "path": unquote(sent.path.decode("ascii", "replace")),
            "raw_path": sent.path, "query_string": sent.query, "root_path": "", "headers": sent.headers,
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
        }  # fmt: skip
        begun = time.perf_counter()
        await self.app(scope, receive, send)
        seconds = time.perf_counter() - begun
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in messages[0]["headers"]}
        body = b"".join(message.get("body", b"") for message in messages[1:])
        return Got(messages[0]["status"], headers, body, seconds)


def _as_good(template: str) -> str:
    """The template of a route, as the requests to start from have it."""
    for route, good in _PARTS.items():
        template = template.replace(route, good)
    return re.sub(r"{\w+_id}", "{id}", template)


def _named(good: Good) -> str:
    """What the id of a route names."""
    return "key" if "/keys" in good.template else "run" if "/job-runs" in good.template else "memory"


def _is_slow(sent: Sent, got: Got) -> bool:
    return got.seconds > LIMIT_S + LIMIT_S_PER_MIB * len(sent.body) / 2**20


def _fault(sent: Sent, got: Got, text: str) -> str:
    """What is wrong with an answer, or nothing."""
    if got.status >= 500:
        return f"answered {got.status}"
    if _is_slow(sent, got):
        return "took longer than it may"
    if not got.headers.get("x-request-id"):
        return "no request id"
    if got.status < 400:
        return ""
    shown = got.body.decode("utf-8", "replace") + str(got.headers)
    if text in shown or text.encode("ascii", "backslashreplace").decode() in shown or text.split("\u017c")[0] in shown:
        return "echoes what was sent"
    if sent.method == "HEAD":
        return ""
    is_mem0 = unquote(sent.path.decode("ascii", "replace")).startswith(f"{PREFIX}/")
    if got.headers.get("content-type") != ("application/json" if is_mem0 else "application/problem+json"):
        return "refusal is not of its type"
    problem = orjson.loads(got.body)
    if set(problem) != _PROBLEM_KEYS or problem["status"] != got.status:
        return "refusal has the wrong form"
    return ""


def fuzz(
    folder: Path, count: int, seed: int, say: Callable[[str], None] = lambda text: None, **settings: Any
) -> Report:
    """Fuzz a new service in `folder`, with other settings than usual if need be."""
    given = {"data_dir": folder, "embedder": "hashing:64", "auth": "keys", "mem0_namespace": "fuzz", **settings}
    container = Container(Settings(**given))
    try:
        container.start()
        fuzzer = Fuzzer(container, seed)
        try:
            return asyncio.run(fuzzer.run(count, say))
        finally:
            fuzzer.app.state.pool.close()
    finally:
        container.close()


def main() -> int:
    """Fuzz, save the figures, and fail if anything was not clean."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    structlog.configure(processors=[], logger_factory=structlog.ReturnLoggerFactory())
    with tempfile.TemporaryDirectory() as folder:
        report = fuzz(Path(folder), asked.requests, asked.seed, print)
    command = f"python -m benchmarks.fuzz_requests --requests {asked.requests} --seed {asked.seed}"
    figures = report.figures()
    print(_results.save("fuzz_requests", figures, command=command, seed=asked.seed))
    for fault in report.faults[:20]:
        print(fault)
    return 1 if report.faults or not report.bank_equal else 0


if __name__ == "__main__":
    sys.exit(main())
