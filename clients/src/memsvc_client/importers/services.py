"""Exports of other memory services."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from memsvc_client.importers.databases import select
from memsvc_client.importers.files import is_sqlite, records
from memsvc_client.importers.records import Item, external, item, joined_text, mappings, moment, text, texts, when

_NO_OBJECT = Item(None, None, "it is no JSON object")
_TEXTS = ("content", "text", "memory", "data", "fact")


def jsonl(path: Path) -> Iterator[Item]:
    """Memories as the service itself takes them (`memsvc memories import`)."""
    for record in records(path):
        yield Item(record, record.get("external_id")) if isinstance(record, dict) else _NO_OBJECT


def mem0(path: Path) -> Iterator[Item]:
    """The answer of `get_all` (one, or a list of its results), or the database with the history of memories."""
    if is_sqlite(path):
        yield from _mem0_history(path)
        return
    for record in records(path):
        if isinstance(record, Mapping):
            inner = record.get("results")
            yield from map(_mem0, mappings(inner)) if isinstance(inner, list) else [_mem0(record)]
        else:
            yield _NO_OBJECT


def _mem0(record: Mapping[str, Any]) -> Item:
    metadata = record.get("metadata")
    expires = moment(record.get("expiration_date"))
    left_s = None if expires is None else int((expires - datetime.now(UTC)).total_seconds())
    if left_s is not None and left_s <= 0:
        return Item(None, str(record.get("id")), "it has expired")
    return item(
        "mem0",
        record.get("id"),
        record.get("memory"),
        {
            "user_id": text(record.get("user_id")),
            "agent_id": text(record.get("agent_id")),
            "session_id": text(record.get("run_id")),
            "speaker": text(record.get("actor_id")),
            "tags": texts(record.get("categories")),
            "occurred_at": when(record.get("created_at")),
            "ttl_s": left_s,
            "metadata": dict(metadata) if isinstance(metadata, Mapping) else None,
        },
    )


def _mem0_history(path: Path) -> Iterator[Item]:
    """What each memory said last; the database does not know whose they are. Those that were deleted are left out."""
    query = (
        "SELECT memory_id, new_memory, event, is_deleted, created_at, actor_id FROM history AS h WHERE rowid = "
        "(SELECT max(rowid) FROM history WHERE memory_id = h.memory_id) ORDER BY rowid"
    )
    for row in select(path, query, "history database of mem0"):
        if not row["is_deleted"] and row["event"] != "DELETE":
            fields = {"occurred_at": when(row["created_at"]), "speaker": text(row["actor_id"])}
            yield item("mem0", row["memory_id"], row["new_memory"], fields)


def langgraph(path: Path) -> Iterator[Item]:
    """Items of a LangGraph store: `namespace` (a list, or joined by dots), `key`, `value`, and its times.

    Or the database that its `SqliteStore` keeps them in. What has a time to live there has the rest of it here.
    """
    for record in _langgraph_database(path) if is_sqlite(path) else records(path):
        if not isinstance(record, Mapping) or "value" not in record:
            yield Item(None, None, "it has no value")
            continue
        namespace = record.get("namespace")
        labels = namespace.split(".") if isinstance(namespace, str) else texts(namespace)
        key, value = record.get("key"), record["value"]
        content, rest = _said(value)
        metadata = {"langgraph": {"namespace": labels, "key": key}} | ({"value": rest} if rest else {})
        own_id = None if key is None else "/".join([*labels, str(key)])
        expires = moment(record.get("expires_at"))
        left_s = None if expires is None else int((expires - datetime.now(UTC)).total_seconds())
        if left_s is not None and left_s <= 0:
            yield Item(None, None if own_id is None else external("langgraph", own_id), "it has expired")
            continue
        times = {"occurred_at": when(record.get("created_at")), "ttl_s": left_s}
        yield item("langgraph", own_id, content, {**times, "metadata": metadata})


def _langgraph_database(path: Path) -> Iterator[Mapping[str, Any]]:
    query = "SELECT prefix AS namespace, key, value, created_at, expires_at FROM store ORDER BY rowid"
    for row in select(path, query, "store of LangGraph"):
        try:
            yield {**row, "value": json.loads(row["value"])}
        except (TypeError, ValueError):
            yield {}


def _said(value: Any) -> tuple[str | None, Any]:
    """The words of a value, wherever they stand in it, and the rest of it; else all of it as JSON."""
    if isinstance(value, str):
        return value, None
    if isinstance(value, Mapping):
        for name in _TEXTS:
            if text(value.get(name)):
                return value[name], {key: of for key, of in value.items() if key != name}
        if isinstance(value.get("content"), Mapping):  # as LangMem wraps a memory
            content, rest = _said(value["content"])
            return content, {**value, "content": rest} if rest else {k: v for k, v in value.items() if k != "content"}
    return (json.dumps(value, ensure_ascii=False) if value not in (None, {}, []) else None), None


def mcp_memory(path: Path) -> Iterator[Item]:
    """`memory.jsonl` of the reference memory server, as its tools here read it (`MEMSVC_MCP_TOOLS=graph`)."""
    # Not at the top: the command knows the kinds of exports before it needs any model.
    from pydantic import ValidationError

    from memsvc_client.graph import Entity, Relation, entity_memory, observation_memory, relation_memory

    for record in records(path):
        try:
            match record:
                case {"type": "entity", **fields}:
                    entity = Entity.model_validate(fields)
                    memories = [entity_memory(entity)]
                    memories += [observation_memory(entity.name, said) for said in dict.fromkeys(entity.observations)]
                case {"type": "relation", **fields}:
                    memories = [relation_memory(Relation.model_validate(fields))]
                case _:
                    memories = []
        except ValidationError:
            memories = []
        if not memories:
            yield Item(None, None, "it is neither an entity nor a relation")
        yield from (Item(memory, memory["external_id"]) for memory in memories)


def letta(path: Path) -> Iterator[Item]:
    """An agent file (`.af`): its blocks, messages and passages; or a list of passages."""
    for record in records(path):
        if not isinstance(record, Mapping):
            yield _NO_OBJECT
        elif "text" in record:
            yield _passage(record, None)
        else:
            yield from _agent_file(record)


def _agent_file(record: Mapping[str, Any]) -> Iterator[Item]:
    agents = mappings(record.get("agents")) or [record]
    for block in (*mappings(record.get("blocks")), *mappings(record.get("core_memory"))):
        label = text(block.get("label"))
        yield item("letta", block.get("id") or label, block.get("value"), {"kind": "semantic", "tags": texts([label])})
    for agent in agents:
        name = text(agent.get("name"))
        own_id = text(agent.get("id")) or name or "agent"
        for number, message in enumerate(mappings(agent.get("messages"))):
            role = message.get("role")
            words = joined_text(message.get("content")) or message.get("text")
            if role in ("user", "assistant") and words:
                yield item(
                    "letta",
                    message.get("id") or f"{own_id}/{number}",
                    words,
                    {
                        "speaker": role,
                        "agent_id": name,
                        "session_id": own_id,
                        "occurred_at": when(message.get("created_at")),
                    },
                )
        for passage in (*mappings(agent.get("passages")), *mappings(agent.get("archival_memory"))):
            yield _passage(passage, name)


def _passage(passage: Mapping[str, Any], agent: str | None) -> Item:
    metadata = passage.get("metadata")
    fields = {
        "agent_id": agent,
        "tags": texts(passage.get("tags")),
        "occurred_at": when(passage.get("created_at")),
        "metadata": dict(metadata) if isinstance(metadata, Mapping) else None,
    }
    return item("letta", passage.get("id"), passage.get("text"), fields)


def graphiti(path: Path) -> Iterator[Item]:
    """Episodes, edges and nodes of Graphiti: a list or lines of them, or one object with a list of each."""
    lists = ("episodes", "nodes", "edges")
    for record in records(path):
        if not isinstance(record, Mapping):
            yield _NO_OBJECT
        elif any(isinstance(record.get(name), list) for name in lists) and "uuid" not in record:
            for name in lists:
                yield from map(_graphiti, mappings(record.get(name)))
        else:
            yield _graphiti(record)


def _graphiti(record: Mapping[str, Any]) -> Item:
    """An edge states a fact that is true for a while, an episode is what was told, a node has a summary."""
    names = ("name", "group_id", "source_node_uuid", "target_node_uuid", "source_description", "labels")
    metadata = {"graphiti": {name: record[name] for name in names if record.get(name)}}
    if "fact" in record:
        since, until = when(record.get("valid_at")), when(record.get("invalid_at"))
        if since is not None and until is not None and moment(until) == moment(since):
            until = None  # true at no time, which is no interval
        fields = {"kind": "semantic", "valid_from": since, "valid_to": until, "metadata": metadata}
        return item("graphiti", record.get("uuid"), record["fact"], fields)
    if "content" in record:
        fields = {"occurred_at": when(record.get("valid_at") or record.get("created_at")), "metadata": metadata}
        return item("graphiti", record.get("uuid"), record["content"], {"kind": "episodic", **fields})
    summary, name = text(record.get("summary")), text(record.get("name"))
    content = f"{name}: {summary}" if name and summary else summary
    return item("graphiti", record.get("uuid"), content, {"kind": "semantic", "metadata": metadata})
