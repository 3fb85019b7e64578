"""A session of the OpenAI Agents SDK over the service, and its runner with a scripted model."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from memsvc_client import MemoryClient

pytest.importorskip("agents", reason="the extra `openai-agents` is not installed")

from agents import Agent, ModelResponse, RunConfig, Runner, SQLiteSession, Usage
from agents.models.interface import Model
from openai.types.responses import ResponseOutputMessage, ResponseOutputText

from memsvc_client.integrations.openai_agents import MemsvcSession

ITEMS: list[Any] = [
    {"role": "user", "content": "Which tea do I like?"},
    {"type": "function_call", "name": "look", "arguments": '{"for": "tea"}', "call_id": "c1", "id": "f1"},
    {"type": "function_call_output", "call_id": "c1", "output": "Assam " * 8000},
    {
        "type": "message",
        "role": "assistant",
        "id": "m1",
        "status": "completed",
        "content": [{"type": "output_text", "text": "Assam.", "annotations": []}],
    },
    {"type": "reasoning", "id": "r1", "summary": []},
]


async def story(session: Any) -> list[Any]:
    seen = [await session.get_items(), await session.pop_item()]
    await session.add_items(ITEMS[:2])
    await session.add_items([])
    await session.add_items(ITEMS[2:])
    seen += [await session.get_items(), await session.get_items(limit=2), await session.pop_item()]
    seen.append(await session.get_items())
    await session.clear_session()
    await session.add_items(ITEMS[:1])
    return [*seen, await session.get_items()]


def test_it_is_as_the_sdks_own_session(client: MemoryClient) -> None:
    assert asyncio.run(story(MemsvcSession("chat", client))) == asyncio.run(story(SQLiteSession("chat")))


class Scripted(Model):
    """Answers with the number of items that it was given."""

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        given = kwargs["input"] if "input" in kwargs else args[1]
        text = ResponseOutputText(type="output_text", text=f"heard {len(given)}", annotations=[])
        said = ResponseOutputMessage(id="m", type="message", role="assistant", status="completed", content=[text])
        return ModelResponse(output=[said], usage=Usage(), response_id=None)

    def stream_response(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


def test_the_runner_goes_on_with_a_session(client: MemoryClient) -> None:
    async def run() -> list[str]:
        agent = Agent(name="a", model=Scripted())
        config = RunConfig(tracing_disabled=True)
        return [
            (await Runner.run(agent, said, session=MemsvcSession("chat", client), run_config=config)).final_output
            for said in ("I like Assam", "Which tea do I like?")
        ]

    assert asyncio.run(run()) == ["heard 1", "heard 3"]
    assert "I like Assam" in [hit.memory.content for hit in client.recall("Assam").hits]
