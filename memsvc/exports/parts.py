"""The parts of an export: which rows of which table stand in which file, and one line of JSON for each row.

Two columns are not in it, the tenant and the namespace: they are those of whoever imports.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Column, Float, Integer, LargeBinary, Row, Select, String, Table, Uuid, select
from sqlalchemy.types import JSON, TypeEngine

from memsvc.models.base import Instant
from memsvc.models.sealed import Sealed
from memsvc.models.tables import (
    ANALYSIS,
    EMBEDDING,
    ENTITY,
    ENTITY_ALIAS,
    JOB,
    LEGAL_HOLD,
    LINK,
    MEMORY,
    TOKEN_EMBEDDING,
    VERSION,
)
from memsvc.namespaces.repository import NamespaceRow

LINE_MAX_BYTES = 8 << 20
"""Longest line; the largest content, with every character escaped, is a quarter of it."""
VECTORS = "vectors.safetensors"
"""The vectors themselves, in the order of the lines of `EMBEDDINGS`."""
_LEFT_OUT = frozenset({"tenant_id", "namespace_id", "space_id", "vector", "data_key", "sealed_external_id"})


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one table.

    Attributes:
        owner: the column that names the memory whose namespace a row belongs to; None: a row has its own namespace.
        ids: columns that name memories.
    """

    name: str
    table: Table
    owner: str | None
    ids: tuple[str, ...]
    order: tuple[str, ...]

    @property
    def columns(self) -> list[Column[Any]]:
        """Those that stand in a line."""
        return [column for column in self.table.columns if column.name not in _LEFT_OUT]

    def rows(self, namespace: NamespaceRow, *more: Column[Any]) -> Select[Any]:
        """The rows of a namespace, in a fixed order, with the columns of a line and more."""
        table = self.table
        query = select(*self.columns, *more).where(table.c.tenant_id == namespace.tenant_id)
        if self.owner is None:
            query = query.where(table.c.namespace_id == namespace.id)
        else:
            query = query.join(MEMORY, (MEMORY.c.tenant_id == table.c.tenant_id) & (MEMORY.c.id == table.c[self.owner]))
            query = query.where(MEMORY.c.namespace_id == namespace.id)
        if "space_id" in table.c:
            query = query.where(table.c.space_id == namespace.space_id)
        return query.order_by(*(table.c[name] for name in self.order))

    def written(self, row: Row[Any]) -> bytes:
        """A row as a line."""
        values = {column.name: _plain(column, value) for column, value in zip(self.columns, row, strict=False)}
        return json.dumps(values, separators=(",", ":"), allow_nan=False).encode() + b"\n"

    def read(self, line: bytes) -> dict[str, Any]:
        """A row out of a line.

        Raises:
            ValueError: it is none; the message says what is wrong with it.
        """
        try:
            given = json.loads(line)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        if not isinstance(given, dict) or given.keys() != {column.name for column in self.columns}:
            raise ValueError("not the columns of a row")
        return {column.name: _value(column, given[column.name]) for column in self.columns}


_OF_VERSION = ("memory_id", "version")
MEMORIES = Part("memories.ndjson", MEMORY, None, ("id", "merged_into", "nearest_id"), ("id",))
VERSIONS = Part("versions.ndjson", VERSION, None, ("memory_id",), _OF_VERSION)
ANALYSES = Part("analyses.ndjson", ANALYSIS, "memory_id", ("memory_id",), _OF_VERSION)
LINKS = Part("links.ndjson", LINK, "from_id", ("from_id", "to_id"), ("from_id", "relation", "to_id"))
HOLDS = Part("holds.ndjson", LEGAL_HOLD, "memory_id", ("memory_id",), ("memory_id", "held_at"))
ENTITIES = Part("entities.ndjson", ENTITY, None, (), ("id",))
ALIASES = Part("aliases.ndjson", ENTITY_ALIAS, None, (), ("mention_id",))
SCHEDULES = Part("schedules.ndjson", JOB, None, (), ("kind",))
TOKENS = Part("tokens.ndjson", TOKEN_EMBEDDING, "memory_id", ("memory_id", "context_id"), _OF_VERSION)
EMBEDDINGS = Part("vectors.ndjson", EMBEDDING, "memory_id", ("memory_id",), (*_OF_VERSION, "view"))

PARTS = (MEMORIES, VERSIONS, ANALYSES, LINKS, HOLDS, ENTITIES, ALIASES, SCHEDULES, TOKENS, EMBEDDINGS)
"""In the order in which they can be written into a database."""


def _plain(column: Column[Any], value: Any) -> Any:
    if value is None:
        return None
    match _kind(column):
        case LargeBinary():
            return base64.b64encode(value).decode()
        case Uuid():
            return str(value)
        case Instant():
            return value.isoformat()
    return value


def _kind(column: Column[Any]) -> TypeEngine[Any]:
    """What a column holds once it is opened: an export is never encrypted, and what it brings is sealed anew."""
    return column.type.impl_instance if isinstance(column.type, Sealed) else column.type


def _value(column: Column[Any], given: Any) -> Any:
    if given is None and column.nullable:
        return None
    for kind, read in _READ:
        if isinstance(_kind(column), kind):
            try:
                return read(given)
            except (ValueError, TypeError, AttributeError):
                raise ValueError(f"`{column.name}` is none") from None
    raise ValueError(f"`{column.name}` is none")


def _only(*kinds: type) -> Callable[[Any], Any]:
    def read(given: Any) -> Any:
        if type(given) not in kinds:
            raise ValueError
        return given

    return read


def _instant(given: str) -> datetime:
    moment = datetime.fromisoformat(given)
    if moment.tzinfo is None:
        raise ValueError
    return moment


_READ: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (Uuid, UUID),
    (Instant, _instant),
    (LargeBinary, lambda given: base64.b64decode(given, validate=True)),
    (JSON, _only(dict, list)),
    (Boolean, _only(bool)),
    (Float, _only(float, int)),
    (Integer, _only(int)),
    (String, _only(str)),
)


def mapped(part: Part, row: dict[str, Any], ids: Mapping[UUID, UUID]) -> dict[str, Any]:
    """A row with the ids of memories that an import gives them; one that is not there becomes None."""
    for name in part.ids:
        if row[name] is not None:
            row[name] = ids.get(row[name])
    return row
