"""Answers written straight to JSON.

FastAPI would validate what we have just built and turn it into Python values before writing it: for a page of memories
that costs more than finding them.
"""

from __future__ import annotations

from pydantic import BaseModel
from starlette.responses import Response


def json_answer(model: BaseModel, status: int = 200) -> Response:
    """The model's fields that were set, as JSON."""
    body = model.__pydantic_serializer__.to_json(model, exclude_unset=True)
    return Response(body, status, media_type="application/json")
