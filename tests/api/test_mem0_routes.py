"""`/compat/mem0`: what its client never sends, and what a key may not do there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from memsvc.compat.mem0.messages import only_asks
from tests.fixtures.service import Caller, Service, serving

ROOT = "/compat/mem0"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("mem0"), mem0_namespace="team/mem0") as running:
        yield running


@pytest.fixture
def ada(service: Service, request: pytest.FixtureRequest) -> Caller:
    return service.tenant(request.node.name[:60])


def call(caller: Caller, method: str, path: str, **given: Any) -> httpx.Response:
    answer = caller.service.ask(method, ROOT + path, headers={"authorization": f"Token {caller.secret}"}, **given)
    assert answer.headers["content-type"].startswith("application/json"), answer.text
    assert answer.status_code < 500, answer.text
    return answer


def add(caller: Caller, text: str, **fields: Any) -> str:
    body = {"messages": [{"role": "user", "content": text}], **fields}
    answer = call(caller, "POST", "/v3/memories/add/", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["results"][0]["id"])


def listed(caller: Caller, filters: dict[str, Any], **more: Any) -> list[str]:
    answer = call(caller, "POST", "/v3/memories/", json={"filters": filters, **more})
    assert answer.status_code == 200, answer.text
    return [one["memory"] for one in answer.json()["results"]]


def test_filters_mean_what_they_say(ada: Caller) -> None:
    add(ada, "old", user_id="ada", timestamp=1_700_000_000, metadata={"a.b": 1})
    add(ada, "new", user_id="ada", app_id="shop", run_id="r1")
    add(ada, "bo's", user_id="bo", app_id="shop")

    assert listed(ada, {"user_id": "ada"}) == ["new", "old"]
    assert listed(ada, {"user_id": "ada", "created_at": {"lt": "2024-01-01"}}) == ["old"]
    assert listed(ada, {"AND": [{"user_id": "ada"}, {"created_at": {"gte": "2024-01-01T00:00:00"}}]}) == ["new"]
    assert listed(ada, {"user_id": "*"}, end_date="2023-11-14") == ["old"]
    assert listed(ada, {"app_id": "shop"}) == ["bo's", "new"]
    assert listed(ada, {"AND": [{"app_id": "shop"}, {"NOT": [{"user_id": "ada"}]}]}) == ["bo's"]
    assert listed(ada, {"OR": [{"run_id": "r1"}, {"user_id": {"in": ["bo"]}}]}) == ["bo's", "new"]
    assert listed(ada, {"user_id": "ada", "metadata": {"a.b": 1}}) == ["old"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v3/memories/", {"filters": {}}),
        ("POST", "/v3/memories/", {"filters": {"AND": "x", "user_id": "a"}}),
        ("POST", "/v3/memories/", {"filters": {"user_id": {"regex": "a"}}}),
        ("POST", "/v3/memories/", {"filters": {"user_id": {"in": "a"}}}),
        ("POST", "/v3/memories/", {"filters": {"user_id": "a", "keywords": {"contains": "x"}}}),
        ("POST", "/v3/memories/", {"filters": {"user_id": "a", "created_at": {"gte": "soon"}}}),
        ("POST", "/v3/memories/", {"filters": {"user_id": "a", "created_at": {"in": ["2024-01-01"]}}}),
        ("POST", "/v3/memories/", {"filters": {"user_id": "a", "metadata": {"": 1}}}),
        ("POST", "/v3/memories/", {"filters": {"user_id": "a"}, "start_date": "x" * 10}),
        ("POST", "/v3/memories/?page=0", {"filters": {"user_id": "a"}}),
        ("POST", "/v3/memories/?page_size=201", {"filters": {"user_id": "a"}}),
        ("POST", "/v3/memories/search/", {"query": "x"}),
        ("POST", "/v3/memories/search/", {"query": "x", "filters": {"user_id": "a"}, "top_k": 201}),
        ("POST", "/v3/memories/search/", {"query": "x", "filters": {"user_id": "a"}, "show_expired": True}),
        ("POST", "/v3/memories/search/", {"query": "x", "filters": {"user_id": "a"}, "reference_date": 10**30}),
        ("POST", "/v3/memories/add/", {"messages": [], "user_id": "a"}),
        ("POST", "/v3/memories/add/", {"messages": [{"role": "user", "content": "x"}]}),
        ("POST", "/v3/memories/add/", {"messages": [{"role": "user", "content": "x"}], "user_id": "*"}),
        ("POST", "/v3/memories/add/", {"messages": [{"role": "user", "content": "x"}], "user_id": "a", "new": 1}),
        ("POST", "/v3/memories/add/", {"messages": [{"role": "user", "content": [{"type": "image_url"}]}],
                                       "user_id": "a"}),
        ("POST", "/v3/memories/add/", {"messages": [{"role": "user", "content": "x"}], "user_id": "a",
                                       "expiration_date": "2020-01-01"}),
        ("POST", "/v3/memories/add/", {"messages": [{"role": "user", "content": "x"}], "user_id": "a",
                                       "timestamp": 1e300}),
        ("POST", "/v3/memories/add/", {"messages": [{"role": "user", "content": [{"type": "text", "text": "x" * 99_999}]
                                       * 3}], "user_id": "a"}),
        ("POST", "/v3/memories/", {"filters": {"OR": [{"user_id": "a"}] * 21}}),
        ("POST", "/v3/memories/", {"filters": {"AND": [{"OR": [{"NOT": [{"AND": [{"user_id": "a"}]}]}]}]}}),
        ("DELETE", "/v1/memories/", None),
        ("DELETE", "/v1/memories/?user_id=*", None),
        ("DELETE", "/v1/memories/?user_id=a&filters=b", None),
        ("DELETE", "/v1/batch/", {"memories": []}),
        ("PUT", "/v1/batch/", {"memories": [{"memory_id": "x", "text": "y"}]}),
        ("GET", "/v1/memories/", None),
        ("GET", "/v1/memories/?user_id=*", None),
        ("GET", "/v1/memories/?user_id=a&limit=201", None),
        ("GET", "/v1/memories/?user_id=a&keywords=b", None),
        ("GET", "/v1/memories/?user_id=a&page_size=0", None),
        ("GET", "/v1/memories/?user_id=a&start_date=soon", None),
        ("POST", "/v2/memories/", {}),
        ("POST", "/v2/memories/", {"filters": {}}),
        ("POST", "/v2/memories/?limit=3", {"filters": {"user_id": "a"}}),
        ("POST", "/v1/memories/search/", {"query": "x"}),
        ("POST", "/v2/memories/search/", {"query": "x", "filters": {"categories": ["a"]}}),
        ("POST", "/v2/memories/search/", {"query": "x", "user_id": "a", "limit": 201}),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(ada: Caller, method: str, path: str, body: dict[str, Any] | None) -> None:
    refused = call(ada, method, path, **({} if body is None else {"json": body}))
    assert refused.status_code == 422, refused.text
    assert refused.json()["detail"]


def test_a_batch_in_which_nothing_is_said_of_one_changes_none(ada: Caller) -> None:
    memory = ada.remember("the tea of Oslo", user_id="ada")["id"]
    changes = {"memories": [{"memory_id": memory, "text": "the tea of Bergen"}, {"memory_id": memory}]}
    assert call(ada, "PUT", "/v1/batch/", json=changes).status_code == 422
    assert ada.get(memory).json()["content"] == "the tea of Oslo"


def test_whose_memories_there_are(ada: Caller) -> None:
    assert call(ada, "GET", "/v1/entities/").json()["results"] == []
    add(ada, "one", user_id="ada", app_id="shop")
    add(ada, "two", user_id="ada", run_id="r", agent_id="bot")
    seen = call(ada, "GET", "/v1/entities/?page_size=3").json()
    assert [(one["id"], one["total_memories"]) for one in seen["results"]] == [
        ("agent:bot", 1),
        ("app:shop", 1),
        ("run:r", 1),
    ]
    assert seen["count"] == 4
    assert [one["name"] for one in call(ada, "GET", "/v1/entities/?page=2&page_size=3").json()["results"]] == ["ada"]


def test_deleting_by_scope_takes_what_fits_all_of_it(ada: Caller) -> None:
    for run in ("r1", "r2"):
        add(ada, f"in {run}", user_id="ada", run_id=run)
    assert call(ada, "DELETE", "/v1/memories/?user_id=ada&run_id=r1").json()["message"]
    assert listed(ada, {"user_id": "ada"}) == ["in r2"]
    assert call(ada, "DELETE", "/v2/entities/nobody/ada/").status_code == 404
    assert call(ada, "DELETE", "/v2/entities/run/r2/").status_code == 200
    assert listed(ada, {"user_id": "*"}) == []


def test_older_routes_narrow_and_shape_their_answers(ada: Caller) -> None:
    for number in range(3):
        add(ada, f"tea {number}", user_id="ada", run_id=f"r{number % 2}", timestamp=1_700_000_000 + number * 86_400)
    add(ada, "bo's tea", user_id="bo")

    def texts(method: str, path: str, **given: Any) -> list[str]:
        answer = call(ada, method, path, **given)
        assert answer.status_code == 200, answer.text
        return [one["memory"] for one in answer.json()]

    assert texts("GET", "/v1/memories/?user_id=ada&org_name=x&project_id=y") == ["tea 2", "tea 1", "tea 0"]
    assert texts("GET", "/v1/memories/?user_id=ada&run_id=r0&limit=1") == ["tea 2"]
    assert texts("GET", "/v1/memories/?user_id=ada&end_date=2023-11-15") == ["tea 1", "tea 0"]
    page = call(ada, "GET", "/v1/memories/?user_id=ada&page=2&page_size=2").json()
    assert ([one["memory"] for one in page["results"]], page["count"], page["next"]) == (["tea 0"], 3, None)
    within = {"user_id": "ada", "filters": {"run_id": {"in": ["r0", "r1"]}}}
    assert texts("POST", "/v2/memories/", json=within | {"limit": 2}) == ["tea 2", "tea 1"]
    assert call(ada, "POST", "/v2/memories/", json=within | {"output_format": "v1.1"}).json().keys() == {"results"}
    both = {"user_id": "ada", "filters": {"user_id": "bo"}}  # nothing is of both
    assert texts("POST", "/v2/memories/", json=both) == []
    for version in ("v1", "v2"):
        asked = {"query": "tea", "user_id": "ada", "filters": {"NOT": [{"run_id": "r1"}]}, "limit": 5}
        assert sorted(texts("POST", f"/{version}/memories/search/", json=asked)) == ["tea 0", "tea 2"]
        assert len(texts("POST", f"/{version}/memories/search/", json={**asked, "top_k": 1})) == 1


def test_an_older_entity_goes_by_its_id(ada: Caller) -> None:
    add(ada, "one", user_id="user:a/b")
    add(ada, "two", user_id="a/b")
    for path in ("user/a/b", "run/user:a/b", "user/", "nobody/nobody:a/b"):
        assert call(ada, "DELETE", f"/v1/entities/{path}/").status_code == 404, path
    assert call(ada, "DELETE", "/v1/entities/user/user:a/b/?org_id=x").status_code == 200
    assert listed(ada, {"user_id": "*"}) == ["one"]


def test_a_key_gets_no_further_than_elsewhere(ada: Caller) -> None:
    memory_id = add(ada, "mine", user_id="ada")
    ada.namespace = "team/other"
    outside = ada.remember("outside")["id"]
    reader, writer = ada.key(roles=["read"]), ada.key(roles=["read", "write"])
    stranger = ada.service.tenant("stranger")

    assert call(reader, "GET", f"/v1/memories/{memory_id}/").status_code == 200
    assert call(reader, "PUT", f"/v1/memories/{memory_id}/", json={"text": "x"}).status_code == 403
    assert call(writer, "DELETE", f"/v1/memories/{memory_id}/").status_code == 403
    assert call(writer, "DELETE", "/v1/memories/?user_id=ada").status_code == 403
    assert call(writer, "DELETE", "/v1/entities/user/user:ada/").status_code == 403
    elsewhere = ada.key(namespaces=["user/**"])
    for path in ("/v1/ping/", "/v1/memories/?user_id=ada"):
        assert call(elsewhere, "GET", path).status_code == 403
    for path in ("/v1/memories/search/", "/v2/memories/search/", "/v2/memories/"):
        asked = {"user_id": "ada"} | ({"query": "mine"} if "search" in path else {})
        assert call(elsewhere, "POST", path, json=asked).status_code == 403
        assert call(stranger, "POST", path, json=asked).json() == []
        assert len(call(reader, "POST", path, json=asked).json()) == 1
    assert call(stranger, "GET", "/v1/memories/?user_id=ada").json() == []
    for path in (f"/v1/memories/{memory_id}/", f"/v1/memories/{memory_id}/history/"):
        assert call(stranger, "GET", path).status_code == 404
    assert call(ada, "GET", f"/v1/memories/{outside}/").status_code == 404
    assert call(ada, "DELETE", f"/v1/memories/{outside}/").status_code == 404
    assert call(ada, "DELETE", "/v1/batch/", json={"memories": [{"memory_id": outside}]}).status_code in (200, 202)
    assert ada.get(outside).status_code == 200
    assert listed(stranger, {"user_id": "ada"}) == []


def test_tokens_open_nothing_else_and_nothing_is_there_unasked(ada: Caller, tmp_path: Path) -> None:
    token = {"authorization": f"Token {ada.secret}"}
    assert ada.service.ask("GET", "/v1/version", headers=token).status_code == 401
    assert ada.service.ask("GET", f"{ROOT}/v1/ping/", headers={"authorization": "Token msk_no"}).status_code == 401
    with serving(tmp_path) as without:
        assert without.tenant().ask("GET", f"{ROOT}/v1/ping/").status_code == 404


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("What now?", True),
        ("I moved. Where to?", False),
        ("Why? Who?\nHow?", True),
        ("何ですか？", True),
        ("Hm", False),
    ],
)
def test_a_message_that_only_asks_holds_nothing(text: str, asks: bool) -> None:
    assert only_asks(text) is asks


@pytest.mark.postgres
def test_the_same_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    with serving(tmp_path, postgres_url, mem0_namespace="mem0") as service:
        ada = service.tenant()
        add(ada, "one", user_id="ada", app_id="shop", timestamp=1_700_000_000)
        add(ada, "two", user_id="ada", run_id="r")
        users = call(ada, "GET", "/v1/entities/").json()["results"]
        assert [one["id"] for one in users] == ["app:shop", "run:r", "user:ada"]
        assert listed(ada, {"app_id": "shop", "created_at": {"lt": "2024-01-01"}}) == ["one"]
        call(ada, "DELETE", "/v1/memories/?app_id=shop")
        assert listed(ada, {"user_id": "ada"}) == ["two"]
