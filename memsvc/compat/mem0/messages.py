"""From messages to memories, by rules: no language model reads them.

- A system, developer, tool or function message instructs or reports; it is not remembered.
- With `infer` (the default) a message that only asks is not remembered either; every other one is, in its own words.
- Without `infer` every message of the user and of the assistant is remembered.

mem0 has a language model reword what it keeps and drop what it has already; here what says the same is merged later, by
the job `merge`, and what a later message makes outdated is superseded by the job `conflicts`.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from memsvc.compat.mem0.schemas import Add, Message
from memsvc.core.settings import Settings
from memsvc.http.validation import invalid
from memsvc.memories.draft import Draft
from memsvc.memories.schemas import MemoryIn, to_draft

_SENTENCE = re.compile(r"(?<=[.!?…。！？؟])\s+|\n+")
_ASKS = ("?", "？", "؟")
_SAYS = ("user", "assistant")


def drafts(body: Add, settings: Settings, *, occurred_at: datetime, expires_at: datetime | None) -> list[Draft]:
    """What of a conversation is to be remembered, in its order.

    Raises:
        InvalidInput: the parts of a message are too long together.
    """
    kept = [one for one in body.messages if one.role in _SAYS and one.text.strip()]
    if body.infer is not False:
        kept = [one for one in kept if not only_asks(one.text)]
    return [_draft(one, body, settings, occurred_at, expires_at) for one in kept]


def only_asks(text: str) -> bool:
    """Whether every sentence of a text is a question."""
    sentences = [one.strip(" \t\"'”’)*_") for one in _SENTENCE.split(text)]
    return all(one.endswith(_ASKS) for one in sentences if one)


def _draft(
    message: Message, body: Add, settings: Settings, occurred_at: datetime, expires_at: datetime | None
) -> Draft:
    whose = body.whose
    own = whose.get("user_id") if message.role == "user" else whose.get("agent_id")
    source = {"client": "mem0", "role": message.role}
    fields: dict[str, Any] = {
        "content": message.text,
        "speaker": message.name or own or message.role,
        "occurred_at": occurred_at,
        "source": source | ({"app_id": whose["app_id"]} if "app_id" in whose else {}),
        "user_id": whose.get("user_id"),
        "agent_id": whose.get("agent_id"),
        "session_id": whose.get("run_id"),
        "metadata": body.metadata or {},
    }
    more: dict[str, Any] = {} if expires_at is None else {"expires_at": expires_at}
    try:
        said = MemoryIn.model_validate(fields, context={"settings": settings})
    except ValidationError as error:
        raise invalid(error, fields, ("messages",)) from None
    return to_draft(said, **more)
