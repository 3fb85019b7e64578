"""In whose light a text is read: that of the memory before it in its conversation.

"Yes, on Friday!" says little alone. The embedding model reads it after the text of the memory before it, so that
something of that text is in the vectors and token codes of this one; which memory that was is stored with them. When it
is edited, its reader is read again after the new text; when it is erased, every version that was read in its light is
read again without it, so that nothing of it stays.

The model works before the transaction. What it was given is checked inside, under the namespace's lock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from memsvc.memories import repository
from memsvc.memories.draft import Draft, Encoding, Outdated
from memsvc.memories.ledger import Ledger, Stored
from memsvc.memories.prepare import Preparer
from memsvc.memories.sequence import sequence_of
from memsvc.namespaces import repository as namespaces
from retrieval.types import Passage

ATTEMPTS = 4
"""How often a write is prepared anew because a conversation went on at the same moment."""


class ContextMoved(Outdated):
    """What a text was read in the light of is not there any more, or never was stored. Prepare again, without it.

    Attributes:
        refused: drafts of the call, by index, that were not stored.
    """

    def __init__(self, refused: Iterable[int] = ()) -> None:
        super().__init__("a conversation went on at the same moment")
        self.refused = frozenset(refused)


@dataclass(frozen=True, slots=True)
class Before:
    """What is read before a text: a memory that is there, or an earlier draft of the same call (by index), or nothing.

    Attributes:
        text: what it says, "" for nothing.
    """

    text: str = ""
    memory_id: UUID | None = None
    index: int | None = None


NOTHING = Before()


class Befores:
    """Finds what to read before each draft of a call.

    Attributes:
        edited: memories that get another text, as far as the drafts have been looked at.
    """

    def __init__(
        self,
        connection: Connection,
        tenant_id: UUID,
        namespace_id: UUID | None,
        now: datetime,
        known: Mapping[str, Stored],
    ) -> None:
        """Looks into one namespace.

        Args:
            namespace_id: None if it is not there yet.
            known: its memories that the call names, by external id.
        """
        self._connection = connection
        self._tenant_id = tenant_id
        self._namespace_id = namespace_id
        self._now = now
        self._known = known
        self._last: dict[int, Before] = {}
        self.edited: dict[UUID, Before] = {}

    def of(self, drafts: Sequence[Draft | Any], refused: frozenset[int] = frozenset()) -> list[Before]:
        """One for each draft.

        A new memory is read after the draft before it in its conversation, or after the conversation's last memory;
        one that is there after the memory that it came after. What brings its own vector is not read.
        """
        return [
            self._one(index, draft) if isinstance(draft, Draft) and index not in refused else NOTHING
            for index, draft in enumerate(drafts)
        ]

    def _one(self, index: int, draft: Draft) -> Before:
        stored = self._known.get(draft.external_id) if draft.external_id is not None else None
        fields = {**({} if stored is None else stored.row), **draft.fields}
        sequence = sequence_of(fields.get("session_id"), fields.get("metadata") or {})
        this = Before(draft.content or "", index=index)
        if stored is None:
            before = NOTHING if sequence is None else self._latest(sequence)
            if sequence is not None:
                self._last[sequence] = this
        elif this.text == stored.content:
            return NOTHING  # nothing is to be stored
        else:
            before = NOTHING if sequence is None else self.earlier(sequence, stored.id)
            self.edited.setdefault(stored.id, this)  # a second edit in one call is refused
        return NOTHING if draft.vector is not None else before

    def _latest(self, sequence: int) -> Before:
        if sequence not in self._last:
            self._last[sequence] = self.earlier(sequence, None)
        before = self._last[sequence]
        return before if before.memory_id is None else self.edited.get(before.memory_id, before)

    def earlier(self, sequence: int, memory_id: UUID | None) -> Before:
        """The memory before one in a conversation; before None: its last."""
        if self._namespace_id is None:
            return NOTHING
        found = repository.last_of_sequence(
            self._connection, self._tenant_id, self._namespace_id, sequence, memory_id, now=self._now
        )
        if found is None:
            return NOTHING
        return self.edited.get(found[0], Before(found[1], found[0]))


def check(connection: Connection, tenant_id: UUID, befores: Iterable[Before]) -> None:
    """Make sure that what was read before drafts is still there, and says the same.

    Raises:
        ContextMoved: it is not, or does not.
    """
    said = {before.memory_id: before.text for before in befores if before.memory_id is not None}
    if said and repository.texts(connection, tenant_id, said) != said:
        raise ContextMoved


@dataclass(frozen=True, slots=True)
class Reading:
    """A stored text of a memory that is to be read again, for some embedding spaces."""

    memory_id: UUID
    version: int
    text: str
    before: Before
    spaces: tuple[UUID, ...]


class Readers:
    """Reads texts again whose context was changed or erased."""

    def __init__(self, preparer: Preparer) -> None:
        self._preparer = preparer

    def of_edited(self, connection: Connection, tenant_id: UUID, texts: Mapping[UUID, str]) -> list[Reading]:
        """Texts that stand now and were read in the light of memories that get other texts.

        Args:
            texts: the new texts. A reader that gets a new one itself is left out: it is read anew anyway.
        """
        if not (texts and self._preparer.reads_context):
            return []
        rows = [
            row
            for row in repository.read_in_light_of(connection, tenant_id, texts)
            if row.is_current and row.memory_id not in texts
        ]
        spaces = _spaces(connection, tenant_id, rows)
        return [
            Reading(
                row.memory_id, row.version, row.content, Before(texts[row.context_id], row.context_id),
                spaces[row.namespace_id],
            )
            for row in rows
        ]  # fmt: skip

    def of_erased(
        self, connection: Connection, tenant_id: UUID, erased: Collection[UUID], now: datetime
    ) -> list[Reading]:
        """Texts of every version that were read in the light of memories, with what is before them without those."""
        if not (erased and self._preparer.reads_context):
            return []
        rows = [
            row for row in repository.read_in_light_of(connection, tenant_id, erased) if row.memory_id not in erased
        ]
        if not rows:
            return []
        ids = dict.fromkeys(row.memory_id for row in rows)
        earlier = repository.before_each(connection, tenant_id, ids, now, without=erased)
        said = repository.texts(connection, tenant_id, set(earlier.values()))
        befores = {memory_id: Before(said[before], before) for memory_id, before in earlier.items()}
        spaces = _spaces(connection, tenant_id, rows)
        return [
            Reading(
                row.memory_id, row.version, row.content, befores.get(row.memory_id, NOTHING), spaces[row.namespace_id]
            )
            for row in rows
        ]

    def encode(self, readings: Sequence[Reading]) -> dict[Reading, Encoding]:
        """Read them again, later if the model gives no answer.

        Raises:
            EmbedderUnavailable: too much waits for it already.
            Conflict: this process does not have the model of one of their spaces.
        """
        encoded: dict[Reading, Encoding] = {}
        for spaces in dict.fromkeys(one.spaces for one in readings):
            those = [one for one in readings if one.spaces == spaces]
            made = self._preparer.encode([Passage(one.text, one.before.text) for one in those], spaces, may_wait=True)
            encoded |= {
                reading: replace(encoding, context_id=reading.before.memory_id)
                for reading, encoding in zip(those, made, strict=True)
            }
        return encoded

    @staticmethod
    def store(ledger: Ledger, readings: Sequence[Reading], made: Mapping[Reading, Encoding]) -> None:
        """Put what was made in the place of what is there.

        Raises:
            ContextMoved: one of them was not read, or looked different then.
        """
        if any(reading not in made for reading in readings):
            raise ContextMoved
        for reading in readings:
            ledger.reencode(reading.memory_id, reading.version, made[reading])


def _spaces(connection: Connection, tenant_id: UUID, rows: Iterable[Any]) -> dict[UUID, tuple[UUID, ...]]:
    """The embedding spaces of the namespaces that rows are of."""
    homes = {namespace_id: namespaces.get(connection, tenant_id, namespace_id) for namespace_id in {
        row.namespace_id for row in rows
    }}  # fmt: skip
    return {namespace_id: home.spaces for namespace_id, home in homes.items() if home is not None}
