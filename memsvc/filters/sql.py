"""A filter as a condition of a query, with the same meaning as in the bank. Keys and values are bound, never text."""

from __future__ import annotations

from collections.abc import Callable
from operator import ge, gt, le, lt
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, literal, not_, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, aliased

from memsvc.filters import json_sql
from memsvc.filters.ast import And, Clause, FieldType, Node, Not, Op, Or
from memsvc.filters.json_sql import either
from memsvc.models import Memory, MemoryVersion

Model = type[Memory] | type[MemoryVersion]
_NEGATIVE = {Op.NE: Op.EQ, Op.NIN: Op.IN}
_ORDER: dict[Op, Callable[[Any, Any], ColumnElement[bool]]] = {Op.GT: gt, Op.GTE: ge, Op.LT: lt, Op.LTE: le}
# Columns that only the memory has; a version looks them up.
_OF_THE_MEMORY = ("external_id", "recorded_at")


def where(node: Node, model: Model) -> ColumnElement[bool]:
    """The condition that selects the memories (or the versions) that pass a filter, on SQLite and PostgreSQL alike.

    It never restricts tenant or namespace: the caller's query does. Every comparison is true or false, never unknown,
    so that `not` means what it says for missing values.
    """
    match node:
        case And():
            return and_(true(), *(where(part, model) for part in node.parts))
        case Or():
            return or_(false(), *(where(part, model) for part in node.parts))
        case Not():
            return not_(where(node.part, model))
        case Clause() if node.op in _NEGATIVE:
            return not_(where(Clause(node.field, _NEGATIVE[node.op], node.value), model))
        case Clause() if node.field.type is FieldType.JSON:
            return json_sql.holds(_column(model, node.field.name), node)
        case Clause() if node.field.type is FieldType.TAGS:
            return json_sql.has_tag(_column(model, node.field.name), node)
        case Clause():
            return _plain(_column(model, node.field.name), node)


def _plain(column: ColumnElement[Any], clause: Clause) -> ColumnElement[bool]:
    present = column.is_not(None)
    match clause.op:
        case Op.EXISTS:
            return present if clause.value else column.is_(None)
        case Op.EQ | Op.IN:
            return and_(present, column.in_(clause.values))
        case Op.CONTAINS:
            needle = literal(clause.value)
            # Both count from 1 and tell capitals apart; LIKE would not, and has wildcards.
            return and_(present, either(func.instr(column, needle) > 0, func.strpos(column, needle) > 0))
        case _:
            return and_(present, _ORDER[clause.op](column, clause.value))


def _column(model: Model, name: str) -> ColumnElement[Any]:
    if name in _OF_THE_MEMORY and model is MemoryVersion:
        owner = aliased(Memory)  # an alias, as the caller's own query may well join the memory
        attribute: InstrumentedAttribute[Any] = getattr(owner, name)
        return (
            select(attribute)
            .where(owner.tenant_id == MemoryVersion.tenant_id, owner.id == MemoryVersion.memory_id)
            .correlate(MemoryVersion)
            .scalar_subquery()
        )
    column: ColumnElement[Any] = getattr(model, "metadata_" if name == "metadata" else name)
    return column
