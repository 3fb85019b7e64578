"""The kinds of exports, by the names that `memsvc import --from` takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path

from memsvc_client.importers import chats, databases, services, tables
from memsvc_client.importers.records import Item


class Kind(StrEnum):
    """Where an export comes from."""

    MEM0 = "mem0"
    LANGGRAPH = "langgraph"
    MCP_MEMORY = "mcp-memory"
    CHATGPT = "chatgpt"
    CLAUDE = "claude"
    LETTA = "letta"
    GRAPHITI = "graphiti"
    SUPERLOCALMEMORY = "superlocalmemory"
    CSV = "csv"
    JSONL = "jsonl"


KINDS: Mapping[Kind, Callable[[Path], Iterator[Item]]] = {
    Kind.MEM0: services.mem0,
    Kind.LANGGRAPH: services.langgraph,
    Kind.MCP_MEMORY: services.mcp_memory,
    Kind.CHATGPT: chats.chatgpt,
    Kind.CLAUDE: chats.claude,
    Kind.LETTA: services.letta,
    Kind.GRAPHITI: services.graphiti,
    Kind.SUPERLOCALMEMORY: databases.superlocalmemory,
    Kind.CSV: tables.csv_rows,
    Kind.JSONL: services.jsonl,
}
