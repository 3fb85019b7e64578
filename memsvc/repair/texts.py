"""Texts without analysis or vectors: they are read again by the model of the settings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, and_, exists, func, literal, or_, select, tuple_

from memsvc.core.errors import StartupRefused
from memsvc.memories.draft import Circumstances, Prepared
from memsvc.memories.ledger import Ledger
from memsvc.models.ids import one_of
from memsvc.models.tables import ANALYSIS, EMBEDDING, PENDING, VERSION
from memsvc.namespaces.repository import NamespaceRow
from memsvc.repair.repairs import WRITER, Repair, Workshop
from memsvc.sealing.readable import readable
from retrieval.types import Passage

_CHUNK = 100
_KEY = (VERSION.c.memory_id, VERSION.c.version)


def _unread(namespace: NamespaceRow, *columns: Any) -> Select[Any]:
    """Versions with a text of their own of which something is missing that no bank can do without.

    What waits for the model has no vectors either, but will: that is no damage.
    """
    same = [
        and_(
            table.c.tenant_id == VERSION.c.tenant_id,
            table.c.memory_id == VERSION.c.memory_id,
            table.c.version == VERSION.c.version,
        )
        for table in (ANALYSIS, EMBEDDING, PENDING)
    ]
    analysed = exists().where(same[0])
    embedded = exists().where(same[1], EMBEDDING.c.space_id == namespace.space_id, EMBEDDING.c.view >= 0)
    waits = exists().where(same[2])
    return select(*columns).where(
        VERSION.c.tenant_id == namespace.tenant_id,
        VERSION.c.namespace_id == namespace.id,
        VERSION.c.content_version == VERSION.c.version,
        or_(~analysed, and_(~embedded, ~waits)),
    )


def _count(connection: Connection, namespace: NamespaceRow) -> int:
    return int(connection.execute(_unread(namespace, func.count())).scalar_one())


def _read_again(workshop: Workshop, namespace: NamespaceRow) -> int:
    if not all(space_id in workshop.preparer().embedders for space_id in namespace.spaces):
        raise StartupRefused(
            "a namespace has vectors of another model than MEMSVC_EMBEDDER and MEMSVC_EMBEDDER_SECOND; name it, and "
            "repair again"
        )
    done, after = 0, None
    while True:
        with workshop.database.read(namespace.tenant_id) as connection:
            place = tuple_(VERSION.c.memory_id, VERSION.c.version)
            query = _unread(namespace, *_KEY).order_by(*place.clauses).limit(_CHUNK)
            keys = connection.execute(query if after is None else query.where(place > after)).all()
            rows = readable({row.memory_id for row in keys}, partial(_texts, connection, namespace))
        if not keys:
            return done
        after = tuple_(*(literal(keys[-1][at], _KEY[at].type) for at in range(2)))  # on, whatever became of these
        made = dict(
            zip([(row.memory_id, row.version) for row in rows], _prepared(workshop, namespace, rows), strict=True)
        )

        def unit(connection: Connection, locked: NamespaceRow, made: dict[Any, Prepared] = made) -> int:
            there = one_of(VERSION.c.memory_id, locked.tenant_id, {memory_id for memory_id, _ in made})
            found = connection.execute(_unread(locked, *_KEY).where(there)).all()
            ledger = Ledger(connection, locked, workshop.clock.now(), WRITER)
            left = [key for key in map(tuple, found) if key in made and ledger.takes(made[key].encoding)]
            for memory_id, version in left:
                ledger.reread(memory_id, version, made[memory_id, version])
            ledger.flush()
            return len(left)

        done += workshop.write(namespace, unit)


def _texts(connection: Connection, namespace: NamespaceRow, memory_ids: Sequence[UUID]) -> Sequence[Row[Any]]:
    """The texts of some memories of which something is missing, with what they are analysed with."""
    columns = (*_KEY, VERSION.c.content, *(VERSION.c[name] for name in Circumstances._fields))
    there = one_of(VERSION.c.memory_id, namespace.tenant_id, memory_ids)
    return connection.execute(_unread(namespace, *columns).where(there)).all()


def _prepared(workshop: Workshop, namespace: NamespaceRow, rows: Sequence[Row[Any]]) -> list[Prepared]:
    preparer = workshop.preparer()
    encodings = preparer.encode([Passage(row.content, "") for row in rows], namespace.spaces)
    return [
        preparer.analysed(row.content, Circumstances.of(dict(row._mapping)), encoding)
        for row, encoding in zip(rows, encodings, strict=True)
    ]


UNREAD: Repair[NamespaceRow] = Repair(
    "texts",
    "{n} texts have no analysis or no vectors, so that no recall finds them, or no bank loads",
    "have the model read them again",
    _count,
    _read_again,
)
