"""What the client brings in, and when: nothing that a program waits for without using it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import memsvc_client

FRAMEWORKS = {"agents", "langchain_core", "langgraph", "llama_index", "mcp", "openai"}
LATER = {"asyncio", "click", "httpx", "pydantic", "pydantic_core", "rich", "tenacity", "typer"}
HERE = os.environ | {"PYTHONPATH": str(Path(memsvc_client.__file__).parents[1])}
PROJECT = Path(__file__).parents[3] / "clients" / "pyproject.toml"


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import memsvc_client", FRAMEWORKS | LATER),
        ("from memsvc_client import MemoryClient", FRAMEWORKS | {"typer"}),
        ("import memsvc_client.cli.main", FRAMEWORKS | {"httpx", "pydantic", "tenacity"}),
    ],
)
def test_what_an_import_brings_in(statement: str, absent: set[str]) -> None:
    asked = f"import sys; {statement}; print(sorted({absent!r} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, env=HERE)
    assert ran.stdout.strip() == "[]"


def test_the_client_needs_little() -> None:
    needed = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]
    assert {re.split(r"[^\w-]", one)[0] for one in needed} == {"httpx", "pydantic", "rich", "tenacity", "typer"}
