"""Requests that are almost right: good ones for every route, and what can be done to them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

# Text that JSON's own writer would never produce; put in place of a marker after writing.
_MARKER = "@raw@"
_RAW = (
    "1e400", "-1e400", "NaN", "Infinity", "-Infinity", "9" * 5000, "-0.0", "1e-400", "0x10", "01", "+1", "1.", "'a'",
    "undefined", '"\\ud83d"', '"\\u0000"', '"\\x"', "[" * 200 + "]" * 200, '{"a":' * 200 + "1" + "}" * 200, "",
    '{"a":1,"a":2}', '"\t"', "/**/1", "1 2", "tru",
)  # fmt: skip
_NASTY: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 0.5, -0.0, 5e-324, 1.8e308,
    "", " ", "a", "é", "\u0000", "\ud83d", "\udc00x", "\u202e", "\ufeff", "\U0001f600", "e\u0301", "%s%n", "{{7*7}}",
    "../../etc/passwd", "' OR 1=1 --", "a')) or 1=1--", "$.x[*]", "<script>", "\r\nSet-Cookie: x=1", "nan", "null",
    "1e400", "2026-02-30T00:00:00Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-01-01T00:00:00Z",
    "00000000-0000-0000-0000-000000000000", "msk_" + "A" * 43, "a/b/c", "**", "..", [], {}, [[]], [None], [1, "a"],
    {"$where": "1"}, {"": ""}, {"__proto__": 1}, {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}, {"in": []}, {"exists": 1},
)  # fmt: skip
_FILTERS: tuple[Any, ...] = (
    {"metadata.a')) or 1=1--": 1}, {"metadata.$.x[*]": {"ne": "a"}}, {"not": {"tags": {"nin": ["a", 'q"']}}},
    {"or": [{"metadata.k": 1.5}, {"metadata.k": {"contains": "x"}}, {"source.a\\.b": {"gt": "0"}}]},
    {"place": {"contains": "%_\\"}}, {"importance": {"gte": 1e-9}}, {"metadata.\\": 1}, {"state": {"exists": True}},
    {"occurred_at": {"lt": "9999-12-31T23:59:59.999999Z"}}, {"recorded_at": {"exists": False}}, {"and": []},
    {"metadata.a.b.c": {"in": [1, "1", True, 1.5, -0.0]}}, {"external_id": {"nin": []}}, {"metadata.\ud83d": 1},
    {"expires_at": {"exists": False}}, {"trust": {"lt": 2**53}}, {"metadata.\u0001": {"exists": True}},
)  # fmt: skip
# The largest are the fewest: one of megabytes takes as long as many others, and tells no more each time.
_LENGTHS = (*(1000,) * 6, *(20_000,) * 3, 300_000)
_TIMES = (*(2,) * 6, *(101,) * 4, *(1001,) * 2, 5000)
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CANARY")
_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-type", b"text/plain"), (b"content-type", b"application/json; charset=utf-16"),
    (b"content-type", b"\xff\xfe"), (b"content-encoding", b"gzip"), (b"content-length", b"-1"),
    (b"content-length", b"99999999999999999999"), (b"content-length", "٣".encode()), (b"if-match", b'"1"'),
    (b"if-match", b"*"), (b"if-match", b'W/"1"'), (b"if-match", b'"\xff"'), (b"if-match", b'"' + b"9" * 400 + b'"'),
    (b"idempotency-key", b"k"), (b"idempotency-key", b"\xff"), (b"idempotency-key", b""),
    (b"idempotency-key", b"k" * 129),
    (b"authorization", b"Bearer "), (b"authorization", b"Bearer \xff\xfe"), (b"authorization", b"Basic eDp5"),
    (b"accept", b"text/html"), (b"range", b"bytes=0-1,0-1,-5"), (b"host", b"evil.example"), (b"host", b"\xff"),
    (b"x-forwarded-for", b"127.0.0.1"), (b"x-tenant-id", b"other"), (b"x-http-method-override", b"DELETE"),
    (b"x-request-id", b"\xff" * 10), (b"x-request-id", b"a" * 65), (b"transfer-encoding", b"chunked"),
    (b"expect", b"100-continue"), (b"upgrade", b"h2c"), (b"cookie", b"a=b; " * 50), (b"x-long", b"z" * 20_000),
    (b"origin", b"null"), (b"accept-encoding", b"\x00"), (b"prefer", b"respond-async"),
)  # fmt: skip


@dataclass
class Sent:
    """One request on its way to the application."""

    method: str
    template: str
    path: bytes
    query: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Good:
    """A route with a request that it accepts, given something to talk about."""

    method: str
    template: str
    body: Callable[[random.Random, str, str], dict[str, Any]] | None = None
    query: Callable[[random.Random, str, str], dict[str, str]] | None = None
    is_large: bool = False

    @property
    def weight(self) -> float:
        """How often it is taken: where there is more to change, there is more to try, unless what it does is much."""
        return 0.5 if self.is_large else 6 if self.body else 3 if self.query else 1


def _memory(rng: random.Random, text: str, memory_id: str) -> dict[str, Any]:
    return {
        "content": f"note {rng.randrange(50)} {text}", "kind": "procedural", "external_id": f"e{rng.randrange(300)}",
        "user_id": "ada", "speaker": text, "place": "hall", "tags": ["a", text], "outcome": "success", "language": "en",
        "occurred_at": "2026-01-31T09:00:00Z", "valid_from": "2026-01-01T00:00:00Z",
        "valid_to": "2027-01-01T00:00:00+05:30", "ttl_s": 3600, "importance": 0.5, "pinned": False,
        "source": {"from": text}, "metadata": {"k": rng.randrange(9), "n": {"x": [1, text, None]}},
        "links": [{"relation": "follows", "memory_id": memory_id}],
    }  # fmt: skip


def _some(rng: random.Random, whole: dict[str, Any], *always: str) -> dict[str, Any]:
    """The named fields and some of the others."""
    return {name: value for name, value in whole.items() if name in always or rng.random() < 0.4}


def _filter(rng: random.Random) -> Any:
    return deepcopy(rng.choice(_FILTERS)) if rng.random() < 0.6 else None


def _recall(rng: random.Random, text: str, memory_id: str) -> dict[str, Any]:
    whole = {
        "namespace": "fuzz", "query": f"note {text}", "top_k": rng.randrange(1, 50),
        "kinds": ["semantic", "procedural"],
        "filter": _filter(rng), "as_of": "2026-11-01T00:00:00Z", "valid_at": "2026-06-01T00:00:00Z",
        "asked_at": "2030-01-01T00:00:00Z", "token_budget": 500, "profile": "fast", "explain": True, "min_seq": 0,
        "deadline_ms": 1000, "descend": True,
    }  # fmt: skip
    return _some(rng, whole, "namespace", "query")


def _list(rng: random.Random, text: str, cursor: str) -> dict[str, str]:
    whole = {
        "namespace": "fuzz", "filter": json.dumps(_filter(rng)), "order": "oldest", "limit": str(rng.randrange(1, 20)),
        "cursor": cursor,
    }  # fmt: skip
    return _some(rng, whole, "namespace")


def _whose(rng: random.Random, text: str) -> dict[str, Any]:
    """A filter of mem0."""
    whole = {
        "user_id": rng.choice(("ada", "*", text)), "run_id": {"in": ["r", text]}, "categories": {"contains": "a"},
        "created_at": {"gte": "2026-01-01", "lt": "2027-01-01T00:00:00Z"}, "metadata": {"k": 1, "n": text},
        "AND": [{"agent_id": "ada"}, {"OR": [{"app_id": "shop"}, {"NOT": [{"user_id": text}]}]}],
    }  # fmt: skip
    return _some(rng, whole, "user_id")


def _said(rng: random.Random, text: str, _: str) -> dict[str, Any]:
    messages = [
        {"role": "user", "content": f"note {rng.randrange(50)} {text}", "name": text},
        {"role": "assistant", "content": [{"type": "text", "text": f"noted {text}"}]},
        {"role": "tool", "content": "5", "tool_call_id": "t"},
    ]
    whole = {
        "messages": messages, "user_id": "ada", "run_id": "r", "app_id": "shop", "metadata": {"k": 1, "n": text},
        "infer": False, "timestamp": 1_770_000_000, "expiration_date": "2090-01-01", "filters": {"agent_id": "bot"},
        "output_format": "v1.1", "org_id": text, "includes": text,
    }  # fmt: skip
    return _some(rng, whole, "messages", "user_id")


def _asked(rng: random.Random, text: str, _: str) -> dict[str, Any]:
    whole = {
        "query": f"note {text}", "filters": _whose(rng, text), "top_k": rng.randrange(1, 50), "metadata": {"k": 1},
        "threshold": 0.1, "fields": ["memory"], "categories": ["a"], "reference_date": "2026-01-31",
    }  # fmt: skip
    return _some(rng, whole, "query", "filters")


def _older(rng: random.Random, text: str, identifier: str) -> dict[str, Any]:
    beside = {"user_id": "ada", "agent_id": text, "limit": 5, "output_format": "v1.1"}
    return _some(rng, _asked(rng, text, identifier), "query") | _some(rng, beside, "user_id")


def _ranged(rng: random.Random, text: str, _: str) -> dict[str, Any]:
    dates = {"start_date": "2026-01-01", "end_date": "2026-12-31T00:00:00Z", "categories": ["a", text]}
    return {"filters": _whose(rng, text)} | _some(rng, dates)


def _scope(rng: random.Random, text: str, _: str) -> dict[str, str]:
    return _some(rng, {"user_id": f"ada {text}", "agent_id": "bot", "run_id": "r", "app_id": text, "org_id": "o"})


def _paged(rng: random.Random, text: str, _: str) -> dict[str, str]:
    return _some(rng, {"page": "1", "page_size": "3", "project_id": text})


# Routes of mem0's clients: method, template, body, query string.
_MEM0: tuple[tuple[Any, ...], ...] = (
    ("GET", "/v1/ping/"),
    ("POST", "/v3/memories/add/", _said),
    ("POST", "/v1/memories/", _said),
    ("POST", "/v3/memories/search/", _asked),
    ("POST", "/v2/memories/search/", _older),
    ("POST", "/v1/memories/search/", _older),
    ("POST", "/v3/memories/", _ranged, _paged),
    ("POST", "/v2/memories/", _ranged, _paged),
    ("GET", "/v1/memories/", None, lambda r, t, c: {"limit": "5"} | _scope(r, t, c) | _paged(r, t, c)),
    ("GET", "/v1/memories/{id}/"),
    ("GET", "/v1/memories/{id}/history/"),
    ("PUT", "/v1/memories/{id}/", lambda r, t, i: _some(
        r, {"text": f"note {t}", "metadata": {"k": t}, "timestamp": 1.5, "expiration_date": "2090-01-01"}, "text")),
    ("DELETE", "/v1/memories/{id}/", None, lambda r, t, c: _some(r, {"delete_linked": "false", "org_id": t})),
    ("DELETE", "/v1/memories/", None, _scope),
    ("PUT", "/v1/batch/", lambda r, t, i: {"memories": [{"memory_id": i, "text": t, "metadata": {"k": 1}}]}),
    ("DELETE", "/v1/batch/", lambda r, t, i: {"memories": [{"memory_id": i}]}),
    ("GET", "/v1/entities/", None, _paged),
    ("DELETE", "/v1/entities/user/user:{id}/"),
    ("DELETE", "/v2/entities/run/{id}/"),
    *((method, "/v1/feedback/", lambda r, t, i: {"memory_id": i, "feedback": t}) for method in (
        "GET", "POST", "PUT", "PATCH", "DELETE")),
)  # fmt: skip

GOOD = (
    Good("POST", "/v1/memories", lambda r, t, i: _some(
        r, {"namespace": "fuzz", **_memory(r, t, i)}, "namespace", "content")),
    Good("POST", "/v1/memories:batch", lambda r, t, i: {
        "namespace": "fuzz", "memories": [_some(r, _memory(r, t, i), "content") for _ in range(3)]}),
    Good("POST", "/v1/conversations", lambda r, t, i: {
        "namespace": "fuzz", "session_id": f"s{r.randrange(5)}", "user_id": "ada",
        "turns": [{"content": f"say {t}", "speaker": "Ada", "occurred_at": "2026-01-31T09:00:00Z"} for _ in range(3)]}),
    Good("GET", "/v1/memories", query=_list),
    Good("GET", "/v1/memories/{id}"),
    Good("PATCH", "/v1/memories/{id}", lambda r, t, i: {
        k: v for k, v in _some(r, _memory(r, t, i)).items() if k not in {"links", "external_id"}}),
    Good("POST", "/v1/memories/{id}:forget"),
    Good("POST", "/v1/memories/{id}:restore"),
    Good("POST", "/v1/memories/{id}:unmerge"),
    Good("POST", "/v1/memories/{id}:quarantine", lambda r, t, i: {"reason": t[:40]}),
    Good("POST", "/v1/memories/{id}:unquarantine", lambda r, t, i: {"reason": t[:40]}),
    Good("DELETE", "/v1/memories/{id}"),
    Good("GET", "/v1/changes", query=lambda r, t, c: _some(r, {
        "namespace": "fuzz", "after": "3", "since": "2026-01-31T09:00:00Z", "until": "2046-01-31T09:00:00Z",
        "limit": "3", "cursor": c,
    }, "namespace")),
    Good("GET", "/v1/changes/stream", query=lambda r, t, c: _some(r, {
        "namespace": "fuzz", "for_s": "0", "after": "3", "since": "2026-01-31T09:00:00Z",
    }, "namespace", "for_s")),
    Good("GET", "/v1/memories:due", query=lambda r, t, c: _some(r, {
        "namespace": "fuzz", "horizon_s": "86400", "limit": "3", "cursor": c,
    }, "namespace")),
    Good("GET", "/v1/memories:due/stream", query=lambda r, t, c: _some(r, {
        "namespace": "fuzz", "horizon_s": "86400", "for_s": "0", "after": c,
    }, "namespace", "for_s")),
    Good("POST", "/v1/memories/{id}:rehearsed", lambda r, t, i: {"outcome": r.choice(("remembered", "failed"))}),
    Good("POST", "/v1/memories/{id}:hold", lambda r, t, i: {"reason": t}),
    Good("POST", "/v1/memories/{id}:release", lambda r, t, i: {"reason": t}),
    Good("GET", "/v1/memories/{id}/holds"),
    Good("GET", "/v1/memories/{id}/history"),
    Good("GET", "/v1/memories/{id}/links"),
    Good("POST", "/v1/revocations", lambda r, t, i: _some(r, {
        "namespace": "fuzz", "writer": t, "origin": "key:fuzz", "session_id": "s9", "since": "2026-01-31T09:00:00Z",
        "dry_run": True,
    }, "namespace", "writer")),
    Good("POST", "/v1/revocations/{id}:undo"),
    Good("POST", "/v1/recall", _recall),
    Good("POST", "/v1/context", lambda r, t, i: _some(r, {
        "namespace": "fuzz", "query": f"note {t}", "token_budget": r.randrange(1, 500), "order": "time",
        "tokenizer": "bytes", "previous": [i], "profile": "fast", "min_confidence": 0.1,
    }, "namespace", "query")),
    Good("POST", "/v1/recall/{id}/feedback", lambda r, t, i: {"memories": [{"id": i, "verdict": "useful"}]}),
    Good("GET", "/v1/fusion", query=lambda r, t, c: {"namespace": "fuzz"}),
    Good("POST", "/v1/fusion:reset", lambda r, t, i: {"namespace": "fuzz"}),
    Good("GET", "/v1/entities", query=lambda r, t, c: _some(r, {
        "namespace": "fuzz", "limit": "3", "cursor": c,
    }, "namespace")),
    Good("GET", "/v1/entities/{id}", query=lambda r, t, c: {"namespace": "fuzz"}),
    Good("GET", "/v1/entities/{id}/graph", query=lambda r, t, c: _some(r, {
        "namespace": "fuzz", "limit": "3",
    }, "namespace")),
    Good("POST", "/v1/entities:merge", lambda r, t, i: {"namespace": "fuzz", "entity_ids": [t, i]}),
    Good("POST", "/v1/entities:split", lambda r, t, i: {"namespace": "fuzz", "entity_id": t}),
    Good("GET", "/v1/policy", query=lambda r, t, c: {"namespace": "fuzz"}),
    Good("PUT", "/v1/policy", lambda r, t, i: _some(r, {
        "namespace": "fuzz",
        "policy": {
            "below": {"archived": 0.1}, "factors": {"episodic": 2.0}, "prior": 0.5, "later_first": 1.5,
            "merge": {"floor": 0.9},
            "gists": {"levels": ["session", "fact"], "least": 2, "ratio": 4, "words": 30, "support": 2},
            "quota_memories": 9,
        },
        "schedules": {"fade": "every 3600s", "conflict": None},
    }, "namespace")),
    Good("GET", "/v1/embedding", query=lambda r, t, c: {"namespace": "fuzz"}),
    Good("POST", "/v1/embedding", lambda r, t, i: _some(r, {
        "namespace": "fuzz", "action": r.choice(("start", "switch", "back", "drop")), "model": "hashing-64",
        "switch_when_complete": True,
    }, "namespace", "action")),
    Good("POST", "/v1/job-runs", lambda r, t, i: _some(r, {
        "namespace": "fuzz", "kind": r.choice(("fade", "conflict", "merge", "evict", "expire")), "dry_run": True,
    }, "namespace", "kind")),
    Good("POST", "/v1/job-runs", lambda r, t, i: {
        "namespace": "fuzz", "kind": "rewind", "as_of": "2026-01-01T00:00:00Z", "dry_run": True,
    }),
    Good("GET", "/v1/job-runs", query=lambda r, t, c: _some(
        r, {"namespace": "fuzz", "limit": "3", "cursor": c}, "namespace")),
    Good("GET", "/v1/job-runs/{id}"),
    Good("GET", "/v1/job-runs/{id}/effects", query=lambda r, t, c: _some(r, {"limit": "3", "cursor": c})),
    Good("POST", "/v1/job-runs/{id}:undo"),
    Good("POST", "/v1/job-runs/{id}:cancel"),
    Good("POST", "/v1/erasures", lambda r, t, i: {"namespace": "fuzz", "dry_run": r.random() < 0.9} | r.choice((
        {"memory_ids": [i]}, {"user_id": t}, {"writer": t}, {"filter": _filter(r) or {"tags": t}},
        {"entity_id": f"{r.getrandbits(64):016x}"}, {"receipt": {"erasure_id": i, "signature": t}},
    ))),
    Good("GET", "/v1/erasures", query=lambda r, t, c: _some(r, {"limit": "3", "cursor": c})),
    Good("GET", "/v1/erasures/{id}"),
    Good("POST", "/v1/erasures:verify", lambda r, t, i: {"receipt": {"erasure_id": i, "counts": {}, "signature": t}}),
    Good("POST", "/v1/exports", lambda r, t, i: {"namespace": "fuzz"}, is_large=True),
    Good("POST", "/v1/imports", lambda r, t, i: {}, query=lambda r, t, c: {"namespace": "fuzz"}),
    Good("GET", "/v1/namespaces", query=lambda r, t, c: _some(r, {"prefix": "f", "limit": "3", "cursor": c})),
    Good("GET", "/v1/stats", query=lambda r, t, c: {"namespace": "fuzz"}),
    Good("POST", "/v1/keys", lambda r, t, i: _some(
        r, {"name": t, "roles": ["read"], "namespaces": ["a/**"], "expires_at": "2090-01-01T00:00:00Z"}, "name")),
    Good("GET", "/v1/keys", query=lambda r, t, c: _some(r, {"limit": "3", "cursor": c})),
    Good("DELETE", "/v1/keys/{id}"),
    Good("POST", "/v1/keys/{id}:rotate", lambda r, t, i: _some(r, {"overlap_s": 60, "expires_at": None})),
    Good("GET", "/v1/audit", query=lambda r, t, c: _some(
        r, {"kind": "key", "since": "2020-01-01T00:00:00Z", "until": "2030-01-01T00:00:00Z", "limit": "3",
            "cursor": c})),
    Good("GET", "/v1/audit/anchor"),
    Good("POST", "/v1/audit:verify", lambda r, t, i: {
        "anchor": {"seq": 1, "digest": "0" * 64, "signature": "1" * 64}}),
    Good("PUT", "/v1/keys/{id}/limits", lambda r, t, i: _some(
        r, {"requests_per_s": 1000.0, "requests_burst": 5000, "tokens_per_day": None})),
    Good("GET", "/v1/limits", query=lambda r, t, c: _some(r, {"namespace": "fuzz"})),
    *(Good(method, f"/compat/mem0{template}", *made) for method, template, *made in _MEM0),
    Good("GET", "/v1/version"),
    Good("GET", "/metrics", is_large=True),
    Good("GET", "/livez"),
    Good("GET", "/readyz"),
    Good("GET", "/openapi.json", is_large=True),
)  # fmt: skip


def make(rng: random.Random, good: Good, *, text: str, identifier: str, cursor: str, secret: str) -> Sent:
    """One request for a route, changed once to three times."""
    document = good.body(rng, text, identifier) if good.body else None
    pairs = list(good.query(rng, text, cursor).items()) if good.query else []
    sent = Sent(good.method, good.template, good.template.replace("{id}", identifier).encode())
    sent.headers = [(b"host", b"fuzz"), (b"authorization", f"Bearer {secret}".encode())]
    rounds = rng.choice((1, 1, 2, 2, 3))
    raw = None
    for _ in range(rounds):
        if document is not None and rng.random() < 0.75:
            raw = _mutate_document(rng, document, text, sent.notes) or raw
        elif good.query and rng.random() < 0.75:
            _mutate_query(rng, pairs, text, sent.notes)
    sent.query = _query(rng, pairs)
    if document is not None:
        sent.headers.append((b"content-type", b"application/json"))
        sent.body = _write(rng, document, raw)
    if rounds:
        _mutate_sent(rng, sent, rng.random() * (1.0 if sent.notes else 0.48))
    return sent


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) inside a JSON value."""
    found: list[tuple[Any, Any]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found.append((value, key))
        found += _places(inner)
    return found


def _mutate_document(rng: random.Random, document: dict[str, Any], text: str, notes: list[str]) -> str | None:
    """Change one thing; returns the raw text that a marker now stands for, if any."""
    if not document:
        document["namespace"] = "fuzz"
    is_many = "json many" in notes  # what stands in thousands of places already grows no further
    container, key = rng.choice(_places(document))
    what = rng.choice(("nasty", "nasty", "raw", "delete", "unknown", "huge", "swap", "many", "rename", "canary"))
    notes.append(f"json {what}")
    match what:
        case "nasty":
            container[key] = deepcopy(rng.choice(_NASTY))
        case "raw":
            container[key] = _MARKER
            return rng.choice(_RAW)
        case "delete":
            del container[key]
        case "unknown":
            document[rng.choice(("tenant_id", "trust", "id", "__class__", f"x {text}", "", "model"))] = text
        case "huge":
            times = 100 if is_many else rng.choice(_LENGTHS)
            container[key] = rng.choice(("x", "é", "\u0301", "a ")) * times
        case "swap":
            container[key], other = deepcopy(rng.choice(_NASTY)), container[key]
            document[str(rng.choice(list(document) or ["a"]))] = other
        case "many" if not is_many and len(repr(container[key])) < 1000:
            container[key] = [container[key]] * rng.choice(_TIMES)
        case "rename" if isinstance(container, dict):
            container[f"{key}~{text}"] = container.pop(key)
        case _:
            container[key] = f"{text} {rng.choice(_NASTY)!r}"
    return None


def _write(rng: random.Random, document: dict[str, Any], raw: str | None) -> bytes:
    ascii_only = rng.random() < 0.7
    written = json.dumps(document, ensure_ascii=ascii_only)
    if raw is not None:
        written = written.replace(f'"{_MARKER}"', raw)
    return written.encode("utf-8", "surrogatepass")


def _mutate_query(rng: random.Random, pairs: list[tuple[str, str]], text: str, notes: list[str]) -> None:
    what = rng.choice(("nasty", "repeat", "unknown", "drop", "filter", "canary", "huge"))
    notes.append(f"query {what}")
    index = rng.randrange(len(pairs)) if pairs else 0
    match what:
        case "nasty" if pairs:
            pairs[index] = (pairs[index][0], str(rng.choice(_NASTY)))
        case "repeat" if pairs:
            pairs.append(pairs[index])
        case "drop" if pairs:
            del pairs[index]
        case "filter":
            pairs.append(("filter", rng.choice((*_RAW, json.dumps(rng.choice(_NASTY)), json.dumps({text: 1})))))
        case "huge":
            pairs.append(("cursor", "A" * rng.choice((100, 4097, 9000))))
        case "canary" if pairs:
            pairs[index] = (pairs[index][0], text)
        case _:
            pairs.append((rng.choice(("x", "tenant_id", "api_key", text, "")), text))


def _query(rng: random.Random, pairs: list[tuple[str, str]]) -> bytes:
    written = urlencode(pairs, errors="surrogatepass").encode()
    if pairs and rng.random() < 0.05:
        written += rng.choice((b"&", b"%", b"%ff%fe", b"&&=", b"#a", b"%00", b";a=b", b"&namespace", b"+"))
    return written


def _mutate_sent(rng: random.Random, sent: Sent, chance: float) -> None:
    """Change the request below its meaning, if chance will have it: bytes, headers, method, path."""
    if chance < 0.2 and sent.body:
        sent.body = _mutate_bytes(rng, sent.body)
        sent.notes.append("bytes")
    elif chance < 0.35:
        _mutate_headers(rng, sent)
    elif chance < 0.4:
        sent.method = rng.choice(_METHODS)
        sent.notes.append("method")
    elif chance < 0.48:
        sent.path = _mutate_path(rng, sent.path)
        sent.notes.append("path")


def _mutate_headers(rng: random.Random, sent: Sent) -> None:
    sent.notes.append("headers")
    name, value = rng.choice(_HEADERS)
    replace = rng.random() < 0.5
    sent.headers = [pair for pair in sent.headers if not replace or pair[0] != name]
    sent.headers += [(name, value)] * rng.choice((1, 1, 1, 2, 120))


def _mutate_bytes(rng: random.Random, body: bytes) -> bytes:
    data = bytearray(body)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(5):
            case 0 if at < len(data):
                data[at] = rng.randrange(256)
            case 1:
                data[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 4)))
            case 2:
                del data[at : at + rng.randrange(1, 10)]
            case 3:
                data[at:at] = data[: rng.randrange(30)]
            case _:
                data[at:at] = rng.choice(
                    (b'"', b"{", b"}", b"[", b"]", b",", b"\\u0000", b"\\", b"\x00", b"\xef\xbb\xbf")
                )
    return bytes(data)


def _mutate_path(rng: random.Random, path: bytes) -> bytes:
    match rng.randrange(6):
        case 0:
            return path + rng.choice(
                (b"/", b"//", b".", b"%00", b"%2e%2e", b":forget", b":", b"/x", b"%ff", b";a", b"%")
            )
        case 1:
            return path.replace(b"/v1", rng.choice((b"/v2", b"//v1", b"/V1", b"/v1/../v1", b"/%761", b"")))
        case 2:
            at = rng.randrange(len(path))
            return path[:at] + quote(bytes([rng.randrange(256)])).encode() + path[at + 1 :]
        case 3:
            return path + b"/" + b"a" * rng.choice((10, 4000, 9000))
        case 4:
            return path.upper()
        case _:
            return path[: rng.randrange(1, len(path) + 1)]
