"""A tenant, its keys, and what it must see."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.fixtures.service import Caller

NAMESPACES = ("user/ada", "user/bob", "team")
SHARED = "team"
"""The namespace where mem0's clients ask."""
CANARIES = {"one": "zqcanaryone", "two": "zqcanarytwo"}
"""Names of the two tenants, and the word that is in every text of each and in no text of the other."""


@dataclass(slots=True)
class Known:
    """What the model knows of a memory."""

    id: str
    namespace: str
    content: str
    external_id: str | None
    version: int = 1
    state: str = "active"
    user: str | None = None


@dataclass(slots=True)
class Tenant:
    """What one tenant has.

    Attributes:
        ids: every id that was ever given to it, of memories and keys.
        secrets: of its keys.
        links: (from, relation, to) of those that it made.
    """

    name: str
    admin: Caller
    callers: dict[str, Caller]
    memories: dict[str, Known] = field(default_factory=dict)
    erased: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    key_ids: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    links: set[tuple[str, str, str]] = field(default_factory=set)

    @property
    def canary(self) -> str:
        return CANARIES[self.name]

    def active(self, namespace: str) -> list[Known]:
        """Its memories that can be found there."""
        return [m for m in self.memories.values() if m.namespace == namespace and m.state == "active"]

    def by_external(self, namespace: str, external: str | None) -> Known | None:
        """Its memory with that id of the caller's own."""
        if external is None:
            return None
        held = self.memories.values()
        return next((m for m in held if m.namespace == namespace and m.external_id == external), None)

    def note(self, memory_id: str, namespace: str, content: str, external: str | None, user: str | None = None) -> None:
        """A memory was written, or has a new version."""
        self.ids.add(memory_id)
        known = self.memories.get(memory_id)
        if known is None:
            self.memories[memory_id] = Known(memory_id, namespace, content, external, user=user)
        else:
            known.content, known.state, known.version = content, "active", known.version + 1

    def gone(self, memory_id: str) -> None:
        """A memory was erased."""
        del self.memories[memory_id]
        self.erased.append(memory_id)
        self.links = {link for link in self.links if memory_id not in link}

    def has_key(self, key_id: str, secret: str) -> None:
        """A key was made."""
        self.key_ids.append(key_id)
        self.ids.add(key_id)
        self.secrets.append(secret)
