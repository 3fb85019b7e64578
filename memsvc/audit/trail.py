"""All SQL about audit trails. An entry is appended by the transaction that does what it tells of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from memsvc.audit.chain import ORIGIN, Entry, Head, digest_of, facts_text
from memsvc.models.tables import AUDIT, AUDIT_HEAD

_COLUMNS = tuple(AUDIT.c[name] for name in Entry.__slots__)
_AT_ONCE = 1_000


def append(
    connection: Connection,
    tenant_id: UUID,
    kind: str,
    actor: str,
    at: datetime,
    *,
    key_id: UUID | None = None,
    subject: UUID | str | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Writes the next entry of a tenant's trail.

    Call it last in a transaction: it locks the trail until the commit, and whoever holds that lock must wait for no
    other.

    Args:
        kind: what was done, such as `key.create`.
        actor: the name of the key that asked, or what acted without one.
        subject: the id of what it was done to.
        facts: JSON; nothing of what anybody remembers.
    """
    head = _locked(connection, tenant_id)
    about = None if subject is None else str(subject)
    entry = Entry(head.seq + 1, at, kind, actor, key_id, about, facts_text(facts or {}), b"")
    entry = replace(entry, digest=digest_of(head.digest, entry))
    values = {name: getattr(entry, name) for name in Entry.__slots__}
    connection.execute(insert(AUDIT).values(tenant_id=tenant_id, **values))
    connection.execute(
        update(AUDIT_HEAD).where(AUDIT_HEAD.c.tenant_id == tenant_id).values(seq=entry.seq, digest=entry.digest)
    )


def head(connection: Connection, tenant_id: UUID) -> Head | None:
    """The last entry of a tenant's trail, or None if there is none."""
    row = connection.execute(_of_tenant(tenant_id)).one_or_none()
    return None if row is None or row.seq == 0 else Head(row.seq, bytes(row.digest))


def heads(connection: Connection) -> dict[UUID, Head]:
    """The last entry of each tenant's trail; for anchors, never for an answer."""
    rows = connection.execute(select(AUDIT_HEAD).where(AUDIT_HEAD.c.seq > 0))
    return {row.tenant_id: Head(row.seq, bytes(row.digest)) for row in rows}


def page(
    connection: Connection,
    tenant_id: UUID,
    limit: int,
    *,
    after: int = 0,
    kind: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Entry]:
    """Entries of a tenant in order, strictly after one.

    Args:
        kind: only of this kind, or of those under it (`key` has `key.create`).
        since, until: only of `[since, until)`.
    """
    query = select(*_COLUMNS).where(AUDIT.c.tenant_id == tenant_id, AUDIT.c.seq > after).order_by(AUDIT.c.seq)
    if kind is not None:
        query = query.where((AUDIT.c.kind == kind) | AUDIT.c.kind.startswith(f"{kind}.", autoescape=True))
    if since is not None:
        query = query.where(AUDIT.c.at >= since)
    if until is not None:
        query = query.where(AUDIT.c.at < until)
    return [_entry(row) for row in connection.execute(query.limit(limit))]


def every(connection: Connection, tenant_id: UUID) -> Iterator[Entry]:
    """The whole trail of a tenant, in order."""
    after = 0
    while found := page(connection, tenant_id, _AT_ONCE, after=after):
        yield from found
        after = found[-1].seq


def _locked(connection: Connection, tenant_id: UUID) -> Head:
    """The head of a trail, made if there is none, locked until the transaction ends. SQLite has one writer anyway."""
    row = connection.execute(_of_tenant(tenant_id).with_for_update()).one_or_none()
    if row is None:
        into = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        made = into(AUDIT_HEAD).values(tenant_id=tenant_id, seq=0, digest=ORIGIN)
        connection.execute(made.on_conflict_do_nothing(index_elements=["tenant_id"]))
        row = connection.execute(_of_tenant(tenant_id).with_for_update()).one()
    return Head(row.seq, bytes(row.digest))


def _of_tenant(tenant_id: UUID) -> Select[Any]:
    return select(AUDIT_HEAD.c.seq, AUDIT_HEAD.c.digest).where(AUDIT_HEAD.c.tenant_id == tenant_id)


def _entry(row: Row[Any]) -> Entry:
    return Entry(**{**row._mapping, "digest": bytes(row.digest)})
