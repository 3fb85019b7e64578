"""LlamaIndex's memory and retrievers over the service."""

from __future__ import annotations

import asyncio

import pytest

from memsvc_client import MemoryClient

pytest.importorskip("llama_index.core", reason="the extra `llama-index` is not installed")

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.memory import Memory

from memsvc_client.integrations.llama_index import MemsvcMemoryBlock, MemsvcRetriever

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
    pytest.mark.usefixtures("swept"),
]


def said(role: str, content: str) -> ChatMessage:
    return ChatMessage(role=role, content=content)


def test_what_leaves_the_short_term_memory_comes_back(client: MemoryClient) -> None:
    async def run() -> str:
        memory = Memory.from_defaults(
            session_id="chat",
            token_limit=120,
            chat_history_token_ratio=0.3,
            token_flush_size=20,
            memory_blocks=[MemsvcMemoryBlock(client=client, options={"token_budget": 60})],
            tokenizer_fn=str.split,
        )
        await memory.aput(said("user", "The tea that I like best is Assam from the shop in Harbour Street."))
        for n in range(8):
            await memory.aput(said("assistant", f"Answer number {n} has quite a few words in it."))
            await memory.aput(said("user", f"Question number {n} has quite a few words in it."))
        given = await memory.aget(input="Which tea do I like best?")
        return "\n".join(str(one.content) for one in given)

    assert "Assam" in asyncio.run(run())
    assert {memory.session_id for memory in client.list()} == {"chat"}


def test_a_block_by_itself(client: MemoryClient) -> None:
    block = MemsvcMemoryBlock(client=client, user_id="ada")

    async def run() -> None:
        assert await block.aget(None) == ""
        assert await block.aget([said("user", "Which tea?")]) == ""
        await block.aput(
            [said("user", "I like Assam tea."), said("assistant", " "), said("assistant", "Noted: Assam.")]
        )
        text = await block.aget([said("user", "Which tea do I like?"), said("assistant", "Let me see.")])
        assert "I like Assam tea." in text
        assert await block.aget([said("assistant", "nobody asked")]) == ""
        cut = await block.atruncate(text, 5)
        assert cut is not None
        assert text.startswith(cut)
        assert len(cut.encode()) <= len(text.encode()) - 4 * 5 + 3
        assert await block.atruncate(text, 1000) is None

    asyncio.run(run())
    assert {(m.session_id, m.user_id) for m in client.list()} == {("llama-index", "ada")}


def test_nodes_are_found(client: MemoryClient) -> None:
    memory = client.remember("Ada drinks green tea.", tags=["drinks"], metadata={"page": 3}).memory
    retriever = MemsvcRetriever(client, top_k=1, filter={"tags": "drinks"})
    for found in (retriever.retrieve("green tea"), asyncio.run(retriever.aretrieve("green tea"))):
        (node,) = found
        assert (node.node.node_id, node.node.get_content(), node.metadata["page"]) == (memory.id, memory.content, 3)
