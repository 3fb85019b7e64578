"""From pydantic's errors to field errors: JSON pointers and stable codes, never a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from memsvc.core.errors import FieldError, InvalidInput
from memsvc.http.strict_json import pointer

MAX_ERRORS = 50
# Each costs microseconds to build, listed or not.
_MAX_BUILT = 2000


def invalid(error: ValidationError, document: Any, prefix: tuple[str | int, ...] = ()) -> InvalidInput:
    """The refusal for a document that does not fit its model."""
    if error.error_count() > _MAX_BUILT:
        return InvalidInput(f"the body has {error.error_count()} errors, too many to list")
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return refuse(found, document, prefix)


def refuse(found: Iterable[Mapping[str, Any]], document: Any, prefix: tuple[str | int, ...] = ()) -> InvalidInput:
    """The refusal for a list of pydantic's error dictionaries."""
    fields = [_field(item, document, prefix) for item in found]
    first = fields[0]
    more = f" (and {len(fields) - 1} more)" if len(fields) > 1 else ""
    return InvalidInput(f"{first.pointer or '/'}: {first.message}{more}", errors=tuple(fields[:MAX_ERRORS]))


def _field(item: Mapping[str, Any], document: Any, prefix: tuple[str | int, ...]) -> FieldError:
    path = prefix + _located(item["loc"], document, missing=item["type"] == "missing")
    message = str(item["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return FieldError(pointer(path), str(item["type"]), message)


def _located(loc: tuple[str | int, ...], document: Any, *, missing: bool) -> tuple[str | int, ...]:
    """The part of pydantic's path that is a place in the document: it also names members of unions and validators."""
    path: list[str | int] = []
    for index, part in enumerate(loc):
        is_key = isinstance(document, dict) and isinstance(part, str) and part in document
        is_index = isinstance(document, list) and isinstance(part, int) and 0 <= part < len(document)
        if is_key or is_index:
            path.append(part)
            document = document[part]
        elif missing and index == len(loc) - 1:
            path.append(part)
    return tuple(path)
