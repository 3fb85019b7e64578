"""`/mcp`: agents get as far as the same key gets elsewhere, and no further."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import MCPError

from memsvc.core.errors import StartupRefused
from memsvc.main import create_app
from memsvc.mcp import mounting
from memsvc_client.mcp import server, tools
from tests.fixtures.mcp_agent import Agent, Mode, live, over_http, tell_a_story
from tests.fixtures.service import Caller, Service, assert_problem, serving, without_request_id

CANARY = "canary-7f3a91"
Story = Callable[[Agent], Awaitable[Any]]


def with_settings(service: Service, monkeypatch: pytest.MonkeyPatch, **changed: Any) -> None:
    monkeypatch.setattr(service.container, "settings", service.container.settings.model_copy(update=changed))


def run(caller: Caller, story: Story, mode: Mode = "auto", **headers: str) -> Any:
    return live(over_http(caller.service.app, caller.headers | headers, mode), story)


@pytest.fixture(scope="module")
def ada(shared: Service) -> Caller:
    return shared.tenant("mcp-ada")


@pytest.fixture(scope="module")
def eve(shared: Service) -> Caller:
    return shared.tenant("mcp-eve")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_an_agent_lives_a_day(shared: Service, monkeypatch: pytest.MonkeyPatch, mode: Mode) -> None:
    with_settings(shared, monkeypatch, mcp_destructive="on")
    namespace = "user/ada lovelace/é".replace(" ", "-")

    def story(agent: Agent) -> Awaitable[None]:
        return tell_a_story(agent, namespace if mode == "legacy" else "user/ada")

    named = "user/ada-lovelace/%C3%A9" if mode == "legacy" else "user/ada"
    run(shared.tenant(f"mcp-{mode}"), story, mode, **{"memsvc-namespace": named})


def test_every_tool_says_what_it_is(ada: Caller) -> None:
    async def story(agent: Agent) -> Any:
        return (await agent.client.list_tools()).tools

    offered = run(ada, story)

    assert [tool.name for tool in offered] == ["remember", "recall", "context", "list", "history", "feedback", "due"]
    reading = {tool.name for tool in offered if tool.annotations.read_only_hint}
    assert reading == {"recall", "context", "list", "history", "due"}
    for tool in offered:
        assert len(tool.description) > 60
        assert tool.title
        assert tool.input_schema["additionalProperties"] is False
        assert tool.output_schema["type"] == "object"
        assert tool.annotations.destructive_hint is False
        assert tool.annotations.open_world_hint is False
    required = {tool.name: set(tool.input_schema.get("required", ())) for tool in offered}
    assert required["remember"] == {"namespace", "content"}  # none is configured
    assert required["recall"] == {"query"}


def test_what_destroys_is_off_until_it_is_switched_on(ada: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    memory_id = ada.remember("hello")["id"]

    async def off(agent: Agent) -> None:
        assert (await agent.refused("forget", memory_id=memory_id))["code"] == "switched_off"

    async def on(agent: Agent) -> Any:
        (tool,) = [one for one in (await agent.client.list_tools()).tools if one.name == "forget"]
        return tool.annotations

    run(ada, off)
    assert ada.get(memory_id).status_code == 200
    with_settings(ada.service, monkeypatch, mcp_destructive="on")
    assert run(ada, on).destructive_hint is True


def ask(caller: Caller, body: Any = None, content: bytes | None = None, **headers: str) -> httpx.Response:
    """One message as a client of the older protocol sends it."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"} if body is None else body
    return caller.ask(
        "POST",
        "/mcp",
        content=json.dumps(message).encode() if content is None else content,
        headers={"content-type": "application/json", "accept": "application/json, text/event-stream"} | headers,
    )


def test_without_a_good_key_there_is_one_answer(shared: Service, ada: Caller) -> None:
    bad = [Caller(shared, None), *(Caller(shared, f"msk_{'x' * 40}{n}") for n in range(2))]

    answers = {str(without_request_id(ask(caller))) for caller in bad}
    elsewhere = without_request_id(bad[0].ask("GET", "/v1/namespaces"))

    assert answers == {str(elsewhere)}
    assert ask(bad[0]).headers["www-authenticate"] == "Bearer"
    assert ask(ada).status_code == 200
    assert_problem(ask(bad[0], headers_too="x" * 20_000), 431)


def test_tenants_learn_nothing_of_each_other(ada: Caller, eve: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    with_settings(ada.service, monkeypatch, mcp_destructive="on")
    memory_id = ada.remember(f"Ada keeps {CANARY}.")["id"]
    recall_id = ada.recall("What does Ada keep?")["id"]

    async def story(agent: Agent) -> None:
        there, own = {"namespace": "user/ada"}, {"namespaces": ["user/ada", "user/eve"]}
        for where in (there, own, {"namespace_prefix": ""}):
            answers = [await agent.done(tool, query="What does Ada keep?", **where) for tool in ("recall", "context")]
            assert CANARY not in json.dumps(answers)
        assert (await agent.done("list", **there))["items"] == []
        assert (await agent.done("due", **there, horizon_s=3_000_000_000))["items"] == []
        unknown = [await agent.refused("history", memory_id=one) for one in (memory_id, str(memory_id)[:-4] + "0000")]
        assert {one["code"] for one in unknown} == {"not_found"}
        assert unknown[0]["detail"] == unknown[1]["detail"]
        assert (await agent.refused("forget", memory_id=memory_id))["code"] == "not_found"
        assert (await agent.refused("feedback", recall_id=recall_id, wrong=[memory_id]))["code"] == "not_found"
        assert (await agent.read("memsvc://namespaces/user/ada"))["memories"] == 0
        assert (await agent.read("memsvc://namespaces"))["items"] == []

    run(eve, story)
    assert ada.get(memory_id).status_code == 200


def test_a_lesser_key_is_a_lesser_key(ada: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    with_settings(ada.service, monkeypatch, mcp_destructive="on")
    memory_id = ada.remember("hello")["id"]

    async def reads(agent: Agent) -> None:
        assert await agent.done("list", namespace="user/ada")
        for refused in (
            await agent.refused("remember", namespace="user/ada", content="no"),
            await agent.refused("forget", memory_id=memory_id),
            await agent.refused("recall", namespace="user/bob", query="hello"),
            await agent.refused("remember", namespace="user/ada/x", content="no"),
        ):
            assert (refused["status"], refused["code"]) == (403, "forbidden")
        with pytest.raises(MCPError, match="forbidden"):
            await agent.read("memsvc://namespaces/user/bob")

    run(ada.key(roles=["read"], namespaces=["user/ada"]), reads)


HOSTILE: list[tuple[str, dict[str, Any]]] = [
    ("remember", {"content": "x" * (256 * 1024 + 1)}),
    ("remember", {"content": ""}),
    ("remember", {"content": 7}),
    ("remember", {"content": CANARY, "tenant_id": CANARY}),
    ("remember", {"content": CANARY, CANARY + " <b>": 1}),
    ("remember", {"content": "a", "metadata": {str(n): n for n in range(300)}}),
    ("remember", {"content": "a", "tags": [CANARY * 20]}),
    ("remember", {"content": "a", "occurred_at": CANARY}),
    ("remember", {"content": "a", "importance": 1e9}),
    ("remember", {"content": "a", "ttl_s": 2**62}),
    ("remember", {"content": "a", "namespace": "../" + CANARY}),
    ("remember", {"content": "a", "embedding": [1.0]}),
    ("recall", {}),
    ("recall", {"query": "a" * 9000}),
    ("recall", {"query": "a", "top_k": 10**6}),
    ("recall", {"query": "a", "namespaces": []}),
    ("recall", {"query": "a", "filter": {CANARY + " <b>": {"$where": CANARY}}}),
    ("recall", {"query": "a", "profile": CANARY}),
    ("context", {"query": "a", "token_budget": 10**9}),
    ("context", {"query": "a", "previous": [CANARY]}),
    ("list", {"cursor": CANARY}),
    ("list", {"limit": 10**6}),
    ("list", {"limit": "1&namespace=user/eve"}),
    ("list", {"namespace": "user/ada *"}),
    ("list", {"namespace": "a\r\nx: y"}),
    ("history", {"memory_id": ""}),
    ("history", {"memory_id": ".."}),
    ("history", {"memory_id": "../../v1/keys?"}),
    ("history", {"memory_id": "%2e%2e%2fkeys#"}),
    ("history", {"memory_id": "a" * 9000}),
    ("feedback", {"recall_id": "..", "used": []}),
    ("feedback", {"recall_id": CANARY, "used": [CANARY]}),
    ("due", {"horizon_s": -1}),
    ("due", {"horizon_s": 10**12}),
    ("due", {"cursor": CANARY * 500}),
]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_no_argument_gets_further_than_a_refusal(ada: Caller, mode: Mode) -> None:
    async def story(agent: Agent) -> None:
        for tool, arguments in HOSTILE:
            given = {"namespace": "user/ada"} | arguments if tool not in ("history", "feedback") else arguments
            problem = await agent.refused(tool, **given)
            assert 400 <= problem.get("status", 400) < 500, (tool, arguments, problem)
            assert CANARY not in json.dumps(problem), (tool, arguments)

    run(ada, story, mode)


def test_limits_are_those_of_the_routes(ada: Caller) -> None:
    too_long = "x" * (256 * 1024 + 1)
    elsewhere = ada.write(too_long).json()

    async def story(agent: Agent) -> Any:
        return await agent.refused("remember", namespace="user/ada", content=too_long)

    problem = run(ada, story)
    assert {**problem, "request_id": ""} == {**elsewhere, "request_id": ""}
    too_large = ask(ada, content=b" " * (16 * 1024 * 1024 + 1))
    assert (too_large.status_code, too_large.json()["error"]["data"]["code"]) == (413, "too_large")
    assert too_large.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b'{"jsonrpc": "2.0", "id": NaN, "method": "ping"}', 400),
        (b'{"jsonrpc": "2.0", "id": 1, "id": 2, "method": "ping"}', 400),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "\\ud800"}', 422),
        (b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', 422),
        (b'{"canary-7f3a91": 1}', 400),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "canary-7f3a91"}', 400),
    ],
)
def test_what_is_no_message_is_refused_as_elsewhere(ada: Caller, content: bytes, status: int) -> None:
    answer = ask(ada, content=content)

    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["data"]["status"] == status
    assert error["data"]["request_id"] == answer.headers["x-request-id"]
    assert CANARY not in answer.text


def test_a_number_that_cannot_be_kept_is_named(ada: Caller) -> None:
    async def story(agent: Agent) -> None:
        with pytest.raises(MCPError, match="/params/arguments/ttl_s") as caught:
            await agent.call("remember", namespace="user/ada", content="a", ttl_s=2**80)
        assert caught.value.error.data["code"] == "invalid_input"

    run(ada, story)


@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28", "9999-99-99", "\x7f"])
@pytest.mark.parametrize(
    "message",
    [
        {"method": "tools/call", "params": {"name": "erase"}},
        {"method": "tools/call", "params": {"name": 1}},
        {"method": "tools/call", "params": {"name": "list", "arguments": [CANARY]}},
        {"method": "tools/call"},
        {"method": "resources/read", "params": {"uri": ["memsvc://namespaces"]}},
        {"method": "resources/list", "params": {"cursor": CANARY}},
        {"method": "resources/subscribe", "params": {"uri": "memsvc://namespaces"}},
        {"method": "subscriptions/listen", "params": {}},
        {"method": "initialize", "params": {"protocolVersion": CANARY}},
        {"method": "no/such", "params": {"_meta": {"progressToken": {"a": 1}}}},
    ],
    ids=str,
)
def test_messages_out_of_place_are_errors_of_the_protocol(ada: Caller, message: dict[str, Any], version: str) -> None:
    answer = ask(
        ada,
        {"jsonrpc": "2.0", "id": 1, **message},
        **{"mcp-protocol-version": version, "mcp-method": message["method"]},
    )

    assert answer.status_code < 500
    assert answer.json()["error"]["code"] in range(-33000, -32000)
    assert answer.json()["error"]["code"] != -32603
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_only_messages_are_taken(ada: Caller, method: str) -> None:
    answer = ada.ask(method, "/mcp", headers={"accept": "text/event-stream"})

    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


def test_notifications_are_taken_and_nothing_comes_of_them(ada: Caller) -> None:
    assert ask(ada, {"jsonrpc": "2.0", "method": "notifications/initialized"}).status_code == 202


ADDRESSES = [
    "memsvc://namespaces/",
    "memsvc://namespaces/../keys",
    "memsvc://namespaces/user/../../x",
    "memsvc://namespaces/user/%2e%2e/x",
    "memsvc://namespaces/user//ada",
    "memsvc://namespaces//etc/passwd",
    "memsvc://namespaces/user/*",
    "memsvc://namespaces/**",
    "memsvc://namespaces/user/ada?limit=1",
    "memsvc://namespaces/user/ada#x",
    "memsvc://namespaces/user%00",
    "memsvc://namespaces/%ff",
    "memsvc://namespaces/" + "a" * 5000,
    "memsvc://namespaces.example/user",
    "MEMSVC://namespaces/user/ada",
    "file:///etc/passwd",
    "http://localhost/v1/keys",
    "",
]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_no_address_leads_elsewhere(ada: Caller, mode: Mode) -> None:
    async def story(agent: Agent) -> None:
        for uri in ADDRESSES:
            with pytest.raises(MCPError) as caught:
                await agent.read(uri)
            assert caught.value.error.code == -32602, uri

    run(ada, story, mode)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://[", ""])
def test_pages_of_other_sites_are_refused(ada: Caller, origin: str) -> None:
    assert_problem(ask(ada, origin=origin), 403, "forbidden")
    assert ask(ada, origin="http://localhost").status_code == 200


def test_what_fails_unforeseen_stays_in_the_log(ada: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(client: Any, asked: Any) -> Any:
        raise RuntimeError(CANARY)

    broken = tuple(replace(tool, run=fail) if tool.name == "recall" else tool for tool in tools.TOOLS)
    monkeypatch.setitem(server.TOOL_SETS, "memory", broken)

    async def story(agent: Agent) -> None:
        with pytest.raises(MCPError) as caught:
            await agent.call("recall", namespace="user/ada", query="hello")
        assert caught.value.error.code == -32603
        assert CANARY not in caught.value.error.message

    for mode in ("auto", "legacy"):
        run(ada, story, mode)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def open_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("open"), auth="open") as running:
        yield running


def test_on_loopback_no_key_is_needed_and_none_is_borrowed(
    open_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = open_service.tenant("other")
    other.remember(f"The other one keeps {CANARY}.")
    monkeypatch.setenv("MEMSVC_API_KEY", str(other.secret))  # a client in this process would take it
    nobody = Caller(open_service, None)

    async def story(agent: Agent) -> Any:
        return await agent.done("list", namespace="user/ada")

    assert run(nobody, story)["items"] == []
    assert CANARY in json.dumps(run(other, story))
    assert_problem(ask(nobody, host="rebound.example"), 401)


def test_the_route_can_be_switched_off(ada: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    with_settings(ada.service, monkeypatch, mcp="off")
    monkeypatch.setattr(ada.service.container, "start", lambda: None)
    app = create_app(ada.service.container, is_started=True)

    assert "/mcp" not in {getattr(route, "path", "") for route in app.routes}


def test_where_the_extra_is_missing_the_route_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mounting.mcp_routes("auto")
    monkeypatch.setattr(mounting, "find_spec", lambda name: None)

    assert mounting.mcp_routes("auto") == ()
    with pytest.raises(StartupRefused, match=r"memsvc\[mcp\]"):
        mounting.mcp_routes("on")


def test_the_log_has_one_id_for_both(ada: Caller, tmp_path: Path) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "history"}}
    message["params"] |= {"arguments": {"memory_id": "none"}}  # type: ignore[operator]

    answer = ask(ada, message, **{"x-request-id": "agent-1"})

    problem = json.loads(answer.json()["result"]["content"][0]["text"])
    assert problem["request_id"] == answer.headers["x-request-id"] == "agent-1"
