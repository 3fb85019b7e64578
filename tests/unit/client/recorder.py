"""A real HTTP server on loopback that answers as a test says and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

ID = "0198c5a0-0000-7000-8000-000000000001"
RECALL_ID = "0198c5a0-0000-7000-8000-0000000000bb"
RUN_ID = "0198c5a0-0000-7000-8000-0000000000cc"
ERASURE_ID = "0198c5a0-0000-7000-8000-0000000000dd"
ENTITY_ID = "00000000000000ad"
KEY_ID = "0198c5a0-0000-7000-8000-0000000000aa"
DIGEST = "090f4cbc09c21a8f9f13aaa3580aec701388a9ff583a2dbad5e790abb7670eaa"
AUDIT_ENTRY = {
    "seq": 1,
    "at": "2026-01-31T09:00:00.250000Z",
    "kind": "key.create",
    "actor": "Ä admin",
    "key_id": None,
    "subject": KEY_ID,
    "facts": {"roles": ["read"], "b": 1.5, "a": None},
    "digest": DIGEST,
}
ANCHOR = {"seq": 1, "digest": DIGEST, "signature": "1" * 64}


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; header names are lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw) if self.raw and "json" in self.headers.get("content-type", "") else None


@dataclass(frozen=True)
class Answer:
    """What to answer. `drop` closes the connection without a word; `delay_s` waits first."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    delay_s: float = 0.0

    def encoded(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def problem(status: int, code: str, detail: str = "no", **more: Any) -> dict[str, Any]:
    return {
        "type": f"urn:memsvc:problem:{code}",
        "title": code,
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": "req-1",
        "errors": [],
    } | more


def memory(memory_id: str = ID, **fields: Any) -> dict[str, Any]:
    return {
        "id": memory_id,
        "namespace": "user/ada",
        "content": "Ada prefers tea.",
        "kind": "semantic",
        "state": "active",
        "version": 1,
        "tags": ["tea"],
        "recorded_at": "2026-02-01T00:00:00Z",
        "metadata": {"city": "Oslo"},
        "a_field_of_tomorrow": 1,
    } | fields


class Recorder:
    """The scripted service. Answers come from `script` first, then from `default`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.seen: list[Seen] = []
        self.script: deque[Answer] = deque()
        self.default: Callable[[Seen], Answer] = lambda _: Answer(599, problem(599, "unscripted"))
        self.stopping = threading.Event()

    def will(self, *answers: Answer) -> None:
        self.script.extend(answers)

    def answer(self, seen: Seen) -> Answer:
        self.seen.append(seen)
        return self.script.popleft() if self.script else self.default(seen)

    @property
    def last(self) -> Seen:
        return self.seen[-1]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    recorder: Recorder

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("content-length") or 0)
        seen = Seen(
            self.command,
            parts.path,
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(length),
        )
        answer = self.recorder.answer(seen)
        if answer.delay_s:
            self.recorder.stopping.wait(answer.delay_s)
        if answer.drop:
            self.close_connection = True
            return
        body = answer.encoded()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - the names that http.server asks for

    def log_message(self, format: str, *args: Any) -> None:
        del format, args


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away is part of these tests."""


@contextmanager
def recording() -> Iterator[Recorder]:
    """A running recorder."""
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    recorder = Recorder(f"http://127.0.0.1:{server.server_address[1]}")
    handler.recorder = recorder  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        recorder.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


def plausible(seen: Seen) -> Answer:
    """What a service with one memory would answer to any good request."""
    route = (
        seen.method,
        seen.path.replace(ID, "{id}").replace(KEY_ID, "{key}").replace(RECALL_ID, "{recall}").replace(RUN_ID, "{run}"),
    )
    written = {"memory": memory(), "seq": 7}
    items = (seen.body or {}).get("memories") or (seen.body or {}).get("turns") or []
    batch = {
        "items": [{"status": 201, "id": ID, "external_id": i.get("external_id"), "version": 1} for i in items],
        "seq": 9,
    }
    key = {"id": KEY_ID, "name": "ci", "roles": ["read"], "namespaces": ["user/**"], "prefix": "msk_ab"}
    fusion = {"namespace": "user/ada", "adaptive": True, "factors": {}, "rounds": 0, "regret": 0.0, "regret_bound": 0.0}
    care = {
        "namespace": "user/ada",
        "policy": {"below": {"warm": 0.6, "archived": None}, "merge": {"floor": 0.9}},
        "schedules": [],
        "screening": {"credential": "flag"},
        "own": ["policy.below.warm"],
    }
    embedding = {
        "namespace": "user/ada",
        "active": {"model": "old", "dim": 64},
        "beside": {
            "model": "new", "dim": 48, "state": "growing", "texts": 4, "embedded": 3, "switches_when_complete": True,
        },
        "models": ["old", "new"],
        "last_run": {"id": RUN_ID, "state": "running", "asked_at": "2026-02-02T00:00:00Z", "ended_at": None},
    }  # fmt: skip
    run = {"id": RUN_ID, "namespace": "user/ada", "kind": "fade", "state": "succeeded", "counts": {"fade": 2}}
    effect = {"memory_id": ID, "action": "fade", "before": {"level": "active"}, "after": {"level": "warm"}, "why": {}}
    due = {"memory": memory(), "due_at": "2026-02-02T00:00:00Z", "rehearsals": 0, "rehearsed_at": None}
    hold = {"memory_id": ID, "held_at": "2026-02-02T00:00:00Z", "held_by": "ada", "reason": "case 17"}
    erasure = {"id": ERASURE_ID, "state": "erased", "counts": {"memory": 2}, "receipt": {"signature": "s"}}
    change = {
        "seq": 9, "op": "put", "memory_id": ID, "version": 1, "state": "active", "reason": "created", "writer": "ada",
        "recorded_at": "2026-02-01T00:00:00Z",
    }  # fmt: skip
    entity = {
        "id": ENTITY_ID,
        "name": "Ada",
        "memories": 3,
        "aliases": [{"id": ENTITY_ID, "name": "Ada", "memories": 3}],
    }
    other = {"id": "00000000000000b0", "name": "Bo", "memories": 2}
    link = {"one": ENTITY_ID, "other": "00000000000000b0", "memories": 2, "memory_ids": [ID]}
    verdict = {"genuine": True, "holds": True, "back": 0, "without_tombstone": 0}
    asked = Answer(202, {**erasure, "state": "running", "receipt": None})
    preview = Answer(200, {"dry_run": True, "memories": 2, "derived": 1, "memory_ids": [ID], "derived_ids": []})
    answers: dict[tuple[str, str], Answer] = {
        ("POST", "/v1/erasures"): preview if (seen.body or {}).get("dry_run") else asked,
        ("GET", "/v1/erasures"): Answer(200, {"items": [erasure], "next_cursor": None}),
        ("GET", f"/v1/erasures/{ERASURE_ID}"): Answer(200, erasure),
        ("POST", "/v1/erasures:verify"): Answer(200, verdict),
        ("GET", "/v1/policy"): Answer(200, care),
        ("PUT", "/v1/policy"): Answer(200, care),
        ("GET", "/v1/embedding"): Answer(200, embedding),
        ("POST", "/v1/embedding"): Answer(200, embedding),
        ("POST", "/v1/job-runs"): Answer(202, {**run, "state": "queued", "counts": {}}),
        ("GET", "/v1/job-runs"): Answer(200, {"items": [run], "next_cursor": None}),
        ("GET", "/v1/job-runs/{run}"): Answer(200, run),
        ("GET", "/v1/job-runs/{run}/effects"): Answer(200, {"items": [effect], "next_cursor": None}),
        ("POST", "/v1/job-runs/{run}:undo"): Answer(202, {**run, "undoes": RUN_ID}),
        ("POST", "/v1/job-runs/{run}:cancel"): Answer(200, run),
        ("POST", "/v1/memories"): Answer(201, written, {"ETag": '"1"'}),
        ("POST", "/v1/memories:batch"): Answer(200, batch),
        ("POST", "/v1/conversations"): Answer(200, batch),
        ("GET", "/v1/memories"): Answer(200, {"items": [memory()], "next_cursor": None}),
        ("GET", "/v1/memories/{id}"): Answer(200, memory(), {"ETag": '"1"'}),
        ("PATCH", "/v1/memories/{id}"): Answer(200, {"memory": memory(version=2), "seq": 8}),
        ("POST", "/v1/memories/{id}:forget"): Answer(200, {"memory": memory(state="forgotten"), "seq": 8}),
        ("POST", "/v1/memories/{id}:restore"): Answer(200, written),
        ("POST", "/v1/memories/{id}:unmerge"): Answer(200, written),
        ("GET", "/v1/changes"): Answer(200, {"items": [change], "next_cursor": None}),
        ("GET", "/v1/entities"): Answer(200, {"items": [entity, other], "next_cursor": None}),
        ("GET", f"/v1/entities/{ENTITY_ID}"): Answer(200, entity),
        ("GET", f"/v1/entities/{ENTITY_ID}/graph"): Answer(200, {"entities": [entity, other], "links": [link]}),
        ("GET", "/v1/memories:due"): Answer(200, {"items": [due], "next_cursor": None}),
        ("POST", "/v1/memories/{id}:rehearsed"): Answer(200, {**due, "rehearsals": 1}),
        ("POST", "/v1/memories/{id}:hold"): Answer(200, hold),
        ("POST", "/v1/memories/{id}:release"): Answer(200, {**hold, "released_at": "2026-02-03T00:00:00Z"}),
        ("GET", "/v1/memories/{id}/holds"): Answer(200, {"items": [hold]}),
        ("DELETE", "/v1/memories/{id}"): Answer(204),
        ("GET", "/v1/memories/{id}/history"): Answer(
            200, {"items": [{"version": 1, "content": "x", "state": "active", "reason": "written", "writer": "ada"}]}
        ),
        ("GET", "/v1/memories/{id}/links"): Answer(
            200, {"items": [{"relation": "follows", "memory_id": ID, "direction": "out"}]}
        ),
        ("POST", "/v1/recall"): Answer(
            200,
            {
                "id": RECALL_ID,
                "hits": [
                    {
                        "rank": 1,
                        "score": 0.875,
                        "memory": memory(),
                        "channels": {
                            "semantic": {"rank": 2, "score": 0.5},
                            "place": {"rank": None, "score": 0.1},
                            "keyword": {"rank": 1, "score": 9.25},
                        },
                    }
                ],
                "confidence": 0.93,
                "seq": 17,
                "degraded": [],
                "took_ms": 6.1,
            },
        ),
        ("POST", "/v1/context"): Answer(
            200,
            {
                "id": RECALL_ID,
                "context": "What is remembered.\n[k3f9q] (2026-02-01) Ada prefers tea.",
                "citations": [{"label": "k3f9q", "memory_id": ID, "external_id": None, "rank": 1, "score": 0.875}],
                "used_tokens": 15,
                "budget_tokens": 2000,
                "tokenizer": "conservative",
                "left_out": [],
                "objective": {"value": 1.0, "bound": 1.0, "guarantee": 0.6},
                "confidence": 0.93,
                "nothing_relevant": False,
                "seq": 17,
                "degraded": [],
                "took_ms": 6.1,
            },
        ),
        ("POST", "/v1/recall/{recall}/feedback"): Answer(200, {"recorded": len(items)}),
        ("GET", "/v1/fusion"): Answer(200, fusion | {"factors": {"keyword": 1.5}, "rounds": 3}),
        ("POST", "/v1/fusion:reset"): Answer(200, fusion),
        ("GET", "/v1/namespaces"): Answer(
            200,
            {
                "items": [{"namespace": "user/ada", "memories": 3, "head_seq": 9, "embedding_model": "bge"}],
                "next_cursor": None,
            },
        ),
        ("GET", "/v1/stats"): Answer(200, {"namespace": "user/ada", "head_seq": 9, "kinds": {"episodic": 3}}),
        ("POST", "/v1/exports"): Answer(200, b"an export"),
        ("POST", "/v1/imports"): Answer(
            201, {"namespace": "user/ada", "memories": 3, "erased": 1, "ids_kept": True, "reembedded": 0, "seq": 3}
        ),
        ("POST", "/v1/keys"): Answer(201, key | {"secret": "msk_secret"}),
        ("GET", "/v1/keys"): Answer(200, {"items": [key], "next_cursor": None}),
        ("DELETE", "/v1/keys/{key}"): Answer(204),
        ("POST", "/v1/keys/{key}:rotate"): Answer(201, key | {"secret": "msk_next"}),
        ("GET", "/v1/audit"): Answer(200, {"items": [AUDIT_ENTRY], "next_cursor": None}),
        ("GET", "/v1/audit/anchor"): Answer(200, {"anchor": ANCHOR}),
        ("POST", "/v1/audit:verify"): Answer(200, {"holds": True, "entries": 1, "broken_seq": None, "problem": None}),
        ("PUT", "/v1/keys/{key}/limits"): Answer(200, {"key_id": KEY_ID, "limits": {"requests_per_s": 5.0}}),
        ("GET", "/v1/limits"): Answer(200, {"tenant": {}, "key": {}, "used": {"memories": 7, "bytes": 70}}),
        ("GET", "/v1/version"): Answer(200, {"version": "1.2.3", "api": "v1"}),
        ("GET", "/readyz"): Answer(200, {"ready": True, "checks": {"database": True}}),
    }
    return answers.get(route, Answer(404, problem(404, "not_found", "there is nothing with this id")))
