"""Every example runs, twice, and the examples of the page compile."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from memsvc_client import MemoryClient

ROOT = Path(__file__).parents[3]
NEEDS = {
    "langgraph_store": "langgraph.graph",
    "langchain_history": "langchain_core",
    "llama_index_memory": "llama_index.core",
    "openai_agents_session": "agents",
    "chat_with_memory": "memsvc_client",
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
    said = capsys.readouterr().out
    assert "tea" in said or "Assam" in said


@pytest.mark.parametrize("block", BLOCKS, ids=[f"block-{n}" for n in range(len(BLOCKS))])
def test_the_page_runs(block: str) -> None:
    for module in re.findall(r"^from (langgraph|langchain_core|llama_index|agents)\b", block, re.MULTILINE):
        pytest.importorskip(module, reason=f"{module} is not installed")
    exec(compile(block, "frameworks.md", "exec"), {"__name__": "__main__"})  # noqa: S102 - our own page
