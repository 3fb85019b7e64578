"""OpenAI Agents SDK: a session that outlives the process; see docs/frameworks.md. Needs the extra `openai-agents`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal, cast

from agents.memory.session import SessionABC

from memsvc_client.client import MemoryClient
from memsvc_client.integrations.transcript import Said, Transcript
from memsvc_client.session import text_of

if TYPE_CHECKING:
    from agents.items import TResponseInputItem


class MemsvcSession(SessionABC):
    """The items of a conversation; what was said in them is also found by recalls of its namespace.

    Args:
        session_id: The conversation; one that was there before goes on.
        client: Speaks to the service; the caller closes it.
        namespace: Where it is kept; default the client's.
        user_id: User that the items belong to.
        agent_id: Agent that the items belong to.
        on_delete: Whether what is removed is hidden, with its history, or erased (needs the role `erase`).

    Raises:
        MemsvcError: From all methods: the service refused, or cannot be reached.
    """

    def __init__(
        self,
        session_id: str,
        client: MemoryClient,
        *,
        namespace: str | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        on_delete: Literal["forget", "erase"] = "forget",
    ) -> None:
        self.session_id = session_id
        self._kept = Transcript(client, "openai-agents", session_id, namespace, user_id, agent_id, on_delete)

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The last items, or all, oldest first."""
        most = limit if limit is not None or self.session_settings is None else self.session_settings.limit
        return cast("list[TResponseInputItem]", await asyncio.to_thread(self._kept.messages, most))

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Writes items after those that are there."""
        await asyncio.to_thread(self._kept.add, [_said(cast("dict[str, Any]", item)) for item in items])

    async def pop_item(self) -> TResponseInputItem | None:
        """Removes the last item."""
        return cast("TResponseInputItem | None", await asyncio.to_thread(self._kept.pop))

    async def clear_session(self) -> None:
        """Removes all items."""
        await asyncio.to_thread(self._kept.clear)


def _said(item: dict[str, Any]) -> Said:
    """Messages, and what tools answered, are found by their text; calls by their arguments."""
    kind = str(item.get("type", "message"))
    output = item.get("output")
    text = text_of(item) or (output if isinstance(output, str) else "") or str(item.get("arguments") or "")
    return Said(item, text, str(item.get("role") or kind))
