"""LlamaIndex: a memory block and a retriever; see docs/frameworks.md. Needs the extra `llama-index`."""

from __future__ import annotations

import asyncio
from itertools import groupby
from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.memory import BaseMemoryBlock
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from pydantic import Field

from memsvc_client.client import MemoryClient


class MemsvcMemoryBlock(BaseMemoryBlock[str]):
    """Long-term memory: takes what leaves the short-term memory, and gives back what matters to a question.

    Raises:
        MemsvcError: From all methods: the service refused, or cannot be reached.
    """

    name: str = "memsvc"
    priority: int = 1
    client: MemoryClient
    """Speaks to the service; the caller closes it."""
    namespace: str | None = None
    """Where it is kept; default the client's."""
    user_id: str | None = None
    """User that the messages belong to."""
    default_session_id: str = "llama-index"
    """The conversation of messages that name none."""
    options: dict[str, Any] = Field(default_factory=dict)
    """See `ContextOptions`: `token_budget`, `filter`, `profile` and so on."""

    async def _aget(self, messages: list[ChatMessage] | None = None, **block_kwargs: Any) -> str:
        del block_kwargs
        asked = (one.content or "" for one in reversed(messages or []) if one.role == MessageRole.USER)
        question = next(asked, "")
        if not question.strip():
            return ""
        context = await asyncio.to_thread(self.client.context, question, namespace=self.namespace, **self.options)
        return context.context if context.citations else ""

    async def _aput(self, messages: list[ChatMessage]) -> None:
        told = [one for one in messages if (one.content or "").strip()]
        for session_id, turns in groupby(told, lambda one: one.additional_kwargs.get("session_id")):
            await asyncio.to_thread(
                self.client.remember_conversation,
                [{"role": turn.role.value, "content": turn.content} for turn in turns],
                session_id=session_id or self.default_session_id,
                namespace=self.namespace,
                user_id=self.user_id,
            )

    async def atruncate(self, content: str, tokens_to_truncate: int) -> str | None:
        """The block without its last memories, down to what is left of its tokens; None where that is nothing."""
        lines = content.splitlines(keepends=True)
        starts = [n for n, line in enumerate(lines) if line.startswith("[")]  # only a memory begins so
        left = len(content.encode()) // 4 - tokens_to_truncate
        for n in reversed(starts):
            shorter = "".join(lines[:n])
            if n != starts[0] and len(shorter.encode()) <= 4 * left:
                return shorter
        return None


class MemsvcRetriever(BaseRetriever):
    """Finds memories as nodes, the best first.

    Args:
        client: Speaks to the service; the caller closes it.
        namespace: Where to look; default the client's.
        options: See `RecallOptions`: `top_k`, `filter`, `profile` and so on.
    """

    def __init__(self, client: MemoryClient, *, namespace: str | None = None, **options: Any) -> None:
        super().__init__()
        self._client, self._namespace, self._options = client, namespace, options

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        answer = self._client.recall(query_bundle.query_str, namespace=self._namespace, **self._options)
        return [
            NodeWithScore(
                node=TextNode(
                    id_=hit.memory.id,
                    text=hit.memory.content,
                    metadata=hit.memory.metadata
                    | hit.memory.model_dump(
                        mode="json",
                        include={"namespace", "kind", "speaker", "place", "occurred_at"},
                        exclude_none=True,
                    ),
                ),
                score=hit.score,
            )
            for hit in answer.hits
        ]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)
