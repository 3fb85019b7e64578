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
from memsvc_client.importers.tables import csv_rows

FIXTURES = Path(__file__).parents[2] / "fixtures"


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


def test_the_database_of_langgraphs_own_store() -> None:
    """Made by `tests/fixtures/langgraph/make.py`."""
    *made, expired = KINDS[Kind.LANGGRAPH](FIXTURES / "langgraph" / "store.db")
    assert [(one["external_id"], one["content"]) for one in memories(made)] == [
        ("langgraph:memories/ada/k1", "Ada lives in Oslo."),
        ("langgraph:memories/ada/k2", "Ada likes tea."),
        ("langgraph:prefs/k3", '{"theme": "dark"}'),
        ("langgraph:memories/ada/k4", "Ada is on leave."),
    ]
    first, *_, leaving = (one.memory or {} for one in made)
    assert first["metadata"]["value"] == {"importance": "high"}
    assert "ttl_s" not in first
    assert leaving["ttl_s"] > 86_400
    assert (expired.external_id, expired.problem) == ("langgraph:memories/ada/k5", "it has expired")


def test_the_database_of_superlocalmemory() -> None:
    """Made by `tests/fixtures/superlocalmemory/make.py`, which says what was told, forgotten, withheld and deleted."""
    items = list(KINDS[Kind.SUPERLOCALMEMORY](FIXTURES / "superlocalmemory" / "memory.db"))
    made = memories(items[:-2])
    assert [(one["content"], one["kind"], one.get("tags"), one["session_id"]) for one in made] == [
        ("Ada moved to Oslo in March 2025.", "episodic", None, "s1"),
        ("Ada works at Acme as an engineer. She is allergic to nuts.", "episodic", None, "s1"),
        ("Ada thinks tea beats coffee.", "semantic", ["opinion"], "s2"),
        ("Ada will visit Rome in June.", "semantic", ["prospective"], "s2"),
        ("Ada's home is in Oslo.", "semantic", None, "s2"),
    ]
    assert {one["speaker"] for one in made} == {"Ada"}
    assert (made[0]["occurred_at"], made[0]["importance"]) == ("2025-03-02T00:00:00+00:00", 0.5)
    assert made[1]["metadata"].pop("topic") == "work"
    assert made[1]["metadata"].keys() == {"superlocalmemory"}
    assert made[3]["metadata"]["superlocalmemory"]["referenced_date"] == "2025-06-01"
    assert "T00:00:00+" not in made[2]["occurred_at"]  # nobody named a day, so it is the moment of the call
    assert [one.get("pinned") for one in made] == [None] * 4 + [True]
    assert [(one.memory, one.problem) for one in items[-2:]] == [
        (None, "it is archived there"),
        (None, "it is in quarantine there"),
    ]


def test_superlocalmemory_of_other_versions(tmp_path: Path) -> None:
    old, other = tmp_path / "old.db", tmp_path / "other.db"
    with sqlite3.connect(old) as connection:  # the columns of version 3.0
        connection.execute(
            "CREATE TABLE atomic_facts (fact_id, memory_id, profile_id, content, fact_type, observation_date, "
            "referenced_date, confidence, importance, session_id, created_at)"
        )
        connection.execute("CREATE TABLE memories (memory_id, speaker, session_id, metadata_json)")
        values = ("f", "m", "default", "Sings", "semantic", None, None, 1.0, 0.5, "", "2026-01-31 09:00:00")
        connection.execute("INSERT INTO atomic_facts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    connection.close()
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE memories (id, content)")
    connection.close()
    (made,) = memories(list(KINDS[Kind.SUPERLOCALMEMORY](old)))
    assert (made["content"], made["occurred_at"]) == ("Sings", "2026-01-31T09:00:00+00:00")
    (tmp_path / "text").write_text("{}")
    for file in (other, tmp_path / "text", tmp_path / "none"):
        with pytest.raises(InvalidArgument):
            list(KINDS[Kind.SUPERLOCALMEMORY](file))


def table(tmp_path: Path, text: str, encoding: str = "utf-8", **columns: str) -> list[Item]:
    file = tmp_path / "table.csv"
    file.write_bytes(text.encode(encoding))
    return list(csv_rows(file, columns))


def test_a_table_has_a_memory_in_each_row(tmp_path: Path) -> None:
    text = (
        "ID,Content,tags,importance,pinned,occurred_at,ttl_s,metadata,room,floor,code\r\n"
        '7,"Tea, ""hot""\r\nand sweet",a; b,0.5,yes,2026-01-31,60,"{""x"": [1]}",hall,2,007\r\n'
        "\r\n"
        'n8,Cake,"[""c d""]",,,1700000000,,,,1.50,true\r\n'
    )
    made = memories(table(tmp_path, text))
    assert made == [
        {
            "content": 'Tea, "hot"\r\nand sweet', "external_id": "csv:7", "tags": ["a", "b"], "importance": 0.5,
            "pinned": True, "occurred_at": "2026-01-31T00:00:00+00:00", "ttl_s": 60,
            "metadata": {"x": [1], "room": "hall", "floor": 2, "code": "007"},
        },
        {
            "content": "Cake", "external_id": "csv:n8", "tags": ["c d"], "occurred_at": "2023-11-14T22:13:20+00:00",
            "metadata": {"floor": "1.50", "code": True},
        },
    ]  # fmt: skip


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_delimiter_and_encoding_are_told_by_looking(tmp_path: Path, delimiter: str, encoding: str) -> None:
    rows = [["content", "place"], *([f"\u00e9 number {n}", "hall"] for n in range(3))]
    made = memories(table(tmp_path, "\n".join(map(delimiter.join, rows)), encoding))
    assert [one["content"] for one in made] == ["\u00e9 number 0", "\u00e9 number 1", "\u00e9 number 2"]
    assert {one["place"] for one in made} == {"hall"}


def test_a_table_of_one_column_and_of_several_signs(tmp_path: Path) -> None:
    assert memories(table(tmp_path, "memory\nlikes tea\n"))[0]["content"] == "likes tea"
    text = 'content;"tags, all"\nlikes tea, and cake;a\nlikes rain, and snow;b\n'
    made = memories(table(tmp_path, text))
    assert [one["content"] for one in made] == ["likes tea, and cake", "likes rain, and snow"]
    assert made[0]["metadata"] == {"tags, all": "a"}


def test_rows_without_an_id_go_by_what_they_say(tmp_path: Path) -> None:
    text = "content,place\nsame,hall\nsame,hall\nother,hall\n"
    ids = [item.external_id for item in table(tmp_path, text)]
    assert len(set(ids)) == 3
    assert ids == [item.external_id for item in table(tmp_path, text)]
    assert ids[:2] == [item.external_id for item in table(tmp_path, text.replace("other", "third"))][:2]


def test_columns_can_be_named(tmp_path: Path) -> None:
    text = "Note,When,id,content\nLikes tea,2026-01-31,5,draft\n"
    (made,) = memories(table(tmp_path, text, content="Note", occurred_at="When"))
    assert (made["content"], made["external_id"], made["metadata"]) == ("Likes tea", "csv:5", {"content": "draft"})
    assert made["occurred_at"] == "2026-01-31T00:00:00+00:00"


def test_rows_that_are_wrong_are_named_by_their_line(tmp_path: Path) -> None:
    text = (
        "content,importance,pinned,occurred_at,ttl_s,tags,metadata\n"
        '"two\nlines",0.5\n'
        ",0.5,,,,,\n"
        "a,much,,,,,\n"
        "a,nan,,,,,\n"
        "a,,maybe,,,,\n"
        "a,,,soon,,,\n"
        "a,,,,1.5,,\n"
        "a,,,,,[a,\n"
        "a,,,,,,[]\n"
        "good,,,,,,\n"
    )
    *bad, good = table(tmp_path, text)
    assert [item.problem for item in bad] == [
        "line 3: it has 2 cells, the header 7",
        "line 4: it has no text",
        "line 5: importance: it is no number such as 0.5",
        "line 6: importance: it is no number such as 0.5",
        "line 7: pinned: it is neither true nor false",
        "line 8: occurred_at: it is no time such as 2026-01-31T09:00:00Z or seconds since 1970",
        "line 9: ttl_s: it is no whole number",
        "line 10: tags: it is no JSON list",
        "line 11: metadata: it is no JSON object",
    ]
    assert all(item.external_id for item in bad[1:])
    assert good.memory is not None


@pytest.mark.parametrize(
    ("text", "columns", "said"),
    [
        ("", {}, "empty"),
        ("\n\n", {}, "empty"),
        ("note,place\na,b\n", {}, "--column content=NAME"),
        ("content,content\na,b\n", {}, "two columns are 'content'"),
        ("id,external_id,content\n1,2,a\n", {}, "two columns are 'external_id'"),
        ("content,x,x\na,b,c\n", {}, "two columns are 'x'"),
        ("content,x\na,b\n", {"place": "y"}, "no column 'y'"),
        ("content,x\na,b\n", {"tenant_id": "x"}, "no field 'tenant_id'"),
        ('content,x\n"a,b\n', {}, "line 2: this is no CSV"),
        ('content,x\n"a" b,c\n', {}, "line 2: this is no CSV"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, columns: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        table(tmp_path, text, **columns)


def test_bytes_that_are_no_text_and_files_that_are_not_there_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"content\n\xe9\xe8\n")
    for name in ("latin", "none"):
        with pytest.raises(InvalidArgument, match="cannot read the file"):
            list(csv_rows(tmp_path / name))


def test_a_long_cell_is_read(tmp_path: Path) -> None:
    (made,) = memories(table(tmp_path, "content,x\n" + "tea " * 50_000 + ",1\n"))
    assert len(made["content"]) == 200_000


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


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in (Kind.CSV, Kind.SUPERLOCALMEMORY)])
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
