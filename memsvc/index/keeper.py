"""Keeps the bank equal to the database.

A namespace's bank has applied every change up to some `seq`. Before a recall answers, and before a write is
acknowledged, it is brought up to the namespace's head: the change log names what changed, the rows come from the
database. There is one way in, so a bank fed write by write equals one loaded whole.

Archived and forgotten memories are not in it. Their bank, the archive, is loaded when somebody asks for them, brought
up together with the other for as long as it is there, and let go when nobody has asked for a while.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import cast
from uuid import UUID

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from gpu import tracing
from gpu.bank.bank import Bank
from gpu.bank.filters import ScanFilter
from gpu.bank.fingerprints import Fingerprint, fingerprints
from gpu.bank.joint import joint_view
from gpu.bank.namespace import NamespaceBank
from gpu.bank.view import BankView
from memsvc.db.engine import Database
from memsvc.db.tenancy import SERVICE
from memsvc.index import changes
from memsvc.index.loader import TIER_OF_LEVEL, load_namespace
from memsvc.index.room import Room
from memsvc.models.archive import ARCHIVE
from memsvc.models.tables import ANALYSIS, CHANGE, EMBEDDING, LINK, MEMORY, TOKEN_EMBEDDING, VERSION
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow

_PAGE = 5_000  # changes read at a time
_MANY = 100
"""Changes from which on it matters that the database knows how large its tables are."""
_IDLE_S = 600.0
"""How long an archive stays that nobody asks for. Chosen."""
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


class Switched(Exception):
    """The namespace has another active embedding space than the question was read for: begin again."""


class Keeper:
    """Loads, updates and verifies the bank.

    Args:
        on_lag: called with the number of changes that a namespace was behind when it was brought up.
        on_erased: called with the key of a namespace in which something was erased.
        tiers: how exactly vectors are kept, by the level of their memory: `TIER_OF_LEVEL` or `ALL_EXACT`.
        budget_bytes: what the bank may take; beyond it idle namespaces leave. None: all stay.
        on_dropped: called with the key of a namespace that left.

    Attributes:
        bank: of what recalls find.
        archives: of the archives that somebody asked for.
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
        self.archives = Bank(repeating=bank.repeating)
        self._asked: dict[Key, float] = {}  # when an archive was last asked for
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
        with self._database.read(SERVICE) as connection:
            every = namespaces.every(connection)
        for namespace in every:
            if self._room.is_full:
                break
            self.catch_up(namespace.key, namespace.head_seq)
        return self.memories()

    def catch_up(self, key: Key, seq: int) -> NamespaceBank:
        """The namespace's bank with every change up to at least `seq` applied."""
        self._room.used(key)
        held = _held(self.bank, key)
        if held is not None and held.applied_seq >= seq:
            return held
        with tracing.step("bank.catch_up"), self._lock(key):
            held = _held(self.bank, key)
            if held is not None and held.applied_seq >= seq:
                return held  # another thread brought it up while we waited
            if held is None or seq - held.applied_seq >= _MANY:
                self._database.count_anew(_READ)
            with self._database.read(key[0]) as connection:
                found = self._brought_up(connection, key)
        self._room.take(key, found)
        return found

    def written(self, key: Key, seq: int) -> None:
        """This process committed changes up to `seq`: apply them, and tell the others."""
        self.ring(key, seq)
        self.catch_up(key, seq)

    def follow(self, key: Key) -> None:
        """Apply what was committed meanwhile to a namespace that is in the bank; nobody asked for it just now."""
        with self._lock(key):
            held = _held(self.bank, key)
            if held is not None:
                with self._database.read(key[0]) as connection:
                    held = self._brought_up(connection, key)
        if held is not None:
            self._room.take(key, held)

    def applied(self, key: Key) -> int | None:
        """The last change that a namespace's bank has applied; None if it is not in the bank."""
        held = _held(self.bank, key)
        return None if held is None else held.applied_seq

    def keys(self) -> list[Key]:
        """The namespaces in the bank."""
        return [cast(Key, key) for key in self.bank.keys()]  # noqa: SIM118 - no dict

    @contextmanager
    def view(self, key: Key, scan: ScanFilter, space_id: UUID | None = None) -> Iterator[BankView]:
        """A view of what a filter lets through; of a namespace that has been caught up with before.

        It has the archive in it where the filter asks for what is in there, or for what was known at some time.

        Args:
            key: whose.
            scan: the filter.
            space_id: the embedding space that its vectors have to be of (default: whichever is active).

        Raises:
            Switched: they are of another one.
        """
        if scan.as_of_us is None and scan.states and not scan.states & ARCHIVE:
            held = _held(self.bank, key)
            if held is None:  # it left meanwhile, to make room
                with self._lock(key), self._database.read(key[0]) as connection:
                    held = self._brought_up(connection, key)
            _check_space(held, space_id)
            with held.view(scan) as view:
                yield view
            return
        with self._lock(key), self._database.read(key[0]) as connection:
            both = self._brought_up(connection, key), self._archive(connection, key)
        _check_space(both[0], space_id)
        try:
            with joint_view(both, scan, self._lock(key)) as view:
                yield view
        finally:
            self._asked[key] = time.monotonic()

    def let_go(self, idle_s: float = _IDLE_S) -> None:
        """Drop the archives that nobody has asked for in a while; the next question loads them again."""
        for key, asked in list(self._asked.items()):
            if time.monotonic() - asked < idle_s:
                continue
            with self._lock(key):
                if self._asked[key] == asked:
                    del self._asked[key]
                    self.archives.drop(key)

    def applied_seq(self, key: Key) -> int:
        """The last change of a namespace that its bank has applied; 0 for one that is not here."""
        held = _held(self.bank, key)
        return 0 if held is None else held.applied_seq

    def memories(self) -> int:
        """Current memories in the bank, all namespaces together."""
        held = [_held(self.bank, key) for key in self.keys()]
        return sum(len(bank) for bank in held if bank is not None)

    def verify(self) -> Iterator[Verdict]:
        """Compare bank and database, namespace by namespace: ids, versions, states, intervals, digests of the rest.

        So with the archives that are there.
        """
        with self._database.read(SERVICE) as connection:
            every = namespaces.every(connection)
        for namespace in every:
            yield self.compared(namespace)

    def compared(self, namespace: NamespaceRow) -> Verdict:
        """The same for one namespace."""
        self.catch_up(namespace.key, namespace.head_seq)
        with self._lock(namespace.key), self._database.read(namespace.tenant_id) as connection:
            self._brought_up(connection, namespace.key)
            current = self._namespace(connection, namespace.key)
            stored, banked = set[Fingerprint](), set[Fingerprint]()
            for bank in (self.bank, self.archives):
                if (held := _held(bank, namespace.key)) is None:
                    continue
                is_archive = bank is self.archives
                batches = load_namespace(connection, current, held.dim, self._tiers, archive=is_archive)
                stored |= {f for batch in batches for f in fingerprints(batch)}
                banked |= set(held.fingerprints())
        return Verdict(namespace.key, len(stored), len(stored - banked), len(banked - stored))

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

    def _brought_up(self, connection: Connection, key: Key) -> NamespaceBank:
        """The namespace's bank as the connection sees it, and with it its archive if that is there.

        The archive goes first: whoever sees that the bank has applied an erasure may rely on both.
        """
        archive, held = _held(self.archives, key), _held(self.bank, key)
        if archive is not None:
            self._apply(connection, key, archive, self.archives)
        return self._load(connection, key, self.bank) if held is None else self._apply(connection, key, held, self.bank)

    def _archive(self, connection: Connection, key: Key) -> NamespaceBank:
        """The bank of a namespace's archive, as the connection sees it, after the namespace has been brought up."""
        self._asked[key] = time.monotonic()
        held = _held(self.archives, key)
        return self._load(connection, key, self.archives) if held is None else held

    def _load(self, connection: Connection, key: Key, into: Bank) -> NamespaceBank:
        """Load a namespace, or its archive. Its head is read first: what commits meanwhile is applied again."""
        namespace = self._namespace(connection, key)
        dim = self._dim(connection, namespace.space_id)
        fresh = into.open(key, dim)
        is_archive = into is self.archives
        try:
            for batch in load_namespace(connection, namespace, dim, self._tiers, archive=is_archive):
                fresh.put(batch)
        except BaseException:
            into.drop(key)  # half a namespace is never served
            raise
        fresh.applied_seq, fresh.space = namespace.head_seq, namespace.space_id
        return fresh

    def _apply(self, connection: Connection, key: Key, held: NamespaceBank, of: Bank) -> NamespaceBank:
        """Apply every committed change after the last one applied; returns the bank that has them.

        It is another one where the namespace has switched to another embedding space. Readers of the one that was here
        finish with that.

        The seq is taken under the namespace's row lock, which is held until the commit: what is visible here has no
        gap, and nothing can still commit below it.
        """
        namespace = self._namespace(connection, key)
        if held.space != namespace.space_id:
            log.info("bank_switches", namespace=str(key[1]), memories=len(held))
            of.let_go(key)
            return self._load(connection, key, of)
        archive = of is self.archives
        if not archive:
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
            if changes.apply(connection, namespace, held, rows, self._tiers, archive=archive) and not archive:
                self._on_erased(key)
            held.applied_seq = int(rows[-1].seq)
        return held


@dataclass(frozen=True, slots=True)
class Held:
    """One namespace of a keeper, for whoever opens views of it with vectors of one embedding space."""

    keeper: Keeper
    key: Key
    space_id: UUID | None = None

    def view(self, scan: ScanFilter) -> AbstractContextManager[BankView]:
        """See `Keeper.view`."""
        return self.keeper.view(self.key, scan, self.space_id)


def _held(bank: Bank, key: Hashable) -> NamespaceBank | None:
    try:
        return bank.namespace(key)
    except KeyError:
        return None


def _check_space(held: NamespaceBank, space_id: UUID | None) -> None:
    if space_id is not None and held.space != space_id:
        raise Switched
