"""Conversations that chat programs export: every turn of the user and of the assistant is a memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from memsvc_client.importers.files import records
from memsvc_client.importers.records import Item, item, joined_text, mappings, text, when

_SPEAKERS = {"user": "user", "human": "user", "assistant": "assistant"}
_NONE = Item(None, None, "it is no conversation")


def chatgpt(path: Path) -> Iterator[Item]:
    """`conversations.json`, or the ZIP file with it. Of an edited conversation the branch that was seen last."""
    for record in records(path):
        mapping = record.get("mapping") if isinstance(record, Mapping) else None
        if not isinstance(mapping, Mapping):
            yield _NONE
            continue
        conversation = record.get("conversation_id") or record.get("id")
        for message in _branch(mapping, record.get("current_node")):
            author, content = message.get("author"), message.get("content")
            role = _SPEAKERS.get(str(author.get("role"))) if isinstance(author, Mapping) else None
            metadata = message.get("metadata")
            hidden = isinstance(metadata, Mapping) and metadata.get("is_visually_hidden_from_conversation")
            if role is None or hidden or not isinstance(content, Mapping):
                continue
            words = joined_text(content.get("parts"))
            if content.get("content_type") in ("text", "multimodal_text") and words:
                moment = when(message.get("create_time"))
                yield _turn("chatgpt", message.get("id"), words, role, moment, conversation, record.get("title"))


def _branch(mapping: Mapping[str, Any], leaf: Any) -> list[Mapping[str, Any]]:
    """The messages from the first to a leaf; to the newest message where none is named."""
    nodes = {name: node for name, node in mapping.items() if isinstance(node, Mapping)}
    if leaf not in nodes:
        leaf = max(nodes, key=lambda name: _time_of(nodes[name]), default=None)
    found: list[Mapping[str, Any]] = []
    passed: set[Any] = set()
    while isinstance(leaf, str) and leaf in nodes and leaf not in passed:  # a broken file could lead in circles
        passed.add(leaf)
        message = nodes[leaf].get("message")
        if isinstance(message, Mapping):
            found.append(message)
        leaf = nodes[leaf].get("parent")
    return found[::-1]


def _time_of(node: Mapping[str, Any]) -> float:
    message = node.get("message")
    time = message.get("create_time") if isinstance(message, Mapping) else None
    return float(time) if isinstance(time, int | float) else 0.0


def claude(path: Path) -> Iterator[Item]:
    """`conversations.json`, or the ZIP file with it."""
    for record in records(path):
        if not isinstance(record, Mapping) or not isinstance(record.get("chat_messages"), list):
            yield _NONE
            continue
        for message in mappings(record["chat_messages"]):
            role = _SPEAKERS.get(str(message.get("sender")))
            words = joined_text(message.get("content")) or text(message.get("text"))
            if role is not None and words:
                moment = when(message.get("created_at"))
                yield _turn("claude", message.get("uuid"), words, role, moment, record.get("uuid"), record.get("name"))


def _turn(kind: str, own_id: Any, words: str, role: str, moment: str | None, conversation: Any, title: Any) -> Item:
    return item(
        kind,
        own_id,
        words,
        {
            "kind": "episodic",
            "speaker": role,
            "session_id": text(conversation),
            "occurred_at": moment,
            "metadata": {"title": title} if text(title) else None,
        },
    )
