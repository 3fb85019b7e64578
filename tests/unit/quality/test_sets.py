"""What of a set is sent, in which order, and what is never sent."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks.quality import sets
from benchmarks.quality.tiled import tiled


def put(folder: Path, corpus: list[dict[str, Any]], queries: list[dict[str, Any]]) -> Path:
    folder.mkdir(parents=True)
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress(b"\n".join(orjson.dumps(row) for row in rows)))
    return folder


def row(number: int, session: int | None = None, **more: Any) -> dict[str, Any]:
    known = {} if session is None else {"session_index": session}
    shown = {"id": f"r{number}", "namespace": "n", "kind": "episodic", "content": f"text {number}"}
    return {**shown, "metadata": {**known, "label": "secret"}, **more}


def query(number: int, session: int | None = None, **more: Any) -> dict[str, Any]:
    known = {} if session is None else {"session_index": session}
    shown = {"id": f"q{number}", "namespace": "n", "text": f"what {number}?", "gold": ["r0"], "type": "t"}
    return {**shown, "answer": "secret", "metadata": known, **more}


def test_labels_and_answers_are_never_sent(tmp_path: Path) -> None:
    folder = put(tmp_path / "a", [row(0, metadata={"speaker": "Ada", "label": "secret"})], [query(0)])
    (step,) = sets.read(folder).steps
    assert step.rows == (
        {"content": "text 0", "kind": "episodic", "external_id": "r0", "metadata": {"speaker": "Ada"}},
    )
    assert "secret" not in str(step.questions[0].body("n"))


def test_times_without_a_zone_are_utc(tmp_path: Path) -> None:
    stamped = row(0, occurred_at="2024-01-01T00:00:00")
    folder = put(tmp_path / "a", [stamped], [query(0, asked_at="2024-02-01T00:00:00+02:00")])
    (step,) = sets.read(folder).steps
    assert step.rows[0]["occurred_at"] == "2024-01-01T00:00:00+00:00"
    assert step.questions[0].body("n")["asked_at"] == "2024-02-01T00:00:00+02:00"


def test_a_question_is_asked_before_its_own_and_later_sessions_are_written(tmp_path: Path) -> None:
    corpus = [row(2, 2), row(0, 0), row(1, 1)]
    folder = put(tmp_path / "a", corpus, [query(0, 2), query(1, 1)])
    data = sets.read(folder)
    assert data.grows
    told = [([r["external_id"] for r in step.rows], [q.id for q in step.questions]) for step in data.steps]
    assert told == [(["r0"], ["q1"]), (["r1"], ["q0"])]


def test_a_limit_keeps_questions_from_all_over_the_set(tmp_path: Path) -> None:
    folder = put(tmp_path / "a", [row(0)], [query(number) for number in range(10)])
    (step,) = sets.read(folder, 3).steps
    assert [question.id for question in step.questions] == ["q0", "q3", "q6", "q9"]
    assert not sets.read(folder).grows


def test_parts_share_the_questions_and_have_all_rows(tmp_path: Path) -> None:
    data = sets.read(put(tmp_path / "a", [row(0), row(1)], [query(n) for n in range(5)]))
    parts = [data.part(number, 2) for number in range(2)]
    assert [[q.id for step in part.steps for q in step.questions] for part in parts] == [
        ["q0", "q2", "q4"],
        ["q1", "q3"],
    ]
    assert all(part.steps[0].rows == data.steps[0].rows for part in parts)


def test_parts_of_a_set_that_grows_have_namespaces_of_their_own(tmp_path: Path) -> None:
    corpus = [row(n, n % 2, namespace=f"n{n // 2}") for n in range(6)]
    queries = [query(n, 1 + n % 2, namespace=f"n{n // 2}") for n in range(6)]
    data = sets.read(put(tmp_path / "a", corpus, queries))
    assert data.grows
    parts = [data.part(number, 2) for number in range(2)]
    assert [sorted({step.namespace for step in part.steps}) for part in parts] == [["n0", "n2"], ["n1"]]
    assert sum(len(step.rows) for part in parts for step in part.steps) == sum(len(step.rows) for step in data.steps)


def test_a_command_without_its_sets_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchmarks.quality import run

    monkeypatch.delenv(sets.VARIABLE, raising=False)
    with pytest.raises(SystemExit) as ended:
        run.main([])
    assert ended.value.code == 2
    assert "--data" in capsys.readouterr().err


def test_copies_of_a_corpus_differ_and_are_the_same_for_a_seed() -> None:
    rows = [
        {
            "content": f"Caroline: I met Melanie {number} times at the lake and we talked about boats.",
            "kind": "episodic",
            "external_id": f"c/{number}",
            "occurred_at": "2023-05-08T13:56:00+00:00",
            "metadata": {"session": 1},
        }
        for number in range(20)
    ]
    made = tiled(rows, 100, 3)
    assert made == tiled(rows, 100, 3)
    assert len({memory["content"] for memory in made}) == len({memory["external_id"] for memory in made}) == 100
    assert [memory["content"] for memory in made[:20]] == [memory["content"] for memory in rows]
    assert "Caroline" not in made[50]["content"]
    assert made[0]["session_id"] != made[20]["session_id"]
    assert made[20]["occurred_at"].startswith("2024")
