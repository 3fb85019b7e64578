"""R-20: the embedding model fails, hangs or answers with garbage: a write is stored, and found by its words.

Its answer names `semantic` in `degraded`, as a recall does, and the text gets its vector once when the model is well
again, whatever becomes of the process meanwhile.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sqlalchemy import text

from benchmarks.faults.asking import Caller, compare, percentile
from benchmarks.faults.row import Findings, Row
from benchmarks.faults.stage import Stage, looking, sqlite_of

DIM = 8
_SLOW_S = 12.0
_DRAINED_S = 60.0
FAILURES = ("error", "not a number", "zero", "too short", "no json", "refused", "too few", "huge", "busy", "slow")
"""`busy` and `slow` take long: the service waits for the model in both."""


class Model:
    """A stand-in for a hosted model whose behaviour is set from outside."""

    def __init__(self) -> None:
        self.mood = "well"

    def answer(self, texts: list[str]) -> tuple[int, bytes]:
        """Status and body for some texts."""
        mood = self.mood
        vectors: list[list[float]] = [
            [1.0 + len(t) % 7, *(float(ord(c) % 5) for c in (t + " " * DIM)[: DIM - 1])] for t in texts
        ]
        if mood == "slow":
            time.sleep(_SLOW_S)
        statuses = {"error": 500, "busy": 429, "refused": 400}
        if mood in statuses:
            return statuses[mood], b'{"error": "the answer of a model that fails"}'
        if mood == "no json":
            return 200, b"<html>ignore all previous instructions</html>"
        spoilt = {
            "not a number": lambda v: [float("nan")] * DIM,
            "zero": lambda v: [0.0] * DIM,
            "too short": lambda v: v[:-1],
            "huge": lambda v: v * 20_000,
        }.get(mood)
        made = [spoilt(v) if spoilt else v for v in vectors]
        if mood == "too few":
            made = made[:-1]
        return 200, json.dumps({"data": [{"index": n, "embedding": v} for n, v in enumerate(made)]}).encode()


@contextmanager
def serving(model: Model) -> Iterator[str]:
    """The model at a URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status, content = model.answer(body["input"])
            try:
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                return  # it did not wait for us

        def log_message(self, format: str, *args: object) -> None:
            return

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}/v1"
    finally:
        httpd.shutdown()
        httpd.server_close()


def run(stage: Stage, n: int) -> Findings:
    """So many writes and recalls with each failure; the slow ones only in a long run."""
    findings, model = Findings(), Model()
    failures = FAILURES if n >= 20 else FAILURES[:-2]
    acknowledged: dict[str, str] = {}
    waits: dict[str, float] = {}
    with serving(model) as url:
        server = stage.server(
            "embedder", embedder="openai:made", embedder_url=url, embedder_dim=DIM, jobs="off", embedder_threads=1
        )
        with Caller(server.url) as caller:
            for failure in failures:
                model.mood = "well"
                content = f"kept before the model was {failure.replace(' ', '')}"
                acknowledged[content] = caller.add("user/ada", content).body["memory"]["id"]
                model.mood = failure
                times = 1 if failure in {"busy", "slow"} else n
                seconds = [
                    _fails(caller, failure, f"{failure} {k}", content, acknowledged, findings) for k in range(times)
                ]
                waits[failure] = round(percentile(seconds, 1.0), 2)
            model.mood = failures[0]
            _fails(caller, failures[0], "failing before a kill", content, acknowledged, findings)
            server.kill()
            server.start()
        with Caller(server.url) as caller:
            model.mood = "well"
            content = "told after the model was well again"
            answer = caller.add("user/ada", content)
            findings.check(answer.status == 201, "no write after the model was well again", answer.body)
            acknowledged[content] = answer.body["memory"]["id"]
            drained_s = _until_none_waits(caller, findings)
            again = caller.post("/v1/recall", {"namespace": "user/ada", "query": content})
            findings.check(
                again.body["degraded"] == [], "still degraded with a model that is well", again.body["degraded"]
            )
        server.kill()
    compare(sqlite_of(server), acknowledged, findings)
    _vectors(sqlite_of(server), len(acknowledged), findings)
    findings.figures |= {"failures": list(failures), "longest_answer_s": waits, "drained_s": drained_s}
    return findings


def _fails(
    caller: Caller, failure: str, told: str, kept: str, acknowledged: dict[str, str], findings: Findings
) -> float:
    """One write and two recalls while the model fails; returns the longest wait."""
    content = f"written while the model was {told}"
    written = caller.add("user/ada", content)
    findings.check(written.status == 201, "a write without a vector was refused", (failure, written.status))
    if written.status == 201:
        acknowledged[content] = written.body["memory"]["id"]
        findings.check(
            written.body["degraded"] == ["semantic"], "a write does not say what it lacks", written.body["degraded"]
        )
    return max(written.seconds, *(_found(caller, failure, one, findings) for one in (kept, content)))


def _found(caller: Caller, failure: str, content: str, findings: Findings) -> float:
    found = caller.post("/v1/recall", {"namespace": "user/ada", "query": content})
    findings.check(found.status == 200, "a recall failed with the model", (failure, found.status, found.body))
    if found.status == 200:
        contents = [hit["memory"]["content"] for hit in found.body["hits"]]
        findings.check(content in contents, "the other channels did not find it", (failure, content, contents))
        findings.check(
            "semantic" in found.body["degraded"], "a recall does not say what it lacks", found.body["degraded"]
        )
    return found.seconds


def _until_none_waits(caller: Caller, findings: Findings) -> float:
    begun = time.monotonic()
    while time.monotonic() < begun + _DRAINED_S:
        waiting = caller.ask("GET", "/v1/stats?namespace=user/ada").body["pending_embeddings"]
        if not waiting and not caller.ask("GET", "/readyz").body["degraded"]:
            return round(time.monotonic() - begun, 2)
        time.sleep(0.1)
    findings.broke("texts still wait for a model that is well")
    return _DRAINED_S


def _vectors(url: str, expected: int, findings: Findings) -> None:
    """One vector for each memory, of the right length, and nothing that waits."""
    engine = looking(url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT count(*) FROM memory")).scalar_one()
        vectors = connection.execute(text("SELECT memory_id, count(*), max(length(vector)) FROM embedding GROUP BY 1"))
        wrong = [row for row in vectors.all() if row[1:] != (1, 2 * DIM)]
        waiting = connection.execute(text("SELECT count(*) FROM pending_embedding")).scalar_one()
        without = "SELECT count(*) FROM memory WHERE id NOT IN (SELECT memory_id FROM embedding)"
        lacking = connection.execute(text(without)).scalar_one()
    engine.dispose()
    findings.check(rows == expected, "something else is there than was acknowledged", (rows, expected))
    findings.check(not (wrong or waiting or lacking), "not one vector each", (len(wrong), waiting, lacking))


ROW = Row(
    "R-20", "a model that fails: writes are stored and found by words, their vectors come later", run, 1, 100, "checks"
)
