"""Which memories are due to be looked at again, and what is written when somebody did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, and_, update

from lifecycle.policy import Policy
from lifecycle.rehearsal import after_rehearsal, all_due_s, due_s
from memsvc.core.clock import Clock, from_us
from memsvc.core.errors import NotFound
from memsvc.db.engine import Database
from memsvc.jobs.fading import FADING_SINCE, columns_of
from memsvc.memories import held, repository
from memsvc.memories.change import Allowed
from memsvc.memories.fading import faded, seconds, shown_fading
from memsvc.memories.ledger import Stored
from memsvc.memories.once import Claim, Once
from memsvc.memories.read import Located
from memsvc.memories.write import Author
from memsvc.models.tables import MEMORY
from memsvc.namespaces import policies
from memsvc.namespaces import repository as namespaces


@dataclass(frozen=True, slots=True)
class Due:
    """A memory, and when it is due to be looked at again."""

    memory: Located
    due_at: datetime

    @property
    def place(self) -> tuple[datetime, UUID]:
        """Where it stands in the order."""
        return self.due_at, self.memory.stored.id


@dataclass(frozen=True, slots=True)
class Announced:
    """A memory that is due, and since when it is among those that are.

    Attributes:
        since: its due moment less the horizon, or its last change, if that made it due after that moment.
    """

    due: Due
    since: datetime

    @property
    def place(self) -> tuple[datetime, UUID]:
        """Where it stands in the order in which memories came to be due."""
        return self.since, self.due.memory.stored.id


SETTLED_S = 2.0
"""What came to be due is announced so many seconds later: a change that is being committed has its place before it."""


class Rehearsals:
    """Rehearsals of all tenants."""

    def __init__(self, database: Database, once: Once, clock: Clock) -> None:
        self._database = database
        self._once = once
        self._clock = clock

    def due(
        self, tenant_id: UUID, path: str, horizon_s: float, after: tuple[datetime, UUID] | None, limit: int
    ) -> list[Due]:
        """Important memories that are due by so many seconds from now, those due first at the front.

        Args:
            after: strictly after this place in the order.
        """
        now = self._clock.now()
        with self._database.read(tenant_id) as connection:
            namespace = namespaces.find(connection, tenant_id, path)
            if namespace is None:
                return []
            policy = policies.of(namespace)
            important = MEMORY.c.importance >= policy.rehearse_importance
            rows = held.active(connection, namespace, FADING_SINCE, now, important)
            chosen = _first(rows, policy, now + timedelta(seconds=horizon_s), after, limit)
            stored = repository.by_ids(connection, *namespace.key, [memory_id for _, memory_id in chosen])
        return [
            Due(Located(stored[one], path, shown_fading(stored[one].row, policy, now)), due_at)
            for due_at, one in chosen
            if one in stored
        ]

    def announced(
        self, tenant_id: UUID, path: str, horizon_s: float, after: tuple[datetime, UUID] | None, limit: int
    ) -> list[Announced]:
        """The same memories in the order in which they came to be due: a later look finds what is new behind them.

        One that somebody changes while it is due comes once more.

        Args:
            after: strictly after this place in that order.
        """
        now, ahead = self._clock.now(), timedelta(seconds=horizon_s)
        with self._database.read(tenant_id) as connection:
            namespace = namespaces.find(connection, tenant_id, path)
            if namespace is None:
                return []
            policy = policies.of(namespace)
            important = MEMORY.c.importance >= policy.rehearse_importance
            rows = held.active(connection, namespace, (*FADING_SINCE, "updated_at"), now, important)
            updated = {row.id: row.updated_at for row in rows}
            due = _first(rows, policy, now + ahead, None, None)
            places = ((max(due_at - ahead, updated[one]), one, due_at) for due_at, one in due)
            settled = now - timedelta(seconds=SETTLED_S)
            chosen = sorted(p for p in places if p[0] <= settled and (after is None or p[:2] > after))[:limit]
            stored = repository.by_ids(connection, *namespace.key, [one for _, one, _ in chosen])
        return [
            Announced(Due(Located(stored[one], path, shown_fading(stored[one].row, policy, now)), due_at), since)
            for since, one, due_at in chosen
            if one in stored
        ]

    def rehearsed(
        self, author: Author, memory_id: UUID, allowed: Allowed, claim: Claim | None, *, is_remembered: bool
    ) -> Due:
        """Writes that somebody looked at a memory again, and whether they had remembered it.

        Raises:
            NotFound: there is no such active memory.
        """
        tenant = author.tenant_id

        def unit(connection: Connection) -> dict[str, Any]:
            stored, policy, _ = self._active(connection, tenant, memory_id, allowed, lock=True)
            now, known = self._clock.now(), faded(stored.row)
            if known is None:
                raise RuntimeError("an active memory does not fade")
            level = known.retention(policy, seconds(now))
            last = stored.row["last_recalled_at"]
            connection.execute(
                update(MEMORY)
                .where(and_(MEMORY.c.tenant_id == tenant, MEMORY.c.id == memory_id))
                .values(
                    stability_s=after_rehearsal(stored.row["stability_s"], level, is_remembered=is_remembered),
                    last_recalled_at=now if last is None else max(last, now),
                    rehearsals=stored.row["rehearsals"] + 1 if is_remembered else 0,
                    rehearsed_at=now,
                )
            )
            return {"id": str(memory_id)}

        self._once.write(tenant, claim, unit)
        with self._database.read(tenant) as connection:
            stored, policy, path = self._active(connection, tenant, memory_id, allowed, lock=False)
        shown = Located(stored, path, shown_fading(stored.row, policy, self._clock.now()))
        known = faded(stored.row)
        if known is None:
            raise RuntimeError("an active memory does not fade")
        return Due(shown, _moment(due_s(known, policy)))

    def _active(
        self, connection: Connection, tenant_id: UUID, memory_id: UUID, allowed: Allowed, *, lock: bool
    ) -> tuple[Stored, Policy, str]:
        found = repository.located(connection, tenant_id, memory_id, lock=lock)
        if found is None or not allowed(found[1].path) or not found[0].is_shown(self._clock.now()):
            raise NotFound("there is no such memory")
        return found[0], policies.of(found[1]), found[1].path


def _first(
    rows: Sequence[Any], policy: Policy, by: datetime, after: tuple[datetime, UUID] | None, limit: int | None
) -> list[tuple[datetime, UUID]]:
    """The first memories that are due by a moment: when, and which."""
    if not rows:
        return []
    moments = map(_moment, all_due_s(columns_of(rows), policy).tolist())
    due = [(moment, row.id) for moment, row in zip(moments, rows, strict=True) if moment <= by]
    return sorted(one for one in due if after is None or one > after)[:limit]


_LAST_S = 253_000_000_000.0  # in the year 9987: what is due later is due then


def _moment(at_s: float) -> datetime:
    return from_us(int(min(at_s, _LAST_S) * 1e6))
