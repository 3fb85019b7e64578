"""The vector of a memory that others are merged into, made of all their vectors; see `lifecycle.merging`.

It is a view of its own beside the memory's views, which it stands for. Those stay as they are, as do the members': a
merge that is taken back leaves every byte as it was, and what a member gave is gone with the next making.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import ColumnElement, Connection, and_, insert, select

from lifecycle.merging import merged_vector
from memsvc.models.embedding import MERGED_VIEW
from memsvc.models.tables import EMBEDDING, MEMORY
from memsvc.namespaces.repository import NamespaceRow
from memsvc.sealing.rows import Sealing

_CHUNK = 400


def remade(
    connection: Connection,
    namespace: NamespaceRow,
    pivots: Collection[UUID],
    reread: Collection[UUID],
    spaces: Sequence[UUID] = (),
) -> list[UUID]:
    """Makes the merged vectors of some memories anew, or takes them away where nothing is merged any more.

    Args:
        pivots: whose.
        reread: memories whose own vectors were made anew: of those that are merged, the pivots' too.
        spaces: in which of the namespace's embedding spaces (default: in all).

    Returns:
        The pivots, those that are still there.
    """
    ids = set(pivots)
    for part in _parts(reread):
        query = select(MEMORY.c.id, MEMORY.c.merged_into, MEMORY.c.before_merge).where(
            MEMORY.c.tenant_id == namespace.tenant_id, MEMORY.c.id.in_(part)
        )
        for row in connection.execute(query):
            ids |= {row.merged_into} - {None} if row.before_merge is None else {row.id}
    there: list[UUID] = []
    for part in _parts(ids):
        versions = select(MEMORY.c.id, MEMORY.c.content_version).where(
            MEMORY.c.tenant_id == namespace.tenant_id, MEMORY.c.id.in_(part)
        )
        for memory_id, version in connection.execute(versions).all():
            for space_id in spaces or namespace.spaces:
                _remake(connection, namespace.tenant_id, space_id, memory_id, version)
            there.append(memory_id)
    return there


def own_vectors(
    connection: Connection, tenant_id: UUID, space_id: UUID, where: ColumnElement[bool]
) -> dict[UUID, list[np.ndarray]]:
    """Vectors of memories' texts as they are, in one embedding space: float16 `[dim]` for each view."""
    query = (
        select(MEMORY.c.id, EMBEDDING.c.vector)
        .outerjoin(  # outer for the order of the tables alone, see `memsvc.index.loader`
            EMBEDDING,
            and_(
                EMBEDDING.c.tenant_id == MEMORY.c.tenant_id,
                EMBEDDING.c.memory_id == MEMORY.c.id,
                EMBEDDING.c.version == MEMORY.c.content_version,
                EMBEDDING.c.space_id == space_id,
                EMBEDDING.c.view != MERGED_VIEW,
            ),
        )
        .where(MEMORY.c.tenant_id == tenant_id, where)
        .order_by(MEMORY.c.id, EMBEDDING.c.view)
    )
    found: dict[UUID, list[np.ndarray]] = {}
    for row in connection.execute(query):
        views = found.setdefault(row.id, [])
        if row.vector is not None:
            views.append(np.frombuffer(row.vector, "<f2"))
    return found


def _remake(connection: Connection, tenant_id: UUID, space_id: UUID, pivot_id: UUID, content_version: int) -> None:
    key = {"tenant_id": tenant_id, "memory_id": pivot_id, "space_id": space_id, "view": MERGED_VIEW}
    connection.execute(EMBEDDING.delete().where(*(EMBEDDING.c[name] == value for name, value in key.items())))
    of_members = own_vectors(connection, tenant_id, space_id, MEMORY.c.merged_into == pivot_id)
    own = own_vectors(connection, tenant_id, space_id, MEMORY.c.id == pivot_id).get(pivot_id, [])
    members = [views[0] for views in of_members.values() if len(views) == 1]
    # A text of several views is found by its parts; one vector for all of them would be near to none.
    if len(own) != 1 or not members:
        return
    vector = merged_vector(np.stack([own[0], *members]))
    row = {**key, "version": content_version, "vector": vector.astype("<f2").tobytes()}
    sealing = Sealing.as_they_are(connection, tenant_id, [pivot_id])
    connection.execute(insert(EMBEDDING), sealing.rows(EMBEDDING, [row]))


def _parts(ids: Iterable[UUID]) -> Iterable[list[Any]]:
    ordered = sorted(ids, key=lambda one: one.bytes)
    return (ordered[start : start + _CHUNK] for start in range(0, len(ordered), _CHUNK))
