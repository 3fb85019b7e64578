"""Carries erasures out: a chunk of memories is one transaction, with what is left to do and how much was done.

An erasure is taken with a lease in its own row, whose fence every chunk checks. A process that is killed leaves whole
chunks, and whoever takes the erasure up begins at the front: what is gone is not found again. It ends when a whole pass
over its namespaces finds nothing, so a memory that somebody wrote meanwhile goes too. An erasure is never given up.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from operator import itemgetter
from time import monotonic
from uuid import UUID

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from memsvc.audit import trail
from memsvc.core.clock import Clock
from memsvc.core.errors import Unavailable
from memsvc.db.engine import Database
from memsvc.db.faults import is_full
from memsvc.db.tenancy import SERVICE
from memsvc.erasures import repository, selection
from memsvc.erasures.eraser import Eraser, Plan
from memsvc.erasures.repository import ErasureRow
from memsvc.index.keeper import Keeper
from memsvc.memories.context import ATTEMPTS
from memsvc.memories.draft import Outdated
from memsvc.memories.ledger import Ledger
from memsvc.memories.residue import TOUCHED
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow

CHUNK = 500
"""Memories of one transaction: other writers of the namespace wait for so many at most."""
LEASE_S = 60
_AT_ONCE = 100
_REST, _GLANCE_S = 9, 0.25

log = structlog.get_logger("memsvc.erasures")


class _LostError(Exception):
    """Somebody else has taken the erasure up, or it is over."""


class _PausedError(Exception):
    """There is no time left for more now; the rest waits."""


@dataclass(frozen=True, slots=True)
class _Taken:
    erasure: ErasureRow
    fence: int


class ErasureRunner:
    """Carries out what waits. Thread-safe; several may work on one database.

    Args:
        at: called with the name of each point that a test may end the process at.
        chunk: memories of one transaction.
        vacuum: how the database is told to reclaim the bytes: `plain` or `full`.
        vacuum_every_s: least time between two such reclaims in rounds, on PostgreSQL.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        eraser: Eraser,
        keeper: Keeper,
        *,
        at: Callable[[str], None] = lambda point: None,
        chunk: int = CHUNK,
        vacuum: str = "plain",
        vacuum_every_s: float = 0.0,
    ) -> None:
        self._database = database
        self._clock = clock
        self._eraser = eraser
        self._keeper = keeper
        self._at = at
        self._chunk_size = chunk
        self._vacuum = vacuum
        self._vacuum_every = timedelta(seconds=vacuum_every_s)
        self._closing = threading.Event()
        self._overwriting = threading.Lock()
        self._next_s = 0.0  # of the monotonic clock: when an SQLite file may be written anew again

    def close(self) -> None:
        """Stops after the chunk that is under way; what is left waits for another process, or the next start."""
        self._closing.set()

    def round(self) -> int:
        """Carries out what waits, then has the bytes overwritten; returns how many erasures came to an end."""
        with self._database.read(SERVICE) as connection:
            waiting = repository.waiting(connection, _AT_ONCE)
        ended = sum(self.run(tenant_id, erasure_id) for tenant_id, erasure_id in waiting)
        if self._is_due():
            self.overwrite()
        return ended

    def _is_due(self) -> bool:
        """Whether it is time to have bytes overwritten: a vacuum reads whole indexes, however little was erased."""
        if self._database.is_sqlite:
            return True
        with self._database.read(SERVICE) as connection:
            last = repository.last_overwritten_at(connection)
        # A time that lies ahead is from a clock that was: nobody waits for it.
        return last is None or not timedelta() <= self._clock.now() - last < self._vacuum_every

    def run(self, tenant_id: UUID, erasure_id: UUID, within_s: float | None = None) -> bool:
        """Carries one erasure out.

        Args:
            within_s: stop after so long; the rest waits.

        Returns:
            Whether it came to its end in this call. What goes wrong is kept with it, and it is tried again.
        """
        taken = self._database.write(
            tenant_id, lambda connection: self._take(connection, tenant_id, erasure_id), frees=True
        )
        if taken is None:
            return False
        until = None if within_s is None else monotonic() + within_s
        try:
            for namespace_id in taken.erasure.namespace_ids:
                self._empty(taken, namespace_id, until)
            self._at("emptied")
            self._database.write(taken.erasure.tenant_id, lambda connection: self._end(connection, taken), frees=True)
        except _LostError:
            return False
        except _PausedError:
            self._let_go(taken, None)
            return False
        except Exception as error:  # noqa: BLE001 - the outer edge of the work: it is kept, and tried again
            log.warning("erasure_delayed", erasure=str(erasure_id), error=type(error).__name__)
            self._let_go(taken, type(error).__name__)
            return False
        return True

    def overwrite(self) -> int:
        """Has the database let go of the bytes of erasures that are over; returns of how many.

        An erasure whose bytes a reader or a full disk still holds waits for the next time.
        """
        with self._overwriting:
            with self._database.read(SERVICE) as connection:
                over = repository.not_overwritten(connection)
            how = self._overwritten() if over else None
            if how is None:
                return 0
            now = self._clock.now()

            for tenant_id, of_tenant in groupby(sorted(over), key=itemgetter(0)):
                ids = [erasure_id for _, erasure_id in of_tenant]

                def unit(connection: Connection, tenant_id: UUID = tenant_id, ids: list[UUID] = ids) -> None:
                    for erasure_id in ids:
                        repository.change(connection, tenant_id, erasure_id, overwritten_at=now, overwriting=how)

                self._database.write(tenant_id, unit, frees=True)
            return len(over)

    def _overwritten(self) -> str | None:
        """How it was done; None if it could not be now."""
        is_full = self._vacuum == "full"
        begun_s = monotonic()
        if self._database.is_sqlite and is_full and begun_s < self._next_s:
            return None
        how = self._database.overwrite([table.name for table in TOUCHED], full=is_full)
        took_s = monotonic() - begun_s
        # Other writes wait for it, for a tenth of the time at most; what takes less than a glance may come each time.
        self._next_s = monotonic() + _REST * took_s if took_s > _GLANCE_S else 0.0
        return how

    def _take(self, connection: Connection, tenant_id: UUID, erasure_id: UUID) -> _Taken | None:
        erasure = repository.get(connection, tenant_id, erasure_id, lock=True)
        now = self._clock.now()
        until = now + timedelta(seconds=LEASE_S)
        if erasure is None or erasure.ended_at is not None or erasure.selection is None:
            return None
        # A lease that ends later than one given now would is from a clock that was ahead: nobody waits for it.
        if erasure.held_until is not None and now < erasure.held_until <= until:
            return None
        fence = erasure.fence + 1
        repository.change(
            connection, tenant_id, erasure_id, fence=fence, held_until=until, started_at=erasure.started_at or now
        )
        return _Taken(erasure, fence)

    def _empty(self, taken: _Taken, namespace_id: UUID, until: float | None) -> None:
        """Erases in one namespace until a pass from its front finds nothing more."""
        erasure = taken.erasure
        after: UUID | None = None
        while True:
            if self._closing.is_set() or (until is not None and monotonic() >= until):
                raise _PausedError
            with self._database.read(erasure.tenant_id) as connection:
                namespace = namespaces.get(connection, erasure.tenant_id, namespace_id)
                if namespace is None:
                    return
                found = selection.page(connection, namespace, erasure.selection or {}, after, self._chunk_size)
            if not found and after is None:
                return
            if found:
                self._erase(taken, namespace, found)
            after = found[-1] if found else None

    def _erase(self, taken: _Taken, namespace: NamespaceRow, memory_ids: list[UUID]) -> None:
        for _ in range(ATTEMPTS):
            plan = self._eraser.plan(namespace.tenant_id, memory_ids)
            self._at("planned")

            def unit(connection: Connection, plan: Plan = plan) -> int:
                locked = namespaces.get(connection, *namespace.key, lock=True)
                if locked is None:
                    raise _LostError
                now = self._clock.now()
                erasure = self._still_ours(connection, taken)
                ledger = Ledger(connection, locked, now, erasure.asked_by)
                counts = self._eraser.erase(ledger, memory_ids, plan, erasure.id)
                total = Counter(dict(erasure.counts)) + counts
                held = now + timedelta(seconds=LEASE_S)
                repository.change(connection, erasure.tenant_id, erasure.id, counts=dict(total), held_until=held)
                return ledger.flush()

            try:
                seq = self._database.write(namespace.tenant_id, unit, frees=True)
            except Outdated:
                continue
            except DBAPIError as error:
                half = len(memory_ids) // 2
                if not (half and is_full(error)):
                    raise
                self._erase(taken, namespace, memory_ids[:half])  # the reserve takes the log of fewer, maybe
                self._erase(taken, namespace, memory_ids[half:])
                return
            self._keeper.written(namespace.key, seq)
            self._at("chunk")
            return
        raise Unavailable("conversations go on faster than they can be read again; it is tried again")

    def _still_ours(self, connection: Connection, taken: _Taken) -> ErasureRow:
        erasure = repository.get(connection, taken.erasure.tenant_id, taken.erasure.id, lock=True)
        if erasure is None or erasure.fence != taken.fence or erasure.ended_at is not None:
            raise _LostError
        return erasure

    def _end(self, connection: Connection, taken: _Taken) -> None:
        erasure, now = self._still_ours(connection, taken), self._clock.now()
        repository.change(
            connection, erasure.tenant_id, erasure.id, ended_at=now, held_until=None, problem=None,
            selection=None, request_digest=None,
        )  # fmt: skip
        trail.append(
            connection, erasure.tenant_id, "erasure.end", erasure.asked_by, now, subject=erasure.id,
            facts={"counts": dict(erasure.counts)},
        )  # fmt: skip

    def _let_go(self, taken: _Taken, problem: str | None) -> None:
        def unit(connection: Connection) -> None:
            erasure = repository.get(connection, taken.erasure.tenant_id, taken.erasure.id, lock=True)
            if erasure is not None and erasure.fence == taken.fence and erasure.ended_at is None:
                repository.change(connection, erasure.tenant_id, erasure.id, held_until=None, problem=problem)

        self._database.write(taken.erasure.tenant_id, unit, frees=True)
