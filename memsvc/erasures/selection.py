"""What an erasure is of, as it is stored, and which memories of a namespace that is. What is held stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import ColumnElement, Connection, and_, exists, func, not_, or_, select

from memsvc.filters.grammar import parse
from memsvc.filters.rows import asked
from memsvc.models import Memory
from memsvc.models.tables import ANALYSIS, MEMORY, VERSION
from memsvc.namespaces.repository import NamespaceRow

Selection = Mapping[str, Any]
"""One key with its value, as JSON:

- `memory_ids`: these.
- `filter`: memories as they are now, in every state, expired ones too.
- `user_id`: memories any version of which is about that user.
- `writer`: memories whose first version that key wrote.
- `written`: memories for which all that is named holds: `writer` (as above), `origin`, `session_id`, and recorded
  `since` a time and before `until` one (ISO 8601).
- `mention_ids`: memories any version of which mentions one of these names (ids of mentions).
"""
_SCAN = 5_000  # memories whose mentions are looked at in one statement


def page(
    connection: Connection, namespace: NamespaceRow, selection: Selection, after: UUID | None, limit: int
) -> list[UUID]:
    """Memories of a namespace that a selection names, by id, strictly after one."""
    if "mention_ids" in selection:
        return _mentioning(connection, namespace, selection["mention_ids"], after, limit)
    if "memory_ids" in selection:
        return _those(connection, namespace, selection["memory_ids"], after, limit)
    if "filter" in selection:
        return _passing(connection, namespace, selection["filter"], after, limit)
    query = _ids(namespace, after).where(_condition(selection)).order_by(MEMORY.c.id).limit(limit)
    return list(connection.execute(query).scalars())


def every(connection: Connection, namespace: NamespaceRow, selection: Selection) -> list[UUID]:
    """All of them, by id."""
    found: list[UUID] = []
    while True:
        part = page(connection, namespace, selection, found[-1] if found else None, _SCAN)
        found += part
        if len(part) < _SCAN:
            return found


def held(connection: Connection, namespace: NamespaceRow, selection: Selection) -> int:
    """How many memories a condition names that stay because they are held."""
    query = select(func.count()).where(
        MEMORY.c.tenant_id == namespace.tenant_id,
        MEMORY.c.namespace_id == namespace.id,
        MEMORY.c.legal_hold.is_(True),
        _condition(selection),
    )
    return int(connection.execute(query).scalar_one())


def edited_by(connection: Connection, namespace: NamespaceRow, written: Mapping[str, Any]) -> list[UUID]:
    """Memories that the named writer edited in the named time, and somebody else made; by id."""
    if "writer" not in written:
        return []
    name = written["writer"]
    during = [
        *([VERSION.c.recorded_from >= datetime.fromisoformat(written["since"])] if "since" in written else []),
        *([VERSION.c.recorded_from < datetime.fromisoformat(written["until"])] if "until" in written else []),
    ]
    query = _ids(namespace, None).where(
        _version(VERSION.c.version > 1, VERSION.c.writer == name, VERSION.c.reason == "edited", *during),
        not_(_written_by(name)),
    )
    return list(connection.execute(query.order_by(MEMORY.c.id)).scalars())


def _ids(namespace: NamespaceRow, after: UUID | None) -> Any:
    query = select(MEMORY.c.id).where(
        MEMORY.c.tenant_id == namespace.tenant_id,
        MEMORY.c.namespace_id == namespace.id,
        MEMORY.c.legal_hold.is_(False),
    )
    return query if after is None else query.where(MEMORY.c.id > after)


def _condition(selection: Selection) -> ColumnElement[bool]:
    ((kind, value),) = selection.items()
    return _CONDITIONS[kind](value)


def _about(user_id: str) -> ColumnElement[bool]:
    return or_(MEMORY.c.user_id == user_id, _version(VERSION.c.user_id == user_id))


def _written_by(name: str) -> ColumnElement[bool]:
    return _version(VERSION.c.version == 1, VERSION.c.writer == name)


def _version(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    same = and_(VERSION.c.tenant_id == MEMORY.c.tenant_id, VERSION.c.memory_id == MEMORY.c.id)
    return exists().where(same, *conditions).correlate(MEMORY)


def _written(said: Mapping[str, Any]) -> ColumnElement[bool]:
    return and_(
        *(_written_by(said[name]) for name in ("writer",) if name in said),
        *(MEMORY.c[name] == said[name] for name in ("origin", "session_id") if name in said),
        *(MEMORY.c.recorded_at >= datetime.fromisoformat(said[name]) for name in ("since",) if name in said),
        *(MEMORY.c.recorded_at < datetime.fromisoformat(said[name]) for name in ("until",) if name in said),
    )


_CONDITIONS: Mapping[str, Callable[[Any], ColumnElement[bool]]] = {
    "user_id": _about,
    "writer": _written_by,
    "written": _written,
}


def _passing(connection: Connection, namespace: NamespaceRow, raw: Any, after: UUID | None, limit: int) -> list[UUID]:
    condition = asked(connection, namespace.tenant_id, parse(raw, every_state=True), Memory)
    at_once = limit if condition.rest is None else max(limit, _SCAN)
    found: list[UUID] = []
    while True:
        query = _ids(namespace, after).add_columns(*(MEMORY.c[name].label(f"of_{name}") for name in condition.fields))
        rows = connection.execute(query.where(condition.where).order_by(MEMORY.c.id).limit(at_once)).all()
        for row in rows:
            if condition.passes({name: row._mapping[f"of_{name}"] for name in condition.fields}):
                found.append(row[0])
        if len(found) >= limit or len(rows) < at_once:
            return found[:limit]
        after = rows[-1][0]


def _those(
    connection: Connection, namespace: NamespaceRow, ids: Iterable[str], after: UUID | None, limit: int
) -> list[UUID]:
    left = sorted(one for one in map(UUID, ids) if after is None or one > after)
    found: list[UUID] = []
    for start in range(0, len(left), limit):
        query = _ids(namespace, None).where(MEMORY.c.id.in_(left[start : start + limit])).order_by(MEMORY.c.id)
        found += connection.execute(query).scalars()
        if len(found) >= limit:
            break
    return found[:limit]


def _mentioning(
    connection: Connection, namespace: NamespaceRow, mention_ids: Sequence[int], after: UUID | None, limit: int
) -> list[UUID]:
    """Read in pages: what a text mentions is stored as bytes, which no condition looks into."""
    wanted = np.array(mention_ids, dtype=np.uint64)
    found: list[UUID] = []
    while len(found) < limit:
        ids = list(connection.execute(_ids(namespace, after).order_by(MEMORY.c.id).limit(_SCAN)).scalars())
        if not ids:
            break
        query = select(ANALYSIS.c.memory_id, ANALYSIS.c.mention_ids).where(
            ANALYSIS.c.tenant_id == namespace.tenant_id,
            ANALYSIS.c.memory_id >= ids[0],
            ANALYSIS.c.memory_id <= ids[-1],
        )
        here, naming = set(ids), set()
        for memory_id, stored in connection.execute(query):
            if memory_id in here and np.isin(np.frombuffer(stored, dtype="<u8"), wanted).any():
                naming.add(memory_id)
        found += sorted(naming)
        after = ids[-1]
    return found[:limit]
