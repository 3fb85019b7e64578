"""All SQL about erasures and tombstones. Every query of a tenant's names the tenant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, insert, select, update

from memsvc.core.ids import new_id
from memsvc.models.ids import given, one_of_given
from memsvc.models.tables import ERASURE, JOB_EFFECT, MEMORY, TOKEN_EMBEDDING, TOMBSTONE

_CHUNK = 400


@dataclass(frozen=True, slots=True)
class ErasureRow:
    """An erasure as one read saw it; see `memsvc.models.erasure.Erasure`."""

    tenant_id: UUID
    id: UUID
    namespaces: Sequence[str]
    selection: Mapping[str, Any] | None
    asked_by: str
    asked_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    overwritten_at: datetime | None
    overwriting: str | None
    fence: int
    held_until: datetime | None
    counts: Mapping[str, int]
    problem: str | None

    @property
    def namespace_ids(self) -> list[UUID]:
        """The namespaces in which it erases."""
        return [UUID(one) for one in self.namespaces]


_COLUMNS = tuple(ERASURE.c[name] for name in ErasureRow.__dataclass_fields__)
_HOMES = select(MEMORY.c.id, MEMORY.c.namespace_id).where(one_of_given(MEMORY.c.id))
_HELD = select(MEMORY.c.id).where(one_of_given(MEMORY.c.id), MEMORY.c.legal_hold.is_(True))


def ask(
    connection: Connection,
    tenant_id: UUID,
    namespace_ids: Iterable[UUID],
    selection: Mapping[str, Any],
    now: datetime,
    *,
    by: str,
    request_digest: bytes,
) -> UUID:
    """Keeps an erasure that is to be carried out; the same one if it was asked for already and is not over."""
    same = (ERASURE.c.tenant_id == tenant_id, ERASURE.c.request_digest == request_digest)
    open_one: UUID | None = connection.execute(select(ERASURE.c.id).where(*same).limit(1)).scalar_one_or_none()
    if open_one is not None:
        return open_one
    return _add(connection, tenant_id, namespace_ids, now, by, selection=dict(selection), request_digest=request_digest)


def done(
    connection: Connection,
    tenant_id: UUID,
    namespace_id: UUID,
    now: datetime,
    *,
    erasure_id: UUID,
    by: str,
    counts: Mapping[str, int],
) -> None:
    """Keeps an erasure that this transaction carries out."""
    _add(
        connection, tenant_id, [namespace_id], now, by, erasure_id=erasure_id, started_at=now, ended_at=now,
        counts=dict(counts),
    )  # fmt: skip


def _add(
    connection: Connection, tenant_id: UUID, namespace_ids: Iterable[UUID], now: datetime, by: str, **more: Any
) -> UUID:
    erasure_id: UUID = more.pop("erasure_id", None) or new_id()
    row = {
        "tenant_id": tenant_id, "id": erasure_id, "namespaces": sorted(map(str, namespace_ids)), "asked_by": by,
        "asked_at": now, "fence": 0, "counts": {}, **more,
    }  # fmt: skip
    connection.execute(insert(ERASURE).values(row))
    return erasure_id


def get(connection: Connection, tenant_id: UUID, erasure_id: UUID, *, lock: bool = False) -> ErasureRow | None:
    """The tenant's erasure of that id, or None.

    Args:
        lock: nobody else changes it before the transaction ends.
    """
    query = select(*_COLUMNS).where(ERASURE.c.tenant_id == tenant_id, ERASURE.c.id == erasure_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else _row(row)


def page(connection: Connection, tenant_id: UUID, before: UUID | None, limit: int) -> list[ErasureRow]:
    """The tenant's erasures, the newest first, strictly older than one."""
    query = select(*_COLUMNS).where(ERASURE.c.tenant_id == tenant_id)
    if before is not None:
        query = query.where(ERASURE.c.id < before)
    return [_row(row) for row in connection.execute(query.order_by(ERASURE.c.id.desc()).limit(limit))]


def waiting(connection: Connection, limit: int) -> list[tuple[UUID, UUID]]:
    """(tenant, erasure) of all tenants that are not over, the ones asked for first at the front."""
    query = (
        select(ERASURE.c.tenant_id, ERASURE.c.id)
        .where(ERASURE.c.overwritten_at.is_(None), ERASURE.c.ended_at.is_(None))
        .order_by(ERASURE.c.asked_at, ERASURE.c.id)
        .limit(limit)
    )
    return [(row.tenant_id, row.id) for row in connection.execute(query)]


def not_overwritten(connection: Connection) -> list[tuple[UUID, UUID]]:
    """(tenant, erasure) of all tenants that are over and whose bytes may still be in files."""
    query = select(ERASURE.c.tenant_id, ERASURE.c.id).where(
        ERASURE.c.overwritten_at.is_(None), ERASURE.c.ended_at.is_not(None)
    )
    return [(row.tenant_id, row.id) for row in connection.execute(query)]


def last_overwritten_at(connection: Connection) -> datetime | None:
    """When bytes of erasures were overwritten last, of whatever tenant."""
    query = select(ERASURE.c.overwritten_at).where(ERASURE.c.overwritten_at.is_not(None))
    latest: datetime | None = connection.execute(
        query.order_by(ERASURE.c.overwritten_at.desc()).limit(1)
    ).scalar_one_or_none()
    return latest


def change(connection: Connection, tenant_id: UUID, erasure_id: UUID, **values: Any) -> None:
    """Writes columns of an erasure."""
    connection.execute(
        update(ERASURE).where(ERASURE.c.tenant_id == tenant_id, ERASURE.c.id == erasure_id).values(**values)
    )


def digests(connection: Connection, tenant_id: UUID, erasure_id: UUID) -> list[bytes]:
    """The tombstones of an erasure, ascending."""
    query = (
        select(TOMBSTONE.c.digest)
        .where(TOMBSTONE.c.tenant_id == tenant_id, TOMBSTONE.c.erasure_id == erasure_id)
        .order_by(TOMBSTONE.c.digest)
    )
    return [bytes(one) for one in connection.execute(query).scalars()]


def tombstoned(connection: Connection, tenant_id: UUID, some: Sequence[bytes]) -> set[bytes]:
    """Those of the digests that are tombstones: what they stand for was erased and must not come back."""
    found: set[bytes] = set()
    for start in range(0, len(some), _CHUNK):
        query = select(TOMBSTONE.c.digest).where(
            TOMBSTONE.c.tenant_id == tenant_id, TOMBSTONE.c.digest.in_(some[start : start + _CHUNK])
        )
        found |= {bytes(one) for one in connection.execute(query).scalars()}
    return found


def every_tombstone(connection: Connection, tenant_id: UUID) -> set[bytes]:
    """All tombstones of the tenant."""
    query = select(TOMBSTONE.c.digest).where(TOMBSTONE.c.tenant_id == tenant_id)
    return {bytes(one) for one in connection.execute(query).scalars()}


def tenants_with_tombstones(connection: Connection) -> list[UUID]:
    """Tenants that have erased something."""
    return list(connection.execute(select(TOMBSTONE.c.tenant_id).distinct()).scalars())


def named_ids(connection: Connection, tenant_id: UUID) -> Iterator[UUID]:
    """Every id of a memory that the tables name, but for the change log's last word on one that was erased."""
    for column in (MEMORY.c.id, TOKEN_EMBEDDING.c.context_id, JOB_EFFECT.c.because_of):
        query = select(column).where(column.table.c.tenant_id == tenant_id, column.is_not(None))
        yield from connection.execute(query.execution_options(yield_per=5_000)).scalars()


def memory_ids(connection: Connection, tenant_id: UUID) -> Iterator[UUID]:
    """The id of every memory of the tenant."""
    query = select(MEMORY.c.id).where(MEMORY.c.tenant_id == tenant_id)
    return iter(connection.execute(query.execution_options(yield_per=5_000)).scalars())


def homes(connection: Connection, tenant_id: UUID, memory_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """The namespace of each of the tenant's memories that is there."""
    return {row.id: row.namespace_id for row in connection.execute(_HOMES, given(tenant_id, memory_ids))}


def held(connection: Connection, tenant_id: UUID, memory_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the tenant's memories that are under a legal hold."""
    return set(connection.execute(_HELD, given(tenant_id, memory_ids)).scalars())


def _row(row: Row[Any]) -> ErasureRow:
    return ErasureRow(**row._mapping)
