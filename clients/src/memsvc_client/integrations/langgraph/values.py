"""LangGraph's items as memories: the value is the metadata, the text that it is found by is the content."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from langgraph.store.base import get_text_at_path

from memsvc_client.types import Memory
from memsvc_client.wire import encode

STORE: Final = "langgraph"
"""`source.store` of every item, which tells it from other memories of its namespace."""

# What the service takes as metadata; a value beyond that is kept as text, and only its plain fields can be filtered by.
_DEPTH, _KEYS, _KEY_BYTES = 5, 256, 256


def to_fields(value: Mapping[str, Any], *, is_indexed: bool) -> dict[str, Any]:
    """What of a memory holds a value: its `metadata` and `source`. With `is_indexed` False no question finds it.

    Raises:
        InvalidArgument: The value has no JSON form.
    """
    source: dict[str, Any] = {"store": STORE}
    if not is_indexed:
        source["indexed"] = False
    plain = json.loads(encode(value))  # what it is when it comes back: tuples are lists, times are texts
    if _fits(plain):
        return {"metadata": plain, "source": source}
    source["value"] = encode(plain).decode()
    scalars = {k: v for k, v in plain.items() if not isinstance(v, dict | list) and len(k.encode()) <= _KEY_BYTES}
    return {"metadata": dict(list(scalars.items())[:_KEYS]), "source": source}


def to_text(value: Mapping[str, Any], fields: Sequence[str] | None) -> str:
    """The text that a value is found by: one alone as it is, several each with its name. May be empty."""
    if fields and "$" not in fields:
        return "\n".join(text for field in fields for text in get_text_at_path(value, field) if text)
    named = [(name, text) for name, text in _texts("", value) if text.strip()]
    return named[0][1] if len(named) == 1 else "\n".join(f"{name}: {text}" for name, text in named)


def to_value(memory: Memory) -> dict[str, Any]:
    """The value that a memory was made of."""
    whole = (memory.source or {}).get("value")
    return dict(memory.metadata) if whole is None else dict(json.loads(whole))


def _texts(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(f"{name}.{key}" if name else str(key), inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(name, inner)
    elif value is not None and not isinstance(value, bool):
        yield name, str(value)


def _fits(value: Any) -> bool:
    """Whether the service takes a value as metadata. Its size is left to the service."""
    keys = 0
    level = [value]
    for _ in range(_DEPTH + 1):
        keys += sum(len(one) for one in level if isinstance(one, dict))
        if any(len(key.encode()) > _KEY_BYTES for one in level if isinstance(one, dict) for key in one):
            return False
        level = [inner for one in level for inner in _inside(one)]
    return not level and keys <= _KEYS


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
