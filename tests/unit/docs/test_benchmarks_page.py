"""The page of figures says what the saved results say."""

from __future__ import annotations

from pathlib import Path

from benchmarks.page import render

PAGE = Path(__file__).parents[3] / "docs" / "benchmarks.md"


def test_the_page_is_what_the_results_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run: python -m benchmarks.page > docs/benchmarks.md"
