"""What importers make of an export is what the service takes, once and again, and the graph's tools read theirs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from memsvc_client.cli.main import app as memsvc
from tests.fixtures.listening import listening
from tests.fixtures.service import serving

FIXTURES = Path(__file__).parents[1] / "fixtures"
EXPORTS: dict[str, Any] = {
    "mem0": {"results": [{"id": "m", "memory": "Likes tea", "user_id": "ada", "created_at": "2026-01-31T01:00:00-08:00",
                          "categories": ["drinks"], "metadata": {"a": 1}, "expiration_date": "2099-01-01"}]},
    "langgraph": [{"namespace": ["memories", "ada"], "key": "k", "value": {"content": "Sings", "x": [1]}}],
    "mcp-memory": [{"type": "entity", "name": "Ada", "entityType": "person", "observations": ["Sings"]}],
    "claude": [{"uuid": "c", "name": "T", "chat_messages": [{"uuid": "1", "sender": "human", "text": "Hello",
                                                             "created_at": "2026-01-31T09:00:00.000000Z"}]}],
    "chatgpt": [{"id": "c", "title": "T", "current_node": "n", "mapping": {"n": {"parent": None, "message": {
        "id": "n", "author": {"role": "user"}, "create_time": 1.7e9,
        "content": {"content_type": "text", "parts": ["Hi"]}}}}}],
    "letta": [{"id": "p", "text": "Fact", "tags": ["a"], "created_at": "2025-11-05 23:04:24.901468+00:00"}],
    "graphiti": [{"uuid": "e", "fact": "Ada works at Acme", "name": "WORKS_AT", "valid_at": "2020-01-01T00:00:00Z",
                  "invalid_at": "2021-01-01T00:00:00Z"}],
    "csv": "content,id,place,year\nLikes tea,7,hall,2026\n",
    "superlocalmemory": FIXTURES / "superlocalmemory" / "memory.db",
    "jsonl": [{"content": "plain", "external_id": "x"}],
}  # fmt: skip
COUNTS = {"mcp-memory": 2, "superlocalmemory": 5}
SKIPPED = {"superlocalmemory"}
"""Kinds whose export has what is not taken."""


def test_every_kind_is_taken_once_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path / "service") as service, listening(service.app) as port:
        ada = service.tenant()
        monkeypatch.setenv("MEMSVC_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("MEMSVC_API_KEY", str(ada.secret))
        for kind, export in EXPORTS.items():
            file = export if isinstance(export, Path) else tmp_path / kind
            if not isinstance(export, Path):
                file.write_text(export if isinstance(export, str) else json.dumps(export), encoding="utf-8")
            ada.namespace = f"from/{kind}"
            for _ in range(2):
                ran = CliRunner().invoke(memsvc, ["-n", ada.namespace, "import", str(file), "--from", kind])
                assert ran.exit_code == int(kind in SKIPPED), (kind, ran.output)
            found = ada.list()["items"]
            assert len(found) == COUNTS.get(kind, 1), kind
            assert {one["version"] for one in found} <= ({1, 2} if kind == "mem0" else {1}), kind  # its end is counted


def test_a_store_of_langgraph_is_taken_as_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path / "service") as service, listening(service.app) as port:
        ada = service.tenant()
        monkeypatch.setenv("MEMSVC_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("MEMSVC_API_KEY", str(ada.secret))
        file = FIXTURES / "langgraph" / "store.db"
        ran = CliRunner().invoke(memsvc, ["-n", ada.namespace, "import", str(file), "--from", "langgraph"])
        assert (ran.exit_code, ran.stdout) == (1, "4 written, 1 not\n"), ran.output
