"""Drafts, screened: what is rejected, what is blackened, and what is only flagged.

Looked at are the content, the tags, and every string in `metadata` and `source`. Names (`user_id`, `speaker`, ...) and
the caller's own ids are not: they are what memories are found by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from memsvc.core.errors import InvalidInput
from memsvc.core.settings import Family
from memsvc.memories.draft import Draft
from memsvc.memories.ledger import Stored
from memsvc.screening.rules import FAMILIES, FINDERS, Rules

PARTS = ("tags", "metadata", "source")
"""Fields that are looked at beside the content."""


def screened(draft: Draft, rules: Rules) -> Draft:
    """The draft that is written: without what is to be blackened, with flags for what was found.

    A vector of a content that is blackened goes, too: it was made of what must not be kept.

    Raises:
        InvalidInput: it holds what is to be rejected. The message names the field and the family, never the value.
    """
    if not rules:
        return draft
    found: set[Family] = set()
    content = draft.content
    if content is not None:
        content = _clean(content, "/content", rules, found)
    fields = dict(draft.fields)
    for name in PARTS:
        if fields.get(name):
            fields[name] = _walked(fields[name], partial(_clean, at=f"/{name}", rules=rules, found=found))
    vector = draft.vector if content == draft.content else None
    return replace(draft, content=content, fields=fields, vector=vector, flags=tuple(sorted(found)))


def flags_after(stored: Stored, draft: Draft, rules: Rules) -> list[str]:
    """What screening flags a memory for after an edit: of what the draft says, and of what it leaves as it is.

    Args:
        draft: screened.
    """
    named = {name for name in PARTS if name in draft.fields}
    if draft.content is None and not named:
        return [flag for flag in stored.row["flags"] if flag in FAMILIES]
    left = [stored.row[name] for name in PARTS if name not in named]
    if draft.content is None:
        left.append(stored.content)
    texts = [text for part in left for text in _strings(part)]
    kept = {family for family in rules for text in texts if next(FINDERS[family](text), None) is not None}
    return sorted({*draft.flags, *kept})


def _clean(text: str, at: str, rules: Rules, found: set[Family]) -> str:
    """A text without what is to be blackened; adds to the families that were found.

    Raises:
        InvalidInput: see `screened`.
    """
    black: list[tuple[int, int, Family]] = []
    for family, action in rules.items():
        spans = list(FINDERS[family](text))
        if not spans:
            continue
        if action == "reject":
            raise InvalidInput.field(at, f"contains_{family}", f"holds what looks like a {family}; leave it out")
        found.add(family)
        if action == "redact":
            black += [(start, end, family) for start, end in spans]
    shown, place = [], 0
    for start, end, family in sorted(black):
        if start >= place:
            shown += [text[place:start], f"[redacted {family}]"]
        place = max(place, end)
    return "".join([*shown, text[place:]]) if black else text


def _walked(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with every string in it changed; the keys stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _walked(member, change) for key, member in value.items()}
    return [_walked(member, change) for member in value] if isinstance(value, list | tuple) else value


def _strings(value: Any) -> Iterator[str]:
    """Every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from _strings(member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from _strings(member)
