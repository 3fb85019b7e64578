"""LangChain: a retriever, and the history of a chat; see docs/frameworks.md. Needs the extra `langchain`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.documents import Document
from langchain_core.messages import BaseMessage, message_to_dict, messages_from_dict
from langchain_core.retrievers import BaseRetriever
from pydantic import Field

from memsvc_client.client import MemoryClient
from memsvc_client.integrations.transcript import Said, Transcript
from memsvc_client.types import Hit

_SPEAKERS: Final = {"human": "user", "ai": "assistant"}


class MemsvcRetriever(BaseRetriever):
    """Finds memories as documents, the best first.

    A document's id is the memory's, its metadata are the memory's own with `score`, `namespace` and what else is known:
    kind, tags, speaker, place and times.
    """

    client: MemoryClient
    """Speaks to the service; the caller closes it."""
    namespace: str | None = None
    """Where to look; default the client's."""
    options: dict[str, Any] = Field(default_factory=dict)
    """See `RecallOptions`: `top_k`, `filter`, `profile` and so on."""

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        del run_manager
        answer = self.client.recall(query, namespace=self.namespace, **self.options)
        return [_document(hit) for hit in answer.hits]


class MemsvcChatMessageHistory(BaseChatMessageHistory):
    """The messages of a chat; each is also a memory, which recalls of its namespace find.

    Args:
        client: Speaks to the service; the caller closes it.
        session_id: The chat; one that was there before goes on.
        namespace: Where it is kept; default the client's.
        user_id: User that the messages belong to.
        agent_id: Agent that the messages belong to.
        on_delete: Whether `clear` hides messages and keeps their history, or erases them (needs the role `erase`).

    Raises:
        MemsvcError: From all methods: the service refused, or cannot be reached.
    """

    def __init__(
        self,
        client: MemoryClient,
        session_id: str,
        *,
        namespace: str | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        on_delete: Literal["forget", "erase"] = "forget",
    ) -> None:
        self._kept = Transcript(client, "langchain", session_id, namespace, user_id, agent_id, on_delete)

    @property
    def messages(self) -> list[BaseMessage]:
        """All messages, oldest first."""
        told: list[BaseMessage] = messages_from_dict(self._kept.messages())
        return told

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Writes messages after those that are there."""
        self._kept.add([_said(message) for message in messages])

    def clear(self) -> None:
        """Removes all messages."""
        self._kept.clear()


def _said(message: BaseMessage) -> Said:
    return Said(message_to_dict(message), str(message.text), message.name or _SPEAKERS.get(message.type, message.type))


def _document(hit: Hit) -> Document:
    memory = hit.memory
    known = memory.model_dump(
        mode="json",
        include={
            "namespace",
            "kind",
            "external_id",
            "session_id",
            "speaker",
            "place",
            "tags",
            "occurred_at",
            "recorded_at",
        },
        exclude_none=True,
    )
    return Document(id=memory.id, page_content=memory.content, metadata=memory.metadata | known | {"score": hit.score})
