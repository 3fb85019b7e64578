"""`memsvc mcp`: the same agent over stdin and stdout, against a server that listens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from memsvc_client import AsyncMemoryClient, RetryPolicy
from memsvc_client.cli import mcp as command
from memsvc_client.cli.main import app as memsvc
from memsvc_client.mcp import stdio
from tests.fixtures.listening import listening
from tests.fixtures.mcp_agent import Agent, in_process, live, over_stdio, tell_a_story
from tests.fixtures.service import Service


@pytest.fixture(scope="module")
def url(shared: Service) -> Iterator[str]:
    with listening(shared.app) as port:
        yield f"http://127.0.0.1:{port}"


def test_an_agent_lives_a_day(shared: Service, url: str) -> None:
    secret = str(shared.tenant("stdio").secret)
    started = over_stdio("-n", "user/ada", "mcp", "--allow-destructive", MEMSVC_URL=url, MEMSVC_API_KEY=secret)

    async def story(agent: Agent) -> None:
        await tell_a_story(agent, "user/ada")
        (tool,) = [one for one in (await agent.client.list_tools()).tools if one.name == "remember"]
        assert tool.input_schema["required"] == ["content"]  # the namespace is configured

    live(started, story)


def test_without_a_key_and_without_leave(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMSVC_URL", url)
    monkeypatch.delenv("MEMSVC_API_KEY", raising=False)
    monkeypatch.delenv("MEMSVC_NAMESPACE", raising=False)
    served: list[dict[str, Any]] = []
    monkeypatch.setattr(stdio, "serve", lambda client, **given: _note(served, {"client": client, **given}))

    assert CliRunner().invoke(memsvc, ["mcp"]).exit_code == 0

    async def story(agent: Agent) -> None:
        names = [one.name for one in (await agent.client.list_tools()).tools]
        assert "forget" not in names
        assert (await agent.refused("forget", memory_id="x"))["code"] == "switched_off"
        assert (await agent.refused("list", namespace="user/ada"))["code"] == "unauthenticated"
        assert (await agent.refused("list"))["code"] == "InvalidArgument"  # no namespace anywhere
        assert (await agent.refused("list", namespace="user/ada", limit="many"))["code"] == "invalid_input"

    live(in_process(**served[0]), story)


async def _note(served: list[dict[str, Any]], given: dict[str, Any]) -> None:
    served.append(given)


@pytest.mark.parametrize(
    ("said", "is_allowed", "tools"), [("on", True, "graph"), ("off", False, "all"), ("", False, "")]
)
def test_the_settings_are_the_services(
    monkeypatch: pytest.MonkeyPatch, said: str, is_allowed: bool, tools: str
) -> None:
    monkeypatch.setenv("MEMSVC_MCP_DESTRUCTIVE", said)
    monkeypatch.setenv("MEMSVC_MCP_TOOLS", tools)
    served: list[dict[str, Any]] = []
    monkeypatch.setattr(stdio, "serve", lambda client, **given: _note(served, given))

    ran = CliRunner().invoke(memsvc, ["-n", "user/ada", "mcp"])

    assert ran.exit_code == 0
    assert served == [{"namespace": "user/ada", "allow_destructive": is_allowed, "tool_set": tools or "memory"}]


def test_a_service_that_is_not_there_is_an_answer_too() -> None:
    client = AsyncMemoryClient("http://127.0.0.1:9", "msk_x", retry=RetryPolicy(attempts=1))

    async def story(agent: Agent) -> None:
        assert (await agent.refused("recall", namespace="user/ada", query="hello"))["code"] == "ConnectionFailed"

    live(in_process(client), story)


def test_where_the_extra_is_missing_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None)

    ran = CliRunner().invoke(memsvc, ["mcp"])

    assert ran.exit_code == 2
    assert "memsvc-client[mcp]" in ran.stderr
