"""The interface as it was agreed on. After a change that is meant:

MEMSVC_TEST_GOLDEN=write .venv/bin/python -m pytest tests/api/test_openapi_golden.py
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import orjson

from tests.fixtures.routes import EXAMPLES
from tests.fixtures.service import Service

GOLDEN = Path(__file__).parents[1] / "golden" / "openapi.json"


def test_interface_is_the_agreed_one(shared: Service) -> None:
    document = shared.ask("GET", "/openapi.json").json()
    document["info"]["version"] = "-"
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode() + "\n"
    if os.environ.get("MEMSVC_TEST_GOLDEN") == "write":
        GOLDEN.write_text(text, encoding="utf-8")

    agreed = GOLDEN.read_text(encoding="utf-8")

    difference = difflib.unified_diff(agreed.splitlines(), text.splitlines(), "agreed", "now", lineterm="", n=2)
    assert "\n".join(list(difference)[:60]) == ""


def test_interface_lists_every_route_with_its_refusals(shared: Service) -> None:
    paths = shared.ask("GET", "/openapi.json").json()["paths"]
    for example in EXAMPLES:
        operation = paths[example.template][example.method.lower()]
        assert {"401", "403"} <= set(operation["responses"])
        assert ("requestBody" in operation) == (example.json is not None or example.takes_file)
