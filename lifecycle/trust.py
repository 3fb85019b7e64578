"""How far what a memory says may be believed: by who wrote it and where it says it is from, never by its words.

A memory has the lesser of what the credential that wrote it may give and of what its declared source may claim. It
never rises: an edit gives it the lesser of what it was and of what the editor may give. Source of the rule: integrity
levels with a low-water mark (Biba 1977, MTR-3153).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit


class Trust(StrEnum):
    """Tiers, the most trusted first; stored with keys by name and with memories by rank."""

    TRUSTED = "trusted"
    """From the operator, or a person who is believed."""
    AGENT = "agent"
    """What an agent concluded or was told by its user: the default."""
    EXTERNAL = "external"
    """From pages, documents, mails and tools, whose authors nobody knows."""

    @property
    def rank(self) -> float:
        """The number that stands for it in rows and in the bank: the higher, the more trusted."""
        return _RANKS[self]


# 1.0 is what every memory had before there were tiers, when every key was what is now an agent's.
_RANKS = {Trust.TRUSTED: 2.0, Trust.AGENT: 1.0, Trust.EXTERNAL: 0.0}
LEAST = Trust.EXTERNAL

_TYPES = {
    **dict.fromkeys(("operator", "system"), Trust.TRUSTED),
    **dict.fromkeys(("user", "agent"), Trust.AGENT),
    **dict.fromkeys(("tool", "web", "document", "file", "email", "message", "external"), Trust.EXTERNAL),
}
"""What a source of a type may claim at most; one of another type claims nothing, and has what its writer may give."""
_ORIGIN_CHARS = 256
_NAMES = ("id", "name", "type")


def tier(rank: float) -> Trust:
    """The highest tier that a rank reaches."""
    return next((one for one in Trust if rank >= one.rank), LEAST)


def lesser(*tiers: Trust) -> Trust:
    """The least trusted of some tiers."""
    return min(tiers, key=lambda one: one.rank)


def claimed(source: Mapping[str, Any] | None) -> Trust | None:
    """What a declared source claims: its `trust`, the tier of its `type`, or the lesser of the two."""
    said = source or {}
    kind, named = said.get("type"), said.get("trust")
    claims = [
        *([_TYPES[kind.casefold()]] if isinstance(kind, str) and kind.casefold() in _TYPES else []),
        *([Trust(named)] if isinstance(named, str) and named in list(Trust) else []),
    ]
    return lesser(*claims) if claims else None


def origin(source: Mapping[str, Any] | None, writer: str, credential: Trust) -> str:
    """Whose words a memory holds, as far as can be held against anyone.

    A writer that is not trusted itself is the origin of all that it writes: what it declares could be another name each
    time. One that is trusted is believed about where something is from: the host of `uri` or `url`, or `id`, `name` or
    `type`.
    """
    if credential is not Trust.EXTERNAL:
        for said in _declared(source or {}):
            return f"source:{said}"[:_ORIGIN_CHARS]
    return f"key:{writer}"[:_ORIGIN_CHARS]


def _declared(source: Mapping[str, Any]) -> list[str]:
    found = []
    for name in ("uri", "url"):
        address = source.get(name)
        if isinstance(address, str) and address:
            found.append(_host(address) or address)
    return [*found, *(str(source[name]) for name in _NAMES if isinstance(source.get(name), str) and source[name])]


def _host(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:  # no address at all, such as one with half a bracket
        return None
