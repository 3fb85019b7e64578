"""Texts without analysis or vectors: they are analysed, and read by the model of the settings where vectors lack."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, exists, func, literal, or_, select, tuple_

from memsvc.core.errors import StartupRefused
from memsvc.memories.draft import Circumstances, Encoding, Prepared
from memsvc.memories.ledger import Ledger
from memsvc.models.ids import one_of
from memsvc.models.tables import ANALYSIS, EMBEDDING, PENDING, VERSION
from memsvc.namespaces.repository import NamespaceRow
from memsvc.repair.repairs import WRITER, Repair, Workshop
from memsvc.sealing.readable import readable
from retrieval.types import Passage

_CHUNK = 100
_KEY = (VERSION.c.memory_id, VERSION.c.version)

Key = tuple[UUID, int]


def _has(table: Table, *more: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a table has something of a version."""
    own = (table.c[name] == VERSION.c[name] for name in ("tenant_id", "memory_id", "version"))
    return exists().where(*own, *more)


def _has_vectors(namespace: NamespaceRow) -> ColumnElement[bool]:
    """Whether a version has vectors, or waits for them: that is no damage."""
    return or_(_has(EMBEDDING, EMBEDDING.c.space_id == namespace.space_id, EMBEDDING.c.view >= 0), _has(PENDING))


def _unread(namespace: NamespaceRow, *columns: Any) -> Select[Any]:
    """Versions with a text of their own of which something is missing that no bank can do without."""
    return select(*columns).where(
        VERSION.c.tenant_id == namespace.tenant_id,
        VERSION.c.namespace_id == namespace.id,
        VERSION.c.content_version == VERSION.c.version,
        or_(~_has(ANALYSIS), ~_has_vectors(namespace)),
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
        made = _prepared(workshop, namespace, rows)

        def unit(connection: Connection, locked: NamespaceRow, made: dict[Key, Prepared] = made) -> int:
            there = one_of(VERSION.c.memory_id, locked.tenant_id, {memory_id for memory_id, _ in made})
            ledger = Ledger(connection, locked, workshop.clock.now(), WRITER)
            query = _unread(locked, *_KEY, _has_vectors(locked).label("is_read")).where(there)
            mended = 0
            for row in connection.execute(query).all():
                prepared = made.get((row.memory_id, row.version))
                if prepared is None:
                    continue
                if row.is_read:
                    ledger.reanalyse(row.memory_id, row.version, prepared.analysis)
                elif not prepared.encoding.is_pending and ledger.takes(prepared.encoding):
                    ledger.reread(row.memory_id, row.version, prepared)
                else:
                    continue
                mended += 1
            ledger.flush()
            return mended

        done += workshop.write(namespace, unit)


def _texts(connection: Connection, namespace: NamespaceRow, memory_ids: Sequence[UUID]) -> Sequence[Row[Any]]:
    """The texts of some memories of which something is missing, with what they are analysed with."""
    is_read = _has_vectors(namespace).label("is_read")
    columns = (*_KEY, VERSION.c.content, is_read, *(VERSION.c[name] for name in Circumstances._fields))
    there = one_of(VERSION.c.memory_id, namespace.tenant_id, memory_ids)
    return connection.execute(_unread(namespace, *columns).where(there)).all()


def _prepared(workshop: Workshop, namespace: NamespaceRow, rows: Sequence[Row[Any]]) -> dict[Key, Prepared]:
    """The texts analysed, and those without vectors read: vectors that are there may be a caller's own."""
    preparer = workshop.preparer()
    unread = [row for row in rows if not row.is_read]
    encodings = preparer.encode([Passage(row.content, "") for row in unread], namespace.spaces)
    of = {(row.memory_id, row.version): encoding for row, encoding in zip(unread, encodings, strict=True)}
    made = {}
    for row in rows:
        key, circumstances = (row.memory_id, row.version), Circumstances.of(dict(row._mapping))
        made[key] = preparer.analysed(row.content, circumstances, of.get(key, Encoding({})))
    return made


UNREAD: Repair[NamespaceRow] = Repair(
    "texts",
    "{n} texts have no analysis or no vectors, so that no recall finds them, or no bank loads",
    "analyse them, and have the model read those without vectors",
    _count,
    _read_again,
)
