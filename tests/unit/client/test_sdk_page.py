"""Every example of docs/sdk.md runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import memsvc_client
from tests.unit.client.recorder import Recorder

PAGE = (Path(__file__).parents[3] / "docs" / "sdk.md").read_text(encoding="utf-8")
README = (Path(__file__).parents[3] / "clients" / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE + README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=[f"example-{n}" for n in range(len(EXAMPLES))])
def test_example(example: str, plausible_service: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMSVC_URL", plausible_service.url)
    exec(compile(example, "sdk.md", "exec"), {"__name__": "__main__"})  # noqa: S102 - our own page
    assert plausible_service.seen


def test_the_page_names_every_error() -> None:
    errors = {name for name in memsvc_client.errors.__dict__ if name in memsvc_client.__all__}
    missing = {name for name in errors if isinstance(getattr(memsvc_client, name), type)} - set(
        re.findall(r"`(\w+)`", PAGE)
    )
    assert missing <= {"BatchItem", "BatchResult", "Problem"}
