"""The messages of a conversation, kept so that a framework gets back exactly what it gave.

Each is a turn of the service: its text is a memory like any other, and the message around the text, as JSON, is in the
metadata. An edit of the memory is an edit of the message.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from memsvc_client.client import MemoryClient
from memsvc_client.errors import NotFound, raise_refused
from memsvc_client.types import Memory
from memsvc_client.wire import encode

_HIDDEN = ["forgotten", "quarantined"]


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a framework.

    Attributes:
        message: As JSON.
        text: What is to be found of it; may be empty.
        speaker: Who said it.
    """

    message: dict[str, Any]
    text: str
    speaker: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """The messages of one conversation, in order.

    Attributes:
        client: Speaks to the service.
        framework: Whose messages they are; those of others in the same conversation are left alone.
        session_id: The conversation.
        namespace: Where they are kept; None for the client's own.
        user_id: User that they belong to.
        agent_id: Agent that they belong to.
        on_delete: Whether what is removed is hidden, with its history, or erased (needs the role `erase`).
    """

    client: MemoryClient
    framework: str
    session_id: str
    namespace: str | None = None
    user_id: str | None = None
    agent_id: str | None = None
    on_delete: Literal["forget", "erase"] = "forget"

    def add(self, messages: Sequence[Said]) -> None:
        """Writes messages after those that are there.

        Raises:
            ApiError: One was refused; those beside it are written.
        """
        if not messages:
            return
        result = self.client.remember_conversation(
            map(self._turn, messages),
            session_id=self.session_id,
            namespace=self.namespace,
            user_id=self.user_id,
            agent_id=self.agent_id,
        )
        raise_refused(result)

    def messages(self, limit: int | None = None) -> list[dict[str, Any]]:
        """The last messages, or all, oldest first. Also those that a job has merged, archived or superseded."""
        newest = [_message(memory) for memory in self._memories(limit)]
        return newest[::-1]

    def pop(self) -> dict[str, Any] | None:
        """Removes the last message."""
        for memory in self._memories(1):
            self._remove(memory)
            return _message(memory)
        return None

    def clear(self) -> None:
        """Removes all messages."""
        for memory in list(self._memories(None)):
            self._remove(memory)

    def _memories(self, limit: int | None) -> Iterator[Memory]:
        wanted = {
            "session_id": self.session_id,
            "metadata.framework": self.framework,
            "state": {"nin": _HIDDEN},
        }
        yield from self.client.list(namespace=self.namespace, filter=wanted, order="newest", limit=limit)

    def _turn(self, said: Said) -> dict[str, Any]:
        kept = {"framework": self.framework}
        text = said.text if said.text.strip() else ""
        path = _path_of(said.message, text) if text else None
        # The text would be there twice, and a long one is more than metadata may hold.
        message = said.message if path is None else _with(said.message, path, "")
        if path is not None:
            kept["text_at"] = encode(path).decode()
        kept["message"] = encode(message).decode()
        return {"content": text or f"({said.speaker})", "speaker": said.speaker, "metadata": kept}

    def _remove(self, memory: Memory) -> None:
        try:
            if self.on_delete == "erase":
                self.client.erase(memory.id)
            else:
                self.client.forget(memory.id)
        except NotFound:
            return  # somebody else was faster


def _message(memory: Memory) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(memory.metadata["message"])
    path = memory.metadata.get("text_at")
    return message if path is None else _with(message, json.loads(path), memory.content)


def _path_of(value: Any, text: str) -> list[str | int] | None:
    """Where in a JSON value this text stands."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in inside:
        if inner == text:
            return [name]
        if (rest := _path_of(inner, text)) is not None:
            return [name, *rest]
    return None


def _with(value: Any, path: Sequence[str | int], text: str) -> Any:
    """A copy with this text at a place."""
    if not path:
        return text
    copy = value.copy()
    copy[path[0]] = _with(value[path[0]], path[1:], text)
    return copy
