"""Reading what memories can be made of, and those that were made."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, and_, exists, or_, select

from gpu.bank.records import Kind, State
from lifecycle.derivation import Source
from lifecycle.policy import Derived
from lifecycle.rollup import Episode
from memsvc.memories.ledger import Stored
from memsvc.memories.repository import unexpired
from memsvc.models import Relation
from memsvc.models.tables import EMBEDDING, LINK, MEMORY, VERSION
from memsvc.namespaces.repository import NamespaceRow

_CHUNK = 400
_PAGE = 1_000
TELLING = (State.ACTIVE, State.ARCHIVED)
"""States of memories that others are made of: what has grown cold is still told of."""
_COLUMNS = (
    "id", "kind", "user_id", "agent_id", "sequence_id", "speaker", "outcome", "occurred_at", "recorded_at",
    "expires_at", "trust", "importance", "content_version", "state", "derived",
)  # fmt: skip


def sources(connection: Connection, namespace: NamespaceRow, now: datetime) -> Iterator[Source]:
    """What others can be made of, by id: episodes, and whatever was done; nothing that was made itself."""
    query = (
        select(*(MEMORY.c[name] for name in _COLUMNS), VERSION.c.content)
        .outerjoin(
            VERSION,
            and_(
                VERSION.c.tenant_id == MEMORY.c.tenant_id,
                VERSION.c.memory_id == MEMORY.c.id,
                VERSION.c.version == MEMORY.c.content_version,
            ),
        )
        .where(
            MEMORY.c.tenant_id == namespace.tenant_id,
            MEMORY.c.namespace_id == namespace.id,
            MEMORY.c.derived.is_(None),
            MEMORY.c.state.in_([int(state) for state in TELLING]),
            or_(MEMORY.c.kind == int(Kind.EPISODIC), MEMORY.c.outcome.is_not(None)),
            unexpired(now),
        )
        .order_by(MEMORY.c.id)
        .limit(_PAGE)
    )
    after: UUID | None = None
    while True:
        rows = connection.execute(query if after is None else query.where(MEMORY.c.id > after)).all()
        vectors = _vectors(connection, namespace, [(row.id, row.content_version) for row in rows])
        for row in rows:
            yield _source(dict(row._mapping), row.content, vectors.get(row.id))
        if len(rows) < _PAGE:
            return
        after = rows[-1].id


def flags_of(connection: Connection, tenant_id: UUID, memory_ids: Iterable[UUID]) -> list[str]:
    """The flags of memories together: what is made of them may say what they say."""
    ids = sorted(memory_ids)
    found: set[str] = set()
    for start in range(0, len(ids), _CHUNK):
        query = select(MEMORY.c.flags).where(
            MEMORY.c.tenant_id == tenant_id, MEMORY.c.id.in_(ids[start : start + _CHUNK])
        )
        found.update(flag for flags in connection.execute(query).scalars() for flag in flags)
    return sorted(found)


def source(stored: Stored) -> Source:
    """A memory as others are made of it, without its vector."""
    return _source(stored.row, stored.content, None)


def is_source(stored: Stored | None, now: datetime) -> bool:
    """Whether anything may be made of a memory that somebody wrote."""
    if stored is None or stored.is_expired(now):
        return False
    return stored.row["derived"] is None and State(stored.row["state"]) in TELLING


def _source(row: Any, content: str, vector: NDArray[np.float32] | None) -> Source:
    moment = row["occurred_at"] or row["recorded_at"]
    return Source(
        episode=Episode(row["id"], (row["user_id"], row["agent_id"]), row["sequence_id"], moment, vector),
        text=content,
        speaker=row["speaker"],
        outcome=row["outcome"],
        is_episode=row["kind"] == Kind.EPISODIC,
        occurred_at=row["occurred_at"],
        expires_at=row["expires_at"],
        trust=row["trust"],
        importance=row["importance"],
    )


def _vectors(
    connection: Connection, namespace: NamespaceRow, keys: Sequence[tuple[UUID, int]]
) -> dict[UUID, NDArray[np.float32]]:
    """The first view of each memory's text as it stands."""
    standing = dict(keys)
    found = {}
    for start in range(0, len(keys), _CHUNK):
        part = [memory_id for memory_id, _ in keys[start : start + _CHUNK]]
        query = select(EMBEDDING.c.memory_id, EMBEDDING.c.version, EMBEDDING.c.vector).where(
            EMBEDDING.c.tenant_id == namespace.tenant_id,
            EMBEDDING.c.memory_id.in_(part),
            EMBEDDING.c.space_id == namespace.space_id,
            EMBEDDING.c.view == 0,
        )
        for row in connection.execute(query):
            if standing[row.memory_id] == row.version:
                found[row.memory_id] = np.frombuffer(row.vector, "<f2").astype(np.float32)
    return found


def standing_beside(
    connection: Connection, tenant_id: UUID, reached: Mapping[UUID, set[UUID]], states: Collection[State]
) -> set[UUID]:
    """Those of some made memories of whose written sources at least one is in one of these states.

    Args:
        reached: everything that each was made of.
    """
    wanted = sorted({one for sources in reached.values() for one in sources})
    seen: set[UUID] = set()
    for start in range(0, len(wanted), _CHUNK):
        query = select(MEMORY.c.id).where(
            MEMORY.c.tenant_id == tenant_id,
            MEMORY.c.id.in_(wanted[start : start + _CHUNK]),
            MEMORY.c.derived.is_(None),
            MEMORY.c.state.in_([int(state) for state in states]),
        )
        seen.update(connection.execute(query).scalars())
    return {made for made, sources in reached.items() if sources & seen}


@dataclass(frozen=True, slots=True)
class There:
    """A memory that was made.

    Attributes:
        sources: what its links lead to.
        is_whole: whether it still has a link to everything that it was made of.
        is_held: somebody edited or pinned it, or hid it: no job touches it any more.
        is_hidden: nothing is made of it either.
        digest: of what it was made from, as hex.
    """

    id: UUID
    level: Derived
    version: int
    sources: frozenset[UUID]
    is_whole: bool
    is_held: bool
    is_hidden: bool
    digest: str


def there(connection: Connection, namespace: NamespaceRow, among: Collection[UUID] | None = None) -> dict[UUID, There]:
    """What was made in a namespace, by id, in whatever state.

    Args:
        among: only these.
    """
    edited = exists().where(
        VERSION.c.tenant_id == MEMORY.c.tenant_id, VERSION.c.memory_id == MEMORY.c.id, VERSION.c.reason == "edited"
    )
    names = ("id", "derived", "version", "state", "source", "pinned", "legal_hold")
    query = select(*(MEMORY.c[name] for name in names), edited.label("is_edited")).where(
        MEMORY.c.tenant_id == namespace.tenant_id,
        MEMORY.c.namespace_id == namespace.id,
        MEMORY.c.derived.is_not(None),
    )
    if among is None:
        rows: list[Any] = list(connection.execute(query.order_by(MEMORY.c.id)))
    else:
        wanted = sorted(among)
        parts = (wanted[start : start + _CHUNK] for start in range(0, len(wanted), _CHUNK))
        rows = [row for part in parts for row in connection.execute(query.where(MEMORY.c.id.in_(part)))]
    linked = below(connection, namespace.tenant_id, [row.id for row in rows])
    return {row.id: _there(row, frozenset(linked.get(row.id, ()))) for row in rows}


def _there(row: Any, linked: frozenset[UUID]) -> There:
    said = row.source or {}
    is_hidden = State(row.state) not in TELLING
    return There(
        id=row.id,
        level=Derived(row.derived),
        version=row.version,
        sources=linked,
        is_whole=said.get("sources") == len(linked),
        is_held=bool(row.pinned or row.legal_hold or row.is_edited or is_hidden),
        is_hidden=is_hidden,
        digest=str(said.get("digest")),
    )


def below(connection: Connection, tenant_id: UUID, memory_ids: Iterable[UUID]) -> dict[UUID, set[UUID]]:
    """For memories that were made of others, of which; one level."""
    found: dict[UUID, set[UUID]] = {}
    ids = list(memory_ids)
    for start in range(0, len(ids), _CHUNK):
        query = select(LINK.c.from_id, LINK.c.to_id).where(
            LINK.c.tenant_id == tenant_id,
            LINK.c.from_id.in_(ids[start : start + _CHUNK]),
            LINK.c.relation == Relation.DERIVED_FROM.value,
        )
        for made, of in connection.execute(query):
            found.setdefault(made, set()).add(of)
    return found
