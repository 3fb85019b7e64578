"""Importers: what becomes of each export, of broken ones, and of large ones."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import pytest

from memsvc_client.errors import InvalidArgument
from memsvc_client.importers import KINDS, Item, Kind, files
from memsvc_client.importers.records import when


def read(kind: str, tmp_path: Path, *records: Any, lines: bool = False) -> list[Item]:
    file = tmp_path / "export"
    text = "\n".join(map(json.dumps, records)) if lines else json.dumps(records[0])
    file.write_text(text, encoding="utf-8")
    return list(KINDS[Kind(kind)](file))


def memories(items: list[Item]) -> list[dict[str, Any]]:
    assert all(item.memory is not None for item in items), items
    return [{k: v for k, v in (item.memory or {}).items() if k != "source"} for item in items]


def test_mem0_answers(tmp_path: Path) -> None:
    memory = {
        "id": "m1", "memory": "Likes tea", "user_id": "ada", "run_id": "r", "categories": ["drinks"],
        "metadata": {"a": 1}, "created_at": "2026-01-31T01:00:00-08:00", "expiration_date": None,
    }  # fmt: skip
    for records in ({"results": [memory]}, [memory], [{"results": [memory]}]):
        (made,) = memories(read("mem0", tmp_path, records))
        assert made == {
            "content": "Likes tea", "external_id": "mem0:m1", "user_id": "ada", "session_id": "r", "tags": ["drinks"],
            "occurred_at": "2026-01-31T09:00:00+00:00", "metadata": {"a": 1},
        }  # fmt: skip
    old, empty = read("mem0", tmp_path, [{**memory, "expiration_date": "2020-01-01"}, {"id": "m2", "memory": " "}])
    assert (old.problem, empty.problem) == ("it has expired", "it has no text")


def test_the_history_of_mem0(tmp_path: Path) -> None:
    file = tmp_path / "history.db"
    with sqlite3.connect(file) as connection:
        connection.execute(
            "CREATE TABLE history (id TEXT PRIMARY KEY, memory_id TEXT, old_memory TEXT, new_memory TEXT, event TEXT, "
            "created_at DATETIME, updated_at DATETIME, is_deleted INTEGER, actor_id TEXT, role TEXT)"
        )
        for n, (memory, said, event) in enumerate(
            [("a", "one", "ADD"), ("b", "two", "ADD"), ("a", "one!", "UPDATE"), ("b", None, "DELETE")]
        ):
            row = (str(n), memory, None, said, event, "2026-01-01T00:00:00", None, int(event == "DELETE"), None, None)
            connection.execute("INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    connection.close()
    (made,) = memories(list(KINDS[Kind.MEM0](file)))
    assert (made["content"], made["external_id"]) == ("one!", "mem0:a")


def test_a_store_of_langgraph(tmp_path: Path) -> None:
    made = memories(
        read(
            "langgraph",
            tmp_path,
            {
                "namespace": ["memories", "ada"],
                "key": "k",
                "value": {"kind": "M", "content": {"content": "Tea", "x": 1}},
            },
            {"namespace": "memories.ada", "key": "k2", "value": {"likes": ["tea"]}, "created_at": 1_700_000_000},
            lines=True,
        )
    )
    assert [(one["content"], one["external_id"]) for one in made] == [
        ("Tea", "langgraph:memories/ada/k"),
        ('{"likes": ["tea"]}', "langgraph:memories/ada/k2"),
    ]
    assert made[0]["metadata"]["value"] == {"kind": "M", "content": {"x": 1}}
    assert made[1]["occurred_at"] == "2023-11-14T22:13:20+00:00"


def test_the_file_of_the_reference_memory_server(tmp_path: Path) -> None:
    entity = {"type": "entity", "name": "Ada", "entityType": "person", "observations": ["Sings", "Sings"]}
    relation = {"type": "relation", "from": "Ada", "to": "Acme", "relationType": "works_at"}
    *made, bad = read("mcp-memory", tmp_path, entity, relation, {"type": "entity", "name": 7}, lines=True)
    assert [one["content"] for one in memories(made)] == ["Ada (person)", "Ada: Sings", "Ada works_at Acme"]
    assert made[2].memory is not None
    assert made[2].memory["metadata"] == {"graph": {"from": "Ada", "to": "Acme", "relation": "works_at"}}
    assert bad.problem


def node(own_id: str, parent: str | None, role: str, said: Any, **message: Any) -> dict[str, Any]:
    content = {"content_type": "text", "parts": [said]}
    told = {"id": own_id, "author": {"role": role}, "content": content, "create_time": 1_700_000_000.5, **message}
    return {own_id: {"id": own_id, "parent": parent, "children": [], "message": told}}


def test_conversations_of_chatgpt(tmp_path: Path) -> None:
    mapping = {
        "root": {"id": "root", "parent": None, "message": None},
        **node("s", "root", "system", "Be kind"),
        **node("u", "s", "user", "Hello"),
        **node("other", "u", "assistant", "An answer that was made anew"),
        **node("a", "u", "assistant", "Hi", content={"content_type": "multimodal_text", "parts": [{"x": 1}, "Hi"]}),
        **node("code", "a", "assistant", "print()", content={"content_type": "code", "text": "print()"}),
        **node("end", "code", "user", "Bye"),
    }
    conversation = {"id": "c", "title": "T", "mapping": mapping, "current_node": "end"}
    circle = {"id": "d", "mapping": {**node("x", "y", "user", "X"), **node("y", "x", "user", "Y")}, "current_node": "x"}
    archive = tmp_path / "export.zip"
    with zipfile.ZipFile(archive, "w") as into:
        into.writestr("conversations.json", json.dumps([conversation, circle]))
        into.writestr("user.json", "{}")

    made = memories(list(KINDS[Kind.CHATGPT](archive)))

    assert [(one["external_id"], one["content"], one["speaker"]) for one in made[:3]] == [
        ("chatgpt:u", "Hello", "user"), ("chatgpt:a", "Hi", "assistant"), ("chatgpt:end", "Bye", "user"),
    ]  # fmt: skip
    assert made[0]["session_id"] == "c"
    assert made[0]["metadata"] == {"title": "T"}
    assert made[0]["occurred_at"].startswith("2023-11-14T22:13:20.5")
    assert len(made) == 5


def test_conversations_of_claude(tmp_path: Path) -> None:
    messages = [
        {"uuid": "1", "sender": "human", "text": "Hello", "created_at": "2026-01-31T09:00:00.000000Z"},
        {
            "uuid": "2",
            "sender": "assistant",
            "text": "",
            "content": [{"type": "text", "text": "Hi"}, {"type": "tool_use"}],
        },
    ]
    made = memories(read("claude", tmp_path, [{"uuid": "c", "name": "T", "chat_messages": messages}]))
    assert [(one["external_id"], one["content"], one["speaker"]) for one in made] == [
        ("claude:1", "Hello", "user"),
        ("claude:2", "Hi", "assistant"),
    ]


def test_agents_of_letta_and_graphs_of_graphiti(tmp_path: Path) -> None:
    said = {"id": "message-0", "role": "user", "content": [{"type": "text", "text": "Hello"}]}
    agent = {"agents": [{"name": "bot", "messages": [said, {"role": "system", "content": "x"}]}],
             "blocks": [{"id": "block-0", "label": "human", "value": "Likes tea"}]}  # fmt: skip
    assert [one["content"] for one in memories(read("letta", tmp_path, agent))] == ["Likes tea", "Hello"]
    passage = {"id": "p", "text": "Fact", "tags": ["a"], "created_at": "2025-11-05 23:04:24.901468+00:00"}
    assert memories(read("letta", tmp_path, [passage]))[0]["occurred_at"] == "2025-11-05T23:04:24.901468+00:00"
    edge = {"uuid": "e", "fact": "Ada works at Acme", "valid_at": "2020-01-01T00:00:00Z", "invalid_at": None}
    graph = {"episodes": [{"uuid": "x", "content": "Hi"}], "edges": [edge], "nodes": [{"uuid": "n", "name": "Ada"}]}
    *made, summary = read("graphiti", tmp_path, graph)
    assert summary.memory is not None or summary.problem
    by_id = {item.external_id: item for item in (*made, summary)}
    assert by_id["graphiti:n"].problem == "it has no text"
    assert (by_id["graphiti:e"].memory or {})["valid_from"] == "2020-01-01T00:00:00+00:00"


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize(
    "text",
    ['[1, "a", null, [], {}]', "{}",
     '{"id": 1}\n[]\nnot json\n{"id": {}}', '[{"mapping": {"a": 1, "b": {"message": 7}}}]',
     '[{"chat_messages": [1, {"sender": [], "content": 5}]}]', '{"results": [1, {}]}', '[{"value": null, "key": []}]',
     '{"agents": [{"messages": [{"role": "user", "content": {}}]}]}', '[{"uuid": [], "fact": 5}]', ""],
)  # fmt: skip
def test_what_is_of_another_form_is_told_and_never_breaks(kind: Kind, text: str, tmp_path: Path) -> None:
    file = tmp_path / "export"
    file.write_text(text, encoding="utf-8")
    for item in KINDS[kind](file):
        assert item.memory is not None or item.problem


@pytest.mark.parametrize("text", ["[1, 2", "[{]", "not json", '{"a": ', "[1 2"])
def test_a_broken_file_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "export"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidArgument):
        list(files.records(file))


def test_lists_are_read_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = [{"n": n, "text": "é" * n} for n in range(30)] + [12345, "x]", -7.5]
    file = tmp_path / "export"
    for size in (1, 2, 7, 64):
        monkeypatch.setattr(files, "_CHUNK", size)
        file.write_text(json.dumps(values, indent=1), encoding="utf-8")
        assert list(files.records(file)) == values
        file.write_text("\ufeff" + "\n\n".join(map(json.dumps, values[:30])), encoding="utf-8")
        assert list(files.records(file)) == values[:30]


def test_times_of_every_form() -> None:
    assert when(1_700_000_000_000) == when(1_700_000_000) == when("2023-11-14T22:13:20") == "2023-11-14T22:13:20+00:00"
    assert when("soon") is when(None) is when(True) is when(1e300) is when(float("nan")) is None
