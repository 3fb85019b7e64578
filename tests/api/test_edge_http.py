"""HTTP itself: routes, methods, headers, media types, sizes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.fixtures.edge import CANARY, Edge, assert_problem, running


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    with running(tmp_path, body_max_bytes=4096) as made:
        yield made


def test_an_answer_carries_its_request_id_and_no_store(edge: Edge) -> None:
    answer = edge.raw(b'{"text": "hello"}')
    assert answer.status_code == 200
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert len(answer.headers["x-request-id"]) == 32
    assert "server" not in answer.headers


@pytest.mark.parametrize(("given", "is_kept"), [("abc-1.2_Z", True), ("x" * 65, False), ("a b", False), ("<i>", False)])
def test_a_sane_request_id_is_kept(edge: Edge, given: str, is_kept: bool) -> None:
    answer = edge.ask("GET", "/livez", headers={"x-request-id": given})
    assert (answer.headers["x-request-id"] == given) is is_kept


@pytest.mark.parametrize(
    "path",
    ["/", "/nope", f"/{CANARY}", "//", "/v1//things", "/v1/../v1/nope", "/v1/%2e%2e%2fnope", "/v1/things.",
     "/v1/things/", "/%00", "/v1/things/%00", "/v1/%ff", "/v1/things/x", "/v1/keys/nope/x", "/v2/things"],
)  # fmt: skip
def test_unknown_paths_are_not_found(edge: Edge, path: str) -> None:
    assert_problem(edge.ask("GET", path), 404, "not_found")


def test_a_long_url_is_refused(edge: Edge) -> None:
    assert_problem(edge.ask("GET", "/" + "x" * 9000), 414, "uri_too_long")
    assert_problem(edge.ask("GET", "/v1/things?q=" + "x" * 9000), 414)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "TRACE", "HEAD", "OPTIONS", "BREW"])
def test_a_wrong_method_gets_the_right_ones(edge: Edge, method: str) -> None:
    answer = edge.ask(method, "/v1/things")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "DELETE, GET, POST"


def test_a_method_override_is_ignored(edge: Edge) -> None:
    headers = {"x-http-method-override": "DELETE", "content-type": "application/json"}
    assert edge.ask("POST", "/v1/things", content=b'{"text": "a"}', headers=headers).json()["thing"]["text"] == "a"


def test_headers_are_bounded(edge: Edge) -> None:
    assert_problem(edge.ask("GET", "/livez", headers={"x-big": "x" * 17_000}), 431, "headers_too_large")
    assert_problem(edge.ask("GET", "/livez", headers={f"x-{n}": "1" for n in range(101)}), 431)


@pytest.mark.parametrize(
    "media_type",
    [None, "", "text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
     "application/json; charset=utf-16", "application/json; charset=latin-1", "application/json; x=y",
     "application/json; charset=utf-8; " + "x" * 5000, "application/jsonp", "json", "application/json, text/plain"],
)  # fmt: skip
def test_only_json_is_read(edge: Edge, media_type: str | None) -> None:
    headers = {} if media_type is None else {"content-type": media_type}
    assert_problem(edge.ask("POST", "/v1/things", content=b'{"text": "a"}', headers=headers), 415)


@pytest.mark.parametrize(
    "media_type", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
def test_json_by_any_of_its_names_is_read(edge: Edge, media_type: str) -> None:
    assert edge.raw(b'{"text": "a"}', **{"content-type": media_type}).status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "x"])
def test_compressed_bodies_are_refused(edge: Edge, encoding: str) -> None:
    assert_problem(edge.raw(b"\x1f\x8b", **{"content-encoding": encoding}), 415)


def test_a_declared_large_body_is_refused_unread(edge: Edge) -> None:
    answer = edge.raw(b'{"text": "' + b"x" * 4096 + b'"}')
    assert_problem(answer, 413, "too_large")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("length", ["9" * 5000, "99999"])
def test_an_absurd_length_is_refused(edge: Edge, length: str) -> None:
    assert_problem(edge.raw(b"{}", **{"content-length": length}), 413)


def test_an_undeclared_large_body_is_refused_at_the_limit(edge: Edge) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b" " * 1024

    answer = edge.ask("POST", "/v1/things", content=body(), headers={"content-type": "application/json"})
    assert_problem(answer, 413)
    assert sent < 10


def test_a_body_of_exactly_the_limit_is_read(edge: Edge) -> None:
    frame = b'{"text": "a"}'
    assert edge.raw(frame + b" " * (4096 - len(frame))).status_code == 200
    assert_problem(edge.raw(frame + b" " * (4097 - len(frame))), 413)


@pytest.mark.parametrize(
    "header", [{"accept": "text/html"}, {"range": "bytes=0-1"}, {"upgrade": "h2c"}, {"x-forwarded-host": "evil"}]
)
def test_other_headers_change_nothing(edge: Edge, header: dict[str, str]) -> None:
    answer = edge.raw(b'{"text": "a"}', **header)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert "evil" not in answer.text


def test_tenant_headers_are_ignored(edge: Edge) -> None:
    plain = edge.raw(b'{"text": "a"}').json()["tenant"]
    assert edge.raw(b'{"text": "a"}', **{"x-tenant-id": CANARY, "tenant_id": CANARY}).json()["tenant"] == plain


def test_beyond_the_bound_requests_are_refused_and_probes_are_not(tmp_path: Path) -> None:
    with running(tmp_path / "small", request_queue=2) as edge:
        asked = [("GET", "/v1/fail/slow", {}) for _ in range(6)] + [("GET", "/livez", {}), ("GET", "/readyz", {})]
        answers = edge.ask_all(asked)
        assert sorted(answer.status_code for answer in answers[:6]) == [200, 200, 503, 503, 503, 503]
        for answer in answers[:6]:
            if answer.status_code == 503:
                assert_problem(answer, 503, "unavailable")
                assert answer.headers["retry-after"] == "1"
        assert [answer.status_code for answer in answers[6:]] == [200, 200]
        assert 'memsvc_http_refused_total{reason="in_flight"} 4.0' in edge.ask("GET", "/metrics").text
        assert edge.ask("GET", "/v1/fail/slow").status_code == 200


def test_who_would_wait_for_too_long_is_refused_at_once(tmp_path: Path) -> None:
    with running(tmp_path / "slow", request_threads=1, request_wait_s=0.1) as edge:

        async def run() -> list[httpx.Response]:
            transport = httpx.ASGITransport(app=edge.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                slow = [asyncio.create_task(client.get("/v1/fail/slow")) for _ in range(4)]
                await asyncio.sleep(0.2)  # one is worked on for 0.3 s, the others wait for that
                late = [await client.get(path) for path in ("/v1/fail/slow", "/livez", "/readyz")]
                return [*(await asyncio.gather(*slow)), *late]

        *admitted, refused, livez, readyz = asyncio.run(run())
        assert [answer.status_code for answer in (*admitted, livez, readyz)] == [200] * 6
        assert_problem(refused, 503, "unavailable")
        assert refused.headers["retry-after"] == "1"
        assert edge.ask("GET", "/v1/fail/slow").status_code == 200
        assert 'memsvc_http_refused_total{reason="wait"} 1.0' in edge.ask("GET", "/metrics").text


def test_a_failure_of_ours_tells_the_id_and_nothing_else(edge: Edge) -> None:
    answer = edge.ask("GET", "/v1/fail/bug")
    assert_problem(answer, 500, "internal_error")
    assert "Error" not in answer.json()["detail"]
    (failed,) = [event for event in edge.logs if event["event"] == "unexpected_error"]
    assert (failed["route"], failed["error"]) == ("/v1/fail/{kind}", "RuntimeError")


def test_a_lost_database_is_unavailable(edge: Edge) -> None:
    answer = edge.ask("GET", "/v1/fail/database")
    assert_problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0


def test_a_request_that_comes_during_shutdown_is_told_to_come_again(edge: Edge) -> None:
    edge.app.state.pool.close()
    assert_problem(edge.ask("GET", "/v1/fail/slow"), 503, "unavailable")


def test_a_lost_embedder_is_named(edge: Edge) -> None:
    assert_problem(edge.ask("GET", "/v1/fail/embedder"), 503, "embedder_unavailable")


def test_probes(edge: Edge) -> None:
    assert edge.ask("GET", "/livez").json() == {"alive": True}
    checks = {"database": True, "not_draining": True}
    assert edge.ask("GET", "/readyz").json() == {"ready": True, "checks": checks, "degraded": []}
    edge.app.state.readiness.draining = True
    answer = edge.ask("GET", "/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["not_draining"] is False


def test_readiness_names_what_fails(edge: Edge) -> None:
    edge.container.checks["bank_loaded"] = False
    answer = edge.ask("GET", "/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert answer.json()["checks"]["bank_loaded"] is False


def test_metrics_count_by_route_and_hold_no_names(edge: Edge) -> None:
    edge.ask("GET", "/v1/things/5")
    edge.ask("GET", f"/v1/{CANARY}")
    edge.ask("BREW", "/v1/things/5")
    text = edge.ask("GET", "/metrics").text
    assert 'memsvc_http_requests_total{method="GET",route="/v1/things/{number}",status="200"} 1.0' in text
    assert 'method="other"' in text
    assert CANARY not in text
    assert edge.ask("GET", "/v1/version").json() == {"version": "0.1.0", "api": "v1"}


def test_the_access_log_names_the_route_and_nothing_that_was_sent(edge: Edge) -> None:
    edge.ask("GET", f"/v1/things?q={CANARY}", headers={"user-agent": CANARY})
    edge.ask("GET", f"/{CANARY}")
    edge.raw(f'{{"text": "{CANARY}"}}'.encode())
    assert [(e["event"], e["route"], e["status"]) for e in edge.logs] == [
        ("request", "/v1/things", 200),
        ("request", "-", 404),
        ("request", "/v1/things", 200),
    ]
    assert CANARY not in str(edge.logs)


def test_the_openapi_document_holds_what_handlers_read_themselves(edge: Edge) -> None:
    document = edge.ask("GET", "/openapi.json").json()
    post = document["paths"]["/v1/things"]["post"]
    assert post["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Thing"}
    names = [parameter["name"] for parameter in document["paths"]["/v1/things"]["get"]["parameters"]]
    assert names == ["limit", "q"]
    schemas = document["components"]["schemas"]
    assert {"Thing", "Part", "Problem"} <= set(schemas)
    assert schemas["Thing"]["additionalProperties"] is False
    assert schemas["Thing"]["properties"]["text"]["minLength"] == 1


def test_docs_are_for_this_machine_alone(tmp_path: Path) -> None:
    with running(tmp_path / "local") as edge:
        assert edge.ask("GET", "/docs").status_code == 200
        edge.container.admin_secret()
    with running(tmp_path / "local", host="192.0.2.1", auth="keys") as edge:
        headers = {"authorization": f"Bearer {edge.container.admin_secret()}"}
        for path in ("/docs", "/openapi.json", "/redoc"):
            assert_problem(edge.ask("GET", path, headers=headers), 404)
