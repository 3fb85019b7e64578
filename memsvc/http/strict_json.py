"""JSON as the service accepts it: one document, no duplicate keys, bounded depth and size, only storable values.

Three things are kept apart: what is not JSON at all (400), what is too large to look at (413), and what is JSON that
nobody could store and get back unchanged, such as a lone surrogate, a NUL or a number that overflows (422).
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Never

from memsvc.core.errors import InvalidInput, MalformedRequest, TooLarge
from memsvc.models.sealed import MARK, MARK_BYTES

MAX_DEPTH = 64
MAX_VALUES = 500_000
INT_MIN, INT_MAX = -(2**63), 2**63 - 1

_CHUNK_BYTES = 64 * 1024
_SAFE_SEGMENT = re.compile(r"[A-Za-z0-9_.\-]{1,64}")


def pointer(path: tuple[str | int, ...]) -> str:
    """A JSON pointer for a path. A key that could carry markup, secrets or control characters shows as `*`."""
    return "".join("/" + (str(part) if _is_safe(part) else "*") for part in path)


def _is_safe(part: str | int) -> bool:
    return isinstance(part, int) or _SAFE_SEGMENT.fullmatch(part) is not None


class _NotStorableError(Exception):
    """Found while walking; the path is completed on the way out."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.path: tuple[str | int, ...] = ()


def parse(body: bytes) -> Any:
    """The value of a JSON document.

    Args:
        body: the whole document, UTF-8.

    Raises:
        MalformedRequest: it is not one JSON document, has duplicate keys, or is nested too deep.
        TooLarge: it holds more than half a million values.
        InvalidInput: it holds a lone surrogate, a NUL, a text that begins with the mark of encrypted ones, or a number
            outside int64 or double.
    """
    _bound_values(body)
    try:
        value = json.loads(_decode(body), object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise MalformedRequest(f"the body is not valid JSON, at byte {error.pos} or near") from None
    except RecursionError:
        raise MalformedRequest(f"the body is nested deeper than {MAX_DEPTH} levels") from None
    except ValueError:  # int() refuses thousands of digits
        raise InvalidInput("a number in the body has too many digits") from None
    try:
        _walk(value, 0, b"\\u" in body or MARK_BYTES in body)
    except _NotStorableError as found:
        raise InvalidInput.field(pointer(found.path), found.code, found.message) from None
    return value


def _bound_values(body: bytes) -> None:
    """Refuse a body whose parsed form would take many times its size, before any of it is built."""
    if _separators(body) <= MAX_VALUES:
        return
    # Perhaps most of them stand inside strings. What is left between quotes, taken by turns, does not.
    bare = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    found, is_inside = 0, 0
    for begin in range(0, len(bare), _CHUNK_BYTES):
        parts = bare[begin : begin + _CHUNK_BYTES].split(b'"')
        found += _separators(b" ".join(parts[is_inside::2]))
        if found > MAX_VALUES:
            raise TooLarge(f"the body holds more than {MAX_VALUES} values")
        is_inside ^= (len(parts) - 1) & 1


def _separators(body: bytes) -> int:
    return body.count(b",") + body.count(b"[") + body.count(b"{")


def _decode(body: bytes) -> str:
    if body.startswith(b"\xef\xbb\xbf"):
        raise MalformedRequest("the body starts with a byte order mark; send UTF-8 without one")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise MalformedRequest(f"the body is not valid UTF-8, at byte {error.start}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise MalformedRequest("the body has an object with the same key twice")
    return value


def _constant(name: str) -> Never:
    raise MalformedRequest("the body holds NaN or Infinity, which are not JSON")


def _walk(value: Any, depth: int, escapes: bool) -> None:
    kind = type(value)
    if kind is str:
        if escapes:
            _check_text(value)
    elif kind is float:
        if not math.isfinite(value):
            raise _NotStorableError("number_out_of_range", "the number overflows a double")
    elif kind is int:
        if not INT_MIN <= value <= INT_MAX:
            raise _NotStorableError("number_out_of_range", "the integer does not fit in 64 bits")
    elif kind is dict or kind is list:
        _walk_container(value, depth + 1, escapes)


def _walk_container(value: dict[str, Any] | list[Any], depth: int, escapes: bool) -> None:
    if depth > MAX_DEPTH:
        raise MalformedRequest(f"the body is nested deeper than {MAX_DEPTH} levels")
    key: str | int = 0
    try:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if escapes and isinstance(key, str):
                _check_text(key)
            _walk(item, depth, escapes)
    except _NotStorableError as found:
        found.path = (key, *found.path)
        raise


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise _NotStorableError("text_nul", "the text holds a NUL character")
    if not text.isascii():
        if text.startswith(MARK):
            raise _NotStorableError("text_mark", "the text begins like one that is encrypted")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _NotStorableError("text_surrogate", "the text holds half of a surrogate pair") from None
