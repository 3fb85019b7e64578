"""Keeps the bank equal to the database.

A namespace's bank has applied every change up to some `seq`. Before a recall answers, and before a write is
acknowledged, it is brought up to the namespace's head: the change log names what changed, the rows come from the
database. There is one way in, so a bank fed write by write equals one loaded whole.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from gpu.bank.bank import Bank
from gpu.bank.fingerprints import fingerprints
from gpu.bank.namespace import NamespaceBank
from memsvc.db.engine import Database
from memsvc.index.loader import TIER_OF_LEVEL, load_memories, load_namespace, load_versions
from memsvc.index.room import Room
from memsvc.models import ChangeOp
from memsvc.models.tables import ANALYSIS, CHANGE, EMBEDDING, LINK, MEMORY, TOKEN_EMBEDDING, VERSION
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow

_PAGE = 5_000  # changes read at a time
_MANY = 100
"""Changes from which on it matters that the database knows how large its tables are."""
_READ = tuple(table.name for table in (MEMORY, VERSION, ANALYSIS, EMBEDDING, TOKEN_EMBEDDING, LINK))

log = structlog.get_logger()

Key = tuple[UUID, UUID]
"""(tenant, namespace): the key of a bank."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a namespace's bank compares with the database."""

    namespace: Key
    versions: int
    missing: int
    unexpected: int

    @property
    def equal(self) -> bool:
        """Whether there is no difference."""
        return self.missing == 0 and self.unexpected == 0


class Keeper:
    """Loads, updates and verifies the bank.

    Args:
        on_lag: called with the number of changes that a namespace was behind when it was brought up.
        on_erased: called with the key of a namespace in which something was erased.
        tiers: how exactly vectors are kept, by the level of their memory: `TIER_OF_LEVEL` or `ALL_EXACT`.
        budget_bytes: what the bank may take; beyond it idle namespaces leave. None: all stay.
        on_dropped: called with the key of a namespace that left.
    """

    def __init__(
        self,
        database: Database,
        bank: Bank,
        on_lag: Callable[[int], None] = lambda lag: None,
        on_erased: Callable[[Key], None] = lambda key: None,
        tiers: NDArray[np.uint8] = TIER_OF_LEVEL,
        *,
        budget_bytes: int | None = None,
        on_dropped: Callable[[Key], None] = lambda key: None,
    ) -> None:
        self.bank = bank
        self._tiers = tiers
        self._database = database
        self._on_lag = on_lag
        self._on_erased = on_erased
        self._locks: dict[Key, threading.Lock] = {}
        self._guard = threading.Lock()
        self._dims: dict[UUID, int] = {}
        self.ring: Callable[[Key, int], None] = lambda key, seq: None
        """Tells other processes of a commit; set by who has a bell."""
        self._room = Room(bank, budget_bytes, on_dropped)

    def load_all(self) -> int:
        """Load every namespace that is not there yet; returns the number of memories in the bank.

        A namespace that someone asks for meanwhile loads itself; so do those that the budget leaves out.
        """
        with self._database.read() as connection:
            every = namespaces.every(connection)
        for namespace in every:
            if self._room.is_full:
                break
            self.catch_up(namespace.key, namespace.head_seq)
        return self.memories()

    def catch_up(self, key: Key, seq: int) -> NamespaceBank:
        """The namespace's bank with every change up to at least `seq` applied."""
        self._room.used(key)
        held = self._held(key)
        if held is not None and held.applied_seq >= seq:
            return held
        with self._lock(key):
            held = self._held(key)
            if held is not None and held.applied_seq >= seq:
                return held  # another thread brought it up while we waited
            if held is None or seq - held.applied_seq >= _MANY:
                self._database.count_anew(_READ)
            with self._database.read() as connection:
                found = self._load(connection, key) if held is None else self._apply(connection, key, held)
        self._room.take(key, found)
        return found

    def written(self, key: Key, seq: int) -> None:
        """This process committed changes up to `seq`: apply them, and tell the others."""
        self.ring(key, seq)
        self.catch_up(key, seq)

    def follow(self, key: Key) -> None:
        """Apply what was committed meanwhile to a namespace that is in the bank; nobody asked for it just now."""
        with self._lock(key):
            held = self._held(key)
            if held is not None:
                with self._database.read() as connection:
                    self._apply(connection, key, held)
        if held is not None:
            self._room.take(key, held)

    def applied(self, key: Key) -> int | None:
        """The last change that a namespace's bank has applied; None if it is not in the bank."""
        held = self._held(key)
        return None if held is None else held.applied_seq

    def keys(self) -> list[Key]:
        """The namespaces in the bank."""
        return [cast(Key, key) for key in self.bank.keys()]  # noqa: SIM118 - no dict

    def memories(self) -> int:
        """Current memories in the bank, all namespaces together."""
        held = [self._held(key) for key in self.keys()]
        return sum(len(bank) for bank in held if bank is not None)

    def verify(self) -> Iterator[Verdict]:
        """Compare bank and database, namespace by namespace: ids, versions, states, intervals, digests of the rest."""
        with self._database.read() as connection:
            every = namespaces.every(connection)
        for namespace in every:
            self.catch_up(namespace.key, namespace.head_seq)
            with self._lock(namespace.key), self._database.read() as connection:
                held = self._apply(connection, namespace.key, self.bank.namespace(namespace.key))
                current = self._namespace(connection, namespace.key)
                batches = load_namespace(connection, current, held.dim, self._tiers)
                stored = {f for batch in batches for f in fingerprints(batch)}
                banked = set(held.fingerprints())
            yield Verdict(namespace.key, len(stored), len(stored - banked), len(banked - stored))

    def _held(self, key: Hashable) -> NamespaceBank | None:
        try:
            return self.bank.namespace(key)
        except KeyError:
            return None

    def _lock(self, key: Key) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(key, threading.Lock())

    def _namespace(self, connection: Connection, key: Key) -> NamespaceRow:
        namespace = namespaces.get(connection, *key)
        if namespace is None:
            raise KeyError(key)
        return namespace

    def _dim(self, connection: Connection, space_id: UUID) -> int:
        if space_id not in self._dims:
            self._dims[space_id] = namespaces.space(connection, space_id)[1]
        return self._dims[space_id]

    def _load(self, connection: Connection, key: Key) -> NamespaceBank:
        """Load a namespace whole. Its head is read first: what commits meanwhile is applied again, harmlessly."""
        namespace = self._namespace(connection, key)
        dim = self._dim(connection, namespace.space_id)
        fresh = self.bank.open(key, dim)
        try:
            for batch in load_namespace(connection, namespace, dim, self._tiers):
                fresh.put(batch)
        except BaseException:
            self.bank.drop(key)  # half a namespace is never served
            raise
        fresh.applied_seq = namespace.head_seq
        return fresh

    def _apply(self, connection: Connection, key: Key, held: NamespaceBank) -> NamespaceBank:
        """Apply every committed change after the last one applied.

        The seq is taken under the namespace's row lock, which is held until the commit: what is visible here has no
        gap, and nothing can still commit below it.
        """
        namespace = self._namespace(connection, key)
        self._on_lag(namespace.head_seq - held.applied_seq)
        while held.applied_seq < namespace.head_seq:
            rows = connection.execute(
                select(CHANGE.c.seq, CHANGE.c.op, CHANGE.c.memory_id, CHANGE.c.version)
                .where(
                    CHANGE.c.tenant_id == key[0],
                    CHANGE.c.namespace_id == key[1],
                    CHANGE.c.seq > held.applied_seq,
                )
                .order_by(CHANGE.c.seq)
                .limit(_PAGE)
            ).all()
            if not rows:
                raise RuntimeError("the change log ends before the namespace's head")
            puts = [(row.memory_id, row.version) for row in rows if row.op == ChangeOp.PUT]
            if puts:
                held.put(load_versions(connection, namespace, held.dim, puts, self._tiers))
            if moved := _memories(rows, ChangeOp.RETIER):
                held.put(load_memories(connection, namespace, held.dim, moved, self._tiers), anew=True)
            if rewritten := _memories(rows, ChangeOp.REWRITE):
                held.rewrite(load_memories(connection, namespace, held.dim, rewritten, self._tiers))
            erased = b"".join(row.memory_id.bytes for row in rows if row.op == ChangeOp.ERASE)
            if erased:
                held.erase(np.frombuffer(erased, dtype=np.uint8).reshape(-1, 16))
                self._on_erased(key)
            held.applied_seq = int(rows[-1].seq)
        return held


def _memories(rows: Sequence[Any], op: ChangeOp) -> list[UUID]:
    """Which memories the changes of one sort are of."""
    return list(dict.fromkeys(row.memory_id for row in rows if row.op == op))
