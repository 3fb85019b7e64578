"""What was changed in a namespace, in the order in which it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, select

from gpu.bank.records import State
from memsvc.db.engine import Database
from memsvc.models.tables import CHANGE, MEMORY, VERSION
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow


@dataclass(frozen=True, slots=True)
class Between:
    """A part of the log.

    Attributes:
        after: changes with a greater number.
        since: those recorded then or later.
        until: those recorded before then.
    """

    after: int = 0
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The first changes of a part of a log.

    Attributes:
        rows: seq, op, memory_id, version, recorded_at, and state, reason and writer of the version; None where there is
            none.
        through: the number up to which everything was looked at: none of the part comes at or before it any more.
    """

    rows: Sequence[Mapping[str, Any]]
    through: int


class Changes:
    """Reads the logs of one tenant's namespaces."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, tenant_id: UUID, path: str, part: Between, limit: int, *, reviews: bool) -> Found:
        """The first changes of a part of the log; none of a namespace that does not exist.

        A number is given in the transaction that makes the change, under the lock of its namespace: what was not there
        when a later one was read never comes.

        Args:
            reviews: whether the caller may see what is in quarantine; to others a change of it names no memory.
        """
        with self._database.read(tenant_id) as connection:
            namespace = namespaces.find(connection, tenant_id, path)
            if namespace is None:
                return Found((), part.after)
            rows = _read(connection, namespace, part, limit)
        through = rows[-1].seq if len(rows) == limit else max(part.after, namespace.head_seq)
        return Found([_shown(row._mapping, reviews=reviews) for row in rows], through)


_QUERY = (
    select(
        CHANGE.c.seq,
        CHANGE.c.op,
        CHANGE.c.memory_id,
        CHANGE.c.version,
        CHANGE.c.recorded_at,
        VERSION.c.state,
        VERSION.c.reason,
        VERSION.c.writer,
        MEMORY.c.state.label("state_now"),
    )
    .outerjoin(
        VERSION,
        and_(
            VERSION.c.tenant_id == CHANGE.c.tenant_id,
            VERSION.c.memory_id == CHANGE.c.memory_id,
            VERSION.c.version == CHANGE.c.version,
        ),
    )
    .outerjoin(MEMORY, and_(MEMORY.c.tenant_id == CHANGE.c.tenant_id, MEMORY.c.id == CHANGE.c.memory_id))
)


def _read(connection: Connection, namespace: NamespaceRow, part: Between, limit: int) -> list[Any]:
    where: list[ColumnElement[bool]] = [
        CHANGE.c.tenant_id == namespace.tenant_id,
        CHANGE.c.namespace_id == namespace.id,
        CHANGE.c.seq > part.after,
    ]
    if part.since is not None:
        where.append(CHANGE.c.recorded_at >= part.since)
    if part.until is not None:
        where.append(CHANGE.c.recorded_at < part.until)
    return list(connection.execute(_QUERY.where(*where).order_by(CHANGE.c.seq).limit(limit)))


_HIDDEN = dict.fromkeys(("memory_id", "version", "state", "reason", "writer"))


def _shown(row: Mapping[str, Any], *, reviews: bool) -> dict[str, Any]:
    shown = {name: of for name, of in row.items() if name != "state_now"}
    return shown if reviews or row["state_now"] != State.QUARANTINED else shown | _HIDDEN
