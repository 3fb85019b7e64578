"""No text comes in that begins like one that is encrypted: it would be taken for damage."""

from __future__ import annotations

import json

import pytest

from memsvc.core.errors import InvalidInput
from memsvc.http.strict_json import parse
from memsvc.models.sealed import MARK


@pytest.mark.parametrize("escaped", [True, False])
@pytest.mark.parametrize("body", [{"content": f"{MARK}a"}, {"metadata": {"k": [MARK]}}, {f"{MARK}k": 1}])
def test_it_is_refused_wherever_it_stands(body: object, escaped: bool) -> None:
    with pytest.raises(InvalidInput, match="encrypted"):
        parse(json.dumps(body, ensure_ascii=escaped).encode())


def test_inside_a_text_it_is_a_text() -> None:
    assert parse(json.dumps([f"a{MARK}"]).encode()) == [f"a{MARK}"]
