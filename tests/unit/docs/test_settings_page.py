"""The settings page says what the settings are."""

from pathlib import Path

from memsvc.core.settings_page import render

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


def test_the_page_is_what_the_settings_say() -> None:
    assert PAGE.read_text() == render(), "run: python -m memsvc.core.settings_page > docs/settings.md"
