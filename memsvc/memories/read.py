"""Reading memories: one, a page of many, the history and the links of one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection

from gpu.bank.records import State
from memsvc.core.clock import Clock, from_us, to_us
from memsvc.core.errors import BadCursor, Forbidden, NotFound
from memsvc.db.engine import Database
from memsvc.filters.ast import NOT_QUARANTINED, ONLY_ACTIVE, And, Node, asks_for
from memsvc.filters.rows import asked
from memsvc.http.cursor import CursorCodec
from memsvc.memories import repository
from memsvc.memories.change import Allowed
from memsvc.memories.fading import shown_fading
from memsvc.memories.ledger import Stored
from memsvc.models import Memory
from memsvc.namespaces import policies
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow

_ROUTE = "memories"


@dataclass(frozen=True, slots=True)
class Located:
    """A memory with the path of its namespace, and how far it has faded (see `memsvc.memories.fading`)."""

    stored: Stored
    path: str
    fading: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list."""

    memories: list[Located]
    next_cursor: str | None


def require_no_quarantined(condition: Node | None) -> None:
    """Refuses a filter that asks for what only admins may see; one that merely lets it through does not find it.

    Raises:
        Forbidden: it does.
    """
    if condition is not None and asks_for(condition, State.QUARANTINED):
        raise Forbidden("what is in quarantine is for keys with the role 'admin'")


class Reading:
    """Reads memories of one tenant. What is unknown, foreign, out of reach or forgotten raises the same `NotFound`.

    What is out of recalls (merged into another, archived, superseded) can still be read by its id, with its history and
    links.
    """

    def __init__(self, database: Database, clock: Clock, cursors: CursorCodec) -> None:
        self._database = database
        self._clock = clock
        self._cursors = cursors

    def one(self, tenant_id: UUID, memory_id: UUID, allowed: Allowed, *, reviews: bool = False) -> Located:
        """A memory.

        Args:
            reviews: whether the caller may see what is in quarantine.

        Raises:
            NotFound: there is no such memory.
        """
        with self._database.read(tenant_id) as connection:
            return self._known(connection, tenant_id, memory_id, allowed, reviews=reviews)

    def written(self, tenant_id: UUID, memory_id: UUID) -> Located | None:
        """The memory that a write of this tenant made or changed, in whatever state, or None if it is gone."""
        with self._database.read(tenant_id) as connection:
            found = repository.located(connection, tenant_id, memory_id)
        return None if found is None else self._located(*found)

    def history(self, tenant_id: UUID, memory_id: UUID, allowed: Allowed, *, reviews: bool = False) -> list[Any]:
        """Every version of a memory, oldest first.

        Args:
            reviews: see `one`.

        Raises:
            NotFound: there is no such memory.
        """
        with self._database.read(tenant_id) as connection:
            self._known(connection, tenant_id, memory_id, allowed, reviews=reviews)
            return repository.history(connection, tenant_id, memory_id)

    def links(self, tenant_id: UUID, memory_id: UUID, allowed: Allowed) -> list[tuple[str, UUID, bool]]:
        """Links of a memory to active ones.

        Raises:
            NotFound: there is no such memory.
        """
        with self._database.read(tenant_id) as connection:
            self._known(connection, tenant_id, memory_id, allowed)
            return repository.links(connection, tenant_id, memory_id, self._clock.now())

    def page(
        self,
        tenant_id: UUID,
        path: str,
        condition: Node | None,
        raw_condition: Any,
        *,
        newest_first: bool,
        limit: int,
        cursor: str | None,
        reviews: bool = False,
    ) -> Page:
        """One page of a namespace's memories; those active unless the filter names `state`, and none expired.

        Args:
            reviews: see `one`.

        Raises:
            BadCursor: the cursor belongs to another list.
            Forbidden: the filter asks for what is in quarantine.
        """
        if not reviews:
            require_no_quarantined(condition)
        about = orjson.dumps([path, raw_condition, newest_first], option=orjson.OPT_SORT_KEYS)
        digest = hashlib.sha256(about).digest()
        after = None if cursor is None else self._place(cursor, tenant_id, digest)
        condition = condition or ONLY_ACTIVE
        if not reviews:
            condition = And((condition, NOT_QUARANTINED))
        with self._database.read(tenant_id) as connection:
            namespace = namespaces.find(connection, tenant_id, path)
            if namespace is None:
                return Page([], None)
            found = repository.page(
                connection, tenant_id, namespace.id, asked(connection, tenant_id, condition, Memory), self._clock.now(),
                after=after, newest_first=newest_first, limit=limit + 1,
            )  # fmt: skip
        more = len(found) > limit
        found = found[:limit]
        shown = [self._located(one, namespace) for one in found]
        if not more:
            return Page(shown, None)
        last = found[-1]
        position = [to_us(last.row["recorded_at"]), str(last.id)]
        return Page(shown, self._cursors.encode(position, tenant_id=tenant_id, route=_ROUTE, digest=digest))

    def numbered(
        self, tenant_id: UUID, path: str, condition: Node, *, offset: int, limit: int
    ) -> tuple[list[Located], int]:
        """Memories of a namespace that fit a condition and have not expired, the newest first, and how many there are.

        For callers who count pages; `page` does not read what it passes over. What is in quarantine is left out.
        """
        visible = And((condition, NOT_QUARANTINED))
        with self._database.read(tenant_id) as connection:
            namespace = namespaces.find(connection, tenant_id, path)
            if namespace is None:
                return [], 0
            found, count = repository.numbered_page(
                connection, tenant_id, namespace.id, asked(connection, tenant_id, visible, Memory), self._clock.now(),
                offset=offset, limit=limit,
            )  # fmt: skip
        return [self._located(one, namespace) for one in found], count

    def _place(self, cursor: str, tenant_id: UUID, digest: bytes) -> tuple[datetime, UUID]:
        position = self._cursors.decode(cursor, tenant_id=tenant_id, route=_ROUTE, digest=digest)
        try:
            at, last = position
            return from_us(at), UUID(last)
        except (TypeError, ValueError):
            raise BadCursor("this cursor was not made for this list; start the list again") from None

    def _located(self, stored: Stored, namespace: NamespaceRow) -> Located:
        fading = shown_fading(stored.row, policies.of(namespace), self._clock.now())
        return Located(stored, namespace.path, fading)

    def _known(
        self, connection: Connection, tenant_id: UUID, memory_id: UUID, allowed: Allowed, *, reviews: bool = False
    ) -> Located:
        found = repository.located(connection, tenant_id, memory_id)
        if found is None or not allowed(found[1].path) or not self._is_shown(found[0], reviews=reviews):
            raise NotFound("there is no such memory")
        return self._located(*found)

    def _is_shown(self, stored: Stored, *, reviews: bool) -> bool:
        return stored.is_known(self._clock.now()) or (reviews and stored.row["state"] == State.QUARANTINED)
