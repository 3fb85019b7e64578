"""`memsvc import`: dry runs, reports, and going on where it stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.client.conftest import Memsvc
from tests.unit.client.recorder import ID, Answer, Recorder, Seen, plausible, problem


@pytest.fixture
def export(tmp_path: Path) -> Path:
    file = tmp_path / "mem0.json"
    items: list[dict[str, Any]] = [{"id": n, "memory": f"said {n}"} for n in range(1, 6)]
    items.insert(2, {"id": "empty", "memory": ""})
    file.write_text(json.dumps({"results": items}), encoding="utf-8")
    return file


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_dry_run_sends_nothing(memsvc: Memsvc, service: Recorder, export: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.jsonl"
    code, out, err = memsvc("import", str(export), "--from", "mem0", "--dry-run", "--report", str(report))
    assert (code, out) == (1, "5 could be written, 1 not\n")
    assert "item 3: it has no text" in err
    assert [line["status"] for line in lines(report)] == ["readable"] * 2 + ["skipped"] + ["readable"] * 3
    assert service.seen == []


def test_items_are_written_under_their_own_ids(memsvc: Memsvc, service: Recorder, export: Path, tmp_path: Path) -> None:
    def answer(seen: Seen) -> Answer:
        items = [
            {"status": 422, "problem": problem(422, "invalid_input", "wrong")}
            if memory["external_id"] == "mem0:4"
            else {"status": 201, "id": ID, "version": 1}
            for memory in seen.body["memories"]
        ]
        return Answer(200, {"items": items, "seq": 1})

    service.default = answer
    report = tmp_path / "report.jsonl"
    given = ("--from", "mem0", "--batch-items", "4", "--user-id", "ada", "--report", str(report))
    code, out, _ = memsvc("import", str(export), *given)
    assert (code, out) == (1, "4 written, 2 not\n")
    assert [len(seen.body["memories"]) for seen in service.seen] == [3, 2]
    assert service.seen[0].body["memories"][0]["user_id"] == "ada"
    assert [(line["item"], line["status"]) for line in lines(report)][2:5] == [
        (3, "skipped"),
        (4, "written"),
        (5, "refused"),
    ]


def test_an_import_that_stopped_goes_on(memsvc: Memsvc, service: Recorder, export: Path) -> None:
    service.default = lambda seen: plausible(seen) if len(service.seen) == 1 else Answer(401, problem(401, "x"))
    code, out, err = memsvc("import", str(export), "--from", "mem0", "--batch-items", "2")
    assert (code, out) == (1, "2 written, 0 not\n")
    assert "go on with --from-item 3" in err
    service.default = plausible
    code, out, _ = memsvc("import", str(export), "--from", "mem0", "--from-item", "4")
    assert (code, out) == (0, "3 written, 0 not\n")


def test_the_columns_of_a_table_are_named(memsvc: Memsvc, service: Recorder, tmp_path: Path) -> None:
    file = tmp_path / "notes.csv"
    file.write_text("Note;When\nLikes tea;2026-01-31\nLikes rain;soon\n", encoding="utf-8")
    named = ("--column", "content=Note", "--column", "occurred_at=When")
    report = tmp_path / "report.jsonl"
    code, out, err = memsvc("import", str(file), "--from", "csv", *named, "--report", str(report), "--dry-run")
    assert (code, out) == (1, "1 could be written, 1 not\n")
    assert "item 2: line 3: occurred_at: it is no time" in err
    assert [line["status"] for line in lines(report)] == ["readable", "skipped"]
    assert memsvc("import", str(file), "--from", "csv", *named)[0] == 1
    (sent,) = service.seen[0].body["memories"]
    assert (sent["content"], sent["occurred_at"]) == ("Likes tea", "2026-01-31T00:00:00+00:00")
    for options, said in (
        (("--from", "csv"), "--column content=NAME"),
        (("--from", "csv", "--column", "content"), "FIELD=NAME"),
        (("--from", "mem0", *named), "for --from csv"),
        (named, "for --from csv"),
    ):
        code, _, err = memsvc("import", str(file), *options)
        assert code == 2
        assert said in err, err


def test_files_that_cannot_be_read_are_usage(memsvc: Memsvc, tmp_path: Path) -> None:
    assert memsvc("import", str(tmp_path / "none"), "--from", "claude")[0] == 2
    assert memsvc("import", str(tmp_path / "none"), "--from", "nobody")[0] == 2
