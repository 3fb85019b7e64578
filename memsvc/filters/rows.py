"""A filter where values may be encrypted: SQL narrows by what it can see, and what it finds is tested once opened.

That is as right as SQL alone, and slower: what SQL cannot narrow is read. Equality that a recall asks for is no part of
this, for the bank knows it (`memsvc.filters.scan`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, true

from memsvc.filters.ast import And, Clause, Node, Not, Op, Or
from memsvc.filters.meaning import passes
from memsvc.filters.sql import Model, where
from memsvc.models.sealed import Sealed, keyring_of
from memsvc.models.tables import MEMORY
from memsvc.sealing import rows

_SEALED = frozenset(column.name for column in MEMORY.c if isinstance(column.type, Sealed))


@dataclass(frozen=True, slots=True)
class Asked:
    """A filter as it is asked of a database.

    Attributes:
        where: a condition that every memory fulfils that passes.
        rest: what has to be tested on rows that do; None: nothing.
    """

    where: ColumnElement[bool]
    rest: Node | None = None

    @property
    def fields(self) -> list[str]:
        """What the rest looks at, by column of the memory."""
        return [] if self.rest is None else sorted(_fields(self.rest))

    def passes(self, row: Mapping[str, Any]) -> bool:
        """Whether a row that was found passes."""
        return self.rest is None or passes(self.rest, row)


def asked(connection: Connection, tenant_id: UUID, node: Node, model: Model) -> Asked:
    """How a filter is to be asked of the database behind a connection."""
    if keyring_of(connection.dialect) is None or not _fields(node) & _SEALED:
        return Asked(where(node, model))
    wider = _wider(connection, tenant_id, node)
    return Asked(true() if wider is None else where(wider, model), node)


def _wider(connection: Connection, tenant_id: UUID, node: Node) -> Node | None:
    """A filter that SQL can answer and that lets through at least as much; None: everything."""
    match node:
        case And():
            parts = [part for one in node.parts if (part := _wider(connection, tenant_id, one)) is not None]
            return And(tuple(parts)) if parts else None
        case Or():
            wider = [_wider(connection, tenant_id, one) for one in node.parts]
            return None if None in wider else Or(tuple(part for part in wider if part is not None))
        case Not():
            return None if _fields(node) & _SEALED else node
        case Clause() if node.field.name == "external_id" and node.op in (Op.EQ, Op.IN):
            looked_up = rows.names(connection, tenant_id, [str(value) for value in node.values])
            return Clause(node.field, Op.IN, tuple(looked_up))
        case Clause():
            return None if node.field.name in _SEALED else node


def _fields(node: Node) -> set[str]:
    match node:
        case Clause():
            return {node.field.name}
        case Not():
            return _fields(node.part)
        case And() | Or():
            return {name for part in node.parts for name in _fields(part)}
