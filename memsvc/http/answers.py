"""Answers written straight to JSON.

The models of answers describe them (in OpenAPI, and to tests that check answers against them). Building and checking
them for every hit of every recall would cost more than finding the hits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from starlette.responses import Response


def json_answer(
    fields: Mapping[str, Any] | Sequence[Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """The fields, or items, as JSON; times in UTC with a `Z`."""
    body = orjson.dumps(fields, option=orjson.OPT_UTC_Z)
    return Response(body, status, headers, media_type="application/json")
