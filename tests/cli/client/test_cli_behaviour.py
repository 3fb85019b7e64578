"""Exit codes, errors, options and the wishes of a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from memsvc_client import __version__
from tests.cli.client.conftest import Memsvc
from tests.unit.client.recorder import ID, RECALL_ID, Answer, Recorder, Seen, memory, plausible, problem


def test_the_service_says_no(memsvc: Memsvc, service: Recorder) -> None:
    wrong = [{"pointer": "/content", "code": "text_blank", "message": "the text holds only white space"}]
    service.will(Answer(422, problem(422, "invalid_input", "cannot be", errors=wrong)))
    code, out, err = memsvc("memories", "add", " ")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "error: 422 invalid_input: cannot be (request req-1)",
        "  /content: the text holds only white space",
    ]


def test_errors_as_json_go_to_stderr(memsvc: Memsvc) -> None:
    code, out, err = memsvc("memories", "show", "other", "--json")
    assert (code, out) == (1, "")
    assert json.loads(err)["error"]["code"] == "not_found"


def test_nothing_there(memsvc: Memsvc) -> None:
    code, out, err = memsvc("--url", "http://127.0.0.1:1", "recall", "tea")
    assert (code, out) == (3, "")
    assert err.startswith("error: cannot reach the service")
    assert len(err.splitlines()) == 1


def test_no_answer_in_time(memsvc: Memsvc, service: Recorder) -> None:
    service.will(Answer(delay_s=5))
    assert memsvc("recall", "tea", "--timeout-s", "0.05")[0] == 3


def test_something_else_answers(memsvc: Memsvc, service: Recorder) -> None:
    service.will(Answer(200, b"<html>"))
    assert memsvc("stats")[0] == 3


@pytest.mark.parametrize(
    "line",
    [
        ["recall"],
        ["nonsense"],
        ["memories", "add", "x", "--kind", "odd"],
        ["memories", "add", "x", "--occurred-at", "yesterday"],
        ["memories", "add", "x", "--metadata", "{"],
        ["memories", "add", "x", "--metadata", "[]"],
        ["memories", "list", "--filter", "kind=semantic"],
        ["memories", "list", "--limit", "0"],
        ["memories", "edit", ID],
        ["memories", "erase", "", "--yes"],
        ["memories", "import", "/nonexistent.jsonl"],
        ["keys", "create", "ci"],
        ["stats", "--api-key-file", "/nonexistent"],
        ["stats", "--url", "localhost"],
    ],
)
def test_wrong_usage(memsvc: Memsvc, service: Recorder, line: list[str]) -> None:
    code, _, err = memsvc(*line)
    assert code == 2
    assert err
    assert "Traceback" not in err
    assert service.seen == []


def test_no_namespace(memsvc: Memsvc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEMSVC_NAMESPACE")
    code, _, err = memsvc("recall", "tea")
    assert code == 2
    assert "namespace" in err


def test_global_options_stand_before_or_after(memsvc: Memsvc, service: Recorder) -> None:
    memsvc("-n", "before", "recall", "tea")
    assert service.last.body["namespace"] == "before"
    memsvc("-n", "before", "recall", "tea", "-n", "after")
    assert service.last.body["namespace"] == "after"


def test_the_key_comes_from_a_file_or_the_environment(
    memsvc: Memsvc, service: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text("msk_file\n", encoding="utf-8")
    monkeypatch.setenv("MEMSVC_API_KEY", "msk_env")
    memsvc("stats")
    assert service.last.headers["authorization"] == "Bearer msk_env"
    memsvc("stats", "--api-key-file", str(file))
    assert service.last.headers["authorization"] == "Bearer msk_file"
    file.write_text("\n", encoding="utf-8")
    assert memsvc("stats", "--api-key-file", str(file))[0] == 2


def test_add_sends_every_option(memsvc: Memsvc, service: Recorder) -> None:
    code, out, _ = memsvc(
        *("memories", "add", "-", "--kind", "episodic", "--external-id", "e1", "--tag", "a", "--tag", "b"),
        *("--occurred-at", "2026-01-31T10:00:00+01:00", "--valid-from", "2026-01-01", "--ttl-s", "60"),
        *("--importance", "0", "--not-pinned", "--metadata", '{"a": 1}', "--speaker", "Ada"),
        stdin="two\nlines\n",
    )
    assert (code, out) == (0, f"remembered {ID} (version 1)\n")
    assert service.last.body == {
        "namespace": "user/ada",
        "content": "two\nlines",
        "kind": "episodic",
        "external_id": "e1",
        "tags": ["a", "b"],
        "occurred_at": "2026-01-31T09:00:00Z",
        "valid_from": "2026-01-01T00:00:00Z",
        "ttl_s": 60,
        "importance": 0.0,
        "pinned": False,
        "metadata": {"a": 1},
        "speaker": "Ada",
    }


def test_edit_changes_and_clears(memsvc: Memsvc, service: Recorder) -> None:
    memsvc("memories", "edit", ID, "--content", "new", "--clear", "place", "--clear", "speaker", "--if-version", "3")
    assert service.last.body == {"content": "new", "place": None, "speaker": None}
    assert service.last.headers["if-match"] == '"3"'


def test_recall_sends_every_option(memsvc: Memsvc, service: Recorder) -> None:
    memsvc(
        *("recall", "tea?", "-k", "3", "--kind", "semantic", "--filter", '{"user_id": "ada"}', "--as-of", "2026-01-01"),
        *("--valid-at", "2026-01-02", "--asked-at", "2026-01-03", "--token-budget", "100", "--profile", "fast"),
        *("--min-seq", "0", "--deadline-ms", "50", "--explain", "--min-confidence", "0.5"),
    )
    assert service.last.body == {
        "namespace": "user/ada",
        "query": "tea?",
        "top_k": 3,
        "kinds": ["semantic"],
        "filter": {"user_id": "ada"},
        "as_of": "2026-01-01T00:00:00Z",
        "valid_at": "2026-01-02T00:00:00Z",
        "asked_at": "2026-01-03T00:00:00Z",
        "token_budget": 100,
        "profile": "fast",
        "min_seq": 0,
        "deadline_ms": 50,
        "explain": True,
        "min_confidence": 0.5,
    }


def test_several_namespaces_take_the_place_of_the_own_one(memsvc: Memsvc, service: Recorder) -> None:
    memsvc("-n", "mine", "recall", "tea?", "--in", "a", "--in", "b")
    assert service.last.body == {"query": "tea?", "namespaces": ["a", "b"]}
    memsvc("-n", "mine", "context", "tea?", "--prefix", "user/")
    assert service.last.body == {"query": "tea?", "namespace_prefix": "user/"}


def test_context_prints_the_text_alone(memsvc: Memsvc, service: Recorder) -> None:
    code, out, err = memsvc(
        *("context", "tea?", "--budget", "800", "--tokenizer", "bytes", "--order", "relevance", "-k", "7"),
        *("--previous", ID, "--profile", "thorough"),
    )
    assert service.last.path == "/v1/context"
    assert service.last.body == {
        "namespace": "user/ada",
        "query": "tea?",
        "token_budget": 800,
        "tokenizer": "bytes",
        "order": "relevance",
        "previous": [ID],
        "top_k": 7,
        "profile": "thorough",
    }
    assert (code, out) == (0, "What is remembered.\n[k3f9q] (2026-02-01) Ada prefers tea.\n")
    assert err == f"15 of 2000 tokens, 1 memories, 0 left out; recall {RECALL_ID}\n"


def test_feedback_names_memories_by_verdict(memsvc: Memsvc, service: Recorder) -> None:
    code, out, _ = memsvc("feedback", RECALL_ID, "--used", "a", "--used", "b", "--wrong", "c")
    assert service.last.path == f"/v1/recall/{RECALL_ID}/feedback"
    judged = [("a", "used"), ("b", "used"), ("c", "wrong")]
    assert service.last.body == {"memories": [{"id": i, "verdict": verdict} for i, verdict in judged]}
    assert (code, out) == (0, "kept for 3 memories\n")


def test_recall_for_people(memsvc: Memsvc, service: Recorder) -> None:
    _, out, err = memsvc("recall", "tea?")
    for part in ("Ada prefers tea.", "0.875", "semantic:2 place:- keyword:1", ID, "confidence 0.93"):
        assert part in out
    assert err == ""
    service.will(Answer(200, {"hits": [], "confidence": 0.1, "degraded": ["entity"], "took_ms": 1}))
    _, out, err = memsvc("recall", "tea?")
    assert (out, err) == ("nothing relevant\n", "left out: entity\n")


@pytest.mark.parametrize(("answer", "code", "calls"), [("y\n", 0, 1), ("n\n", 1, 0), ("", 1, 0)])
def test_erase_asks(memsvc: Memsvc, service: Recorder, answer: str, code: int, calls: int) -> None:
    found, out, err = memsvc("memories", "erase", ID, stdin=answer)
    assert found == code
    assert "for good?" in err
    assert len(service.seen) == calls
    assert out == (f"erased {ID}\n" if calls else "")


def test_stored_text_cannot_drive_the_terminal_or_the_markup(memsvc: Memsvc, service: Recorder) -> None:
    service.will(Answer(200, memory(content="\x1b[2J[bold]x[/bold]\x07")))
    _, out, _ = memsvc("memories", "show", ID)
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "[bold]x[/bold]" in out


def test_list_follows_the_pages_up_to_the_limit(memsvc: Memsvc, service: Recorder) -> None:
    service.default = lambda seen: Answer(
        200, {"items": [memory(f"m{seen.query.get('cursor')}")] * 2, "next_cursor": f"{len(service.seen)}"}
    )
    _, out, _ = memsvc("memories", "list", "--limit", "5", "--json")
    assert len(json.loads(out)["items"]) == 5
    assert len(service.seen) == 3


def test_import_shows_refusals_and_progress_on_stderr(
    memsvc: Memsvc, service: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_b(seen: Seen) -> Answer:
        items = [
            {"status": 422, "problem": problem(422, "invalid_input", "b is wrong")}
            if m["content"] == "b"
            else {"status": 201, "id": ID}
            for m in seen.body["memories"]
        ]
        return Answer(200, {"items": items, "seq": 1})

    service.default = refuse_b
    file = tmp_path / "m.jsonl"
    file.write_text("".join(json.dumps({"content": c}) + "\n" for c in "abc"), encoding="utf-8")
    code, out, err = memsvc("memories", "import", str(file))
    assert (code, out) == (1, "2 written, 1 refused\n")
    assert err == "line 2: b is wrong\n"  # no bar where nobody watches
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "3/3" in memsvc("memories", "import", str(file))[2]
    assert "Importing" in memsvc("import", str(file), "--from", "jsonl")[2]
    assert "3/3" not in memsvc("memories", "import", str(file), "--json")[2]


def test_import_reads_stdin_and_takes_up_where_it_was(memsvc: Memsvc, service: Recorder) -> None:
    lines = b"".join(json.dumps({"content": str(n)}).encode() + b"\n" for n in range(5))
    code, _, _ = memsvc("memories", "import", "-", "--from-line", "4", "--batch-items", "1", stdin=lines)
    assert code == 0
    assert [seen.body["memories"][0]["content"] for seen in service.seen] == ["3", "4"]


def test_an_interrupted_import_says_where_to_go_on(memsvc: Memsvc, service: Recorder, tmp_path: Path) -> None:
    file = tmp_path / "m.jsonl"
    file.write_text("".join(f'{{"content": "{n}"}}\n\n' for n in range(3)), encoding="utf-8")
    service.default = lambda seen: plausible(seen) if len(service.seen) == 1 else Answer(401, problem(401, "x"))
    code, out, err = memsvc("memories", "import", str(file), "--batch-items", "1")
    assert (code, out) == (1, "1 written, 0 refused\n")
    assert "go on with --from-line 3" in err


def test_version_works_without_a_service(memsvc: Memsvc) -> None:
    code, out, err = memsvc("version", "--url", "http://127.0.0.1:1", "--json")
    assert code == 0
    assert json.loads(out) == {"client": __version__, "server": None}
    assert "cannot reach" in err
    assert memsvc("--version")[:2] == (0, f"{__version__}\n")


def test_colours_only_where_wanted(memsvc: Memsvc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" in memsvc("memories", "list")[1]
    assert "\x1b" not in memsvc("memories", "list", "--json")[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in memsvc("memories", "list")[1]
