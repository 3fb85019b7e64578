"""What the active memories of a namespace are, take up and say, for those who choose among all of them.

Each kind of thing is read by itself: with more tables in one join, a PostgreSQL without statistics loops over them for
minutes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Row, Select, Table, and_, func, select

from gpu.bank.layouts import ATTRIBUTES
from gpu.bank.records import State
from memsvc.memories.repository import unexpired
from memsvc.models.conditions import byte_length
from memsvc.models.tables import ANALYSIS, EMBEDDING, MEMORY, TOKEN_EMBEDDING, VERSION
from memsvc.namespaces.repository import NamespaceRow

_PAGE = 20_000  # rows of vectors that are held beside what is made of them
_ANALYSED = (ANALYSIS.c.term_ids, ANALYSIS.c.term_freqs, ANALYSIS.c.mention_ids, ANALYSIS.c.spans, ANALYSIS.c.place_ids)


def active(
    connection: Connection,
    namespace: NamespaceRow,
    columns: Sequence[str],
    now: datetime,
    *where: ColumnElement[bool],
) -> Sequence[Row[Any]]:
    """Columns of the active memories of a namespace for which conditions hold, by id."""
    query = select(*(MEMORY.c[name] for name in columns)).where(*_active(namespace, now), *where).order_by(MEMORY.c.id)
    return connection.execute(query).all()


def sizes(
    connection: Connection, namespace: NamespaceRow, places: Mapping[UUID, int], now: datetime
) -> NDArray[np.int64]:
    """Bytes that active memories take in the bank, int64 `[n]`: a row of attributes, and what is as long as the memory.

    That is its text, vectors, token codes, terms, mentions and times. Links and hashes of its fields, some dozen bytes
    each, are left out.

    Args:
        places: where to put each.
    """
    found = np.full(len(places), ATTRIBUTES.element_bytes, np.int64)
    for table, columns in (
        (VERSION, (VERSION.c.content,)),
        (ANALYSIS, _ANALYSED),
        (EMBEDDING, (EMBEDDING.c.vector,)),
        (TOKEN_EMBEDDING, (TOKEN_EMBEDDING.c.codes,)),
    ):
        total = sum(
            (func.coalesce(byte_length(connection, column), 0) for column in columns[1:]),
            byte_length(connection, columns[0]),
        )
        query = _beside(table, namespace, now, func.coalesce(func.sum(total), 0)).group_by(MEMORY.c.id)
        for memory_id, taken in connection.execute(query):
            if memory_id in places:
                found[places[memory_id]] += int(taken)
    return found


def directions(
    connection: Connection, namespace: NamespaceRow, places: Mapping[UUID, int], now: datetime
) -> NDArray[np.float16]:
    """Mean direction of each active memory's vectors in the active space, unit rows float16 `[n, dim]`.

    Zeros where there is none.

    Args:
        places: where to put each.
    """
    found: NDArray[np.float16] | None = None
    query = _beside(EMBEDDING, namespace, now, EMBEDDING.c.vector)
    cursor = connection.execution_options(yield_per=_PAGE).execute(query)
    for part in cursor.partitions():
        there = [(places[row[0]], row[1]) for row in part if row[1] is not None and row[0] in places]
        if not there:
            continue
        rows = np.frombuffer(b"".join(vector for _, vector in there), "<f2").reshape(len(there), -1)
        if found is None:
            found = np.zeros((len(places), rows.shape[1]), np.float16)
        np.add.at(found, [place for place, _ in there], rows)
    if found is None:
        return np.zeros((len(places), 1), np.float16)
    for start in range(0, len(found), _PAGE):
        part32 = found[start : start + _PAGE].astype(np.float32)
        found[start : start + _PAGE] = part32 / np.maximum(np.linalg.norm(part32, axis=1, keepdims=True), 1e-6)
    return found


def _active(namespace: NamespaceRow, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        MEMORY.c.tenant_id == namespace.tenant_id,
        MEMORY.c.namespace_id == namespace.id,
        MEMORY.c.state == int(State.ACTIVE),
        unexpired(now),
    )


def _beside(table: Table, namespace: NamespaceRow, now: datetime, shown: ColumnElement[Any]) -> Select[Any]:
    """The active memories' ids beside what a table has for the text that each has now."""
    on = [
        table.c.tenant_id == MEMORY.c.tenant_id,
        table.c.memory_id == MEMORY.c.id,
        table.c.version == MEMORY.c.content_version,
    ]
    if "space_id" in table.c:
        on.append(table.c.space_id == namespace.space_id)
    # An outer join for the order of the tables alone, see `memsvc.index.loader`.
    return select(MEMORY.c.id, shown).select_from(MEMORY.outerjoin(table, and_(*on))).where(*_active(namespace, now))
