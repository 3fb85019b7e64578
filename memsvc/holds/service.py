"""Puts memories under a legal hold, and releases them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, and_, insert, select, update

from memsvc.audit import trail
from memsvc.core.clock import Clock
from memsvc.core.errors import Conflict, NotFound
from memsvc.core.secrets import Secrets
from memsvc.db.engine import Database
from memsvc.memories import repository
from memsvc.memories.change import Allowed
from memsvc.memories.once import Claim, Once
from memsvc.memories.residue import tombstone
from memsvc.memories.write import Author
from memsvc.models.tables import LEGAL_HOLD, MEMORY

_COLUMNS = (
    "memory_id", "held_at", "held_by", "reason", "released_at", "released_by", "release_reason",
)  # fmt: skip


class Holds:
    """Legal holds of all tenants. A memory in any state can be held: what was hidden may have to be kept, too.

    One that is unknown, foreign or out of reach raises the same `NotFound`.
    """

    def __init__(self, database: Database, once: Once, clock: Clock, secrets: Secrets) -> None:
        self._database = database
        self._once = once
        self._clock = clock
        self._secrets = secrets

    def hold(self, author: Author, memory_id: UUID, allowed: Allowed, reason: str, claim: Claim | None) -> Any:
        """Puts a memory under a hold; returns the hold.

        Raises:
            NotFound: there is no such memory.
            Conflict: it is held already.
        """

        def change(connection: Connection, is_held: bool) -> None:
            if is_held:
                raise Conflict("the memory is under a legal hold already; release that one first")
            now = self._clock.now()
            last = self._rows(connection, author.tenant_id, memory_id)
            if last and last[-1].held_at >= now:  # the clock was set back
                raise Conflict("a hold of a later time is on record; try again when the clock is right")
            connection.execute(
                insert(LEGAL_HOLD).values(
                    tenant_id=author.tenant_id, memory_id=memory_id, held_at=now, held_by=author.name, reason=reason
                )
            )

        return self._put(author, memory_id, allowed, claim, change, is_held=True)

    def release(self, author: Author, memory_id: UUID, allowed: Allowed, reason: str, claim: Claim | None) -> Any:
        """Ends the hold of a memory; returns it.

        Raises:
            NotFound: there is no such memory.
            Conflict: it is not held.
        """

        def change(connection: Connection, is_held: bool) -> None:
            if not is_held:
                raise Conflict("the memory is not under a legal hold")
            connection.execute(
                update(LEGAL_HOLD)
                .where(
                    LEGAL_HOLD.c.tenant_id == author.tenant_id,
                    LEGAL_HOLD.c.memory_id == memory_id,
                    LEGAL_HOLD.c.released_at.is_(None),
                )
                .values(released_at=self._clock.now(), released_by=author.name, release_reason=reason)
            )

        return self._put(author, memory_id, allowed, claim, change, is_held=False)

    def of(self, tenant_id: UUID, memory_id: UUID, allowed: Allowed) -> list[Any]:
        """Every hold that a memory was ever under, the oldest first.

        Raises:
            NotFound: there is no such memory.
        """
        with self._database.read(tenant_id) as connection:
            _located(connection, tenant_id, memory_id, allowed, lock=False)
            return self._rows(connection, tenant_id, memory_id)

    def _put(
        self,
        author: Author,
        memory_id: UUID,
        allowed: Allowed,
        claim: Claim | None,
        change: Callable[[Connection, bool], None],
        *,
        is_held: bool,
    ) -> Any:
        """Changes the hold under the namespace's lock: whoever erases or moves memories looks at it under that."""
        tenant = author.tenant_id

        def unit(connection: Connection) -> dict[str, Any]:
            change(connection, _located(connection, tenant, memory_id, allowed, lock=True))
            connection.execute(
                update(MEMORY)
                .where(and_(MEMORY.c.tenant_id == tenant, MEMORY.c.id == memory_id))
                .values(legal_hold=is_held)
            )
            # The digest that its tombstone would have: the trail outlives the memory and must not name it then.
            trail.append(
                connection, tenant, "memory.hold" if is_held else "memory.release", author.name, self._clock.now(),
                key_id=author.key_id, subject=tombstone(self._secrets, memory_id).hex(),
            )  # fmt: skip
            return {"id": str(memory_id)}

        self._once.write(tenant, claim, unit)
        with self._database.read(tenant) as connection:
            rows = self._rows(connection, tenant, memory_id)
        if not rows:
            raise NotFound("there is no such memory")
        return rows[-1]

    @staticmethod
    def _rows(connection: Connection, tenant_id: UUID, memory_id: UUID) -> list[Any]:
        query = (
            select(*(LEGAL_HOLD.c[name] for name in _COLUMNS))
            .where(LEGAL_HOLD.c.tenant_id == tenant_id, LEGAL_HOLD.c.memory_id == memory_id)
            .order_by(LEGAL_HOLD.c.held_at)
        )
        return list(connection.execute(query))


def _located(connection: Connection, tenant_id: UUID, memory_id: UUID, allowed: Allowed, *, lock: bool) -> bool:
    """Whether a memory is held.

    Raises:
        NotFound: there is no such memory.
    """
    found = repository.located(connection, tenant_id, memory_id, lock=lock)
    if found is None or not allowed(found[1].path):
        raise NotFound("there is no such memory")
    return bool(found[0].row["legal_hold"])
