"""Bad inputs and the answer that each must get: the right status, a problem, nothing echoed, nothing stored.

A canary is part of every value sent. Numbers are those of the table of bad inputs that the project keeps to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
import structlog

from tests.fixtures.service import DIM, Caller, Service, assert_problem, serving

CANARY = "cánary-7f3a91"
ASCII_CANARY = "nary-7f3a91"
MEMORIES, RECALL, BATCH, KEYS = "/v1/memories", "/v1/recall", "/v1/memories:batch", "/v1/keys"
CONTEXT = "/v1/context"
TALK = "/v1/conversations"


@dataclass
class Bad:
    """One bad request."""

    number: str
    status: int | tuple[int, ...]
    method: str = "POST"
    path: str = MEMORIES
    body: bytes | None = None
    json: Any = None
    params: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    anonymous: bool = False

    def __str__(self) -> str:
        return self.number


def raw(number: str, status: int | tuple[int, ...], body: bytes | str, path: str = MEMORIES, **headers: str) -> Bad:
    """Bytes as a JSON body."""
    data = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
    return Bad(number, status, path=path, body=data, headers={"content-type": "application/json"} | headers)


def memory(number: str, status: int | tuple[int, ...] = 422, **fields: Any) -> Bad:
    """A memory with fields that are wrong."""
    return Bad(number, status, json={"namespace": "n", "content": CANARY, **fields})


def literal(number: str, status: int | tuple[int, ...], text: str) -> Bad:
    """A memory whose body holds a piece of JSON as it is."""
    return raw(number, status, f'{{"namespace": "n", "content": "{CANARY}", {text}}}')


def ask(number: str, status: int | tuple[int, ...] = 422, **fields: Any) -> Bad:
    """A question with fields that are wrong."""
    return Bad(number, status, path=RECALL, json={"namespace": "n", "query": CANARY, **fields})


def pack(number: str, **fields: Any) -> Bad:
    """A wish for a context with fields that are wrong."""
    return Bad(number, 422, path=CONTEXT, json={"namespace": "n", "query": CANARY, **fields})


def look(number: str, status: int | tuple[int, ...] = 422, path: str = MEMORIES, **params: Any) -> Bad:
    """A list with a query string that is wrong."""
    return Bad(number, status, "GET", path, params={"namespace": "n", **params})


def edit(number: str, status: int, **headers: str) -> Bad:
    """An edit of a memory that is there."""
    return Bad(number, status, "PATCH", "/v1/memories/{own}", json={"place": CANARY}, headers=headers)


def nested(depth: int) -> dict[str, Any]:
    """An object in an object in an object."""
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


GOOD = {"namespace": "n", "content": CANARY}
HEADER_CANARY = CANARY.encode().decode("latin-1")

HTTP = [
    Bad("B-01 no key", 401, json=GOOD, anonymous=True),
    *(
        Bad(f"B-01 key {n}", 401, json=GOOD, anonymous=True, headers={"authorization": value})
        for n, value in enumerate(
            ("", "Bearer", "Bearer  ", f"Bearer {ASCII_CANARY}", "Basic eDp5", "Bearer " + "k" * 10_000)
        )
    ),
    Bad("B-02 unknown key", 401, json=GOOD, anonymous=True, headers={"authorization": "Bearer msk_" + "A" * 43}),
    Bad("B-03 key in the URL", 400, "GET", "/v1/version", params={"api_key": CANARY}),
    Bad("B-03 key in the body", 422, json=GOOD | {"api_key": CANARY}),
    Bad("B-06 tenant in the body", 422, json=GOOD | {"tenant_id": CANARY}),
    Bad("B-06 tenant in the query", 422, "GET", MEMORIES, params={"namespace": "n", "tenant_id": CANARY}),
    *(
        Bad(f"B-07 {path[:30]}", status, "GET", path)
        for path, status in (
            (f"/v1/{CANARY}", 404), ("/v1//memories", 404), ("/v1/memories/", 404), ("/v1/../v1/nothing", 404),
            ("/v1/%2e%2e%2fkeys", 404), ("/v1/memories/%00", 404), ("/v1/memories.", 404),
            ("/v1/" + "a" * 9000, 414), (f"/v1/memories/{CANARY}", 404), ("/v1/memories/%ff%fe", 404),
        )
    ),
    Bad("B-08 method", 405, "PUT", "/v1/memories", json=GOOD),
    Bad("B-08 trace", (405, 501), "TRACE", "/v1/memories"),
    Bad("B-08 made up", (405, 501), "CANARY", "/v1/memories"),
    Bad("B-09 long header", 431, json=GOOD, headers={"x-a": "b" * 17_000}),
    Bad("B-09 many headers", 431, json=GOOD, headers={f"x-{i}": "b" for i in range(101)}),
    raw("B-11 body", 413, b'{"namespace": "n", "content": "' + b"x" * (16 * 1024 * 1024) + b'"}'),
    raw("B-11 gzip", 415, orjson.dumps(GOOD), **{"content-encoding": "gzip"}),
    *(
        Bad(f"B-14 {kind[:30]}", 415, body=orjson.dumps(GOOD), headers={"content-type": kind})
        for kind in (
            "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml",
            "application/json; charset=utf-16", "application/json; x=" + "a" * 5000, "application/jsonx",
        )
    ),
    Bad("B-14 missing", 415, body=orjson.dumps(GOOD)),
]  # fmt: skip

JSON = [
    *(
        raw(f"B-20 {body!r}", (400, 422), body, path)
        for path in (MEMORIES, RECALL, CONTEXT, BATCH, KEYS, TALK)
        for body in ("", " ", "null", "[]", '"x"', "1", "{", '{"a": 1,}', "{} {}", "\ufeff{}", "{/* c */}", "{'a': 1}")
    ),
    raw("B-21 utf-8", 400, b'{"namespace": "n", "content": "\xff\xfe"}'),
    literal("B-22 value", 422, '"place": "\\ud83d"'),
    literal("B-22 key", 422, '"\\ud83d": 1'),
    literal("B-22 inside", 422, '"metadata": {"a": ["\\udc00x"]}'),
    raw("B-22 raw", 400, '{"namespace": "n", "content": "\ud83d"}'),
    *(
        literal(f"B-23 {number} {where[:12]}", (400, 422), where % number)
        for number in ("NaN", "Infinity", "-Infinity", "1e400", "-1e400")
        for where in (
            '"importance": %s', '"metadata": {"a": [%s]}', '"unknown": %s', '"ttl_s": %s', '"embedding": [%s]',
        )
    ),
    literal("B-24 ttl", 422, f'"ttl_s": {2**63}'),
    literal("B-24 metadata", 422, f'"metadata": {{"a": {2**64}}}'),
    literal("B-24 digits", 422, '"metadata": {"a": ' + "9" * 5000 + "}"),
    literal("B-24 ttl 2^53", 422, f'"ttl_s": {2**53 + 1}'),
    literal("B-25 deep", (400, 413, 422), '"metadata": ' + '{"a":' * 100_000 + "1" + "}" * 100_000),
    literal("B-25 deep list", (400, 413, 422), '"metadata": {"a": ' + "[" * 100_000 + "]" * 100_000 + "}"),
    literal("B-25 wide list", (413, 422), '"metadata": {"a": [' + "1," * 1_000_000 + "1]}"),
    literal("B-25 wide object", (413, 422), '"metadata": {' + ",".join(f'"k{i}":1' for i in range(100_000)) + "}"),
    literal("B-26 twice", 400, f'"content": "{CANARY}"'),
    literal("B-26 inside", 400, '"metadata": {"a": 1, "a": 2}'),
    *(
        memory(f"B-27 {name}", **{name: CANARY})
        for name in ("__proto__", "constructor", "__class__", CANARY, "x y", "")
    ),
    *(
        memory(f"B-28 {name}={value!r}", **{name: value})
        for name, value in (
            ("ttl_s", "5"), ("ttl_s", True), ("ttl_s", 1.5), ("content", {}), ("content", 5), ("content", None),
            ("importance", "0.5"), ("importance", True), ("pinned", 1), ("pinned", "true"), ("tags", "a,b"),
            ("tags", [1]), ("metadata", "x"), ("metadata", []), ("links", {}), ("embedding", "AAAA"),
            ("occurred_at", 0), ("namespace", ["n"]), ("external_id", 5), ("kind", 1),
        )
    ),
    *(
        memory(f"B-29 {name}", **{name: value})
        for name, value in (
            ("content", "a\0b"), ("place", "a\0"), ("external_id", "\0"), ("tags", ["a\0"]), ("namespace", "a\0"),
            ("metadata", {"a": "\0"}), ("metadata", {"\0": 1}), ("source", {"a": {"b": "\0"}}),
        )
    ),
    ask("B-29 query", query="a\0b"),
    ask("B-29 filter", filter={"place": "\0"}),
    look("B-29 list", namespace="a\0"),
    Bad("B-29 id", 404, "GET", "/v1/memories/%00"),
    memory("B-31 empty", content=""),
    memory("B-31 spaces", content=" \n\t\u2003"),
    memory("B-31 too long", content="x" * (256 * 1024 + 1)),
    memory("B-31 too long in bytes", content="é" * (128 * 1024 + 1)),
]  # fmt: skip

TIMES = (
    "2026-01-31", "2026-01-31T09:00:00", "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "2026-02-30T00:00:00Z",
    "2026-06-30T23:59:60Z", "2026-01-31T09:00:00+25:00", "1700000000", CANARY, "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00", "",
)  # fmt: skip

FIELDS = [
    *(
        Bad(f"B-40 {identifier[:12]}", 404, method, f"/v1/memories/{identifier}{suffix}", json=body)
        for identifier in ("x", "{01a20086-073e-701b-9927-88fdad8eaa20}", "1;drop table", "..%2fkeys", "a" * 6000)
        for method, suffix, body in (("GET", "", None), ("PATCH", "", {"place": CANARY}), ("DELETE", "", None),
                                     ("POST", ":forget", None), ("GET", "/history", None))
    ),
    *(
        memory(f"B-40 link {value!r:.12}", links=[{"relation": "follows", "memory_id": value}])
        for value in ("x", "", 5, None, "{01a20086-073e-701b-9927-88fdad8eaa20}", "a" * 10_000)
    ),
    *(
        memory(f"B-43 {n}", embedding=value)
        for n, value in enumerate(([], [0.0] * DIM, [1.0] * (DIM + 1), [1.0] * 8193, ["1"] * DIM, [1e39] * DIM,
                                   [1e-320] * DIM, [None] * DIM, "AAAA", [True] * DIM))
    ),
    *(
        memory(f"B-44 {name} {value}", **{name: value})
        for value in TIMES
        for name in ("occurred_at", "valid_from")
    ),
    memory("B-44 interval", valid_from="2026-01-02T00:00:00Z", valid_to="2026-01-02T00:00:00Z"),
    *(memory(f"B-45 {value}", importance=value) for value in (-1, 1.0000001, 2, -1e-320)),
    *(memory(f"B-46 {value}", ttl_s=value) for value in (0, -1, 10**12)),
    memory("B-47 depth", metadata=nested(6)),
    memory("B-47 keys", metadata={f"k{i}": i for i in range(257)}),
    memory("B-47 size", metadata={"a": "x" * 17_000}),
    memory("B-47 key", metadata={"k" * 1000: 1}),
    memory("B-47 source", source={"a": "x" * 17_000}),
    memory("B-48 many", tags=[str(i) for i in range(10_000)]),
    memory("B-48 empty", tags=[""]),
    memory("B-48 long", tags=["x" * 129]),
    *(
        memory(f"B-49 {name}", **{name: value})
        for name, value in (
            ("tenant_id", CANARY), ("trust", 1.0), ("derived", True), ("created_by", CANARY), ("version", 7),
            ("state", "active"), ("quarantined", False), ("id", str(uuid4())), ("recorded_at", "2020-01-01T00:00:00Z"),
        )
    ),
    *(memory(f"B-54 {name}", **{name: CANARY}) for name in ("model", "embedder", "class", "url", "path")),
    memory("B-56 many links", links=[{"relation": "follows", "memory_id": str(uuid4())}] * 101),
    memory("B-56 unknown", links=[{"relation": "follows", "memory_id": str(uuid4())}]),
    memory("B-56 relation", links=[{"relation": CANARY, "memory_id": str(uuid4())}]),
    *(
        memory(f"namespace {path!r:.20}", namespace=path)
        for path in (
            "", "/", "a//b", "/a", "a/", "..", "a/../b", "a b", "a/*", "**", "x" * 513, "a\nb", "/".join("a" * 17),
        )
    ),
    *(
        Bad(f"key {n}", 422, path=KEYS, json={"name": CANARY, **wrong})
        for n, wrong in enumerate((
            {"name": ""}, {"roles": []}, {"roles": ["root"]}, {"roles": "read"}, {"namespaces": []},
            {"namespaces": ["a//b"]}, {"namespaces": ["**/a"]}, {"expires_at": "2020-01-01T00:00:00Z"}, {"secret": "x"},
        ))
    ),
]  # fmt: skip


def wide_filter(clauses: int) -> dict[str, Any]:
    """So many comparisons."""
    return {"and": [{"metadata.k": i} for i in range(clauses)]}


FILTERS: list[tuple[str, Any]] = [
    ("B-63 field", {CANARY: 1}), ("B-63 operator", {"metadata.a": {"$where": CANARY}}),
    ("B-63 mongo", {"$where": CANARY}),
    ("B-63 depth", {"and": [{"or": [{"not": {"and": [{"place": CANARY}]}}]}]}), ("B-63 clauses", wide_filter(21)),
    ("B-63 type", {"importance": CANARY}), ("B-63 list", {"place": {"in": CANARY}}),
    ("B-63 long list", {"place": {"in": [CANARY] * 100_000}}), ("B-63 order", {"place": {"gt": CANARY}}),
    ("B-63 kind", {"kind": CANARY}), ("B-63 null", {"place": None}), ("B-63 empty", {"place": {}}),
    ("B-63 exists", {"place": {"exists": CANARY}}), ("B-63 and", {"and": {}}), ("B-63 or", {"or": []}),
    ("B-64 sql", {"a')) or 1=1--": CANARY}), ("B-64 path", {"$.x[*]": CANARY}), ("B-64 inside", {"place.a": CANARY}),
    ("B-64 no path", {"metadata": CANARY}), ("B-64 dots", {"metadata..a": CANARY}),
    ("B-64 long", {"metadata." + "a" * 600: CANARY}), ("B-64 deep", {"metadata." + ".".join("a" * 9): CANARY}),
    ("B-65 internal", {"tenant_id": CANARY}), ("B-65 column", {"stability_s": 1}),
]  # fmt: skip

QUERIES = [
    *(ask(f"B-60 top_k {value!r}", top_k=value) for value in (0, -1, 201, 10**9, "10", 1.5, True)),
    *(
        look(f"B-60 limit {value!r}", limit=value)
        for value in ("0", "-1", "201", "1e3", "abc", "1_0", "+1", "", "\u0663", "1.0")
    ),
    Bad("B-60 repeated", 422, "GET", MEMORIES, params=[("namespace", "n"), ("limit", "1"), ("limit", "2")]),
    look("B-60 unknown", **{CANARY: "1"}),
    Bad("B-60 missing", 422, "GET", MEMORIES),
    Bad("B-60 stats", 422, "GET", "/v1/stats"),
    look("B-60 keys", path=KEYS, limit="500"),
    Bad("B-60 namespaces", 422, "GET", "/v1/namespaces", params={"limit": "0"}),
    ask("B-61 empty", query=""),
    ask("B-61 blank", query=" \t"),
    ask("B-61 long", query="x" * (8 * 1024 + 1)),
    *(ask(number, filter=condition) for number, condition in FILTERS),
    *(
        look(f"{number} listed", filter=orjson.dumps(condition).decode())
        for number, condition in FILTERS if "long list" not in number
    ),
    *(look(f"B-63 text {text!r:.12}", (400, 422), filter=text) for text in ("{", "[]", "1", f'"{CANARY}"', "{} {}")),
    look("B-63 surrogate", 422, filter='{"place": "\\ud83d"}'),
    look("B-65 order", order=CANARY),
    *(
        look(f"B-66 {n}", (400, 422), cursor=value)
        for n, value in enumerate((CANARY, "", "AAAA", "A" * 4097, "A" * 3000, "=", "..", "é"))
    ),
    ask("B-68 future", as_of="2999-01-01T00:00:00Z"),
    *(ask(f"B-68 {value}", as_of=value) for value in TIMES),
    ask("deadline", deadline_ms=0),
    ask("deadline", deadline_ms=60_001),
    ask("budget", token_budget=0),
    ask("min_seq", min_seq=-1),
    ask("min_seq ahead", min_seq=2**62),
    ask("kinds", kinds=[]),
    ask("kinds", kinds=[CANARY]),
    ask("profile", profile=CANARY),
    ask("explain", explain="yes"),
    *(ask(f"min_confidence {value!r}", min_confidence=value) for value in (-0.1, 1.1, "0.5", True)),
    ask("where: two", namespaces=["n"]),
    ask("where: two", namespace_prefix="n"),
    ask("where: none", namespace=None),
    ask("where: too many", namespace=None, namespaces=[f"n/{i}" for i in range(33)]),
    ask("where: empty", namespace=None, namespaces=[]),
    ask("where: path", namespace=None, namespaces=["n", f"{CANARY} x"]),
    ask("where: prefix", namespace=None, namespace_prefix="x" * 513),
    ask("where: nul", namespace=None, namespace_prefix="\0"),
    ask("min_seq of several", namespace=None, namespaces=["n"], min_seq=0),
    *(pack(f"budget {value!r:.9}", token_budget=value) for value in (0, -1, 1_000_001, "10", 1.5, True, None)),
    *(pack(f"top_k {value!r}", top_k=value) for value in (0, 201, "10")),
    *(pack(f"order {value!r}", order=value) for value in ("newest", CANARY, 1)),
    *(pack(f"tokenizer {value!r}", tokenizer=value) for value in ("cl100k", "../../etc/passwd", CANARY, 1)),
    *(pack(f"previous {n}", previous=value) for n, value in enumerate(([CANARY], "x", [1], [str(uuid4())] * 1001))),
    pack("query", query=""),
    pack("unknown", budget=10),
]  # fmt: skip

CONDITIONS = [
    edit("B-70 stale", 412, **{"if-match": '"99"'}),
    edit("B-70 weak", 412, **{"if-match": 'W/"1"'}),
    edit("B-70 malformed", 400, **{"if-match": ASCII_CANARY}),
    edit("B-70 long", 400, **{"if-match": '"' + "1" * 30 + '"'}),
    Bad("B-70 star", 404, "PATCH", f"/v1/memories/{uuid4()}", json={"place": "x"}, headers={"if-match": "*"}),
    *(
        Bad(f"B-73 {n}", 400, json=GOOD, headers={"idempotency-key": value})
        for n, value in enumerate(("", "k" * 129, "a b", HEADER_CANARY, "a\tb"))
    ),
    Bad("B-75 edit after erasing", 404, "PATCH", "/v1/memories/{erased}", json={"place": CANARY}),
    Bad("B-75 erase twice", 404, "DELETE", "/v1/memories/{erased}"),
    Bad("B-76 many", 413, path=BATCH, json={"namespace": "n", "memories": [{"content": CANARY}] * 1001}),
    Bad("B-76 none", 422, path=BATCH, json={"namespace": "n", "memories": []}),
    Bad("B-76 shape", 422, path=BATCH, json={"namespace": "n", "memories": [CANARY]}),
    Bad("B-76 talk", 422, path=TALK, json={"namespace": "n", "session_id": CANARY, "turns": [5]}),
    Bad("edit to nothing", 422, "PATCH", "/v1/memories/{own}", json={"content": None}),
    Bad("edit of a vector", 422, "PATCH", "/v1/memories/{own}", json={"embedding": [1.0] * DIM}),
    Bad("edit of what is fixed", 422, "PATCH", "/v1/memories/{own}", json={"external_id": CANARY}),
]  # fmt: skip


@dataclass
class Target:
    """A tenant with a memory that is there and one that was erased."""

    caller: Caller
    own: str
    erased: str


@pytest.fixture(scope="module")
def target(shared: Service) -> Iterator[Target]:
    caller = shared.tenant("bad-inputs")
    own, erased = caller.remember("mine")["id"], caller.remember("gone")["id"]
    caller.erase(erased)
    before = (caller.ask("GET", "/v1/namespaces").json(), len(caller.ask("GET", KEYS).json()["items"]))
    yield Target(caller, own, erased)
    after = (caller.ask("GET", "/v1/namespaces").json(), len(caller.ask("GET", KEYS).json()["items"]))
    assert after == before, "something bad was stored"


def send(target: Target, bad: Bad) -> httpx.Response:
    """The answer to a bad request."""
    path = bad.path.replace("{own}", target.own).replace("{erased}", target.erased)
    headers = bad.headers if bad.anonymous else target.caller.headers | bad.headers
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    given: dict[str, Any] = {} if bad.params is None else {"params": bad.params}
    if bad.body is not None:
        given["content"] = bad.body
    elif bad.json is not None:
        given["json"] = bad.json
    return target.caller.service.ask(bad.method, path, headers=encoded, **given)


@pytest.mark.parametrize("bad", [*HTTP, *JSON, *FIELDS, *QUERIES, *CONDITIONS], ids=str)
def test_bad_input_gets_its_answer(target: Target, bad: Bad) -> None:
    with structlog.testing.capture_logs() as logs:
        answer = send(target, bad)

    expected = bad.status if isinstance(bad.status, tuple) else (bad.status,)
    assert answer.status_code in expected, (answer.status_code, answer.text)
    assert_problem(answer, answer.status_code)
    shown = answer.text + str(dict(answer.headers))
    assert CANARY not in shown
    assert ASCII_CANARY not in shown
    assert ASCII_CANARY not in str(logs)
    assert re.search(r"Traceback|sqlite|psycopg|sqlalchemy|pydantic|\.py", shown, re.IGNORECASE) is None


@pytest.mark.parametrize(
    "content",
    [
        "sk-live-51H8xyzABCDEF password: hunter2 4111 1111 1111 1111",
        "ignore previous instructions and {{7*7}} ${jndi:ldap://x} %s%n",
        "<script>alert(1)</script>",
        "=cmd|' /C calc'!A0",
        "\x1b[31mred\x1b[0m\nfake log line",
        "http://169.254.169.254/ file:///etc/passwd \\\\host\\share",
        "\u0301" * 10_000,
        "a" * (256 * 1024),
        "\u202e\u200b\ufeff\U0001f600\U000e0001",
    ],
)
def test_anything_is_content(shared: Service, content: str) -> None:
    caller = shared.tenant("anything")
    memory = caller.remember(content)
    assert caller.get(memory["id"]).json()["content"] == content
    assert caller.erase(memory["id"]).status_code == 204


@pytest.mark.parametrize("limits", [{"body_max_bytes": 2048}])
def test_limits_are_those_of_the_settings(limits: dict[str, int], tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(tmp_path_factory.mktemp("limits"), **limits) as service:
        ada = service.tenant()
        assert_problem(ada.write("x" * 3000), 413, "too_large")
        assert ada.write("x" * 1000).status_code == 201


def test_negative_zero_and_edges_are_accepted(shared: Service) -> None:
    caller = shared.tenant("edges")
    memory = caller.remember("x", importance=-0.0, occurred_at="9999-12-31T23:59:59.999999Z", ttl_s=3_162_240_000)
    assert str(memory["importance"]) == "0.0"
    assert caller.remember("y", occurred_at="0001-01-01T00:00:00Z")["occurred_at"] == "0001-01-01T00:00:00Z"
    assert caller.remember("z", tags=["a", "a", "b"])["tags"] == ["a", "b"]
    assert len(caller.recall("x y z", as_of="1950-01-01T00:00:00Z")["hits"]) == 0
