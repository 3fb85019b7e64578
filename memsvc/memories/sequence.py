"""Which conversation a memory belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import xxhash

_NAMES = ("session_id", "session", "conversation_id", "thread_id")
_WORD = 1 << 64


def sequence_of(session_id: str | None, metadata: Mapping[str, Any]) -> int | None:
    """The conversation of a memory as the database keeps it: 64 bits of a hash, read as a signed number; never 0.

    It is named by the session or, for memories that came from elsewhere, by the first of the metadata fields
    `session_id`, `session`, `conversation_id` and `thread_id` that is there (a text or a whole number). The same name
    means the same conversation, whichever field it stands in.

    Returns:
        None for a memory that belongs to none.
    """
    for value in (session_id, *(metadata.get(name) for name in _NAMES)):
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            continue
        digest = xxhash.xxh3_64_intdigest(str(value).encode()) or 1
        return digest - _WORD if digest >= _WORD // 2 else digest
    return None
