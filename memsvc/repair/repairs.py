"""What a repair is, and what it works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from sqlalchemy import Connection

from memsvc.core.clock import Clock
from memsvc.core.secrets import Secrets
from memsvc.db.engine import Database
from memsvc.index.keeper import Keeper
from memsvc.memories.prepare import Preparer
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow

Where = TypeVar("Where", NamespaceRow, UUID)
WRITER = "doctor"
"""Who the history says did it."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What repairs are made with.

    Attributes:
        preparer: loads the models, with the first call.
    """

    database: Database
    clock: Clock
    secrets: Secrets
    keeper: Keeper
    preparer: Callable[[], Preparer]

    def write(self, namespace: NamespaceRow, unit: Callable[[Connection, NamespaceRow], int]) -> int:
        """One transaction that holds the namespace's lock, so that nobody changes it meanwhile."""

        def locked(connection: Connection) -> int:
            found = namespaces.get(connection, *namespace.key, lock=True)
            return 0 if found is None else unit(connection, found)

        return self.database.write(namespace.tenant_id, locked)


@dataclass(frozen=True, slots=True)
class Repair(Generic[Where]):
    """One sort of damage, of a namespace or of a tenant.

    Attributes:
        name: for people and for JSON.
        found: what is wrong, in words, with `{n}` for how often.
        will: what mending does, in words; of damage that nothing mends here, what to do.
        count: how often it is there.
        mend: puts it right; returns how often. None: nothing here may.
    """

    name: str
    found: str
    will: str
    count: Callable[[Connection, Where], int]
    mend: Callable[[Workshop, Where], int] | None
