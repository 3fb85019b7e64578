"""Takes back what somebody brought in, and gives it back.

Memories are hidden (forgotten, with the revocation's id as the reason of the version), so that it can be undone; what
jobs derived from them is withdrawn, and made anew by the next run from what is left. A chunk of memories is one
transaction. Asked again, with the same key, it goes on where it was interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, and_, select

from gpu.bank.records import State
from memsvc.audit import trail
from memsvc.core.clock import Clock
from memsvc.core.errors import NotFound
from memsvc.core.ids import new_id
from memsvc.core.secrets import Secrets
from memsvc.db.engine import Database
from memsvc.erasures import selection
from memsvc.erasures.service import Allowed
from memsvc.index.keeper import Keeper
from memsvc.memories import lineage, merged, repository
from memsvc.memories.draft import DESCRIBED, pair_bytes
from memsvc.memories.ledger import Ledger
from memsvc.memories.once import Claim, Once, Outcome
from memsvc.memories.withdrawal import hide_all, put_all, withdraw
from memsvc.memories.write import Author, Count
from memsvc.models.ids import one_of
from memsvc.models.tables import MEMORY, VERSION
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow

CHUNK = 2_000
"""Memories of one transaction: other writers of the namespace wait for so many at most."""
_UNDONE = "revocation undone"


@dataclass(frozen=True, slots=True)
class Revoked:
    """What is to be taken back: in one namespace, or None: in all that the caller reaches.

    Attributes:
        written: see `memsvc.erasures.selection.Selection`.
    """

    namespace: str | None
    written: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a revocation would take back, by id; `edited` are memories of others that the writer edited."""

    memory_ids: Sequence[UUID]
    derived_ids: Sequence[UUID]
    edited_ids: Sequence[UUID]
    held: int


@dataclass(frozen=True, slots=True)
class Done:
    """A revocation that was carried out."""

    id: UUID
    memories: int
    derived: int


class Revocations:
    """Revocations of all tenants."""

    def __init__(
        self, database: Database, once: Once, clock: Clock, secrets: Secrets, keeper: Keeper, count: Count
    ) -> None:
        self._database = database
        self._once = once
        self._clock = clock
        self._secrets = secrets
        self._keeper = keeper
        self._count = count

    def preview(self, tenant_id: UUID, wanted: Revoked, allowed: Allowed) -> Preview:
        """What would be taken back; changes nothing."""
        found: list[UUID] = []
        edited: list[UUID] = []
        held = 0
        with self._database.read(tenant_id) as connection:
            for namespace in self._reached(connection, tenant_id, wanted, allowed):
                found += _shown(connection, namespace, selection.every(connection, namespace, _selection(wanted)))
                edited += selection.edited_by(connection, namespace, wanted.written)
                held += selection.held(connection, namespace, _selection(wanted))
            derived = lineage.derived(connection, tenant_id, found) - set(found)
        return Preview(sorted(found), sorted(derived), sorted(edited), held)

    def revoke(self, author: Author, wanted: Revoked, allowed: Allowed, claim: Claim | None) -> Done:
        """Hides what is not to be believed any more, and withdraws what was derived from it."""
        with self._database.read(author.tenant_id) as connection:
            reached = self._reached(connection, author.tenant_id, wanted, allowed)

        def unit(connection: Connection) -> Outcome:
            asked = new_id()
            facts = {"by": sorted(wanted.written), "namespaces": sorted(str(one.id) for one in reached)}
            self._tell(connection, author, "revocation.ask", asked, facts)
            return {"id": str(asked)}

        outcome, _ = self._once.write(author.tenant_id, claim, unit)
        revocation_id = UUID(outcome["id"])
        hidden = derived = 0
        for namespace in reached:
            after: UUID | None = None
            while True:
                with self._database.read(author.tenant_id) as connection:
                    ids = selection.page(connection, namespace, _selection(wanted), after, CHUNK)
                if ids:
                    done = self._hide(author, namespace, ids, revocation_id)
                    hidden, derived = hidden + done[0], derived + done[1]
                if len(ids) < CHUNK:
                    break
                after = ids[-1]
        self._count("revoke", hidden + derived)
        return Done(revocation_id, hidden, derived)

    def undo(self, author: Author, revocation_id: UUID, allowed: Allowed) -> int:
        """Brings back what a revocation hid and nobody changed since; returns how many memories.

        Raises:
            NotFound: there is nothing of it to bring back.
        """
        with self._database.read(author.tenant_id) as connection:
            query = (
                select(MEMORY.c.namespace_id, MEMORY.c.id)
                .join(VERSION, _is_current())
                .where(MEMORY.c.tenant_id == author.tenant_id, VERSION.c.reason == _reason(revocation_id))
                .order_by(MEMORY.c.namespace_id, MEMORY.c.id)
            )
            of: dict[UUID, list[UUID]] = {}
            for namespace_id, memory_id in connection.execute(query):
                of.setdefault(namespace_id, []).append(memory_id)
            homes = {one: namespaces.get(connection, author.tenant_id, one) for one in of}
        within = [home for home in homes.values() if home is not None and allowed(home.path)]
        if not within:
            raise NotFound("there is nothing that this revocation hides")
        facts = {"namespaces": sorted(str(home.id) for home in within)}

        def unit(connection: Connection) -> None:
            self._tell(connection, author, "revocation.undo", revocation_id, facts)

        self._database.write(author.tenant_id, unit)
        return sum(
            self._show(author, home, of[home.id][start : start + CHUNK], revocation_id)
            for home in within
            for start in range(0, len(of[home.id]), CHUNK)
        )

    def _tell(
        self, connection: Connection, author: Author, kind: str, revocation_id: UUID, facts: Mapping[str, Any]
    ) -> None:
        """The audit trail hears of it before the first memory changes: what is interrupted was asked for, too."""
        trail.append(
            connection, author.tenant_id, kind, author.name, self._clock.now(), key_id=author.key_id,
            subject=revocation_id, facts=facts,
        )  # fmt: skip

    def _hide(
        self, author: Author, namespace: NamespaceRow, memory_ids: Sequence[UUID], revocation_id: UUID
    ) -> tuple[int, int]:
        reason = _reason(revocation_id)

        def unit(connection: Connection) -> Outcome:
            locked = namespaces.get(connection, *namespace.key, lock=True)
            if locked is None:
                return {"hidden": 0, "derived": 0, "seq": 0}
            ledger = Ledger(connection, locked, self._clock.now(), author.name)
            ids = _free(connection, locked, memory_ids)
            merged.stand_alone(ledger, repository.merged_of(connection, *locked.key, ids))
            derived = withdraw(ledger, self._secrets, ids, reason)
            hidden = hide_all(ledger, ids, reason)
            return {"hidden": hidden, "derived": derived, "seq": ledger.flush()}

        outcome = self._database.write(namespace.tenant_id, unit)
        self._keeper.written(namespace.key, outcome["seq"])
        return outcome["hidden"], outcome["derived"]

    def _show(self, author: Author, namespace: NamespaceRow, memory_ids: Sequence[UUID], revocation_id: UUID) -> int:
        def unit(connection: Connection) -> Outcome:
            locked = namespaces.get(connection, *namespace.key, lock=True)
            if locked is None:
                return {"shown": 0, "seq": 0}
            ledger = Ledger(connection, locked, self._clock.now(), author.name)
            states = _before(connection, locked, memory_ids, revocation_id)
            outdated = [one for one, state in states.items() if state is State.SUPERSEDED]
            _outdate(ledger, outdated)
            for state in set(states.values()) - {State.SUPERSEDED}:
                put_all(ledger, [one for one, was in states.items() if was is state], state, _UNDONE)
            return {"shown": len(states), "seq": ledger.flush()}

        outcome = self._database.write(namespace.tenant_id, unit)
        self._keeper.written(namespace.key, outcome["seq"])
        return int(outcome["shown"])

    def _reached(
        self, connection: Connection, tenant_id: UUID, wanted: Revoked, allowed: Allowed
    ) -> list[NamespaceRow]:
        if wanted.namespace is not None:
            one = namespaces.find(connection, tenant_id, wanted.namespace)
            return [one] if one is not None and allowed(one.path) else []
        return [one for one in namespaces.of_tenant(connection, tenant_id) if allowed(one.path)]


def _reason(revocation_id: UUID) -> str:
    return f"revoked {revocation_id}"


def _selection(wanted: Revoked) -> Mapping[str, Any]:
    return {"written": wanted.written}


def _is_current() -> Any:
    return and_(
        VERSION.c.tenant_id == MEMORY.c.tenant_id,
        VERSION.c.memory_id == MEMORY.c.id,
        VERSION.c.version == MEMORY.c.version,
    )


def _free(connection: Connection, namespace: NamespaceRow, memory_ids: Sequence[UUID]) -> list[UUID]:
    """Those that are there and under no legal hold."""
    query = select(MEMORY.c.id).where(
        MEMORY.c.namespace_id == namespace.id,
        one_of(MEMORY.c.id, namespace.tenant_id, memory_ids),
        MEMORY.c.legal_hold.is_(False),
    )
    return list(connection.execute(query).scalars())


def _shown(connection: Connection, namespace: NamespaceRow, memory_ids: Sequence[UUID]) -> list[UUID]:
    """Those that are not hidden already."""
    query = select(MEMORY.c.id).where(
        one_of(MEMORY.c.id, namespace.tenant_id, memory_ids), MEMORY.c.state != int(State.FORGOTTEN)
    )
    return list(connection.execute(query).scalars())


def _before(
    connection: Connection, namespace: NamespaceRow, memory_ids: Sequence[UUID], revocation_id: UUID
) -> dict[UUID, State]:
    """The states of memories in the version before the revocation's, which still stands; what was merged is active."""
    then = VERSION.alias("then")
    query = (
        select(then.c.memory_id, then.c.state)
        .join(MEMORY, and_(MEMORY.c.tenant_id == then.c.tenant_id, MEMORY.c.id == then.c.memory_id))
        .join(VERSION, _is_current())
        .where(
            MEMORY.c.namespace_id == namespace.id,
            one_of(MEMORY.c.id, namespace.tenant_id, memory_ids),
            VERSION.c.reason == _reason(revocation_id),
            then.c.version == MEMORY.c.version - 1,
        )
    )
    found = {row.memory_id: State(row.state) for row in connection.execute(query)}
    return {one: State.ACTIVE if state is State.MERGED else state for one, state in found.items()}


def _outdate(ledger: Ledger, memory_ids: Sequence[UUID]) -> None:
    """Gives back to memories that were superseded until when they were true: a revocation takes that, too."""
    connection, namespace = ledger.connection, ledger.namespace
    query = (
        select(VERSION)
        .join(MEMORY, and_(MEMORY.c.tenant_id == VERSION.c.tenant_id, MEMORY.c.id == VERSION.c.memory_id))
        .where(one_of(MEMORY.c.id, namespace.tenant_id, memory_ids), VERSION.c.version == MEMORY.c.version - 1)
    )
    before = {row.memory_id: {name: row._mapping[name] for name in DESCRIBED} for row in connection.execute(query)}
    for stored in repository.by_ids(connection, *namespace.key, memory_ids).values():
        values = before[stored.id]
        ledger.revise(stored, values, None, None, pair_bytes(values, stored.row["external_id"]), _UNDONE)
