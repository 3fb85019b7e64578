"""`--json`: one line of JSON on stdout, the same for ever, nothing on stderr."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from memsvc_client import __version__
from tests.cli.client.conftest import Memsvc
from tests.unit.client.recorder import ANCHOR, AUDIT_ENTRY, ID, KEY_ID, RECALL_ID

MEMORY: dict[str, Any] = {
    "id": ID,
    "namespace": "user/ada",
    "content": "Ada prefers tea.",
    "kind": "semantic",
    "state": "active",
    "version": 1,
    "external_id": None,
    "user_id": None,
    "agent_id": None,
    "session_id": None,
    "speaker": None,
    "place": None,
    "tags": ["tea"],
    "outcome": None,
    "language": None,
    "occurred_at": None,
    "valid_from": None,
    "valid_to": None,
    "recorded_at": "2026-02-01T00:00:00Z",
    "updated_at": None,
    "expires_at": None,
    "importance": None,
    "trust": None,
    "origin": None,
    "flags": [],
    "derived": None,
    "pinned": False,
    "legal_hold": False,
    "merged_into": None,
    "level": None,
    "retention": None,
    "fades_at": None,
    "recall_count": 0,
    "last_recalled_at": None,
    "source": None,
    "metadata": {"city": "Oslo"},
}
KEY = {
    "id": KEY_ID,
    "name": "ci",
    "roles": ["read"],
    "namespaces": ["user/**"],
    "prefix": "msk_ab",
    "networks": None,
    "trust": None,
    "client_id": None,
    "last_used_at": None,
    "created_at": None,
    "expires_at": None,
    "revoked_at": None,
}
FUSION = {
    "namespace": "user/ada", "adaptive": True, "factors": {}, "rounds": 0, "regret": 0.0, "regret_bound": 0.0,
}  # fmt: skip
GOLDEN: list[tuple[str, Any]] = [
    ("memories add hello", {"memory": MEMORY, "seq": 7, "created": True}),
    ("memories list", {"items": [MEMORY]}),
    (f"memories show {ID}", MEMORY),
    (f"memories edit {ID} --place Oslo", {"memory": MEMORY | {"version": 2}, "seq": 8, "created": False}),
    (
        f"memories history {ID}",
        {
            "items": [
                {
                    "version": 1,
                    "content": "x",
                    "kind": None,
                    "state": "active",
                    "tags": [],
                    "metadata": {},
                    "occurred_at": None,
                    "valid_from": None,
                    "valid_to": None,
                    "importance": None,
                    "recorded_from": None,
                    "recorded_to": None,
                    "trust": None,
                    "flags": [],
                    "reason": "written",
                    "writer": "ada",
                }
            ]
        },
    ),
    (f"memories links {ID}", {"items": [{"relation": "follows", "memory_id": ID, "direction": "out"}]}),
    (f"memories forget {ID}", {"memory": MEMORY | {"state": "forgotten"}, "seq": 8, "created": False}),
    (f"memories restore {ID}", {"memory": MEMORY, "seq": 7, "created": False}),
    (f"memories unmerge {ID}", {"memory": MEMORY, "seq": 7, "created": False}),
    (f"memories erase {ID} --yes", {"erased": ID}),
    (
        "recall tea",
        {
            "id": RECALL_ID,
            "hits": [
                {
                    "rank": 1,
                    "score": 0.875,
                    "memory": MEMORY,
                    "channels": {
                        "semantic": {"rank": 2, "score": 0.5, "contribution": None},
                        "place": {"rank": None, "score": 0.1, "contribution": None},
                        "keyword": {"rank": 1, "score": 9.25, "contribution": None},
                    },
                }
            ],
            "confidence": 0.93,
            "nothing_relevant": False,
            "seqs": {},
            "seq": 17,
            "degraded": [],
            "took_ms": 6.1,
            "explanation": None,
        },
    ),
    (
        "namespaces list",
        {
            "items": [
                {
                    "namespace": "user/ada",
                    "memories": 3,
                    "created_at": None,
                    "head_seq": 9,
                    "embedding_model": "bge",
                }
            ]
        },
    ),
    (
        "context tea",
        {
            "id": RECALL_ID,
            "context": "What is remembered.\n[k3f9q] (2026-02-01) Ada prefers tea.",
            "citations": [
                {
                    "label": "k3f9q",
                    "memory_id": ID,
                    "external_id": None,
                    "namespace": None,
                    "rank": 1,
                    "score": 0.875,
                    "occurred_at": None,
                    "recorded_at": None,
                }
            ],
            "used_tokens": 15,
            "budget_tokens": 2000,
            "tokenizer": "conservative",
            "left_out": [],
            "objective": {"value": 1.0, "bound": 1.0, "guarantee": 0.6},
            "confidence": 0.93,
            "nothing_relevant": False,
            "seq": 17,
            "seqs": {},
            "degraded": [],
            "took_ms": 6.1,
            "explanation": None,
        },
    ),
    (f"feedback {RECALL_ID} --used {ID} --wrong {KEY_ID}", {"recorded": 2}),
    ("fusion", FUSION | {"factors": {"keyword": 1.5}, "rounds": 3}),
    ("fusion --reset", FUSION),
    (
        "stats",
        {
            "namespace": "user/ada",
            "memories": None,
            "kinds": {"episodic": 3},
            "states": {},
            "levels": {},
            "oldest_at": None,
            "newest_at": None,
            "embedding_model": None,
            "head_seq": 9,
            "applied_seq": None,
            "pending_embeddings": None,
            "bank_bytes": None,
            "vector_bytes": {},
            "database_bytes": {},
            "last_runs": {},
        },
    ),
    ("keys create ci --role read", {"key": KEY, "secret": "msk_secret"}),
    ("keys list", {"items": [KEY]}),
    (f"keys revoke {KEY_ID}", {"revoked": KEY_ID}),
    (f"keys rotate {KEY_ID} --overlap-s 60", {"key": KEY, "secret": "msk_next"}),
    ("audit list --kind key", {"items": [AUDIT_ENTRY]}),
    ("audit anchor", {"anchor": ANCHOR}),
    ("audit verify", {"holds": True, "entries": 1, "broken_seq": None, "problem": None}),
    ("version", {"client": __version__, "server": {"version": "1.2.3", "api": "v1"}}),
]


@pytest.mark.parametrize(("line", "expected"), GOLDEN, ids=[" ".join(line.split()[:2]) for line, _ in GOLDEN])
def test_golden(memsvc: Memsvc, line: str, expected: Any) -> None:
    for arguments in ([*line.split(), "--json"], ["--json", *line.split()]):
        code, out, err = memsvc(*arguments)
        assert (code, err) == (0, "")
        assert out.count("\n") == 1
        assert json.loads(out) == expected


@pytest.mark.parametrize(("line", "expected"), GOLDEN, ids=[" ".join(line.split()[:2]) for line, _ in GOLDEN])
def test_people_get_no_json_and_no_colours_in_a_pipe(memsvc: Memsvc, line: str, expected: Any) -> None:
    code, out, _ = memsvc(*line.split())
    assert code == 0
    assert out.strip()
    assert "\x1b" not in out
    assert json.dumps(expected) not in out


def test_import_golden(memsvc: Memsvc, tmp_path: Path) -> None:
    file = tmp_path / "m.jsonl"
    file.write_text('{"content": "a"}\n\nnot json\n{"content": "b"}\n[1]\n', encoding="utf-8")
    code, out, err = memsvc("memories", "import", str(file), "--json")
    assert (code, err) == (1, "")
    assert json.loads(out) == {
        "written": 2,
        "failed": 2,
        "seq": 9,
        "failures": [
            {"line": 3, "code": "not_an_object", "detail": "not a JSON object"},
            {"line": 5, "code": "not_an_object", "detail": "not a JSON object"},
        ],
    }
