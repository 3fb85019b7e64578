"""The client alone brings in no framework."""

from __future__ import annotations

import subprocess
import sys

FRAMEWORKS = {"agents", "langchain_core", "langgraph", "llama_index", "mcp", "openai"}


def test_the_client_imports_no_framework() -> None:
    asked = f"import sys, memsvc_client, memsvc_client.cli.main; print({FRAMEWORKS!r} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
