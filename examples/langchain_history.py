"""A LangChain chat with a history that outlives it, and a retriever: `python -m examples.langchain_history`."""

from __future__ import annotations

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from memsvc_client import MemoryClient
from memsvc_client.integrations.langchain import MemsvcChatMessageHistory, MemsvcRetriever


def model(messages: list[BaseMessage]) -> AIMessage:
    """Stands where a chat model would."""
    return AIMessage(f"I have read {len(messages)} messages.")


def main() -> None:
    """Two turns of a chat, then a question over all chats."""
    with MemoryClient(namespace="examples/langchain") as client:
        for said in ("I drink Assam in the morning.", "And in the evening rooibos."):
            history = MemsvcChatMessageHistory(client, "chat-1")
            question = HumanMessage(said)
            answer = model([*history.messages, question])
            history.add_messages([question, answer])
            print(f"{said}\n  {answer.content}")
        retriever = MemsvcRetriever(client=client, options={"top_k": 1, "filter": {"speaker": "user"}})
        print(retriever.invoke("Which tea in the morning?")[0].page_content)


if __name__ == "__main__":
    main()
