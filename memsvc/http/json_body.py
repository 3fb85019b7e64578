"""Reading a JSON body: media type, size and time are checked before anything is parsed."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from memsvc.core.errors import InvalidInput, MalformedRequest, TooLarge, UnsupportedMedia
from memsvc.core.settings import Settings
from memsvc.http.errors import RequestTimeout
from memsvc.http.strict_json import parse
from memsvc.http.validation import invalid
from memsvc.http.work import run_blocking

M = TypeVar("M", bound=BaseModel)

BODY_TIMEOUT_S = 20.0
# Smaller bodies parse in less time than a change of threads takes.
_INLINE_BYTES = 64 * 1024
_MAX_CONTENT_TYPE_BYTES = 128


async def read_json(request: Request, model: type[M], settings: Settings) -> M:
    """The body of a request as a model.

    Args:
        request: its body must not have been read.
        model: validated strictly; validators find the settings in `info.context["settings"]`.
        settings: `body_max_bytes` bounds the body.

    Raises:
        UnsupportedMedia: it is not declared as plain JSON.
        TooLarge: it is longer than allowed, declared or not.
        RequestTimeout: it did not arrive in time.
        MalformedRequest: it is not JSON.
        InvalidInput: it is JSON that does not fit the model.
    """
    body = await _body(request, settings)
    if len(body) <= _INLINE_BYTES:
        return decode(body, model, settings)
    return await run_blocking(request, decode, body, model, settings)


async def read_document(request: Request, settings: Settings) -> tuple[bytes, Any]:
    """The body of a request whose form somebody else judges, and what it says; raises what `read_json` does."""
    body = await _body(request, settings)
    if len(body) <= _INLINE_BYTES:
        return body, _parsed(body)
    return body, await run_blocking(request, _parsed, body)


async def _body(request: Request, settings: Settings) -> bytes:
    _check_media_type(request)
    return await _read(request, settings.body_max_bytes)


def decode(body: bytes, model: type[M], settings: Settings) -> M:
    """Parse and validate a whole body; raises what `read_json` does."""
    document = _parsed(body)
    try:
        # From the bytes, not from the parsed form: only then does strict mode know that a date is a string in JSON.
        return model.model_validate_json(body, context={"settings": settings})
    except ValidationError as error:
        raise invalid(error, document) from None


def _parsed(body: bytes) -> dict[str, Any]:
    if not body.strip(b" \t\r\n"):
        raise MalformedRequest("the body is empty; send a JSON object")
    document = parse(body)
    if not isinstance(document, dict):
        raise InvalidInput.field("", "object_type", "the body must be a JSON object")
    return document


def _check_media_type(request: Request) -> None:
    encodings = request.headers.getlist("content-encoding")
    if any(encoding.strip().lower() != "identity" for encoding in encodings):
        raise UnsupportedMedia("compressed bodies are not accepted; send the JSON as it is")
    types = request.headers.getlist("content-type")
    if len(types) != 1 or len(types[0]) > _MAX_CONTENT_TYPE_BYTES or not _is_json(types[0]):
        raise UnsupportedMedia("send the body with Content-Type: application/json")


def _is_json(media_type: str) -> bool:
    kind, *parameters = (part.strip().lower() for part in media_type.split(";"))
    charsets = {"charset=utf-8", 'charset="utf-8"', ""}
    return kind == "application/json" and all(parameter in charsets for parameter in parameters)


async def _read(request: Request, limit: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > 18 or int(declared) > limit):
        raise _too_large(limit)
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await _collect(request, limit)
    except TimeoutError:
        raise RequestTimeout(f"the body did not arrive within {BODY_TIMEOUT_S:.0f} s") from None


async def _collect(request: Request, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than {limit} bytes; send less in one call")
