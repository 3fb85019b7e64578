"""LlamaIndex's memory with a long-term block: `python -m examples.llama_index_memory`."""

from __future__ import annotations

import asyncio

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.memory import Memory

from memsvc_client import MemoryClient
from memsvc_client.integrations.llama_index import MemsvcMemoryBlock


async def talk(client: MemoryClient) -> None:
    """A conversation that is too long for the short-term memory, and a question about its beginning."""
    memory = Memory.from_defaults(
        session_id="chat-1",
        token_limit=200,
        token_flush_size=50,
        chat_history_token_ratio=0.3,
        memory_blocks=[MemsvcMemoryBlock(client=client, options={"token_budget": 80})],
        tokenizer_fn=str.split,
    )
    await memory.aput(ChatMessage(role="user", content="The tea that I like best is Assam from Harbour Street."))
    for n in range(10):
        await memory.aput(
            ChatMessage(role="assistant", content=f"This is answer {n}, and it says nothing much at all.")
        )
        await memory.aput(ChatMessage(role="user", content=f"This is question {n}, which is about something else."))
    for message in await memory.aget(input="Which tea do I like best?"):
        print(f"{message.role.value}: {message.content}")


def main() -> None:
    """Runs it."""
    with MemoryClient(namespace="examples/llama-index") as client:
        asyncio.run(talk(client))


if __name__ == "__main__":
    main()
