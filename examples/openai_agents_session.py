"""A session of the OpenAI Agents SDK that outlives the process: `python -m examples.openai_agents_session`."""

from __future__ import annotations

import asyncio

from memsvc_client import MemoryClient
from memsvc_client.integrations.openai_agents import MemsvcSession


async def talk(client: MemoryClient) -> None:
    """What `Runner.run(agent, ..., session=session)` does with a session, without a model."""
    await MemsvcSession("chat-1", client).add_items(
        [{"role": "user", "content": "I drink Assam."}, {"role": "assistant", "content": "Noted."}]
    )
    later = MemsvcSession("chat-1", client)
    for item in await later.get_items(limit=2):
        print(item)


def main() -> None:
    """Runs it."""
    with MemoryClient(namespace="examples/openai-agents") as client:
        asyncio.run(talk(client))
        print(client.recall("Which tea?", top_k=1).hits[0].memory.content)


if __name__ == "__main__":
    main()
