"""Name tables of namespaces, kept as long as they are asked for and brought up to the change log before every use."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from memsvc.core.clock import Clock
from memsvc.entities import repository
from memsvc.namespaces.repository import NamespaceRow
from retrieval.aliases import AliasGroup, Decisions, NameTable
from retrieval.types import Resolved

MOST_MEMORIES = 200_000
"""Names are learned from so many of the newest memories of a namespace at most."""
_MOST_CHANGES = 2_000
_MOST_NAMESPACES = 32

Key = tuple[UUID, UUID]


@dataclass(slots=True)
class Learned:
    """The names of one namespace as of a seq. Used under its lock."""

    table: NameTable = field(default_factory=NameTable)
    seq: int = -1
    expires_at: datetime | None = None  # when the first of its memories ends
    lock: threading.Lock = field(default_factory=threading.Lock)
    listed: tuple[Decisions, list[AliasGroup]] | None = None

    def groups(self, decisions: Decisions) -> list[AliasGroup]:
        """Every entity, see `NameTable.groups`; worked out once for a state of names and decisions."""
        if self.listed is None or self.listed[0] != decisions:
            self.listed = (decisions, self.table.groups(decisions))
        return self.listed[1]


class NameTables:
    """The name tables of a process. Thread-safe.

    They are derived from what is stored and can be thrown away: a table fed change by change equals one made anew.
    """

    def __init__(self, clock: Clock, *, most_namespaces: int = _MOST_NAMESPACES) -> None:
        self._clock = clock
        self._most = most_namespaces
        self._held: OrderedDict[Key, Learned] = OrderedDict()
        self._guard = threading.Lock()

    def resolve(self, connection: Connection, namespace: NamespaceRow, names: Sequence[str]) -> tuple[Resolved, ...]:
        """What each name of a question stands for in a namespace."""
        if not names:
            return ()
        decisions = Decisions(repository.decisions(connection, namespace))
        with self.learned(connection, namespace) as learned:
            return tuple(learned.table.resolve(names, decisions))

    @contextmanager
    def learned(self, connection: Connection, namespace: NamespaceRow) -> Iterator[Learned]:
        """The names of a namespace at its head, locked."""
        with self._guard:
            learned = self._held.setdefault(namespace.key, Learned())
            self._held.move_to_end(namespace.key)
            while len(self._held) > self._most:
                self._held.popitem(last=False)
        with learned.lock:
            self._catch_up(connection, namespace, learned)
            yield learned

    def drop(self, key: Key) -> None:
        """Forget the names of a namespace: something in it was erased. They are read again when they are asked for."""
        with self._guard:
            self._held.pop(key, None)

    def _catch_up(self, connection: Connection, namespace: NamespaceRow, learned: Learned) -> None:
        now = self._clock.now()
        expired = learned.expires_at is not None and learned.expires_at <= now
        if learned.seq >= namespace.head_seq and not expired:
            return
        changed = None
        if learned.seq >= 0 and not expired:
            changed = repository.changed(connection, namespace, learned.seq, _MOST_CHANGES)
        learned.listed = None
        if changed is None:
            learned.table, learned.expires_at = NameTable(), None
            found = repository.newest(connection, namespace, now, MOST_MEMORIES)
        else:
            for memory_id in changed:
                learned.table.remove(memory_id)
            found = repository.of_memories(connection, namespace, changed, now)
        for memory in found:
            learned.table.put(memory.memory_id, memory.mentions, [(alias, name) for alias, name in memory.told or ()])
            if memory.expires_at is not None:
                learned.expires_at = min(learned.expires_at or memory.expires_at, memory.expires_at)
        learned.seq = namespace.head_seq
