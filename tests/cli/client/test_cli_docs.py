"""docs/cli.md says what the command does."""

from __future__ import annotations

from pathlib import Path

from memsvc_client.cli import docs

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == docs.render(), "run: python -m memsvc_client.cli.docs > docs/cli.md"


def test_every_command_and_option_is_described() -> None:
    page = docs.render()
    for name in ("memories import", "recall", "namespaces list", "keys revoke", "stats", "version"):
        assert f"`memsvc {name}`" in page
    for option in ("--url", "--namespace", "--api-key-file", "--json", "--yes", "--top-k", "--from-line"):
        assert option in page
