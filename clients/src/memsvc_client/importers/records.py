"""What importers share: one record of a file, and the memory made of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_EXTERNAL_ID_BYTES = 512
_MILLISECONDS = 1e11  # as seconds that would be in the year 5138


@dataclass(frozen=True, slots=True)
class Item:
    """One record.

    Attributes:
        memory: What is to be written, or None.
        external_id: The id under which it is, or would be, written.
        problem: Why there is no memory.
    """

    memory: Mapping[str, Any] | None
    external_id: str | None = None
    problem: str | None = None


def item(kind: str, own_id: Any, content: Any, fields: Mapping[str, Any]) -> Item:
    """The item of a record; fields that are None or empty are left out.

    Args:
        kind: Where it comes from; with its own id that is the external id, so that an import can be repeated.
        own_id: Of the record.
        content: Its text.
        fields: What else is said of it, by the names of `MemoryFields`.
    """
    if own_id is None or own_id == "":
        return Item(None, None, "it has no id")
    external_id = external(kind, str(own_id))
    if not isinstance(content, str) or not content.strip():
        return Item(None, external_id, "it has no text")
    source = {"from": kind, "id": str(own_id)} if len(str(own_id)) <= _EXTERNAL_ID_BYTES else {"from": kind}
    said = {name: value for name, value in fields.items() if value is not None and value not in ("", [], {})}
    return Item({"content": content, "external_id": external_id, "source": source, **said}, external_id)


def external(kind: str, own_id: str) -> str:
    """The external id: kind and own id, or a digest where that would be too long."""
    whole = f"{kind}:{own_id}"
    if len(whole.encode()) <= _EXTERNAL_ID_BYTES:
        return whole
    return f"{kind}:sha256:{hashlib.sha256(own_id.encode()).hexdigest()}"


def when(value: Any) -> str | None:
    """A time of any common form (seconds or milliseconds since 1970, ISO 8601; UTC without a zone) as RFC 3339.

    Returns:
        The time, or None for what is none.
    """
    found = moment(value)
    return None if found is None else found.isoformat()


def moment(value: Any) -> datetime | None:
    """The same as an aware datetime."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1000 if abs(value) >= _MILLISECONDS else value
            return datetime.fromtimestamp(seconds, UTC)
        if isinstance(value, str):
            found = datetime.fromisoformat(value.strip())
            return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def text(value: Any) -> str | None:
    """A short text such as a name, or None for what is none."""
    return value if isinstance(value, str) and value.strip() else None


def texts(value: Any) -> list[str]:
    """Those of a list that are texts."""
    return [one for one in value if isinstance(one, str) and one.strip()] if isinstance(value, list) else []


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """Those of a list that are objects."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def joined_text(content: Any) -> str:
    """The words of a chat message: a text, or a list of texts and of `{"type": "text", "text": ...}`."""
    if isinstance(content, str):
        return content
    return "\n\n".join(_parts(content)) if isinstance(content, list) else ""


def _parts(content: Iterable[Any]) -> Iterable[str]:
    for part in content:
        if isinstance(part, str) and part.strip():
            yield part
        elif isinstance(part, Mapping) and part.get("type") == "text" and text(part.get("text")):
            yield part["text"]
