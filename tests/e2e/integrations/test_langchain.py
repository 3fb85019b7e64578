"""LangChain's own messages, chains and retrievers over the service."""

from __future__ import annotations

import asyncio

import pytest

from memsvc_client import MemoryClient

pytest.importorskip("langchain_core", reason="the extra `langchain` is not installed")

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.runnables import RunnableLambda
from langchain_core.runnables.history import RunnableWithMessageHistory

from memsvc_client.integrations.langchain import MemsvcChatMessageHistory, MemsvcRetriever

MESSAGES: list[AnyMessage] = [
    SystemMessage("Be brief."),
    HumanMessage("Which tea do I like?", name="Ada", id="m1"),
    AIMessage("", tool_calls=[{"name": "look", "args": {"for": {"deep": [{"er": [1, 2]}]}}, "id": "c1"}]),
    ToolMessage("Assam, since 2019.", tool_call_id="c1"),
    AIMessage([{"type": "text", "text": "Assam."}, {"type": "text", "text": "I looked it up."}]),
    HumanMessage("x" * 40_000),
    HumanMessage("  "),
]


def test_messages_come_back_as_they_were(client: MemoryClient) -> None:
    history = MemsvcChatMessageHistory(client, "chat-1", user_id="ada")
    history.add_messages(MESSAGES[:3])
    history.add_messages(MESSAGES[3:])
    assert history.messages == MESSAGES
    assert MemsvcChatMessageHistory(client, "chat-1").messages == MESSAGES
    assert MemsvcChatMessageHistory(client, "chat-2").messages == []
    assert {memory.user_id for memory in client.list()} == {"ada"}


def test_many_messages_keep_their_order(client: MemoryClient) -> None:
    history = MemsvcChatMessageHistory(client, "chat")
    many: list[BaseMessage] = [HumanMessage(f"number {n}") for n in range(120)]
    history.add_messages(many)
    history.add_message(AIMessage("done"))
    assert history.messages == [*many, AIMessage("done")]


def test_clearing_leaves_other_chats_and_memories(client: MemoryClient) -> None:
    client.remember_conversation([{"role": "user", "content": "of another program"}], session_id="chat-1")
    for session_id in ("chat-1", "chat-2"):
        MemsvcChatMessageHistory(client, session_id).add_user_message("hello")
    history = MemsvcChatMessageHistory(client, "chat-1", on_delete="erase")
    history.clear()
    history.clear()
    assert history.messages == []
    assert len(MemsvcChatMessageHistory(client, "chat-2").messages) == 1
    assert sorted(memory.content for memory in client.list()) == ["hello", "of another program"]


def test_what_a_job_puts_away_stays_in_the_chat(client: MemoryClient) -> None:
    history = MemsvcChatMessageHistory(client, "chat")
    said: list[BaseMessage] = [
        HumanMessage("The number of the door is 7."),
        HumanMessage("The number of the door is 7."),
    ]
    history.add_messages(said)
    client.jobs.set_policy({"share_per_run": 1.0})
    client.jobs.run("merge")
    assert len(list(client.list())) == 1  # or this shows nothing
    assert history.messages == said


@pytest.mark.filterwarnings("ignore:RunnableWithMessageHistory is deprecated")
def test_a_chain_has_a_history(client: MemoryClient) -> None:
    chain = RunnableWithMessageHistory(
        RunnableLambda(lambda messages: AIMessage(f"heard {len(messages)}")),
        lambda session_id: MemsvcChatMessageHistory(client, session_id),
    )
    config = {"configurable": {"session_id": "chat"}}
    assert chain.invoke([HumanMessage("one")], config).content == "heard 1"
    assert chain.invoke([HumanMessage("two")], config).content == "heard 3"
    assert asyncio.run(chain.ainvoke([HumanMessage("three")], config)).content == "heard 5"


def test_documents_are_found(client: MemoryClient) -> None:
    memory = client.remember("Ada drinks green tea.", tags=["drinks"], metadata={"page": 3}).memory
    client.remember("The deploy failed.", tags=["work"])
    retriever = MemsvcRetriever(client=client, options={"top_k": 1, "filter": {"tags": "drinks"}})
    for found in (retriever.invoke("green tea"), asyncio.run(retriever.ainvoke("green tea"))):
        (document,) = found
        assert (document.id, document.page_content) == (memory.id, memory.content)
        assert document.metadata["page"] == 3
        assert document.metadata["tags"] == ["drinks"]
        assert isinstance(document.metadata["score"], float)
