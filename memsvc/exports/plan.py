"""What is to come of an export: everything in it read once, before any transaction."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from memsvc.core.errors import Conflict, InvalidInput
from memsvc.exports.exporting import safetensors_head
from memsvc.exports.parts import (
    ALIASES,
    ANALYSES,
    EMBEDDINGS,
    ENTITIES,
    HOLDS,
    LINE_MAX_BYTES,
    LINKS,
    MEMORIES,
    SCHEDULES,
    TOKENS,
    VECTORS,
    VERSIONS,
    Part,
)
from memsvc.exports.sealing import Opened
from memsvc.limits.repository import Usage
from memsvc.models import Relation

Text = tuple[UUID, int]
"""(memory, version) that a text belongs to."""


@dataclass(slots=True)
class Plan:
    """What stands in an export, and what of it an import takes.

    Attributes:
        memory_ids: of all memories, in their order.
        gone: those that are left out: erased since, or derived from one that was.
        pivots: memories that others are merged into, without those that are left out.
        contexts: in the light of which memory a text was read.
        texts: of every version that brought one.
        current: the version whose text a memory has now.
        external_ids: of the memories that have one.
        embedded: texts that have vectors.
    """

    memory_ids: list[UUID] = field(default_factory=list)
    gone: set[UUID] = field(default_factory=set)
    pivots: set[UUID] = field(default_factory=set)
    contexts: dict[Text, UUID] = field(default_factory=dict)
    texts: dict[Text, str] = field(default_factory=dict)
    current: dict[UUID, int] = field(default_factory=dict)
    external_ids: dict[UUID, str] = field(default_factory=dict)
    embedded: set[Text] = field(default_factory=set)

    @property
    def growth(self) -> Usage:
        """What a namespace holds more with what is taken."""
        size = sum(len(content.encode()) for text, content in self.texts.items() if text[0] not in self.gone)
        return Usage(len(self.memory_ids) - len(self.gone), size)

    def unread(self, changed: Collection[Text] = ()) -> list[Text]:
        """Texts that have to be read again: those that changed, and those that were read in the light of another text.

        Something of that is in their vectors: of a memory that is left out, or of one of which a text changed. And
        those that have no vectors: the model did not answer.
        """
        others = self.gone | {text[0] for text in changed}
        read = [
            text
            for text in self.texts
            if text[0] not in self.gone and (text not in self.embedded or self.contexts.get(text) in others)
        ]
        return list(dict.fromkeys([*changed, *read]))

    def before(self, text: Text) -> str:
        """What was said before a text, as far as it is taken."""
        context = self.contexts.get(text)
        if context is None or context in self.gone:
            return ""
        return self.texts.get((context, self.current.get(context, 0)), "")


def rows(export: Opened, part: Part) -> Iterator[dict[str, Any]]:
    """The rows of a part.

    Raises:
        InvalidInput: a line is none; says which.
    """
    for number, line in export.lines(part.name, LINE_MAX_BYTES):
        try:
            yield part.read(line)
        except ValueError as error:
            said = "not JSON" if isinstance(error, json.JSONDecodeError | UnicodeDecodeError) else str(error)
            raise InvalidInput(f"{part.name}, line {number}: {said}") from None


def planned(export: Opened, erased: Collection[UUID] = ()) -> Plan:
    """Reads an export whole; nothing of it is written yet.

    Args:
        export: what to read.
        erased: memories that may not come back.

    Raises:
        InvalidInput: a part cannot be read, or the vectors are not those of their lines.
        Conflict: memories are merged with some that may not come back.
    """
    plan, merged, derived = Plan(), dict[UUID, UUID](), set[UUID]()
    for row in rows(export, MEMORIES):
        plan.memory_ids.append(row["id"])
        plan.current[row["id"]] = row["content_version"]
        if row["external_id"] is not None:
            plan.external_ids[row["id"]] = row["external_id"]
        if row["merged_into"] is not None:
            merged[row["id"]] = row["merged_into"]
        if row["derived"] is not None:
            derived.add(row["id"])
    plan.texts = {
        (r["memory_id"], r["version"]): r["content"] for r in rows(export, VERSIONS) if r["content"] is not None
    }
    plan.contexts = {(r["memory_id"], r["version"]): r["context_id"] for r in rows(export, TOKENS) if r["context_id"]}
    plan.embedded = {(r["memory_id"], r["version"]) for r in rows(export, EMBEDDINGS)}
    sources: dict[UUID, set[UUID]] = {}
    for row in rows(export, LINKS):
        if row["relation"] == Relation.DERIVED_FROM and row["from_id"] in derived:
            sources.setdefault(row["from_id"], set()).add(row["to_id"])
    for part in (ANALYSES, HOLDS, ENTITIES, ALIASES, SCHEDULES):
        deque(rows(export, part), maxlen=0)  # so that a broken line is known before anything is written
    _check_vectors(export)
    plan.gone = _with_derived(set(erased) & plan.current.keys(), sources)
    _check_merged(plan.gone, merged)
    plan.pivots = set(merged.values()) - plan.gone
    return plan


def _check_vectors(export: Opened) -> None:
    count, dim = sum(1 for _ in rows(export, EMBEDDINGS)), export.manifest["space"]["dim"]
    head = safetensors_head(count, dim)
    if export.read(VECTORS, 0, len(head)) != head or export.places[VECTORS][1] != len(head) + 2 * count * dim:
        raise InvalidInput(f"{VECTORS} does not have the {count} vectors of {EMBEDDINGS.name}")


def _with_derived(gone: set[UUID], sources: Mapping[UUID, set[UUID]]) -> set[UUID]:
    """The memories and all that was derived from them, as an erasure takes them."""
    while more := {one for one, of in sources.items() if one not in gone and of & gone}:
        gone |= more
    return gone


def _check_merged(gone: Collection[UUID], merged: Mapping[UUID, UUID]) -> None:
    """Refuses to part what is merged: what a pivot is follows from all its members.

    Raises:
        Conflict: of memories that are merged, some were erased.
    """
    torn = sum((member in gone) != (pivot in gone) for member, pivot in merged.items())
    if torn:
        raise Conflict(
            f"{torn} memories of this export are merged with others that were erased since; make the export anew"
        )
