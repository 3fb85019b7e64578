"""Entities of a namespace: listed, looked at, joined and parted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from memsvc.core.clock import Clock
from memsvc.core.errors import BadCursor, InvalidInput, NotFound
from memsvc.db.engine import Database
from memsvc.entities import repository
from memsvc.entities.tables import NameTables
from memsvc.http.cursor import CursorCodec
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow
from retrieval.aliases import AliasGroup, Decisions, Shared
from retrieval.types import Resolved

_ROUTE = "entities"


@dataclass(frozen=True, slots=True)
class Party:
    """An entity with whether people decided on any of its names."""

    group: AliasGroup
    decided: bool

    @property
    def id(self) -> int:
        """The id of its most frequent name; the ids of its other names lead to it too."""
        return self.group.names[0].id


@dataclass(frozen=True, slots=True)
class EntityPage:
    """One page of entities."""

    parties: list[Party]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Company:
    """An entity among those that are mentioned together with it; `shared` names parties by their places."""

    parties: list[Party]
    shared: list[Shared]


class Entities:
    """Reads and decides about the entities of one tenant's namespaces."""

    def __init__(self, database: Database, clock: Clock, cursors: CursorCodec, tables: NameTables) -> None:
        self._database = database
        self._clock = clock
        self._cursors = cursors
        self._tables = tables

    def page(self, tenant_id: UUID, path: str, limit: int, cursor: str | None) -> EntityPage:
        """Entities of a namespace: those that most memories mention first, then by id.

        Raises:
            BadCursor: the cursor belongs to another list.
        """
        digest = path.encode()
        after = None
        if cursor is not None:
            after = _place(self._cursors.decode(cursor, tenant_id=tenant_id, route=_ROUTE, digest=digest))
        with self._database.read(tenant_id) as connection:
            namespace = namespaces.find(connection, tenant_id, path)
            if namespace is None:
                return EntityPage([], None)
            decisions = Decisions(repository.decisions(connection, namespace))
            with self._tables.learned(connection, namespace) as learned:
                groups = learned.groups(decisions)
        if after is not None:
            groups = [group for group in groups if _order(group) > after]
        parties = [_party(group, decisions) for group in groups[:limit]]
        if len(groups) <= limit:
            return EntityPage(parties, None)
        position = list(_order(groups[limit - 1]))
        return EntityPage(parties, self._cursors.encode(position, tenant_id=tenant_id, route=_ROUTE, digest=digest))

    def one(self, tenant_id: UUID, path: str, mention_id: int) -> Party:
        """The entity that a mention stands for.

        Raises:
            NotFound: no active memory of the namespace mentions it.
        """
        with self._database.read(tenant_id) as connection:
            namespace = namespaces.find(connection, tenant_id, path)
            if namespace is None:
                raise _unknown()
            return self._found(connection, namespace, [mention_id])[0]

    def company(self, tenant_id: UUID, path: str, mention_id: int, most: int) -> Company:
        """The entity that a mention stands for, and at most so many that active memories mention together with it.

        Raises:
            NotFound: no active memory of the namespace mentions it.
        """
        with self._database.read(tenant_id) as connection:
            namespace = namespaces.find(connection, tenant_id, path)
            if namespace is None:
                raise _unknown()
            decisions = Decisions(repository.decisions(connection, namespace))
            with self._tables.learned(connection, namespace) as learned:
                if learned.table.group_of(mention_id, decisions) is None:
                    raise _unknown()
                groups, shared = learned.table.company(mention_id, most, decisions)
        return Company([_party(group, decisions) for group in groups], shared)

    def resolve(self, namespace: NamespaceRow, names: Sequence[str]) -> tuple[Resolved, ...]:
        """What each name of a question stands for in a namespace."""
        if not names:
            return ()
        with self._database.read(namespace.tenant_id) as connection:
            return self._tables.resolve(connection, namespace, names)

    def forget(self, namespace: NamespaceRow) -> None:
        """Let go of the names of a namespace in which something was erased; they are read again when asked for."""
        self._tables.drop(namespace.key)

    def merge(self, tenant_id: UUID, path: str, mention_ids: Sequence[int], writer: str) -> Party:
        """Say that entities are one, with all the names that they have now. Doing it again changes nothing.

        Raises:
            NotFound: no active memory of the namespace mentions one of them.
        """

        def unit(connection: Connection) -> None:
            namespace = self._locked(connection, tenant_id, path)
            parties = self._found(connection, namespace, mention_ids)
            members = {name.id for party in parties for name in party.group.names}
            repository.decide(connection, namespace, [sorted(members)], writer, self._clock.now())

        self._database.write(tenant_id, unit)
        return self.one(tenant_id, path, mention_ids[0])

    def split(self, tenant_id: UUID, path: str, mention_id: int, aliases: Sequence[int], writer: str) -> list[Party]:
        """Take names out of an entity: each stands for itself from here on, and what is left stays together.

        It undoes a merge, and it corrects what was learned.

        Args:
            tenant_id: whose.
            path: of the namespace.
            mention_id: the entity.
            aliases: the names to take out; none means all.
            writer: who says so.

        Returns:
            The entities that came of it, the one that keeps the rest first.

        Raises:
            NotFound: no active memory of the namespace mentions the entity.
            InvalidInput: an alias is not one of its names.
        """
        taken: list[int] = []

        def unit(connection: Connection) -> None:
            namespace = self._locked(connection, tenant_id, path)
            party = self._found(connection, namespace, [mention_id])[0]
            members = [name.id for name in party.group.names]
            if not set(aliases) <= set(members):
                raise InvalidInput.field("/alias_ids", "not_an_alias", "names something that is no name of the entity")
            taken[:] = dict.fromkeys(aliases or members)
            rest = [member for member in members if member not in taken]
            apart = [[member] for member in taken]
            repository.decide(connection, namespace, [rest, *apart] if rest else apart, writer, self._clock.now())
            taken[:0] = rest[:1]

        self._database.write(tenant_id, unit)
        return [self.one(tenant_id, path, mention) for mention in taken]

    def _locked(self, connection: Connection, tenant_id: UUID, path: str) -> NamespaceRow:
        found = namespaces.find(connection, tenant_id, path)
        locked = None if found is None else namespaces.get(connection, tenant_id, found.id, lock=True)
        if locked is None:
            raise _unknown()
        return locked

    def _found(self, connection: Connection, namespace: NamespaceRow, mention_ids: Sequence[int]) -> list[Party]:
        decisions = Decisions(repository.decisions(connection, namespace))
        with self._tables.learned(connection, namespace) as learned:
            groups = [learned.table.group_of(mention, decisions) for mention in mention_ids]
        if None in groups:
            raise _unknown()
        return [_party(group, decisions) for group in groups if group is not None]


def _party(group: AliasGroup, decisions: Decisions) -> Party:
    return Party(group, any(name.id in decisions.entity_of for name in group.names))


def _order(group: AliasGroup) -> tuple[int, int]:
    """Where an entity stands in the list."""
    return -group.memories, group.names[0].id


def _place(position: Any) -> tuple[int, int]:
    try:
        memories, mention = position
        return int(memories), int(mention)
    except (TypeError, ValueError):
        raise BadCursor("this cursor was not made for this list; start the list again") from None


def _unknown() -> NotFound:
    return NotFound("there is no such entity")
