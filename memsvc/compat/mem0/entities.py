"""Whose memories there are: the users, agents, apps and runs that mem0 lists as entities."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, literal, select, union_all

from gpu.bank.records import State
from memsvc.compat.mem0.filters import SCOPE
from memsvc.memories import repository
from memsvc.models.tables import MEMORY
from memsvc.namespaces.repository import NamespaceRow

TYPES: Mapping[str, str] = {name.removesuffix("_id"): name for name in SCOPE}
"""`user`, `agent`, `run`, `app`, and the scope that each is of."""

_COLUMNS: Mapping[str, ColumnElement[str | None]] = {
    "user": MEMORY.c.user_id,
    "agent": MEMORY.c.agent_id,
    "run": MEMORY.c.session_id,
    "app": MEMORY.c.source["app_id"].as_string(),
}

_SHOWN = ("type", "name", "total_memories", "created_at", "updated_at")


def listed(
    connection: Connection, namespace: NamespaceRow, now: datetime, *, offset: int, limit: int
) -> tuple[list[dict[str, Any]], int]:
    """Entities of active memories by kind and name, and how many there are. Reads the scope of every memory."""
    found = union_all(*(_of_kind(kind, namespace, now) for kind in _COLUMNS)).subquery()
    count = connection.execute(select(func.count()).select_from(found)).scalar_one()
    query = select(found).order_by(found.c.type, found.c.name).offset(offset).limit(limit)
    rows = connection.execute(query).mappings()
    return [{"id": f"{row['type']}:{row['name']}"} | {name: row[name] for name in _SHOWN} for row in rows], count


def selection(scope: Mapping[str, str]) -> dict[str, Any]:
    """What of a namespace an erasure takes (`memsvc.erasures.selection`). A user's also by what they were once."""
    if not scope:
        raise ValueError("an erasure by scope needs one")
    if scope.keys() == {"user_id"}:
        return {"user_id": scope["user_id"]}
    return {"filter": {SCOPE[name]: value for name, value in scope.items()}}


def _of_kind(kind: str, namespace: NamespaceRow, now: datetime) -> Select[Any]:
    tenant_id, namespace_id = namespace.key
    own = (
        select(_COLUMNS[kind].label("name"), MEMORY.c.recorded_at, MEMORY.c.updated_at)
        .where(
            MEMORY.c.tenant_id == tenant_id,
            MEMORY.c.namespace_id == namespace_id,
            MEMORY.c.state == int(State.ACTIVE),
            repository.unexpired(now),
        )
        .subquery()
    )
    return (
        select(
            literal(kind).label("type"),
            own.c.name,
            func.count().label("total_memories"),
            func.min(own.c.recorded_at).label("created_at"),
            func.max(own.c.updated_at).label("updated_at"),
        )
        .where(own.c.name.is_not(None))
        .group_by(own.c.name)
    )
