"""What operators and clients build on stands in the docs."""

from __future__ import annotations

from pathlib import Path

from memsvc.core import errors
from memsvc.http.errors import RequestTimeout

DOCS = Path(__file__).parents[3] / "docs"


def test_every_error_code_is_documented_with_its_status() -> None:
    text = (DOCS / "errors.md").read_text()
    found = [v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, errors.ServiceError)]
    assert len(found) > 15
    for error in [*found, RequestTimeout]:
        assert f"| {error.status} | `{error.code}` |" in text
