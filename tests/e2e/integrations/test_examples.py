"""Every example runs, twice, and says what it is there to say; the examples of the page run."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from fastapi import FastAPI, Request

from memsvc_client import MemoryClient
from tests.fixtures.listening import listening

ROOT = Path(__file__).parents[3]
NEEDS = {
    "langgraph_store": "langgraph.graph",
    "langchain_history": "langchain_core",
    "llama_index_memory": "llama_index.core",
    "openai_agents_session": "agents",
    "chat_agent": "memsvc_client",
    "coding_agent": "memsvc_client",
    "shared_memory": "memsvc_client",
}
SAYS = {
    "langgraph_store": "ada: What do I drink in the morning?\n  You told me: I drink green tea",
    "langchain_history": "I drink Assam in the morning.",
    "llama_index_memory": "Assam from Harbour Street",
    "openai_agents_session": "I drink Assam.",
    "chat_agent": "you:   Which tea should I buy?\nagent: You told me: I drink Assam tea in the morning.",
    "coding_agent": "next day:\n  ok     PYTHONPATH=src python -m unittest discover tests\nafter src/",
    "shared_memory": "after 1 went:\n  [agent, key:builder] Before a deploy the migrations have to be run.\nand back",
}
PAGE = (ROOT / "docs" / "frameworks.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
    pytest.mark.usefixtures("swept"),
]


@pytest.fixture(autouse=True)
def at_the_service(client: MemoryClient, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMSVC_URL", url)
    monkeypatch.setenv("MEMSVC_API_KEY", client._transport._client.headers["authorization"].removeprefix("Bearer "))


def test_every_example_is_known() -> None:
    assert {path.stem for path in (ROOT / "examples").glob("*.py")} - {"__init__"} == set(NEEDS)


@pytest.mark.parametrize("name", NEEDS)
def test_an_example_runs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip(NEEDS[name], reason=f"the framework of {name} is not installed")
    example = importlib.import_module(f"examples.{name}")
    example.main()
    example.main()
    assert SAYS[name] in capsys.readouterr().out


def test_the_chat_agent_asks_a_model_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model, prompts = FastAPI(), []

    @model.post("/v1/chat/completions")
    async def complete(request: Request) -> dict[str, object]:
        prompts.append(await request.json())
        return {"choices": [{"message": {"role": "assistant", "content": "Of course."}}]}

    with listening(model) as port:
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{port}/v1")
        monkeypatch.setenv("OPENAI_MODEL", "a-model")
        importlib.import_module("examples.chat_agent").main()
    assert "agent: Of course." in capsys.readouterr().out
    assert [prompt["model"] for prompt in prompts] == ["a-model"] * 4
    assert any("I drink Assam tea" in message["content"] for message in prompts[2]["messages"])


@pytest.mark.parametrize("block", BLOCKS, ids=[f"block-{n}" for n in range(len(BLOCKS))])
def test_the_page_runs(block: str) -> None:
    for module in re.findall(r"^from (langgraph|langchain_core|llama_index|agents)\b", block, re.MULTILINE):
        pytest.importorskip(module, reason=f"{module} is not installed")
    exec(compile(block, "frameworks.md", "exec"), {"__name__": "__main__"})  # noqa: S102 - our own page
